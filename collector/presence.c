/* SPDX-License-Identifier: Apache-2.0 */
#include "presence.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <fenwatch/array.h>
#include <fenwatch/clock.h>
#include <fenwatch/log.h>
#include <fenwatch/loop.h>
#include <fenwatch/mem.h>
#include <fenwatch/schema.h>

#include "ingest.h"
#include "register.h"
#include "state.h"
#include "store.h"

#define TICK_MS 1000
#define REPEAT_MS 60000
#define GAPS 5 /* arrivals that a host's interval is learnt from */
#define INTERVAL_MS 15000
#define INTERVAL_LEAST_MS 2000
#define INTERVAL_MOST_MS 600000
#define RENEW_AT_ONCE 500 /* each may be matched with a thousand expressions */

static const char *const steps[] = {
	"CREATE TABLE host_class (host INTEGER PRIMARY KEY, class TEXT NOT NULL)",
};

enum attendance { HERE, AWAY, DOWN, GONE };

enum { UP, HOST_AWAY, HOST_INFO, COLUMNS };
enum { INFO_LABELS = 5 };

struct watched {
	char *said;      /* its class, by its agent; NULL: nothing was said */
	char *class;     /* as it is in force */
	uint32_t schema; /* the store's id of its COLUMNS; 0: not made yet */
	struct register_life life;
	bool is_current; /* these three are as the register has them */
	int64_t received_ms, told_ms;
	int64_t gaps_ms[GAPS];
	unsigned n_gaps;
	enum attendance told; /* as it was last written, at told_ms */
	bool is_told;         /* anything was */
};

struct presence {
	struct fw_owner owner;
	uv_timer_t timer;
	struct store *store;
	struct state *state;
	struct alert_absence absence;
	struct registry *registry;
	bool (*is_expected)(const struct store_host *host, void *arg);
	void *arg;
	struct watched *hosts; /* by the store's id */
	size_t n_hosts;
	unsigned renewed; /* of this tick */
	void (*on_closed)(void *arg);
	void *closed_arg;
};

/* One sweep of one host; it belongs to the store until it is written. */
struct cells {
	struct store_entry entry;
	int64_t at_ms;
	int64_t values[COLUMNS];
};

static struct watched *watched(struct presence *presence, uint32_t id)
{
	presence->hosts =
		fw_array_reach(presence->hosts, &presence->n_hosts, id, sizeof *presence->hosts);
	return &presence->hosts[id];
}

static void set_class(struct presence *presence, uint32_t id, const char *class)
{
	struct watched *host = watched(presence, id);
	fw_free(host->said);
	host->said = fw_strdup(class);
	host->is_current = false;
}

void presence_note(struct presence *presence, const struct ingest_greeting *greeting)
{
	const char *class = greeting->class[0] ? greeting->class : "server";
	struct watched *host = watched(presence, greeting->host);
	struct fw_err err;
	if (host->said && strcmp(host->said, class) == 0)
		return;
	set_class(presence, greeting->host, class);
	if (state_run(presence->state, &err,
		    "INSERT OR REPLACE INTO host_class (host, class) VALUES (?, ?)", "it",
		    (int64_t)greeting->host, class) < 0)
		fw_log(FW_ERROR, "the class of a host cannot be kept: %s", err.text);
}

static void watched_done(struct watched *host)
{
	fw_free(host->said);
	fw_free(host->class);
	*host = (struct watched){0};
}

int presence_forget(struct presence *presence, uint32_t host, struct fw_err *err)
{
	struct watched *gone = watched(presence, host);
	int rc = state_run(
		presence->state, err, "DELETE FROM host_class WHERE host = ?", "i", (int64_t)host);
	if (rc < 0)
		return rc;
	watched_done(gone);
	return 0;
}

/* ---- how long a host may be silent ---- */

static void note_arrival(struct watched *host, const struct store_host *seen)
{
	if (seen->received_ms == host->received_ms)
		return;
	if (host->received_ms > 0)
		host->gaps_ms[host->n_gaps++ % GAPS] = seen->received_ms - host->received_ms;
	host->received_ms = seen->received_ms;
}

/* The middle one of the last gaps: neither an outage nor a burst after it moves it. Until
 * there are enough of them what the host says itself, but never a short one. */
