/* The collector's small state, in SQLite: enrolment, tokens, alerts, outbox.
 *
 * One file, state.db, WAL, synchronous=FULL, owned by the main thread. Modules
 * bring their own tables through state_migrate. When the disk is full a reserve
 * file is released once, so that what must be written still can be.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <sqlite3.h>

#include <fenwatch/err.h>

struct state;

int state_open(struct state **out, const char *dir, struct fw_err *err);
/* Another connection that only reads, for work on another thread: it belongs to whoever
 * opened it, and sees what was committed when each of its questions began. */
int state_open_reader(struct state **out, const char *dir, struct fw_err *err);
void state_close(struct state *state);
/* Any thread: what `dir` holds as it is now, as a folder of its own, `to`, while its owner
 * goes on. Synced. */
int state_backup(const char *dir, const char *to, struct fw_err *err);
sqlite3 *state_db(struct state *state);

/* Runs steps[version..] of `module` in one transaction and remembers the count. */
int state_migrate(struct state *state, const char *module, const char *const *steps, int n_steps,
	struct fw_err *err);

/* A prepared statement, kept by the state and reset by state_run and state_done.
 * `types` binds what follows: 't' text (const char *, NULL is NULL), 'i' int64_t,
 * 'r' double, 'b' blob (const void *, size_t). */
int state_query(struct state *state, sqlite3_stmt **out, struct fw_err *err, const char *sql,
	const char *types, ...);
/* Steps to the next row: 1, 0 at the end, or a negative errno. */
int state_step(struct state *state, sqlite3_stmt *statement, struct fw_err *err);
void state_done(sqlite3_stmt *statement);
const char *state_text(sqlite3_stmt *row, int column); /* "" for NULL; until the next step */
/* A statement without rows. */
int state_run(struct state *state, struct fw_err *err, const char *sql, const char *types, ...);
int state_begin(struct state *state, struct fw_err *err);
int state_commit(struct state *state, struct fw_err *err);
void state_rollback(struct state *state);
/* The end of a transaction: kept where `rc` is 0, otherwise undone, and `rc` given back. */
int state_finish(struct state *state, int rc, struct fw_err *err);

/* A value of the collector itself ("estate", "uuid"), made once. */
int state_get(struct state *state, const char *key, char *value, size_t size); /* -ENOENT */
int state_set(struct state *state, const char *key, const char *value, struct fw_err *err);
