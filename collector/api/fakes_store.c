/* SPDX-License-Identifier: Apache-2.0 */
#include "fakes.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <fenwatch/clock.h>

#include "notes.h"
#include "read.h"
#include "remote.h"
#include "send.h"
#include "store.h"

#define COUNT(a) (sizeof(a) / sizeof *(a))
#define STEP_MS 15000

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
	if (from_ms > to_ms || to_ms < 0)
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
	(*hosts)[0] = (struct store_host){1, web01, COUNT(web01), now_ms, now_ms, 0, 1, {1}, 0};
	(*hosts)[1] =
		(struct store_host){2, db01, COUNT(db01), earlier_ms, earlier_ms, 0, 1, {2}, 0};
	/* The collector's own series of a host are none. */
	(*hosts)[2] = (struct store_host){3, db01, COUNT(db01), 0, now_ms, 0, 1, {0}, 0};
	(*hosts)[3] = (struct store_host){4, check, COUNT(check), now_ms, now_ms, 0, 1, {1}, 0};
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
