/* SPDX-License-Identifier: Apache-2.0 */
#include "state.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <fenwatch/clock.h>
#include <fenwatch/file.h>
#include <fenwatch/log.h>
#include <fenwatch/mem.h>

#ifdef FW_TEST_SEAMS
#include "fault_vfs.h"
#else
#define FAULT_VFS NULL
static void fault_vfs_install(void)
{
}
#endif

#define STATE_FORMAT 1
#define STATE_MAGIC 0x46575354 /* "FWST", as SQLite's application_id */
#define STATE_STATEMENTS 128
#define STATE_RESERVE_BYTES (4u << 20)
#define STATE_RESERVE_RETRY_MS (10 * 60 * 1000)
#define STATE_GROWTH_BYTES (8 << 20) /* the file grows in steps of this, so rarely */

struct state {
	sqlite3 *db;
	char *reserve_path;
	bool reserve_held;
	int64_t reserve_after_ms; /* monotonic: when to try to take it again */
	struct {
		char *sql;
		sqlite3_stmt *statement;
	} kept[STATE_STATEMENTS];
	size_t n_kept;
};

/* ---- what SQLite says, in our numbers and words ---- */

static int errno_of(int code)
{
	switch (code & 0xff) {
	case SQLITE_OK:
	case SQLITE_ROW:
	case SQLITE_DONE:
		return 0;
	case SQLITE_FULL:
		return -ENOSPC;
	case SQLITE_NOMEM:
		return -ENOMEM;
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return -EBUSY;
	case SQLITE_CONSTRAINT:
		return -EEXIST;
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		return -EBADMSG;
	case SQLITE_READONLY:
	case SQLITE_PERM:
		return -EROFS;
	default:
		return -EIO;
	}
}

static int fail(const struct state *state, int code, struct fw_err *err)
{
	return fw_fail(err, errno_of(code), "state.db: %s", sqlite3_errmsg(state->db));
}

/* ---- the reserve ---- */

/* A disk that is full at this moment is not a failure: the reserve is taken later. */
static void reserve_take(struct state *state)
{
	state->reserve_after_ms = fw_mono_ms() + STATE_RESERVE_RETRY_MS;
	int fd = fw_open(state->reserve_path, O_RDWR | O_CREAT, 0600);
	if (fd < 0)
		return;
	int rc = fw_preallocate(fd, STATE_RESERVE_BYTES);
	fw_close(fd);
	state->reserve_held = rc == 0;
	if (rc < 0)
		fw_unlink(state->reserve_path);
}

/* Whether the disk was full and there was a reserve to give up: then try again. */
static bool reserve_helps(struct state *state, int code)
{
	if ((code & 0xff) != SQLITE_FULL || !state->reserve_held)
		return false;
	fw_log(FW_ERROR, "state.db: the disk is full; %u MiB kept in reserve are released",
		STATE_RESERVE_BYTES >> 20);
	state->reserve_held = false;
	state->reserve_after_ms = fw_mono_ms() + STATE_RESERVE_RETRY_MS;
	return fw_unlink(state->reserve_path) == 0;
}

/* ---- statements ---- */

static int prepare(struct state *state, const char *sql, sqlite3_stmt **out, struct fw_err *err)
{
	for (size_t i = 0; i < state->n_kept; i++) {
		sqlite3_stmt *kept = state->kept[i].statement;
		if (strcmp(state->kept[i].sql, sql) == 0 && !sqlite3_stmt_busy(kept)) {
			*out = kept;
			return 0;
		}
	}
	assert(state->n_kept < STATE_STATEMENTS);
	int code = sqlite3_prepare_v3(state->db, sql, -1, SQLITE_PREPARE_PERSISTENT, out, NULL);
	if (code != SQLITE_OK)
		return fail(state, code, err);
	state->kept[state->n_kept].sql = fw_strdup(sql);
	state->kept[state->n_kept++].statement = *out;
	return 0;
}

static int bind(sqlite3_stmt *statement, const char *types, va_list args)
{
	int code = SQLITE_OK;
	for (int i = 1; *types && code == SQLITE_OK; types++, i++) {
		const void *data;
		switch (*types) {
		case 't':
			code = sqlite3_bind_text(
				statement, i, va_arg(args, const char *), -1, SQLITE_TRANSIENT);
			break;
		case 'i':
			code = sqlite3_bind_int64(statement, i, va_arg(args, int64_t));
			break;
		case 'r':
			code = sqlite3_bind_double(statement, i, va_arg(args, double));
			break;
		default:
			assert(*types == 'b');
			data = va_arg(args, const void *);
			code = sqlite3_bind_blob64(
				statement, i, data, va_arg(args, size_t), SQLITE_TRANSIENT);
		}
	}
	return code;
}

