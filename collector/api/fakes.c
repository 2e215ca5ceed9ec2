/* SPDX-License-Identifier: Apache-2.0 */
#include "fakes.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <fenwatch/clock.h>

#include "alert.h"
#include "audit.h"
#include "enrol.h"
#include "events.h"
#include "feed.h"
#include "ingest.h"
#include "inventory.h"
#include "notes.h"
#include "patch.h"
#include "read.h"
#include "remote.h"
#include "retired.h"
#include "schedule.h"
#include "send.h"
#include "state.h"
#include "store.h"
#include "tickets.h"

#define COUNT(a) (sizeof(a) / sizeof *(a))
#define STEP_MS 15000

char fakes_asked[256];
atomic_bool fakes_hold;
bool fakes_both;
const char *fakes_silent;
int64_t fakes_retired_ms;
bool fakes_has_work;
bool fakes_checked;

void fakes_reset(void)
{
	fakes_asked[0] = '\0';
	fakes_retired_ms = INT64_MAX;
	fakes_has_work = false;
	fakes_checked = false;
}

/* ---- store ---- */

#define GROWS (-1) /* a counter: 100 a second */

static const struct fw_label ext4[] = {
	{"device", "/dev/sda1"}, {"fstype", "ext4"}, {"mountpoint", "/"}};
static const struct fw_label md0[] = {{"device", "md0"}};
static const struct fw_label md0_active[] = {{"device", "md0"}, {"state", "active"}};
static const struct fw_label md0_recovering[] = {{"device", "md0"}, {"state", "recovering"}};
static const struct fw_label sdb1[] = {{"device", "md0"}, {"disk", "sdb1"}};
static const struct fw_label backup[] = {{"mountpoint", "/backup"}};
static const struct fw_label var[] = {{"mountpoint", "/var"}};
static const struct fw_label tank[] = {{"state", "online"}, {"zpool", "tank"}};
static const struct fw_label sda[] = {{"device", "sda"}};
static const struct fw_label eth0[] = {{"device", "eth0"}};
static const struct fw_label idle[] = {{"cpu", "0"}, {"mode", "idle"}};
static const struct fw_label debian[] = {{"id", "debian"}, {"pretty_name", "Debian <12>"}};
static const struct fw_label uname_[] = {{"machine", "x86_64"}, {"release", "6.1.0"}};
static const struct fw_label cron[] = {
	{"name", "cron.service"}, {"state", "failed"}, {"type", "simple"}};
static const struct fw_label fill_span[] = {{"mountpoint", "/"}};
static const struct fw_label fill_earliest[] = {{"bound", "earliest"}, {"mountpoint", "/"}};
static const struct fw_label fill_likely[] = {{"bound", "likely"}, {"mountpoint", "/"}};
static const struct fw_label fill_latest[] = {{"bound", "latest"}, {"mountpoint", "/"}};
static const struct fw_label apt[] = {{"source", "apt"}};
static const struct fw_label bugfix[] = {{"class", "bugfix"}, {"source", "apt"}};
static const struct fw_label security[] = {{"class", "security"}, {"source", "apt"}};

static const struct {
	struct fw_column column;
	int64_t cell;
} facts[] = {
	{{"apt_package_cache_timestamp_seconds", NULL, 0, 0, FW_GAUGE, 1}, 1000000000},
	{{"fenwatch_filesystem_fills_samples", fill_span, 1, 0, FW_GAUGE, 1}, 359},
	{{"fenwatch_filesystem_fills_span_seconds", fill_span, 1, 0, FW_GAUGE, 1}, 1814400},
	{{"fenwatch_filesystem_fills_timestamp_seconds", fill_earliest, 2, 0, FW_GAUGE, 1},
		1795500000},
	{{"fenwatch_filesystem_fills_timestamp_seconds", fill_latest, 2, 0, FW_GAUGE, 1},
		1795700000},
	{{"fenwatch_filesystem_fills_timestamp_seconds", fill_likely, 2, 0, FW_GAUGE, 1},
		1795600000},
	{{"fenwatch_filesystem_readonly_since_timestamp_seconds", ext4, 3, 0, FW_GAUGE, 1},
		1000000000},
	{{"fenwatch_md_disk_failed", sdb1, 2, 0, FW_GAUGE, 1}, 1},
	{{"fenwatch_patch_held", apt, 1, 0, FW_GAUGE, 1}, 2},
	{{"fenwatch_patch_pending", bugfix, 2, 0, FW_GAUGE, 1}, 4},
	{{"fenwatch_patch_pending", security, 2, 0, FW_GAUGE, 1}, 3},
	{{"fenwatch_patch_source_ok", apt, 1, 0, FW_GAUGE, 1}, 1},
	{{"node_boot_time_seconds", NULL, 0, 0, FW_GAUGE, 1}, 1000000000},
	{{"node_cpu_seconds_total", idle, 2, 3, FW_COUNTER, 1}, GROWS},
	{{"node_disk_io_time_seconds_total", sda, 1, 3, FW_COUNTER, 1}, GROWS},
	{{"node_disk_read_bytes_total", sda, 1, 0, FW_COUNTER, 512}, GROWS},
	{{"node_filesystem_avail_bytes", ext4, 3, 0, FW_GAUGE, 1024}, 250000},
	{{"node_filesystem_readonly", ext4, 3, 0, FW_GAUGE, 1}, 0},
	{{"node_filesystem_size_bytes", ext4, 3, 0, FW_GAUGE, 1024}, 1000000},
	{{"node_fstab_mount_status", backup, 1, 0, FW_GAUGE, 1}, 0},
	{{"node_fstab_mount_status", var, 1, 0, FW_GAUGE, 1}, 1},
	{{"node_load1", NULL, 0, 2, FW_GAUGE, 1}, 150},
	{{"node_md_degraded", md0, 1, 0, FW_GAUGE, 1}, 1},
	{{"node_md_state", md0_active, 2, 0, FW_GAUGE, 1}, 0},
	{{"node_md_state", md0_recovering, 2, 0, FW_GAUGE, 1}, 1},
	{{"node_memory_MemAvailable_bytes", NULL, 0, 0, FW_GAUGE, 1024}, 500},
	{{"node_memory_MemTotal_bytes", NULL, 0, 0, FW_GAUGE, 1024}, 2000},
	{{"node_network_receive_bytes_total", eth0, 1, 0, FW_COUNTER, 1}, GROWS},
	{{"node_network_up", eth0, 1, 0, FW_GAUGE, 1}, 1},
	{{"node_os_info", debian, 2, 0, FW_GAUGE, 1}, 1},
	{{"node_reboot_required", NULL, 0, 0, FW_GAUGE, 1}, 1},
	{{"node_systemd_unit_state", cron, 3, 0, FW_GAUGE, 1}, 1},
	{{"node_uname_info", uname_, 2, 0, FW_GAUGE, 1}, 1},
	{{"sent_count", NULL, 0, 0, FW_UNTYPED, 1}, 1},
	{{"node_zfs_zpool_state", tank, 2, 0, FW_GAUGE, 1}, 1},
};

