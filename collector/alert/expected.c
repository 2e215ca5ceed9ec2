/* SPDX-License-Identifier: Apache-2.0 */
#include "expected.h"

#include <string.h>

#include <fenwatch/array.h>
#include <fenwatch/log.h>

#include "internal.h"
#include "register.h"
#include "retired.h"
#include "sites.h"
#include "state.h"

#define RULE "HostNeverHeard"
#define RAISED_AGAIN_MS (5 * 60 * 1000) /* it would be cleared otherwise */

struct awaited {
	char *name;        /* first, as fw_array_place() wants it */
	int64_t since_ms;  /* wall */
	int64_t wait_ms;   /* how long it may take; -1: the register was not asked yet */
	int64_t raised_ms; /* monotonic; 0: it is not */
};

struct expected {
	struct alerts *alerts;
	const struct registry *registry;
	struct awaited *hosts; /* in the order of names */
	size_t n, room, next;
	size_t n_raised;
};

static const char *const steps[] = {
	"CREATE TABLE expected (instance TEXT NOT NULL PRIMARY KEY, since_ms INTEGER NOT NULL) STRICT",
};

int expected_prepare(struct state *state, struct fw_err *err)
{
	return state_migrate(state, "expected", steps, sizeof steps / sizeof *steps, err);
}

/* ---- who is awaited ---- */

static bool is_awaited(const struct expected *expected, const char *name, int64_t wall_ms)
{
	const struct fw_label labels[] = {{"instance", name}};
	struct register_life life;
	if (watch_knows(expected->alerts->watch, name) ||
		retired_find(expected->alerts->config.retired, name))
		return false;
	register_host_life(expected->registry, labels, 1, &life);
	return register_is_in_service(register_lifecycle_at(&life, wall_ms));
}

static void add(const char *name, void *arg)
{
	struct expected *expected = arg;
	if (!is_awaited(expected, name, alerts_now().wall_ms))
		return;
	if (expected->n == expected->room) {
		expected->room = expected->room ? 2 * expected->room : 64;
		expected->hosts =
			fw_realloc(expected->hosts, expected->room * sizeof *expected->hosts);
	}
	expected->hosts[expected->n++] = (struct awaited){.name = fw_strdup(name), .wait_ms = -1};
}

/* ---- since when ---- */

static struct awaited *find(const struct expected *expected, const char *name)
{
	size_t at = fw_array_place(expected->hosts, expected->n, sizeof *expected->hosts, name);
	bool is_there = at < expected->n && strcmp(expected->hosts[at].name, name) == 0;
	return is_there ? &expected->hosts[at] : NULL;
}

static int read_since(struct expected *expected, struct fw_err *err)
{
	struct state *state = expected->alerts->config.state;
	sqlite3_stmt *row;
	int rc = state_query(state, &row, err, "SELECT instance, since_ms FROM expected", "");
	if (rc < 0)
		return rc;
	while ((rc = state_step(state, row, err)) > 0) {
		struct awaited *host = find(expected, state_text(row, 0));
		if (host)
			host->since_ms = sqlite3_column_int64(row, 1);
	}
	state_done(row);
	return rc;
}

/* Who was not awaited before is from now on; who is no more would begin anew. */
static int write_since(struct expected *expected, int64_t wall_ms, struct fw_err *err)
{
	struct state *state = expected->alerts->config.state;
	int rc = state_run(state, err, "DELETE FROM expected", "");
	for (size_t i = 0; i < expected->n; i++) {
		struct awaited *host = &expected->hosts[i];
		if (host->since_ms == 0 || host->since_ms > wall_ms)
			host->since_ms = wall_ms;
		if (rc == 0)
			rc = state_run(state, err,
				"INSERT INTO expected (instance, since_ms) VALUES (?, ?)", "ti",
				host->name, host->since_ms);
	}
	return rc;
}

static void keep_since(struct expected *expected, int64_t wall_ms)
{
	struct state *state = expected->alerts->config.state;
	struct fw_err err;
	int rc = state_begin(state, &err);
	if (rc == 0)
		rc = state_finish(state, write_since(expected, wall_ms, &err), &err);
	if (rc < 0)
		fw_log(FW_ERROR, "since when hosts are awaited cannot be kept: %s", err.text);
}

