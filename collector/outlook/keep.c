/* SPDX-License-Identifier: Apache-2.0 */
#include "keep.h"

#include "state.h"

static const char *const steps[] = {
	"CREATE TABLE outlook (host INTEGER NOT NULL, mountpoint TEXT NOT NULL,"
	"  resource INTEGER NOT NULL, earliest_ms INTEGER NOT NULL, likely_ms INTEGER NOT NULL,"
	"  latest_ms INTEGER NOT NULL, samples INTEGER NOT NULL, span_ms INTEGER NOT NULL,"
	"  made_ms INTEGER NOT NULL, stands_until_ms INTEGER NOT NULL,"
	"  stands_above REAL NOT NULL, most REAL NOT NULL,"
	"  PRIMARY KEY (host, mountpoint, resource)) STRICT, WITHOUT ROWID",
};

int keep_open(struct state *state, struct fw_err *err)
{
	return state_migrate(state, "outlook", steps, sizeof steps / sizeof *steps, err);
}

int keep_write(struct state *state, uint32_t host, const char *mountpoint, enum resource resource,
	const struct forecast *f, struct fw_err *err)
{
	if (f->likely_ms == 0)
		return state_run(state, err,
			"DELETE FROM outlook WHERE host = ? AND mountpoint = ? AND resource = ?",
			"iti", (int64_t)host, mountpoint, (int64_t)resource);
	return state_run(state, err,
		"INSERT OR REPLACE INTO outlook VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
		"itiiiiiiiirr", (int64_t)host, mountpoint, (int64_t)resource, f->earliest_ms,
		f->likely_ms, f->latest_ms, (int64_t)f->samples, f->span_ms, f->made_ms,
		f->stands_until_ms, f->stands_above, f->full);
}

int keep_forget(struct state *state, uint32_t host, struct fw_err *err)
{
	return state_run(state, err, "DELETE FROM outlook WHERE host = ?", "i", (int64_t)host);
}

static struct forecast forecast_of(sqlite3_stmt *row)
{
	return (struct forecast){
		.earliest_ms = sqlite3_column_int64(row, 3),
		.likely_ms = sqlite3_column_int64(row, 4),
		.latest_ms = sqlite3_column_int64(row, 5),
		.samples = (size_t)sqlite3_column_int64(row, 6),
		.span_ms = sqlite3_column_int64(row, 7),
		.made_ms = sqlite3_column_int64(row, 8),
		.stands_until_ms = sqlite3_column_int64(row, 9),
		.stands_above = sqlite3_column_double(row, 10),
		.full = sqlite3_column_double(row, 11),
	};
}

int keep_each(struct state *state,
	void (*each)(uint32_t host, const char *mountpoint, enum resource resource,
		const struct forecast *forecast, void *arg),
	void *arg, struct fw_err *err)
{
	sqlite3_stmt *row;
	int rc = state_query(state, &row, err, "SELECT * FROM outlook", "");
	if (rc < 0)
		return rc;
	while ((rc = state_step(state, row, err)) > 0) {
		struct forecast forecast = forecast_of(row);
		int64_t resource = sqlite3_column_int64(row, 2);
		if (resource >= 0 && resource < RESOURCES)
			each((uint32_t)sqlite3_column_int64(row, 0),
				(const char *)sqlite3_column_text(row, 1), (enum resource)resource,
				&forecast, arg);
	}
	state_done(row);
	return rc;
}