static const struct fw_label web01[] = {{"instance", "web01"}, {"job", "node"}};
static const struct fw_label check[] = {{"instance", "db01"}, {"job", "blackbox"}};
static const struct fw_label db01[] = {{"instance", "db01"}, {"job", "node"}};

static const char *label_of(const struct fw_label *labels, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(labels[i].name, name) == 0)
			return labels[i].value;
	return NULL;
}

static const struct fw_label only_db[] = {{"db_only", "x"}};
static const struct fw_label only_db_likely[] = {{"bound", "likely"}, {"db_only", "x"}};
static const struct fw_column db_columns[] = {
	{"node_filesystem_size_bytes", only_db, 1, 2, FW_GAUGE, 1},
	{"fenwatch_filesystem_fills_timestamp_seconds", only_db_likely, 2, 2, FW_GAUGE, 1},
	{"node_load1", NULL, 0, 2, FW_GAUGE, 1},
	{"only_db_metric", NULL, 0, 2, FW_GAUGE, 1},
};
#define DB_CELL 4242

static bool takes(const struct store_matcher *matchers, size_t n, const struct fw_label *host,
	const struct fw_column *column)
{
	for (size_t i = 0; i < n; i++) {
		const char *value = strcmp(matchers[i].name, "__name__") == 0
			? column->name
			: label_of(host, 2, matchers[i].name);
		if (!value)
			value = label_of(column->labels, column->n_labels, matchers[i].name);
		if (!matchers[i].accepts(&matchers[i], value ? value : ""))
			return false;
	}
	return true;
}

static struct store_group select_of(uint32_t host, const struct fw_label *labels,
	const struct fw_column *columns, uint32_t n, const struct store_matcher *matchers,
	size_t n_matchers, struct fw_arena *arena)
{
	struct fw_schema *schema = fw_arena_alloc(arena, sizeof *schema);
	uint32_t *taken = fw_arena_alloc(arena, n * sizeof *taken);
	struct fw_column *copy = fw_arena_alloc(arena, n * sizeof *copy);
	size_t n_taken = 0;
	memcpy(copy, columns, n * sizeof *copy);
	*schema = (struct fw_schema){.n_columns = n, .columns = copy};
	for (uint32_t i = 0; i < n; i++)
		if (takes(matchers, n_matchers, labels, &columns[i]))
			taken[n_taken++] = i;
	return (struct store_group){host, host, NULL, labels, 2, schema, taken, n_taken};
}

int store_select(struct store *store, const struct store_matcher *matchers, size_t n_matchers,
	int64_t from_ms, int64_t to_ms, struct fw_arena *arena, struct store_group **groups,
	size_t *n_groups, struct fw_err *err)
{
	(void)store;
	(void)err;
	struct fw_column all[COUNT(facts)];
	for (size_t i = 0; i < COUNT(facts); i++)
		all[i] = facts[i].column;
	struct store_group *out = fw_arena_alloc(arena, 2 * sizeof *out);
	*groups = out;
	out[0] = select_of(1, web01, all, COUNT(facts), matchers, n_matchers, arena);
	*n_groups = out[0].n_columns > 0;
	if (fakes_both)
		out[*n_groups] = select_of(
			2, db01, db_columns, COUNT(db_columns), matchers, n_matchers, arena);
	*n_groups += fakes_both && out[*n_groups].n_columns > 0;
	if (from_ms > to_ms)
		*n_groups = 0;
	return 0;
}

int store_read(struct store *store, const struct store_group *group, int64_t from_ms, int64_t to_ms,
	const struct store_patience *patience, struct fw_arena *arena, struct store_columns *out,
	struct fw_err *err)
{
	(void)store;
	(void)patience;
	(void)err;
	while (atomic_load(&fakes_hold))
		uv_sleep(1);
	int64_t first = from_ms + (STEP_MS - from_ms % STEP_MS) % STEP_MS;
	size_t n = to_ms < first ? 0 : (size_t)((to_ms - first) / STEP_MS) + 1;
	int64_t *times_ms = fw_arena_alloc(arena, (n + 1) * sizeof *times_ms);
	const int64_t **columns = fw_arena_alloc(arena, group->n_columns * sizeof *columns);
	for (size_t i = 0; i < n; i++)
		times_ms[i] = first + (int64_t)i * STEP_MS;
	for (size_t c = 0; c < group->n_columns; c++) {
		int64_t *cells = fw_arena_alloc(arena, (n + 1) * sizeof *cells);
		int64_t cell = group->host == 2 ? DB_CELL : facts[group->columns[c]].cell;
		for (size_t i = 0; i < n; i++)
			cells[i] = cell == GROWS ? times_ms[i] / 10 : cell;
		columns[c] = cells;
	}
	*out = (struct store_columns){.n = n, .times_ms = times_ms, .cells = columns};
	return 0;
}

int store_read_rows(struct store *store, const struct store_group *group, enum store_tier tier,
	int64_t from_ms, int64_t to_ms, const struct store_patience *patience,
	struct fw_arena *arena, struct store_rows *out, struct fw_err *err)
{
	(void)store, (void)group, (void)tier, (void)from_ms, (void)to_ms;
	(void)patience, (void)arena, (void)err;
	*out = (struct store_rows){0};
	return 0;
}