static void clear(struct expected *expected, struct awaited *host)
{
	if (host->raised_ms == 0)
		return;
	alerts_clear_host(expected->alerts, RULE, host->name);
	host->raised_ms = 0;
	expected->n_raised--;
}

static void take_over(struct expected *expected, struct awaited *before, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct awaited *host = find(expected, before[i].name);
		if (host)
			host->raised_ms = before[i].raised_ms;
		else
			clear(expected, &before[i]);
		fw_free(before[i].name);
	}
	fw_free(before);
}

void expected_set_register(struct expected *expected, const struct registry *registry)
{
	struct awaited *before = expected->hosts;
	size_t n = expected->n;
	struct fw_err err;
	expected->registry = registry;
	expected->hosts = NULL;
	expected->n = expected->room = expected->next = 0;
	if (registry)
		register_each_named(registry, add, expected);
	if (read_since(expected, &err) < 0)
		fw_log(FW_ERROR, "since when hosts are awaited cannot be read: %s", err.text);
	keep_since(expected, alerts_now().wall_ms);
	take_over(expected, before, n);
}

/* ---- looking ---- */

/* As its class may be silent, and as long as an agent may take to come. */
static void ask_register(
	struct expected *expected, struct awaited *host, struct register_host *known)
{
	const struct alert_options *options = expected->alerts->config.options;
	const struct alert_rule_option *rule = &expected->alerts->rules[rule_find(RULE) - rules];
	const struct fw_label labels[] = {{"instance", host->name}};
	register_host(expected->registry, labels, 1, known);
	const char *class = known->texts[HOST_CLASS];
	if (!class && known->tier == TIER_BLUE_LIGHT)
		class = register_tier_names[TIER_BLUE_LIGHT];
	host->wait_ms = SITES_COMES_BACK_MS +
		alert_silence_hold_ms(&options->absence, class, rule->limits.hold_ms);
	if (alert_may_be_away(&options->absence, class, host->wait_ms))
		host->wait_ms = options->absence.laptop_ms;
}

static void raise_for(struct expected *expected, struct awaited *host, struct moment now)
{
	char *text = fw_format("%s was never heard, and the register has it as live", host->name);
	alerts_raise_host(expected->alerts, RULE, host->name, text);
	fw_free(text);
	expected->n_raised += host->raised_ms == 0;
	host->raised_ms = now.mono_ms;
}

static void look_at(struct expected *expected, struct awaited *host, struct moment now)
{
	struct register_host known = {0};
	if (!is_awaited(expected, host->name, now.wall_ms)) {
		clear(expected, host);
		return;
	}
	bool is_due = host->raised_ms ? now.mono_ms - host->raised_ms >= RAISED_AGAIN_MS
				      : expected->n_raised < EXPECTED_RAISED;
	if (!is_due || (host->wait_ms >= 0 && now.wall_ms - host->since_ms < host->wait_ms))
		return;
	ask_register(expected, host, &known);
	if (now.wall_ms - host->since_ms < host->wait_ms ||
		(!host->raised_ms && sites_is_down(expected->alerts->sites, known.site)))
		return;
	raise_for(expected, host, now);
}

void expected_look(struct expected *expected, struct moment now)
{
	const struct alerts *alerts = expected->alerts;
	size_t most = expected->n < EXPECTED_AT_ONCE ? expected->n : EXPECTED_AT_ONCE;
	if (!alerts->rules[rule_find(RULE) - rules].enabled)
		return;
	for (size_t i = 0; i < most; i++) {
		look_at(expected, &expected->hosts[expected->next], now);
		expected->next = (expected->next + 1) % expected->n;
	}
}

/* ---- the whole ---- */

struct expected *expected_new(struct alerts *alerts)
{
	struct expected *expected = fw_alloc(sizeof *expected);
	expected->alerts = alerts;
	return expected;
}

void expected_free(struct expected *expected)
{
	if (!expected)
		return;
	for (size_t i = 0; i < expected->n; i++)
		fw_free(expected->hosts[i].name);
	fw_free(expected->hosts);
	fw_free(expected);
}