static int query(struct state *state, sqlite3_stmt **out, struct fw_err *err, const char *sql,
	const char *types, va_list args)
{
	int rc = prepare(state, sql, out, err);
	if (rc < 0)
		return rc;
	int code = bind(*out, types, args);
	if (code == SQLITE_OK)
		return 0;
	rc = fail(state, code, err);
	state_done(*out);
	return rc;
}

int state_query(struct state *state, sqlite3_stmt **out, struct fw_err *err, const char *sql,
	const char *types, ...)
{
	va_list args;
	va_start(args, types);
	int rc = query(state, out, err, sql, types, args);
	va_end(args);
	return rc;
}

int state_step(struct state *state, sqlite3_stmt *statement, struct fw_err *err)
{
	int code = sqlite3_step(statement);
	return code == SQLITE_ROW ? 1 : code == SQLITE_DONE ? 0 : fail(state, code, err);
}

const char *state_text(sqlite3_stmt *row, int column)
{
	const char *text = (const char *)sqlite3_column_text(row, column);
	return text ? text : "";
}

void state_done(sqlite3_stmt *statement)
{
	sqlite3_reset(statement);
	sqlite3_clear_bindings(statement);
}

int state_run(struct state *state, struct fw_err *err, const char *sql, const char *types, ...)
{
	sqlite3_stmt *statement;
	va_list args;
	va_start(args, types);
	int rc = query(state, &statement, err, sql, types, args);
	va_end(args);
	if (rc < 0)
		return rc;
	/* Within a transaction a failure may have rolled all of it back: then only
	 * the caller, who knows the whole of it, can try again. */
	bool alone = sqlite3_get_autocommit(state->db);
	int code = sqlite3_step(statement);
	if (reserve_helps(state, code) && alone) {
		sqlite3_reset(statement);
		code = sqlite3_step(statement);
	}
	rc = code == SQLITE_DONE ? 0 : fail(state, code, err);
	state_done(statement);
	return rc;
}

/* ---- transactions ---- */

int state_begin(struct state *state, struct fw_err *err)
{
	return state_run(state, err, "BEGIN IMMEDIATE", "");
}

int state_commit(struct state *state, struct fw_err *err)
{
	bool held = state->reserve_held;
	int rc = state_run(state, err, "COMMIT", "");
	if (rc == -ENOSPC && held && !sqlite3_get_autocommit(state->db))
		rc = state_run(state, err, "COMMIT", "");
	if (rc < 0)
		state_rollback(state);
	else if (!state->reserve_held && fw_mono_ms() >= state->reserve_after_ms)
		reserve_take(state);
	return rc;
}

void state_rollback(struct state *state)
{
	if (!sqlite3_get_autocommit(state->db))
		state_run(state, NULL, "ROLLBACK", "");
}

int state_finish(struct state *state, int rc, struct fw_err *err)
{
	if (rc == 0)
		return state_commit(state, err);
	state_rollback(state);
	return rc;
}

/* ---- values and migrations ---- */

int state_get(struct state *state, const char *key, char *value, size_t size)
{
	sqlite3_stmt *row;
	int rc = state_query(state, &row, NULL, "SELECT value FROM value WHERE key = ?", "t", key);
	if (rc < 0)
		return rc;
	rc = state_step(state, row, NULL);
	if (rc == 0)
		rc = -ENOENT;
	else if (rc > 0)
		rc = snprintf(value, size, "%s", (const char *)sqlite3_column_text(row, 0)) <
				(int)size
			? 0
			: -ENOBUFS;
	state_done(row);
	return rc;
}

int state_set(struct state *state, const char *key, const char *value, struct fw_err *err)
{
	return state_run(state, err, "INSERT OR REPLACE INTO value (key, value) VALUES (?, ?)",
		"tt", key, value);
}

static int execute(struct state *state, const char *sql, struct fw_err *err)
{
	int code = sqlite3_exec(state->db, sql, NULL, NULL, NULL);
	return code == SQLITE_OK ? 0 : fail(state, code, err);
}