void store_expect(const struct store_group *group, bool at_once)
{
	(void)group;
	(void)at_once;
}

int store_latest(struct store *store, const struct store_group *group, struct fw_arena *arena,
	int64_t *at_ms, int64_t **cells)
{
	(void)store;
	(void)group;
	(void)arena;
	(void)at_ms;
	(void)cells;
	return -ENODATA;
}

size_t store_hosts(struct store *store, struct fw_arena *arena, struct store_host **hosts)
{
	(void)store;
	int64_t now_ms = fw_wall_ms(), earlier_ms = now_ms - 3600 * 1000;
	*hosts = fw_arena_alloc(arena, 4 * sizeof **hosts);
	(*hosts)[0] = (struct store_host){1, web01, COUNT(web01), now_ms, now_ms, 0, 1, {1}};
	(*hosts)[1] = (struct store_host){2, db01, COUNT(db01), earlier_ms, earlier_ms, 0, 1, {2}};
	/* The collector's own series of a host are none. */
	(*hosts)[2] = (struct store_host){3, db01, COUNT(db01), 0, now_ms, 0, 1, {0}};
	(*hosts)[3] = (struct store_host){4, check, COUNT(check), now_ms, now_ms, 0, 1, {1}};
	return fakes_checked ? 4 : 3;
}

void store_stat(struct store *store, struct store_stat *out)
{
	(void)store;
	const int64_t day_ms = INT64_C(24) * 3600 * 1000;
	*out = (struct store_stat){.hosts = 2,
		.samples = 42,
		.oldest_ms = 1500,
		.packed_samples = 200,
		.packed_bytes = 90};
	out->tiers[STORE_RAW] = (struct store_tier_stat){.bytes = 1200,
		.used_bytes = 200,
		.blocks = 7,
		.oldest_ms = 1500,
		.newest_ms = 1500 + 2 * day_ms,
		.day_bytes = 100,
		.day_ms = day_ms};
}

/* ---- remote ---- */

void remote_receive(struct remote *remote, struct remote_write *write)
{
	(void)remote;
	snprintf(fakes_asked, sizeof fakes_asked, "write %s %s %.*s",
		write->content_type ? write->content_type : "-",
		write->encoding ? write->encoding : "-", (int)write->length,
		(const char *)write->body);
	write->is_2 = true;
	write->samples = 7;
	write->status = 204;
	write->on_done(write);
}

const char *const remote_type_names[REMOTE_TYPES] = {[REMOTE_SUMMARY] = "summary"};

/* Of one that is there, and of one that is not. */
size_t remote_metadata(struct remote *remote, const char *metric, struct fw_arena *arena,
	struct remote_about **out)
{
	(void)remote;
	(void)metric;
	*out = fw_arena_alloc(arena, 2 * sizeof **out);
	(*out)[0] = (struct remote_about){"gone", "Not here.", "", REMOTE_SUMMARY};
	(*out)[1] = (struct remote_about){"sent", "What a sender says.", "s", REMOTE_SUMMARY};
	return 2;
}

static int on_read(void *out, const struct promql_samples *samples)
{
	for (size_t i = 0; i < samples->n_labels; i++)
		fw_buf_printf(out, "%s ", samples->labels[i].value);
	return 0;
}

/* A body comes back as it is; without one all series that may be seen are told. */
int remote_read(struct remote_read *read, struct fw_err *err)
{
	const struct matcher all = {MATCHER_DIFFERENT, false, "__name__", ""};
	const struct promql_selection selection = {
		.matchers = &all, .n_matchers = 1, .to_ms = 200000, .range_ms = 200000};
	struct promql_notes notes = {.arena = read->arena};
	const struct promql_select_to to = {
		.on_series = on_read, .arg = read->out, .arena = read->arena, .notes = &notes};
	read->content_type = "application/x-protobuf";
	read->packed = read->length > 0;
	fw_buf_append(read->out, read->body, read->length);
	return read->length > 0 ? 0 : read->data.select(&read->data, &selection, &to, err);
}

int remote_import(struct remote *remote, const char *text, size_t length, uint64_t line,
	int64_t now_ms, uint64_t *samples, struct fw_err *err)
{
	(void)remote;
	(void)now_ms;
	if (strcmp(text, "wrong") == 0)
		return fw_fail(err, -EINVAL, "line %d: a value was expected", (int)line);
	*samples = length;
	return 0;
}

void remote_stat(struct remote *remote, struct remote_stat *out)
{
	(void)remote;
	*out = (struct remote_stat){.samples = 12};
}

bool senders_stat(struct senders *senders, size_t i, struct send_stat *out)
{
	(void)senders;
	*out = (struct send_stat){.name = "a \"far\" one", .samples = 5};
	return i == 0;
}

void remote_write_done(struct remote_write *write)
{
	(void)write;
}

/* ---- tickets and the audit trail: one of each host, raised in the first minute of 1970 ---- */

int tickets_of(struct state *state, int64_t from_ms, int64_t until_ms, int64_t at_ms,
	struct fw_arena *arena, struct ticket **out, size_t *n, struct fw_err *err)
{
	static const struct ticket web = {.key = "fw1-web",
		.rule = "DiskFailing",
		.instance = "web01",
		.severity = "critical",
		.summary = "",
		.priority = "P1",
		.tier = "",
		.site = "",
		.supplier = "Contoso",
		.feed = "desk",
		.receipt = "INC1",
		.responder = "",
		.target = "",
		.paused = "",
		.starts_ms = 1000,
		.raised_ms = 2000,
		.due_ms = {60000, 0}};
	struct ticket db = web;
	(void)state, (void)err;
	db.key = "fw1-db";
	db.instance = "db01";
	db.supplier = "Fabrikam";
	db.restored_ms = db.starts_ms + 60000;
	*n = from_ms <= 2000 && until_ms > 2000 && at_ms >= 2000 ? 2 : 0;
	*out = fw_arena_alloc(arena, 2 * sizeof **out);
	(*out)[0] = web;
	(*out)[1] = db;
	return 0;
}

