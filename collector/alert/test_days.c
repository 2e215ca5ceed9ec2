/* SPDX-License-Identifier: Apache-2.0 */
/* Thirty days of fifty hosts on which nothing is wrong: what a desk would be told.
 *
 * England in October 2026, with the night in which the clock goes back. Thirty-five servers
 * are backed up every night, patched after each Tuesday's fixes and restarted in the patch night,
 * a Sunday; certificates are renewed, single sweeps are lost. Fifteen laptops are open in office
 * hours. Time is passed in: the clocks are this test's, and what the loop does once a second
 * is done once a minute, when the hosts speak. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <fenwatch/buf.h>
#include <fenwatch/clock.h>
#include <fenwatch/log.h>

#include "internal.h"
#include "register.h"
#include "state.h"
#include "store.h"
#include "test_tree.h"

#define MINUTE_MS INT64_C(60000)
#define HOUR_MS (60 * MINUTE_MS)
#define DAY_MS (24 * HOUR_MS)
#define BEGIN_MS INT64_C(1791072000000)      /* Sunday, 2026-10-04, at midnight UTC */
#define CLOCK_BACK_MS INT64_C(1792890000000) /* 2026-10-25 01:00 UTC: summer time ends */
#define DAYS 30
#define HOSTS 50
#define SERVERS 35 /* the others are laptops */
#define GIB (INT64_C(1) << 30)

/* ---- the clocks ---- */

static int64_t now_ms;

int64_t __wrap_fw_wall_ms(void);
int64_t __wrap_fw_wall_ms(void)
{
	return now_ms;
}

int64_t __wrap_fw_mono_ms(void);
int64_t __wrap_fw_mono_ms(void)
{
	return now_ms - BEGIN_MS + DAY_MS;
}

/* Minutes since midnight, and the day of the week, Sunday 0, as people there have it. */
static int64_t local_ms(int64_t at_ms)
{
	return at_ms + (at_ms < CLOCK_BACK_MS ? HOUR_MS : 0);
}

static int minute_of(int64_t at_ms)
{
	return (int)(local_ms(at_ms) % DAY_MS / MINUTE_MS);
}

static int weekday_of(int64_t at_ms)
{
	return (int)((local_ms(at_ms) / DAY_MS + 4) % 7);
}

/* ---- what hosts send ---- */

enum {
	AVAIL,
	SIZE,
	REBOOT,
	PENDING_FIXES,
	OVERDUE,
	FAILED,
	MOUNTED,
	DEGRADED,
	DUE,
	CERTIFICATE,
	COLUMNS
};

static const struct fw_label srv[] = {{"mountpoint", "/srv"}};
static const struct fw_label fixes[] = {{"class", "security"}};
static const struct fw_label policy[] = {{"policy", "ce14"}};
static const struct fw_label unit[] = {{"name", "backup.service"}, {"state", "failed"}};
static const struct fw_label array[] = {{"device", "md0"}};
static const struct fw_label job[] = {{"name", "backup"}};
static const struct fw_label path[] = {{"path", "/etc/ssl/web.pem"}, {"valid_for", "months"}};

static const struct fw_column columns[COLUMNS] = {
	[AVAIL] = {.name = "node_filesystem_avail_bytes", .labels = srv, .n_labels = 1},
	[SIZE] = {.name = "node_filesystem_size_bytes", .labels = srv, .n_labels = 1},
	[REBOOT] = {.name = "node_reboot_required"},
	[PENDING_FIXES] = {.name = "fenwatch_patch_pending", .labels = fixes, .n_labels = 1},
	[OVERDUE] = {.name = "fenwatch_patch_overdue", .labels = policy, .n_labels = 1},
	[FAILED] = {.name = "node_systemd_unit_state", .labels = unit, .n_labels = 2},
	[MOUNTED] = {.name = "node_fstab_mount_status", .labels = srv, .n_labels = 1},
	[DEGRADED] = {.name = "node_md_degraded", .labels = array, .n_labels = 1},
	[DUE] = {.name = "fenwatch_job_due_timestamp_seconds", .labels = job, .n_labels = 1},
	[CERTIFICATE] = {.name = "fenwatch_certificate_not_after_timestamp_seconds",
		.labels = path,
		.n_labels = 2},
};

