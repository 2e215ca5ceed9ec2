/* SPDX-License-Identifier: Apache-2.0 */
#include "rpmsqlite.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <sys/mman.h>

#include <sqlite3.h>

#include <fenwatch/file.h>

#include "rpmname.h"

#define STEPS 100000
#define CALLS_LIMIT 5000 /* after so many steps of SQLite's machine each */
#define FIELD 512

/* Where the agent may write; a person who asks with --print has /tmp. */
static int open_nameless(const struct machine *m)
{
	const char *const folders[] = {m->var, "/var/tmp", "/tmp"};
	for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
		int fd = folders[i] ? open(folders[i], O_TMPFILE | O_RDWR | O_CLOEXEC, 0600) : -1;
		if (fd >= 0)
			return fd;
	}
	return -errno;
}

/* The database, unpacked: pages of a file, not memory that somebody has to have. */
struct copy {
	uint8_t *bytes; /* MAP_FAILED: there is none */
	size_t length;
};

static int write_copy(int fd, struct fw_unpack *u, size_t *length)
{
	uint8_t bytes[16384];
	ssize_t got;
	while ((got = fw_unpack_read(u, bytes, sizeof bytes)) > 0) {
		int rc = fw_write(fd, bytes, (size_t)got);
		if (rc < 0)
			return rc;
		*length += (size_t)got;
	}
	return (int)got;
}

static int make_copy(const struct machine *m, struct fw_unpack *u, struct copy *copy)
{
	int fd = open_nameless(m);
	if (fd < 0)
		return fd;
	int rc = write_copy(fd, u, &copy->length);
	if (rc == 0 && copy->length == 0)
		rc = -EBADMSG;
	if (rc == 0)
		copy->bytes = mmap(NULL, copy->length, PROT_READ, MAP_SHARED, fd, 0);
	if (rc == 0 && copy->bytes == MAP_FAILED)
		rc = -errno;
	fw_close(fd);
	return rc;
}

static int stop(void *arg)
{
	unsigned *calls = arg;
	return ++*calls > CALLS_LIMIT;
}

/* What the file's own schema could do is switched off. */
static int open_database(struct copy *copy, unsigned *calls, sqlite3 **db)
{
	if (sqlite3_open_v2(":memory:", db,
		    SQLITE_OPEN_READWRITE | SQLITE_OPEN_MEMORY | SQLITE_OPEN_NOMUTEX,
		    NULL) != SQLITE_OK ||
		sqlite3_deserialize(*db, "main", copy->bytes, (sqlite3_int64)copy->length,
			(sqlite3_int64)copy->length, SQLITE_DESERIALIZE_READONLY) != SQLITE_OK)
		return -EBADMSG;
	sqlite3_db_config(*db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	sqlite3_db_config(*db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
	sqlite3_db_config(*db, SQLITE_DBCONFIG_ENABLE_VIEW, 0, NULL);
	sqlite3_db_config(*db, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, NULL);
	sqlite3_limit(*db, SQLITE_LIMIT_LENGTH, 1 << 20);
	sqlite3_progress_handler(*db, STEPS, stop, calls);
	sqlite3_exec(*db, "PRAGMA cell_size_check=ON; PRAGMA cache_size=-256; PRAGMA mmap_size=0",
		NULL, NULL, NULL);
	return 0;
}

static const char *text_at(sqlite3_stmt *s, int column)
{
	const char *text = (const char *)sqlite3_column_text(s, column);
	return text ? text : "";
}

/* ---- rows ---- */

struct row {
	char evr[FIELD], source[FIELD], obsolete_evr[FIELD];
	struct rpm_listed listed;
	struct rpm_obsolete obsolete;
};

static void read_row(sqlite3_stmt *s, struct row *row)
{
	rpmname_write_evr(row->evr, sizeof row->evr, text_at(s, 2), text_at(s, 3), text_at(s, 4));
	snprintf(row->source, sizeof row->source, "%s", text_at(s, 6));
	rpmname_cut_source(row->source);
	row->listed = (struct rpm_listed){
		.name = text_at(s, 0),
		.arch = text_at(s, 1),
		.evr = row->evr,
		.vendor = text_at(s, 5),
		.source = row->source,
	};
}

/* Behind the columns of its package: name, flags, epoch, version, release. */
static void read_obsolete(sqlite3_stmt *s, struct row *row)
{
	const char *flags = text_at(s, 8);
	row->obsolete_evr[0] = '\0';
	if (flags[0])
		rpmname_write_evr(row->obsolete_evr, sizeof row->obsolete_evr, text_at(s, 9),
			text_at(s, 10), text_at(s, 11));
	row->obsolete = (struct rpm_obsolete){
		.name = text_at(s, 7),
		.evr = row->obsolete_evr,
		.less = flags[0] == 'L',
		.equal = strcmp(flags, "EQ") == 0 || strcmp(flags, "LE") == 0 ||
			strcmp(flags, "GE") == 0,
		.greater = flags[0] == 'G',
	};
	row->listed.obsoletes = &row->obsolete;
	row->listed.n_obsoletes = 1;
}

static int read_rows(sqlite3 *db, const char *sql, bool obsoletes, struct rpm_set *set,
	const struct rpm_repo *repo)
{
	sqlite3_stmt *s;
	struct row row;
	if (sqlite3_prepare_v2(db, sql, -1, &s, NULL) != SQLITE_OK)
		return -EBADMSG;
	int rc;
	while ((rc = sqlite3_step(s)) == SQLITE_ROW) {
		const char *arch = text_at(s, 1);
		if (strcmp(arch, "src") == 0 || !rpmset_has(set, text_at(s, obsoletes ? 7 : 0)))
			continue;
		read_row(s, &row);
		if (obsoletes)
			read_obsolete(s, &row);
		rpmset_add_listed(set, repo, &row.listed);
	}
	sqlite3_finalize(s);
	return rc == SQLITE_DONE ? 0 : -EBADMSG;
}

#define COLUMNS "p.name, p.arch, p.epoch, p.version, p.release, p.rpm_vendor, p.rpm_sourcerpm"

int rpmsqlite_read(
	struct rpm_set *set, struct machine *m, const struct rpm_repo *repo, struct fw_unpack *u)
{
	sqlite3 *db = NULL;
	unsigned calls = 0;
	struct copy copy = {.bytes = MAP_FAILED};
	int rc = make_copy(m, u, &copy);
	if (rc == 0)
		rc = open_database(&copy, &calls, &db);
	if (rc == 0)
		rc = read_rows(db, "SELECT " COLUMNS " FROM packages p", false, set, repo);
	if (rc == 0)
		rc = read_rows(db,
			"SELECT " COLUMNS ", o.name, o.flags, o.epoch, o.version, o.release "
			"FROM obsoletes o JOIN packages p ON p.pkgKey = o.pkgKey",
			true, set, repo);
	sqlite3_close(db);
	if (copy.bytes != MAP_FAILED)
		munmap(copy.bytes, copy.length);
	return rc;
}