void tickets_list(struct tickets *tickets, struct fw_arena *arena, struct ticket **out, size_t *n)
{
	(void)tickets;
	tickets_of(NULL, 0, 2001, 2000, arena, out, n, NULL);
}

int tickets_pause(struct tickets *tickets, const char *key, const char *reason, const char *who,
	int64_t now_ms, struct fw_err *err)
{
	(void)tickets, (void)now_ms;
	snprintf(fakes_asked, sizeof fakes_asked, "pause %s %s %s", key, reason, who);
	return strcmp(key, "fw1-web") == 0 ? 0
					   : fw_fail(err, -ENOENT, "there is no ticket '%s'", key);
}

int tickets_resume(struct tickets *tickets, const char *key, const char *who, int64_t now_ms,
	struct fw_err *err)
{
	(void)tickets, (void)now_ms;
	snprintf(fakes_asked, sizeof fakes_asked, "resume %s %s", key, who);
	return fw_fail(err, -EALREADY, "ticket '%s' is not paused", key);
}

int state_open_reader(struct state **out, const char *dir, struct fw_err *err)
{
	(void)dir, (void)err;
	*out = (struct state *)(void *)fakes_asked; /* nobody looks into it */
	return 0;
}

void state_close(struct state *state)
{
	(void)state;
}

int audit_each(struct state *state, const struct audit_range *range,
	bool (*each)(const struct audit_entry *entry, void *arg), void *arg, struct fw_err *err)
{
	static const uint8_t hash[AUDIT_HASH] = {0xab};
	struct audit_entry entry = {.at_ms = 1000,
		.kind = "fired",
		.subject = "fw1-web",
		.who = "",
		.detail = "{\"starts\":1000}",
		.hash = hash};
	(void)state, (void)err;
	for (entry.id = range->after_id + 1; entry.id <= 3; entry.id++)
		if (!each(&entry, arg))
			break;
	return 0;
}

int events_search(struct state *reader, const struct event_search *search,
	bool (*each)(const struct event *event, void *arg), void *arg, struct event_place *next,
	struct fw_err *err)
{
	static const struct event all[] = {
		{3, 1700000000000, 1700000001000, "db01", "gap", "{\"sweeps\":\"3\"}"},
		{2, 1690000000000, 1700000000000, "web01", "trap", "{\"oid\":\"1.3.6\"}"},
	};
	(void)reader, (void)err;
	*next = (struct event_place){0};
	for (size_t i = 0; i < sizeof all / sizeof *all; i++)
		if (all[i].at_ms >= search->from_ms && all[i].at_ms < search->until_ms &&
			(!search->before.id || all[i].id < search->before.id) &&
			(!search->host || strcmp(search->host, all[i].host) == 0) &&
			!each(&all[i], arg)) {
			*next = (struct event_place){all[i].at_ms, all[i].id};
			break;
		}
	return 0;
}

int audit_check(struct state *state, struct audit_verdict *out, struct fw_err *err)
{
	(void)state, (void)err;
	*out = (struct audit_verdict){.entries = 2, .broken_id = 3, .head_id = 2};
	return 0;
}

/* ---- enrolment ---- */

const char *const enrol_role_names[] = {
	"viewer", "supplier", "engineer", "admin", "join", "writer", NULL};

int enrol_token_caller(struct enrol *enrol, const char *text, int64_t now_ms,
	struct fw_arena *arena, struct enrol_caller *out)
{
	(void)arena;
	(void)enrol;
	(void)now_ms;
	for (int i = 0; enrol_role_names[i]; i++) {
		if (i != ROLE_JOIN && strcmp(enrol_role_names[i], text) == 0) {
			*out = (struct enrol_caller){
				(enum enrol_role)i, i == ROLE_SUPPLIER ? "Contoso" : "", "token 1"};
			return 0;
		}
	}
	return -EACCES;
}

int enrol_agents(struct enrol *enrol, struct fw_arena *arena, struct enrol_agent **out, size_t *n,
	struct fw_err *err)
{
	(void)enrol;
	(void)err;
	const struct enrol_agent agents[] = {
		{.uuid = "u-1", .name = "web01", .expires_ms = INT64_C(1) << 50},
		{.uuid = "u-2", .name = "db01", .revoked_ms = 1},
		{.uuid = "u-3", .name = "db01", .expires_ms = INT64_C(1) << 50},
		{.uuid = "u-4", .name = "lap01", .enrolled_ms = fw_wall_ms() - 3600 * 1000},
	};
	*n = COUNT(agents);
	*out = fw_arena_alloc(arena, sizeof agents);
	memcpy(*out, agents, sizeof agents);
	return 0;
}

int enrol_revoke(struct enrol *enrol, const char *uuid_or_name, int64_t now_ms, struct fw_err *err)
{
	(void)enrol;
	(void)now_ms;
	if (strcmp(uuid_or_name, "web01") != 0)
		return fw_fail(err, -ENOENT, "there is no agent '%s'", uuid_or_name);
	snprintf(fakes_asked, sizeof fakes_asked, "revoke %s", uuid_or_name);
	return 0;
}

/* One authority, and another one once a rollover was asked for. */
void enrol_authorities(
	struct enrol *enrol, int64_t now_ms, struct fw_arena *arena, struct enrol_authorities *out)
{
	static const char *left[] = {"web01"};
	(void)enrol;
	(void)now_ms;
	(void)arena;
	*out = (struct enrol_authorities){
		.now = {.fingerprint = {0xab}, .expires_ms = 1500}, .n_agents = 4, .left = left};
	out->has_next = strcmp(fakes_asked, "rollover") == 0;
	out->n_left = out->has_next;
	out->next = (struct enrol_authority){.fingerprint = {0xcd}, .expires_ms = 2500};
}

int enrol_rollover(struct enrol *enrol, int64_t now_ms, struct fw_err *err)
{
	(void)enrol;
	(void)now_ms;
	if (strcmp(fakes_asked, "rollover") == 0)
		return fw_fail(err, -EALREADY, "there is a new one already");
	snprintf(fakes_asked, sizeof fakes_asked, "rollover");
	return 0;
}