struct store {
	struct store_host hosts[HOSTS];
	struct fw_label labels[HOSTS][3];
	char names[HOSTS][16];
	int64_t cells[HOSTS][COLUMNS];
	struct fw_schema schema;
	struct fw_column columns[COLUMNS];
	uint32_t all[COLUMNS];
};

size_t store_hosts(struct store *store, struct fw_arena *arena, struct store_host **hosts)
{
	*hosts = fw_arena_alloc(arena, sizeof store->hosts);
	memcpy(*hosts, store->hosts, sizeof store->hosts);
	return HOSTS;
}

int store_select_host(struct store *store, uint32_t host, const struct store_matcher *matchers,
	size_t n_matchers, int64_t from_ms, struct fw_arena *arena, struct store_group **groups,
	size_t *n_groups, struct fw_err *err)
{
	(void)matchers;
	(void)n_matchers;
	(void)from_ms;
	(void)err;
	*groups = fw_arena_alloc(arena, sizeof **groups);
	**groups = (struct store_group){
		.host = host,
		.host_labels = store->labels[host],
		.n_host_labels = 3,
		.schema = &store->schema,
		.columns = store->all,
		.n_columns = COLUMNS,
	};
	*n_groups = 1;
	return 0;
}

int store_latest(struct store *store, const struct store_group *group, struct fw_arena *arena,
	int64_t *at_ms, int64_t **cells)
{
	*at_ms = store->hosts[group->host].newest_ms;
	*cells = fw_arena_alloc(arena, COLUMNS * sizeof **cells);
	memcpy(*cells, store->cells[group->host], COLUMNS * sizeof **cells);
	return 0;
}

static void make_hosts(struct store *store)
{
	for (uint32_t c = 0; c < COLUMNS; c++) {
		store->columns[c] = columns[c];
		store->columns[c].type = FW_GAUGE;
		store->columns[c].factor = 1;
		store->all[c] = c;
	}
	store->schema = (struct fw_schema){.n_columns = COLUMNS, .columns = store->columns};
	for (uint32_t h = 0; h < HOSTS; h++) {
		snprintf(store->names[h], sizeof store->names[h], "%s%02u",
			h < SERVERS ? "srv" : "lap", h);
		store->labels[h][0] = (struct fw_label){"instance", store->names[h]};
		store->labels[h][1] = (struct fw_label){"job", "node"};
		store->labels[h][2] = (struct fw_label){"class", h < SERVERS ? "server" : "laptop"};
		store->hosts[h] =
			(struct store_host){.id = h, .labels = store->labels[h], .n_labels = 3};
	}
}

/* ---- their days ---- */

/* The same for the same host and day, whatever was asked before. */
static unsigned roll(unsigned host, int64_t day, unsigned what, unsigned sides)
{
	uint64_t x = (host * 1000003u + (uint64_t)day) * 0x9e3779b97f4a7c15u + what;
	x = (x ^ x >> 31) * 0x94d049bb133111ebu;
	return (unsigned)((x ^ x >> 29) % sides);
}

static bool is_on(unsigned host, int64_t at_ms)
{
	int minute = minute_of(at_ms), day = weekday_of(at_ms);
	int64_t date = local_ms(at_ms) / DAY_MS;
	if (host >= SERVERS)
		return day >= 1 && day <= 5 && minute >= 8 * 60 + (int)roll(host, date, 1, 60) &&
			minute < 17 * 60 + (int)roll(host, date, 2, 90);
	/* The patch night: five minutes for a server of metal, one for others. */
	int restart = 2 * 60 + 10 + (int)roll(host, 0, 3, 90);
	if (day == 0 && minute >= restart && minute < restart + (host % 3 == 0 ? 5 : 1))
		return false;
	return minute != (int)roll(host, date, 4, 1440); /* a sweep is lost */
}

static bool is_backed_up(unsigned host, int64_t at_ms)
{
	int minute = minute_of(at_ms), begin = 60 + (int)roll(host, 0, 5, 30);
	return host < SERVERS && minute >= begin && minute < begin + 90;
}