static int migrated(struct state *state, const char *module, int64_t *steps, struct fw_err *err)
{
	sqlite3_stmt *row;
	int rc = state_query(
		state, &row, err, "SELECT steps FROM module WHERE name = ?", "t", module);
	if (rc < 0)
		return rc;
	rc = state_step(state, row, err);
	*steps = rc > 0 ? sqlite3_column_int64(row, 0) : 0;
	state_done(row);
	return rc < 0 ? rc : 0;
}

int state_migrate(struct state *state, const char *module, const char *const *steps, int n_steps,
	struct fw_err *err)
{
	int64_t done;
	int rc = migrated(state, module, &done, err);
	if (rc < 0 || done == n_steps)
		return rc;
	if (done > n_steps)
		return fw_fail(err, -EPROTO,
			"state.db: its '%s' tables were written by a newer Fenwatch; start that one",
			module);
	rc = state_begin(state, err);
	for (int64_t i = done; rc == 0 && i < n_steps; i++)
		rc = execute(state, steps[i], err);
	if (rc == 0)
		rc = state_run(state, err,
			"INSERT OR REPLACE INTO module (name, steps) VALUES (?, ?)", "ti", module,
			(int64_t)n_steps);
	return state_finish(state, rc, err);
}

/* ---- opening ---- */

static int read_number(struct state *state, const char *sql, int64_t *number, struct fw_err *err)
{
	sqlite3_stmt *row;
	int rc = state_query(state, &row, err, sql, "");
	if (rc < 0)
		return rc;
	rc = state_step(state, row, err);
	*number = rc > 0 ? sqlite3_column_int64(row, 0) : 0;
	state_done(row);
	return rc < 0 ? rc : 0;
}

static int check_format(struct state *state, struct fw_err *err)
{
	int64_t magic = 0, format = 0, tables = 0;
	int rc = read_number(state, "PRAGMA application_id", &magic, err);
	if (rc == 0)
		rc = read_number(state, "PRAGMA user_version", &format, err);
	if (rc == 0)
		rc = read_number(state, "SELECT count(*) FROM sqlite_schema", &tables, err);
	if (rc < 0)
		return rc;
	if (tables > 0 && magic != STATE_MAGIC)
		return fw_fail(err, -EPROTO, "state.db was not made by Fenwatch");
	if (format > STATE_FORMAT)
		return fw_fail(err, -EPROTO,
			"state.db has format %lld; this Fenwatch knows formats up to %d",
			(long long)format, STATE_FORMAT);
	if (tables > 0)
		return 0;
	char sql[512];
	snprintf(sql, sizeof sql,
		"BEGIN;"
		"CREATE TABLE value (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;"
		"CREATE TABLE module (name TEXT PRIMARY KEY, steps INTEGER NOT NULL) STRICT;"
		"PRAGMA application_id = %d; PRAGMA user_version = %d;"
		"COMMIT",
		STATE_MAGIC, STATE_FORMAT);
	rc = execute(state, sql, err);
	if (rc < 0)
		state_rollback(state);
	return rc;
}

static int check_integrity(struct state *state, struct fw_err *err)
{
	sqlite3_stmt *row;
	int rc = state_query(state, &row, err, "PRAGMA integrity_check(1)", "");
	if (rc < 0)
		return rc;
	rc = state_step(state, row, err);
	const char *answer = rc > 0 ? (const char *)sqlite3_column_text(row, 0) : NULL;
	if (rc > 0 && (!answer || strcmp(answer, "ok") != 0))
		rc = fw_fail(err, -EBADMSG,
			"state.db is damaged (%.100s): restore it from the newest backup",
			answer ? answer : "no answer");
	state_done(row);
	return rc < 0 ? rc : 0;
}

static int settle(struct state *state, struct fw_err *err)
{
	int growth = STATE_GROWTH_BYTES, keep = 1;
	sqlite3_file_control(state->db, "main", SQLITE_FCNTL_CHUNK_SIZE, &growth);
	int rc = execute(state,
		"PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;"
		/* What is replaced goes, for triggers, too. */
		"PRAGMA recursive_triggers = ON;"
		/* Of what is forgotten nothing stays in free pages. */
		"PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON; PRAGMA secure_delete = ON",
		err);
	/* A log that stays as large as it once was needs no room when the disk is full. */
	sqlite3_file_control(state->db, "main", SQLITE_FCNTL_PERSIST_WAL, &keep);
	if (rc == 0)
		rc = check_integrity(state, err);
	if (rc == 0)
		rc = check_format(state, err);
	return rc;
}