int enrol_retire(struct enrol *enrol, bool leave_behind, int64_t now_ms, struct fw_err *err)
{
	(void)enrol;
	(void)now_ms;
	if (strcmp(fakes_asked, "rollover") != 0)
		return fw_fail(err, -ENOENT, "there is no new one");
	if (!leave_behind)
		return fw_fail(err, -EBUSY, "1 of 4 agents have not moved: web01");
	snprintf(fakes_asked, sizeof fakes_asked, "retire");
	return 0;
}

static const struct enrol_token join_token = {.id = 5,
	.role = ROLE_JOIN,
	.note = "rack 3",
	.uses_left = 1,
	.networks = "",
	.serials = ""};

int enrol_tokens(struct enrol *enrol, struct fw_arena *arena, struct enrol_token **out, size_t *n,
	struct fw_err *err)
{
	(void)enrol;
	(void)err;
	*n = 1;
	*out = fw_arena_alloc(arena, sizeof **out);
	**out = join_token;
	return 0;
}

int enrol_token_new(struct enrol *enrol, const struct enrol_token *wanted, int64_t now_ms,
	char *text, size_t size, int64_t *id, struct fw_err *err)
{
	(void)enrol;
	(void)err;
	snprintf(fakes_asked, sizeof fakes_asked, "token %s ttl %lld uses %lld note %s",
		enrol_role_names[wanted->role],
		(long long)(wanted->expires_ms ? wanted->expires_ms - now_ms : 0),
		(long long)wanted->uses_left, wanted->note ? wanted->note : "-");
	snprintf(text, size, "fwj1-secret");
	*id = join_token.id;
	return 0;
}

int enrol_token_revoke(struct enrol *enrol, int64_t id, int64_t now_ms, struct fw_err *err)
{
	(void)enrol;
	(void)now_ms;
	if (id != join_token.id)
		return fw_fail(err, -ENOENT, "there is no token %lld", (long long)id);
	snprintf(fakes_asked, sizeof fakes_asked, "forget %lld", (long long)id);
	return 0;
}

/* ---- alerts, feeds, ingest ---- */

static const struct notice_pair labels[] = {{"alertname", "RebootRequired"}, {"instance", "web01"}};

static const struct notice_pair db_labels[] = {{"alertname", "HostSilent"}, {"instance", "db01"}};

/* The last of them is only there with fakes_both. */
#define VIEW(k, r, i, s, st, since, v, l)                                                    \
	{                                                                                    \
		.key = (k), .rule = (r), .instance = (i), .severity = (s), .state = (st),    \
		.since_ms = (since), .value = (v), .labels = (l), .n_labels = 2, .held = "", \
		.unknown = "", .held_why = ""                                                \
	}
static const struct alert_view views[] = {
	VIEW("fw1-a", "RebootRequired", "web01", "warning", ALERT_FIRING, 1700000000000, 1, labels),
	VIEW("fw1-b", "SecurityUpdatesPending", "web01", "warning", ALERT_PENDING, 1700000000500, 3,
		labels),
	VIEW("fw1-c", "CertificateRenewalDue", "web01", "info", ALERT_FIRING, 1600000000000, 1,
		labels),
	VIEW("fw1-d", "HostSilent", "db01", "critical", ALERT_FIRING, 1600000000000, 42.42,
		db_labels),
};

int alert_past_open(struct alerts *alerts, const char *rule, struct fw_arena *arena,
	struct alert_past **out, struct fw_err *err)
{
	(void)alerts;
	if (rule && strcmp(rule, "HostCloned") == 0)
		return fw_fail(err, -EINVAL, "HostCloned cannot be replayed");
	if (rule && strcmp(rule, "LoadHigh") != 0)
		return fw_fail(err, -ENOENT, "no built-in rule is called '%s'", rule);
	*out = fw_arena_alloc(arena, 1);
	return 0;
}

int alert_past_replay(const struct alert_past *past, const struct alert_replay *replay,
	struct fw_arena *arena, struct alert_replay_result *out, struct fw_err *err)
{
	static const struct notice_pair its[] = {{"alertname", "LoadHigh"}, {"job", "node"}};
	static struct alert_replayed alert = {.rule = "LoadHigh",
		.summary = "web01 has a load",
		.labels = its,
		.n_labels = COUNT(its),
		.value = 2.5,
		.pending_ms = 100000,
		.fired_ms = 110000};
	static struct alert_replayed_rule rule = {.name = "LoadHigh", .n_fired = 1};
	(void)past;
	(void)arena;
	if (replay->timeout_ms < 1000 || replay->to_ms > 1000000000)
		return fw_fail(err, -ETIME, "it took too long");
	*out = (struct alert_replay_result){
		.n_sweeps = 3, .rules = &rule, .n_rules = 1, .alerts = &alert, .n_alerts = 1};
	out->hour_until_ms = replay->from_ms;
	return 0;
}

int alert_list(struct alerts *alerts, struct fw_arena *arena, struct alert_view **out, size_t *n,
	struct fw_err *err)
{
	(void)alerts;
	(void)err;
	*n = COUNT(views) - !fakes_both;
	*out = fw_arena_alloc(arena, sizeof views);
	memcpy(*out, views, sizeof views);
	static struct notice_pair silent[] = {{"instance", "web01"}, {"check", ""}};
	if (fakes_silent) {
		silent[1].value = fakes_silent;
		(*out)[2].rule = "HostSilent";
		(*out)[2].severity = "critical";
		(*out)[2].labels = silent;
	}
	if (fakes_has_work)
		(*out)[3].held = (*out)[0].held = ALERT_WORK_LIST;
	return 0;
}