/* Fixes come on Tuesdays at 18:00 and are installed the next morning, by a laptop when it is
 * open; every other time they ask for a restart, which waits for Sunday, or for the evening. */
static void put_patches(int64_t *cells, unsigned host, int64_t at_ms)
{
	int minute = minute_of(at_ms), day = weekday_of(at_ms);
	int install = host < SERVERS ? 6 * 60 + (int)roll(host, 0, 6, 60) : 10 * 60;
	bool is_out = (day == 2 && minute >= 18 * 60) || (day == 3 && minute < install);
	bool is_odd = local_ms(at_ms) / DAY_MS / 7 % 2;
	cells[PENDING_FIXES] = is_out ? 1 + (int64_t)roll(host, 0, 7, 5) : 0;
	cells[REBOOT] = is_odd && (day > 3 || (day == 3 && minute >= install)) &&
		(host < SERVERS || day == 3);
	if (host < SERVERS && day == 0)
		cells[REBOOT] = is_odd && minute < 4 * 60;
}

static void put_day(int64_t *cells, unsigned host, int64_t at_ms)
{
	int64_t midnight_ms = at_ms - minute_of(at_ms) * MINUTE_MS;
	cells[SIZE] = 100 * GIB;
	cells[AVAIL] = (is_backed_up(host, at_ms) ? 14 : 60) * GIB;
	cells[OVERDUE] = cells[FAILED] = cells[DEGRADED] = 0;
	cells[MOUNTED] = 1;
	/* It ends by three, and must have by five; a laptop has none that is due while it is shut. */
	cells[DUE] = (midnight_ms + (minute_of(at_ms) < 3 * 60 ? 5 : 29) * HOUR_MS) / 1000;
	/* Of ninety days, renewed when thirty are left. */
	int64_t age = (at_ms / DAY_MS + host) % 60;
	cells[CERTIFICATE] = (at_ms / DAY_MS + 90 - age) * 86400;
	put_patches(cells, host, at_ms);
}

/* ---- the place ---- */

struct place {
	char dir[64], folder[80];
	uv_loop_t loop;
	struct state *state;
	struct store store;
	struct alerts *alerts;
	struct feed type;
	struct alert_feed_option feed, *feeds[1];
	struct alert_options options;
	struct registry *registry;
	/* What goes wrong after all, where a test says so. */
	bool (*fault)(int64_t *cells, unsigned host, int64_t at_ms); /* false: it is not heard */
};

/* All is delivered at once. */
static void deliver(struct delivery *delivery)
{
	feed_finish(delivery, DELIVERED, "");
}

static const char register_text[] =
	"sites: [{name: Hall}]\n"
	"hosts:\n"
	"  - {match: {instance: \"srv.*\"}, site: Hall, class: server}\n"
	"  - {match: {instance: \"lap.*\"}, site: Hall, class: laptop}\n"
	"maintenance:\n"
	"  - {name: Patch night, hours: {sun: \"02:00-04:00\"}, hosts: [srv*]}\n";

static void load_register(struct place *place)
{
	struct fw_err err;
	assert_int_equal(
		test_put(place->dir, "register.d/all.yml", register_text, strlen(register_text)),
		0);
	snprintf(place->folder, sizeof place->folder, "%s/register.d", place->dir);
	if (register_load(&place->registry, place->folder, &err) < 0)
		fail_msg("%s", err.text);
}

static int set_up(void **arg)
{
	struct place *place = fw_alloc(sizeof *place);
	struct fw_err err;
	now_ms = BEGIN_MS;
	snprintf(place->dir, sizeof place->dir, "/tmp/fenwatch-days-XXXXXX");
	assert_non_null(mkdtemp(place->dir));
	uv_loop_init(&place->loop);
	load_register(place);
	make_hosts(&place->store);
	place->type.deliver = deliver;
	place->feed = (struct alert_feed_option){
		.name = "desk", .type = "webhook", .live = true, .feed = &place->type};
	place->feeds[0] = &place->feed;
	place->options = (struct alert_options){.feeds = place->feeds,
		.n_feeds = 1,
		.registry = place->registry,
		.absence = {.laptop_ms = 14 * DAY_MS},
		.noise = {.storm = 5, .host = 25, .site = 100, .estate = 300}};
	assert_int_equal(state_open(&place->state, place->dir, NULL), 0);
	const struct alert_config config = {.loop = &place->loop,
		.store = &place->store,
		.state = place->state,
		.estate = "e",
		.options = &place->options};
	if (alert_open(&place->alerts, &config, &err) < 0)
		fail_msg("%s", err.text);
	*arg = place;
	return 0;
}