static int connect_to(struct state *state, const char *path, int mode, struct fw_err *err)
{
	fault_vfs_install();
	int code = sqlite3_open_v2(path, &state->db, mode | SQLITE_OPEN_NOMUTEX, FAULT_VFS);
	if (code != SQLITE_OK)
		return fw_fail(err, errno_of(code), "'%s': %s", path,
			state->db ? sqlite3_errmsg(state->db) : "out of memory");
	sqlite3_extended_result_codes(state->db, 1);
	sqlite3_busy_timeout(state->db, 1000);
	return 0;
}

static int open_file(struct state *state, const char *path, struct fw_err *err)
{
	/* SQLite would make it readable for all; its log takes the mode after it. */
	int fd = fw_open(path, O_RDWR | O_CREAT, 0600);
	if (fd < 0)
		return fw_fail_sys(err, fd, "'%s'", path);
	fw_close(fd);
	return connect_to(state, path, SQLITE_OPEN_READWRITE, err);
}

int state_open(struct state **out, const char *dir, struct fw_err *err)
{
	struct state *state = fw_alloc(sizeof *state);
	state->reserve_path = fw_format("%s/state.reserve", dir);
	char *path = fw_format("%s/state.db", dir);
	int rc = open_file(state, path, err);
	fw_free(path);
	if (rc == 0)
		rc = settle(state, err);
	if (rc < 0) {
		state_close(state);
		return rc;
	}
	reserve_take(state);
	*out = state;
	return 0;
}

int state_open_reader(struct state **out, const char *dir, struct fw_err *err)
{
	struct state *state = fw_alloc(sizeof *state);
	char *path = fw_format("%s/state.db", dir);
	int rc = connect_to(state, path, SQLITE_OPEN_READONLY, err);
	fw_free(path);
	if (rc < 0)
		state_close(state);
	else
		*out = state;
	return rc;
}

/* All pages in one step: a reader of the log stops nobody who writes. The copy is one file,
 * without a log of its own. */
static int copy_pages(struct state *from, struct state *to, struct fw_err *err)
{
	sqlite3_backup *backup = sqlite3_backup_init(to->db, "main", from->db, "main");
	if (!backup)
		return fail(to, sqlite3_errcode(to->db), err);
	int code = sqlite3_backup_step(backup, -1);
	int end = sqlite3_backup_finish(backup);
	if (code == SQLITE_DONE && end == SQLITE_OK)
		end = sqlite3_exec(to->db, "PRAGMA journal_mode = DELETE", NULL, NULL, NULL);
	return code == SQLITE_DONE && end == SQLITE_OK
		? 0
		: fw_fail(err, errno_of(end ? end : code), "state.db cannot be copied: %s",
			  sqlite3_errstr(end ? end : code));
}

static int sync_file(const char *path, struct fw_err *err)
{
	int fd = fw_open(path, O_RDWR, 0);
	int rc = fd < 0 ? fd : fw_fsync(fd);
	if (fd >= 0)
		fw_close(fd);
	return rc < 0 ? fw_fail_sys(err, rc, "'%s'", path) : 0;
}

int state_backup(const char *dir, const char *to, struct fw_err *err)
{
	struct state *from, *copy = fw_alloc(sizeof *copy);
	char *path = fw_format("%s/state.db", to);
	int rc = state_open_reader(&from, dir, err);
	if (rc == 0) {
		rc = open_file(copy, path, err);
		if (rc == 0)
			rc = copy_pages(from, copy, err);
		state_close(from);
	}
	state_close(copy);
	if (rc == 0)
		rc = sync_file(path, err);
	fw_free(path);
	return rc;
}

void state_close(struct state *state)
{
	if (!state)
		return;
	for (size_t i = 0; i < state->n_kept; i++) {
		sqlite3_finalize(state->kept[i].statement);
		fw_free(state->kept[i].sql);
	}
	int code = sqlite3_close(state->db);
	assert(code == SQLITE_OK);
	(void)code;
	fw_free(state->reserve_path);
	fw_free(state);
}

sqlite3 *state_db(struct state *state)
{
	return state->db;
}