int alert_take_answer(struct alerts *alerts, const struct alert_answer *answer, struct fw_err *err)
{
	(void)alerts;
	if (strcmp(answer->alert, "fw1-a") != 0 && strcmp(answer->alert, "INC1") != 0)
		return fw_fail(err, -ENOENT, "no alert that fires goes by '%s'", answer->alert);
	if (strcmp(answer->note, "fires") == 0)
		return fw_fail(err, -EALREADY, "it is firing");
	if (strcmp(answer->note, "again") == 0)
		return fw_fail(err, -EALREADY, "Ann has acknowledged it already");
	snprintf(fakes_asked, sizeof fakes_asked, "answer %d of %s to '%s' by %s: %s%s",
		(int)answer->kind, answer->alert, answer->feed, answer->who, answer->note,
		answer->is_desk ? " (its desk)" : "");
	return 0;
}

int alert_silence_add(struct alerts *alerts, struct alert_silence *silence, struct fw_err *err)
{
	(void)alerts;
	if (silence->n_matchers == 0)
		return fw_fail(err, -EINVAL, "what is to be silenced?");
	snprintf(fakes_asked, sizeof fakes_asked, "silence %zu %s for %lld by %s: %s",
		silence->n_matchers, silence->matchers[0],
		(long long)(silence->ends_ms - silence->starts_ms), silence->who, silence->comment);
	silence->id = 3;
	return 0;
}

int alert_hand(struct alerts *alerts, const char *name, const char *who, struct fw_err *err)
{
	(void)alerts;
	if (strncmp(name, "fw1-", 4) != 0)
		return fw_fail(err, -ENOENT, "there is no '%s' on the work list", name);
	snprintf(fakes_asked, sizeof fakes_asked, "hand %s, %s", name, who);
	return 0;
}

int alert_silence_end(struct alerts *alerts, int64_t id, const char *who, struct fw_err *err)
{
	(void)alerts;
	(void)who;
	return id == 3 ? 0 : fw_fail(err, -ENOENT, "there is no silence %lld", (long long)id);
}

void alert_silences(struct alerts *alerts, int64_t since_ms, struct fw_arena *arena,
	struct alert_silence **out, size_t *n)
{
	static const char *const matchers[] = {"instance=~web.*"};
	(void)alerts;
	*n = since_ms == 0;
	*out = fw_arena_alloc(arena, sizeof **out);
	**out = (struct alert_silence){.id = 2,
		.matchers = matchers,
		.n_matchers = 1,
		.starts_ms = 1600000000000,
		.ends_ms = 1600000001000,
		.who = "Ann",
		.comment = "moved"};
}

bool alert_has_feed(const struct alerts *alerts, const char *name)
{
	(void)alerts;
	return strcmp(name, "desk") == 0;
}

int alert_feeds(struct alerts *alerts, struct fw_arena *arena, struct alert_feed_view **out,
	size_t *n, struct fw_err *err)
{
	(void)alerts;
	(void)err;
	*n = 1;
	*out = fw_arena_alloc(arena, sizeof **out);
	**out = (struct alert_feed_view){
		.name = "desk", .type = "webhook", .live = 1, .delivered = 9};
	return 0;
}

static int known_feed(const char *name, struct fw_err *err)
{
	return strcmp(name, "desk") == 0 ? 0 : fw_fail(err, -ENOENT, "there is no feed '%s'", name);
}

int alert_feed_set_live(struct alerts *alerts, const char *name, bool live, const char *who,
	uint64_t *n, struct fw_err *err)
{
	(void)alerts;
	*n = 3;
	snprintf(fakes_asked, sizeof fakes_asked, "%s live %d by %s", name, live, who);
	return known_feed(name, err);
}

int alert_feed_retry(struct alerts *alerts, const char *name, int64_t id, const char *who,
	uint64_t *retried, uint64_t *dropped, struct fw_err *err)
{
	(void)alerts;
	(void)who;
	*retried = (uint64_t)id;
	*dropped = 1;
	return known_feed(name, err);
}

int alert_feed_test(struct alerts *alerts, const char *name, const char *who, char key[ALERT_KEY],
	struct fw_err *err)
{
	(void)alerts;
	(void)who;
	snprintf(key, ALERT_KEY, "fw1-test");
	return known_feed(name, err);
}

const char *const alert_notice_states[] = {"waiting", "delivered", "refused", NULL};

int alert_feed_notices(struct alerts *alerts, const char *name, int state, size_t most,
	struct fw_arena *arena, struct alert_notice_view **out, size_t *n, struct fw_err *err)
{
	(void)alerts;
	*out = fw_arena_alloc(arena, sizeof **out);
	**out = (struct alert_notice_view){.id = (int64_t)most,
		.key = "fw1-a",
		.rule = "RebootRequired",
		.instance = "web01",
		.kind = "open",
		.state = alert_notice_states[state < 0 ? 0 : state],
		.why = "",
		.receipt = "INC1"};
	*n = 1;
	return known_feed(name, err);
}

int alert_feed_admit(
	const struct alerts *alerts, const char *name, const char *token, struct fw_err *err)
{
	(void)alerts;
	return strcmp(name, "shelf") == 0 && strcmp(token, "reader") == 0
		? 0
		: fw_fail(err, -EACCES, "no");
}

int alert_desk_admit(
	const struct alerts *alerts, const char *name, const char *token, struct fw_err *err)
{
	(void)alerts;
	return strcmp(name, "desk") == 0 && strcmp(token, "contoso") == 0
		? 0
		: fw_fail(err, -EACCES, "no");
}

/* Notices 5 and 7, the first of which says all that XML does not take. */
int alert_feed_pull(struct alerts *alerts, const char *name, int64_t after, size_t most,
	struct fw_arena *arena, struct alert_page *out, struct fw_err *err)
{
	static const struct notice_pair said[] = {
		{"summary", "<b>&\"\x01\x0b\xff\xef\xbf\xbe]]>\xc3\xa9</feed>"}};
	static const struct alert_pulled both[] = {
		{.id = 5,
			.starts_ms = 1700000000000,
			.told_ms = 1700000000100,
			.key = "fw1-a",
			.labels = labels,
			.n_labels = 2,
			.annotations = said,
			.n_annotations = 1},
		{.id = 7,
			.starts_ms = 1700000000000,
			.ends_ms = 1700000060000,
			.told_ms = 1700000060100,
			.key = "fw1-a",
			.labels = labels,
			.n_labels = 2},
	};
	(void)alerts;
	(void)name;
	if (after > 7)
		return fw_fail(err, -ERANGE, "there is no notice %lld yet", (long long)after);
	size_t from = after >= 5 ? after == 7 ? 2 : 1 : 0;
	*out = (struct alert_page){.estate = "e<1>", .next = after < 0 ? 0 : after};
	out->items = fw_arena_alloc(arena, sizeof both);
	for (; from < 2 && out->n < most; out->n++)
		out->items[out->n] = both[from++];
	out->more = from < 2;
	if (out->n > 0)
		out->next = out->items[out->n - 1].id;
	return 0;
}