static int64_t interval_of(const struct watched *host, const struct store_host *seen)
{
	int64_t sorted[GAPS];
	unsigned n = host->n_gaps < GAPS ? host->n_gaps : GAPS;
	if (n < GAPS && seen->interval_ms <= INTERVAL_MS)
		return INTERVAL_MS;
	if (n < GAPS)
		return seen->interval_ms < INTERVAL_MOST_MS ? seen->interval_ms : INTERVAL_MOST_MS;
	for (unsigned i = 0; i < n; i++) {
		unsigned at = i;
		for (; at > 0 && sorted[at - 1] > host->gaps_ms[i]; at--)
			sorted[at] = sorted[at - 1];
		sorted[at] = host->gaps_ms[i];
	}
	int64_t middle = sorted[n / 2];
	if (middle < INTERVAL_LEAST_MS)
		return INTERVAL_LEAST_MS;
	return middle < INTERVAL_MOST_MS ? middle : INTERVAL_MOST_MS;
}

/* ---- writing ---- */

static void on_written(struct store_entry *entry)
{
	fw_free(FW_CONTAINER(entry, struct cells, entry));
}

/* What is known of a host, by name; labels without a value are left out. */
static size_t info_labels(
	const struct register_host *known, const char *class, struct fw_label out[INFO_LABELS])
{
	const struct fw_label all[INFO_LABELS] = {
		{"class", class},
		{"owner", known->texts[HOST_OWNER]},
		{"site", known->site ? known->site->entry.name : NULL},
		{"supplier", known->texts[HOST_SUPPLIER]},
		{"tier", register_tier_names[known->tier]},
	};
	size_t n = 0;
	for (size_t i = 0; i < INFO_LABELS; i++)
		if (all[i].value)
			out[n++] = all[i];
	return n;
}

static int intern(
	struct presence *presence, const struct fw_label *labels, size_t n_labels, uint32_t *out)
{
	struct fw_column columns[COLUMNS] = {
		[UP] = {.name = "up", .type = FW_GAUGE, .factor = 1},
		[HOST_AWAY] = {.name = "fenwatch_host_away", .type = FW_GAUGE, .factor = 1},
		[HOST_INFO] = {.name = "fenwatch_host_info",
			.labels = labels,
			.n_labels = (uint16_t)n_labels,
			.type = FW_GAUGE,
			.factor = 1},
	};
	struct fw_schema schema = {.n_columns = COLUMNS, .columns = columns};
	struct fw_err err;
	fw_schema_seal(&schema);
	int rc = store_schema_intern(presence->store, &schema, out, &err);
	if (rc < 0)
		fw_log(FW_ERROR, "up of a host cannot be written: %s", err.text);
	return rc;
}

static void submit(
	struct presence *presence, uint32_t id, const int64_t values[COLUMNS], int64_t now_ms)
{
	struct cells *cells = fw_alloc(sizeof *cells);
	cells->at_ms = now_ms;
	memcpy(cells->values, values, sizeof cells->values);
	cells->entry = (struct store_entry){
		.kind = STORE_CELLS,
		.host = id,
		.schema = presence->hosts[id].schema,
		.received_ms = now_ms,
		.sweeps = {.n_sweeps = 1,
			.n_columns = COLUMNS,
			.times_ms = &cells->at_ms,
			.cells = cells->values},
		.on_done = on_written,
	};
	store_submit(presence->store, &cells->entry);
}

/* What is known of the host now; what was known before ends. */
static void renew(struct presence *presence, const struct store_host *seen, int64_t now_ms)
{
	static const int64_t end[COLUMNS] = {FW_ABSENT, FW_ABSENT, FW_ABSENT};
	struct watched *host = &presence->hosts[seen->id];
	struct register_host known;
	struct fw_label labels[INFO_LABELS];
	uint32_t schema;
	register_host(presence->registry, seen->labels, seen->n_labels, &known);
	const char *class = known.texts[HOST_CLASS] ? known.texts[HOST_CLASS]
		: host->said                        ? host->said
						    : "server";
	if (intern(presence, labels, info_labels(&known, class, labels), &schema) < 0)
		return;
	if (schema != host->schema && host->schema != 0)
		submit(presence, seen->id, end, now_ms - 1);
	if (schema != host->schema)
		host->told_ms = 0;
	fw_free(host->class);
	host->class = fw_strdup(class);
	host->schema = schema;
	host->life = known.life;
	host->is_current = true;
	presence->renewed++;
}

static void write_host(struct presence *presence, uint32_t id, enum attendance is, int64_t now_ms)
{
	struct watched *host = &presence->hosts[id];
	const int64_t values[COLUMNS] = {
		[UP] = is == AWAY || is == GONE ? FW_ABSENT : is == HERE,
		[HOST_AWAY] = is == GONE ? FW_ABSENT : is == AWAY,
		[HOST_INFO] = is == GONE ? FW_ABSENT : 1,
	};
	if (host->schema == 0)
		return;
	submit(presence, id, values, now_ms);
	host->told = is;
	host->is_told = true;
	host->told_ms = now_ms;
}