static void on_closed(void *arg)
{
	((struct place *)arg)->alerts = NULL;
}

static int tear_down(void **arg)
{
	struct place *place = *arg;
	alert_close(place->alerts, on_closed, place);
	while (place->alerts)
		uv_run(&place->loop, UV_RUN_ONCE);
	assert_int_equal(uv_loop_close(&place->loop), 0);
	state_close(place->state);
	register_drop(place->registry);
	assert_int_equal(test_remove_tree(place->dir), 0);
	fw_free(place);
	return 0;
}

/* ---- thirty days ---- */

static void speak(struct place *place, unsigned host)
{
	struct store_host *seen = &place->store.hosts[host];
	put_day(place->store.cells[host], host, now_ms);
	if (place->fault && !place->fault(place->store.cells[host], host, now_ms))
		return;
	seen->newest_ms = seen->received_ms = now_ms;
	seen->changes++;
}

static void live_through(struct place *place, int days)
{
	uv_timer_t *tick = &place->alerts->tick;
	for (int64_t end_ms = now_ms + days * DAY_MS; now_ms < end_ms; now_ms += MINUTE_MS) {
		for (unsigned host = 0; host < HOSTS; host++)
			if (is_on(host, now_ms))
				speak(place, host);
		tick->timer_cb(tick);
		if (now_ms % HOUR_MS == 0)
			uv_run(&place->loop, UV_RUN_NOWAIT);
	}
}

/* Tickets that were opened, "RULE HOST PRIORITY" each, in their order. */
static void list_tickets(struct place *place, struct fw_buf *list)
{
	sqlite3_stmt *row;
	assert_int_equal(
		state_query(place->state, &row, NULL,
			"SELECT e.rule, e.instance, json_extract(n.annotations, '$.priority')"
			" FROM notice n JOIN episode e ON e.key = n.key AND e.starts_ms = n.starts_ms"
			" WHERE n.kind = 0 ORDER BY n.id",
			""),
		0);
	while (state_step(place->state, row, NULL) == 1)
		fw_buf_printf(list, "%s %s %s\n", state_text(row, 0), state_text(row, 1),
			state_text(row, 2));
	state_done(row);
	fw_buf_append(list, "", 1);
}

static void assert_tickets(struct place *place, const char *wanted)
{
	struct fw_buf list = {0};
	list_tickets(place, &list);
	assert_string_equal((const char *)list.data, wanted);
	fw_buf_done(&list);
}

/* ---- tests ---- */

static void test_thirty_healthy_days_are_no_ticket(void **arg)
{
	struct place *place = *arg;
	live_through(place, DAYS);
	assert_tickets(place, "");
}

/* A server that dies on a Tuesday afternoon, a disk that fills, a laptop whose fixes do not come. */
static bool go_wrong(int64_t *cells, unsigned host, int64_t at_ms)
{
	int64_t hour = (at_ms - BEGIN_MS) / HOUR_MS;
	if (host == 7 && hour >= 3 * 24)
		cells[AVAIL] = 5 * GIB;
	if (host == 40 && hour >= 4 * 24)
		cells[OVERDUE] = 2;
	return !(host == 12 && hour >= 2 * 24 + 14);
}

static void test_what_is_wrong_among_them_is_told(void **arg)
{
	struct place *place = *arg;
	place->fault = go_wrong;
	live_through(place, 5);
	assert_tickets(place,
		"HostSilent srv12 P2\n"
		"FilesystemAlmostFull srv07 P3\n"
		"PatchOverdue lap40 P3\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			test_thirty_healthy_days_are_no_ticket, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			test_what_is_wrong_among_them_is_told, set_up, tear_down),
	};
	fw_log_init("test_days", (enum fw_level)0);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