void ingest_stat(const struct ingest *ingest, struct ingest_stat *out)
{
	(void)ingest;
	*out = (struct ingest_stat){.connections = 2};
}

/* ---- rule files ---- */

/* Two groups: in the first an alert that fires for web01 and waits for db01, and a rule that
 * fails; the second was not evaluated yet. */
void schedule_list(struct schedule *schedule, struct fw_arena *arena,
	struct schedule_group **groups, size_t *n)
{
	static const struct fw_label web[] = {{"alertname", "Busy"}, {"instance", "web01"}},
				     db[] = {{"alertname", "Busy"}, {"instance", "db01"}},
				     severity[] = {{"severity", "page"}},
				     said[] = {{"summary", "{{ $value }}"}};
	static struct schedule_alert alerts[] = {
		{{web, 2}, {NULL, 0}, ALERT_IS_FIRING, 1, 1700000000000, 1700000000000,
			1700000060000},
		{{db, 2}, {NULL, 0}, ALERT_IS_PENDING, 42.42, 1700000000000, 0, 0}};
	static struct schedule_rule rules[] = {
		{"Busy", "up == 1", true, 60000, 300000, {severity, 1}, {said, 1}, RULE_OK, "",
			1700000000000, 2, alerts, 2},
		{"a:b", "sum(up)", false, 0, 0, {NULL, 0}, {NULL, 0}, RULE_FAILED, "too much", 0, 0,
			NULL, 0}};
	(void)schedule;
	*n = 2;
	*groups = fw_arena_alloc(arena, 2 * sizeof **groups);
	(*groups)[0] = (struct schedule_group){.file = "a.yml",
		.name = "one",
		.interval_ms = 15000,
		.evaluated_ms = 1700000000000,
		.took_ms = 3,
		.rules = rules,
		.n_rules = 2};
	(*groups)[1] = (struct schedule_group){.file = "b.yml",
		.name = "two",
		.interval_ms = 60000,
		.rules = &rules[1],
		.n_rules = 1};
}

/* ---- inventory ---- */

int inventory_list(struct inventory *inventory, uint32_t host, const char *kind, int64_t at_ms,
	inventory_each each, void *arg, struct fw_err *err)
{
	(void)inventory;
	(void)err;
	const struct inventory_item seen = {.host = host,
		.kind = kind,
		.key = "02:00:00:00:00:07",
		.fields =
			"{\"address\":\"10.0.0.7\",\"speaks\":\"telnet\",\"last\":\"1700000000\"}",
		.from_ms = 1700000000000};
	if (kind && strcmp(kind, "wire") == 0) {
		each(&seen, arg);
		return 0;
	}
	const struct inventory_item item = {.host = host,
		.kind = kind ? kind : "packages",
		.key = "bash:amd64",
		.fields = at_ms ? "{\"version\":\"5.1\"}" : "{\"version\":\"5.2\"}",
		.from_ms = 1700000000000};
	each(&item, arg);
	return 0;
}

int inventory_find(struct inventory *inventory, const char *kind, const char *name, int64_t at_ms,
	inventory_each each, void *arg, struct fw_err *err)
{
	if (strcmp(name, "lib*") == 0)
		return fw_fail(err, -E2BIG, "more than 200000 items are called 'lib*'");
	for (int i = 0; i < INVENTORY_FOUND_LIMIT && strcmp(name, "many*") == 0; i++)
		inventory_list(inventory, 1, kind, at_ms, each, arg, err);
	if (strcmp(name, "ba*") == 0)
		inventory_list(inventory, 1, kind, at_ms, each, arg, err);
	if (strcmp(name, "bash") == 0 || strcmp(name, "ba*") == 0)
		inventory_list(inventory, 2, kind, at_ms, each, arg, err);
	return 0;
}

void inventory_open_reader(struct inventory **out, struct state *reader)
{
	*out = (struct inventory *)(void *)reader;
}

void inventory_close(struct inventory *inventory)
{
	(void)inventory;
}

int inventory_known(struct inventory *inventory, const char *kind, int64_t at_ms,
	void (*each)(uint32_t host, void *arg), void *arg, struct fw_err *err)
{
	(void)inventory;
	(void)kind;
	(void)err;
	each(1, arg);
	if (!at_ms)
		each(2, arg);
	return 0;
}

int inventory_all(struct inventory *inventory, const char *kind, inventory_each each, void *arg,
	struct fw_err *err)
{
	int rc = inventory_list(inventory, 1, kind, 0, each, arg, err);
	return rc == 0 ? inventory_list(inventory, 2, kind, 0, each, arg, err) : rc;
}

int inventory_documents(struct inventory *inventory, uint32_t host,
	void (*each)(const struct inventory_document *document, void *arg), void *arg,
	struct fw_err *err)
{
	(void)inventory;
	(void)err;
	const struct inventory_document document = {
		.kind = "packages", .items = 912, .first_ms = 1700000000000, .changed_ms = 1};
	if (host == 1)
		each(&document, arg);
	return 0;
}

/* ---- patches ---- */