static enum attendance judge(const struct presence *presence, const struct store_host *seen,
	int64_t silent_ms, int64_t now_ms)
{
	const struct watched *host = &presence->hosts[seen->id];
	enum register_lifecycle life = register_lifecycle_at(&host->life, now_ms);
	if (silent_ms <= interval_of(host, seen) * 5 / 2)
		return HERE;
	if (life == LIFE_RETIRED || !presence->is_expected(seen, presence->arg))
		return GONE;
	return life == LIFE_PLANNED || alert_may_be_away(&presence->absence, host->class, silent_ms)
		? AWAY
		: DOWN;
}

/* Of one that is gone it is said once. */
static bool should_write(const struct watched *host, enum attendance is, int64_t now_ms)
{
	bool stepped = now_ms < host->told_ms; /* the clock was set back */
	return !host->is_told || is != host->told ||
		(is != GONE && (stepped || now_ms - host->told_ms >= REPEAT_MS));
}

static void look_at(struct presence *presence, const struct store_host *seen, int64_t now_ms)
{
	struct watched *host = watched(presence, seen->id);
	/* After a restart only the time in the sweep may be known. */
	int64_t last_ms = seen->received_ms > 0 ? seen->received_ms : seen->newest_ms;
	if (last_ms == 0)
		return;
	note_arrival(host, seen);
	if (!host->is_current && presence->renewed < RENEW_AT_ONCE)
		renew(presence, seen, now_ms);
	enum attendance is = judge(presence, seen, now_ms - last_ms, now_ms);
	if (should_write(host, is, now_ms))
		write_host(presence, seen->id, is, now_ms);
}

static void on_tick(uv_timer_t *timer)
{
	struct presence *presence = FW_CONTAINER(timer, struct presence, timer);
	struct fw_arena arena = {0};
	struct store_host *hosts;
	int64_t now_ms = fw_wall_ms();
	size_t n = store_hosts(presence->store, &arena, &hosts);
	presence->renewed = 0;
	for (size_t i = 0; i < n; i++)
		look_at(presence, &hosts[i], now_ms);
	fw_arena_done(&arena);
}

/* ---- life ---- */

static int load_classes(struct presence *presence, struct fw_err *err)
{
	sqlite3_stmt *row;
	int rc = state_query(presence->state, &row, err, "SELECT host, class FROM host_class", "");
	if (rc < 0)
		return rc;
	while ((rc = state_step(presence->state, row, err)) > 0)
		set_class(presence, (uint32_t)sqlite3_column_int64(row, 0),
			(const char *)sqlite3_column_text(row, 1));
	state_done(row);
	return rc;
}

static void on_owner_done(struct fw_owner *owner)
{
	struct presence *presence = FW_CONTAINER(owner, struct presence, owner);
	void (*on_closed)(void *) = presence->on_closed;
	void *arg = presence->closed_arg;
	for (size_t i = 0; i < presence->n_hosts; i++)
		watched_done(&presence->hosts[i]);
	fw_free(presence->hosts);
	register_drop(presence->registry);
	fw_free(presence);
	if (on_closed)
		on_closed(arg);
}

int presence_open(struct presence **out, const struct presence_config *config, struct fw_err *err)
{
	int rc = state_migrate(config->state, "presence", steps, sizeof steps / sizeof *steps, err);
	if (rc < 0)
		return rc;
	struct presence *presence = fw_alloc(sizeof *presence);
	presence->store = config->store;
	presence->absence = *config->absence;
	presence->registry = register_hold(config->registry);
	presence->state = config->state;
	presence->is_expected = config->is_expected;
	presence->arg = config->arg;
	uv_timer_init(config->loop, &presence->timer);
	fw_owner_init(&presence->owner, on_owner_done);
	fw_owner_adopt(&presence->owner, &presence->timer);
	rc = load_classes(presence, err);
	if (rc < 0) {
		presence_close(presence, NULL, NULL);
		return rc;
	}
	uv_timer_start(&presence->timer, on_tick, TICK_MS, TICK_MS);
	*out = presence;
	return 0;
}

void presence_reload(
	struct presence *presence, const struct alert_absence *absence, struct registry *registry)
{
	presence->absence = *absence;
	register_hold(registry);
	register_drop(presence->registry);
	presence->registry = registry;
	for (size_t i = 0; i < presence->n_hosts; i++)
		presence->hosts[i].is_current = false;
}

void presence_close(struct presence *presence, void (*on_closed)(void *arg), void *arg)
{
	presence->on_closed = on_closed;
	presence->closed_arg = arg;
	fw_owner_close(&presence->owner);
}