/* web01 has one fix, overdue since yesterday; of db01 nothing is proven. */
static const struct patch_fix openssl = {
	.key = "openssl:amd64",
	.installed = "3.0.11-1",
	.candidate = "3.0.15-1",
	.source = "openssl",
	.origin = "Debian",
	.severity = "high",
	.advisory = "DSA-1-1",
	.state = "pending",
	.needs = "",
	.class = PATCH_SECURITY,
	.cvss = 7.5,
	.seen_s = 1700000100,
	.start_s = 1700000000,
	.basis = PATCH_BY_ADVISORY,
	.due_s = {[PATCH_CE14] = 1701209600, [PATCH_NCSC5] = 1700432000},
};

static struct patch_host patches_of(struct fw_arena *arena, const char *name)
{
	if (strcmp(name, "web01") != 0)
		return (struct patch_host){.name = name,
			.os = "",
			.why = "it has sent no list of fixes",
			.os_listed = false};
	struct patch_fix *fix = fw_arena_alloc(arena, sizeof *fix);
	*fix = openssl;
	return (struct patch_host){.name = name,
		.os = "Debian 12",
		.os_listed = true,
		.support_end_s = {[PATCH_MAINSTREAM] = 1781136000},
		.heard_s = 1700000200,
		.pending = 1,
		.security = 1,
		.overdue = {1, 1, 0},
		.oldest_s = {[PATCH_SECURITY] = 1700000000},
		.n_fixes = 1,
		.fixes = fix};
}

size_t patch_hosts(const struct patch *patch, const char *name, struct fw_arena *arena,
	struct patch_asked **out)
{
	static const char *const names[] = {"db01", "web01"};
	size_t n = 0;
	(void)patch;
	*out = fw_arena_alloc(arena, 2 * sizeof **out);
	for (size_t i = 0; i < 2; i++)
		if (!name || strcmp(name, names[i]) == 0)
			(*out)[n++] = (struct patch_asked){.name = names[i]};
	return n;
}

int patch_judge(const struct patch *patch, const struct patch_question *question,
	struct fw_arena *arena, struct patch_host **out, size_t *n, struct fw_err *err)
{
	(void)patch;
	(void)err;
	*n = question->n;
	*out = fw_arena_alloc(arena, (*n + 1) * sizeof **out);
	for (size_t i = 0; i < *n; i++)
		(*out)[i] = patches_of(arena, question->asked[i].name);
	return 0;
}

void patch_list(struct patch *patch, struct fw_arena *arena, struct patch_host **out, size_t *n)
{
	(void)patch;
	*n = 2;
	*out = fw_arena_alloc(arena, 2 * sizeof **out);
	(*out)[0] = patches_of(arena, "db01");
	(*out)[1] = patches_of(arena, "web01");
}

int patch_import(struct patch *patch, const struct patch_advisory *advisories, size_t n,
	int64_t now_ms, struct fw_err *err)
{
	(void)patch;
	(void)now_ms;
	(void)err;
	snprintf(fakes_asked, sizeof fakes_asked, "import %zu %s %.1f %s", n,
		n ? advisories[0].name : "", n ? advisories[0].cvss : 0,
		n && advisories[0].n_fixes ? advisories[0].fixes[0].version : "");
	return 0;
}

int patch_advisories(const struct patch *patch, const char *package, size_t limit,
	struct fw_arena *arena, struct patch_advisory **out, size_t *n, struct fw_err *err)
{
	(void)patch;
	(void)err;
	*n = !package || strcmp(package, "openssl") == 0;
	*out = fw_arena_alloc(arena, limit * sizeof **out);
	(*out)[0] = (struct patch_advisory){
		.name = "DSA-1-1", .issued_s = 1700000000, .severity = "", .n_fixes = 3};
	return 0;
}

int patch_evidence_stat(
	const struct patch *patch, struct patch_evidence_stat *out, struct fw_err *err)
{
	(void)patch;
	(void)err;
	*out = (struct patch_evidence_stat){7, 1700000000};
	return 0;
}

int fakes_forget(const char *name, struct fw_err *err, void *arg)
{
	(void)arg;
	if (strcmp(name, "web01") != 0)
		return fw_fail(err, -ENOENT, "there is no host '%s'", name);
	snprintf(fakes_asked, sizeof fakes_asked, "forget host %s", name);
	return 0;
}

int fakes_snapshot(const char *name, struct fw_err *err, void *arg)
{
	(void)arg;
	if (!*name)
		return fw_fail(err, -EINVAL, "'' is no name for a snapshot");
	if (strcmp(name, "old") == 0)
		return fw_fail(err, -EEXIST, "there is a snapshot 'old' already");
	if (strcmp(name, "big") == 0)
		return fw_fail(err, -ENOSPC, "the disk has 1 MiB left");
	snprintf(fakes_asked, sizeof fakes_asked, "snapshot %s", name);
	return 0;
}

void fakes_snapshot_look(struct api_snapshot *out, void *arg)
{
	(void)arg;
	*out = (struct api_snapshot){.bytes = 10, .of_bytes = 40, .began_ms = 1500};
	if (strncmp(fakes_asked, "snapshot ", 9) == 0)
		snprintf(out->name, sizeof out->name, "%.60s", fakes_asked + 9);
}

size_t retired_list(const struct retired *retired, struct fw_arena *arena, struct retirement **out)
{
	(void)retired;
	*out = fw_arena_alloc(arena, sizeof **out);
	(*out)[0] = (struct retirement){.host = "db01",
		.who = "Ann",
		.reason = "scrapped",
		.agent = "",
		.at_ms = fakes_retired_ms};
	return 1;
}

int fakes_retire(const struct retirement *wanted, struct fw_err *err, void *arg)
{
	(void)arg;
	if (strcmp(wanted->host, "db01") == 0)
		return fw_fail(err, -EALREADY, "'db01' is retired already");
	snprintf(fakes_asked, sizeof fakes_asked, "retire %s, %s, %s", wanted->host, wanted->who,
		wanted->reason);
	return 0;
}

int fakes_return(const char *name, const char *who, int64_t now_ms, struct fw_err *err, void *arg)
{
	(void)now_ms;
	(void)arg;
	if (strcmp(name, "db01") != 0)
		return fw_fail(err, -ENOENT, "no host '%s' was retired", name);
	snprintf(fakes_asked, sizeof fakes_asked, "return %s, %s", name, who);
	return 0;
}
