/* SPDX-License-Identifier: Apache-2.0 */
#include "alert.h"
#include "rules.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include <fenwatch/clock.h>
#include <fenwatch/fault.h>
#include <fenwatch/file.h>
#include <fenwatch/log.h>

#include "outbox.h"
#include "register.h"
#include "state.h"
#include "store.h"
#include "test_tree.h"

#define GIB (INT64_C(1) << 30)
#define MINUTE_MS (60 * 1000)
#define MOST_COLUMNS 24
#define MOST_HOSTS 4

/* ---- the clock, which a test may put forward ---- */

static int64_t skipped_ms;

int64_t __real_fw_mono_ms(void);
int64_t __wrap_fw_mono_ms(void);
int64_t __wrap_fw_mono_ms(void)
{
	return __real_fw_mono_ms() + skipped_ms;
}

/* ---- a store of the test's own: some hosts, each with one schema and its newest sweep ---- */

struct store {
	struct store_host hosts[MOST_HOSTS];
	struct fw_label labels[MOST_HOSTS][2];
	struct fw_schema schemas[MOST_HOSTS];
	struct fw_column columns[MOST_HOSTS][MOST_COLUMNS];
	int64_t cells[MOST_HOSTS][MOST_COLUMNS];
	size_t n_hosts;
	unsigned n_selects;
};

size_t store_hosts(struct store *store, struct fw_arena *arena, struct store_host **hosts)
{
	*hosts = fw_arena_alloc(arena, sizeof store->hosts);
	memcpy(*hosts, store->hosts, sizeof store->hosts);
	return store->n_hosts;
}

static bool accepts(
	const struct store_matcher *matchers, size_t n, const char *name, const char *value)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(matchers[i].name, name) == 0 &&
			!matchers[i].accepts(&matchers[i], value))
			return false;
	return true;
}

int store_select_host(struct store *store, uint32_t host, const struct store_matcher *matchers,
	size_t n_matchers, int64_t from_ms, struct fw_arena *arena, struct store_group **groups,
	size_t *n_groups, struct fw_err *err)
{
	(void)from_ms;
	(void)err;
	*groups = fw_arena_alloc(arena, MOST_HOSTS * sizeof **groups);
	*n_groups = 0;
	store->n_selects++;
	for (size_t h = 0; h < store->n_hosts; h++) {
		if (store->hosts[h].id != host ||
			!accepts(matchers, n_matchers, "instance", store->labels[h][0].value))
			continue;
		uint32_t *columns = fw_arena_alloc(arena, MOST_COLUMNS * sizeof *columns), n = 0;
		for (uint32_t c = 0; c < store->schemas[h].n_columns; c++)
			if (accepts(matchers, n_matchers, "__name__", store->columns[h][c].name))
				columns[n++] = c;
		if (n > 0)
			(*groups)[(*n_groups)++] = (struct store_group){
				.host = store->hosts[h].id,
				.host_labels = store->labels[h],
				.n_host_labels = 2,
				.schema = &store->schemas[h],
				.columns = columns,
				.n_columns = n,
			};
	}
	return 0;
}

int store_latest(struct store *store, const struct store_group *group, struct fw_arena *arena,
	int64_t *at_ms, int64_t **cells)
{
	size_t h = (size_t)(group->schema - store->schemas);
	*at_ms = store->hosts[h].newest_ms;
	*cells = fw_arena_alloc(arena, (group->n_columns + 1) * sizeof **cells);
	for (size_t i = 0; i < group->n_columns; i++)
		(*cells)[i] = store->cells[h][group->columns[i]];
	return 0;
}

static size_t add_host(struct store *store, const char *name)
{
	size_t h = store->n_hosts++;
	store->labels[h][0] = (struct fw_label){"instance", name};
	store->labels[h][1] = (struct fw_label){"job", "node"};
	store->schemas[h].columns = store->columns[h];
	store->hosts[h] = (struct store_host){
		.id = (uint32_t)(h + 1),
		.labels = store->labels[h],
		.n_labels = 2,
	};
	return h;
}

static size_t add_column(struct store *store, size_t h, const char *metric,
	const struct fw_label *labels, uint16_t n_labels, int64_t value)
{
	size_t c = store->schemas[h].n_columns++;
	store->columns[h][c] = (struct fw_column){
		.name = metric,
		.labels = labels,
		.n_labels = n_labels,
		.type = FW_GAUGE,
		.factor = 1,
	};
	store->cells[h][c] = value;
	return c;
}

/* ---- the place ---- */

struct place {
	char dir[64];
	uv_loop_t loop;
	struct state *state;
	struct store store;
	struct alerts *alerts;
	struct alert_rule_option rules[RULES];
	struct alert_options options;
	struct fw_arena arena;
	bool (*is_expected)(const uint8_t agent[16], void *arg);
	bool has_detail;
	size_t web01, avail; /* a host, and its column of free space */
};

static const struct fw_label root_fs[] = {
	{"device", "/dev/sda1"}, {"fstype", "ext4"}, {"mountpoint", "/"}};

static const char *on_detail(const char *rule, const char *instance, void *arg)
{
	(void)arg;
	assert_string_equal(instance, "web01");
	return strcmp(rule, "PatchOverdue") == 0 ? "openssl (DSA-5532-1)" : "";
}

static void open_alerts(struct place *place)
{
	struct fw_err err;
	struct alert_config config = {
		.loop = &place->loop,
		.store = &place->store,
		.state = place->state,
		.estate = "e",
		.options = &place->options,
		.is_expected = place->is_expected,
		.on_detail = place->has_detail ? on_detail : NULL,
	};
	if (alert_open(&place->alerts, &config, &err) < 0)
		fail_msg("%s", err.text);
}

static void on_closed(void *arg)
{
	((struct place *)arg)->alerts = NULL;
}

static void close_alerts(struct place *place)
{
	alert_close(place->alerts, on_closed, place);
	while (place->alerts)
		uv_run(&place->loop, UV_RUN_ONCE);
}

static int set_up(void **arg)
{
	struct place *place = fw_alloc(sizeof *place);
	snprintf(place->dir, sizeof place->dir, "/tmp/fenwatch-alert-XXXXXX");
	assert_non_null(mkdtemp(place->dir));
	uv_loop_init(&place->loop);
	assert_int_equal(state_open(&place->state, place->dir, NULL), 0);
	rules_in_force(NULL, place->rules);
	for (size_t i = 0; i < RULES; i++)
		place->rules[i].limits.hold_ms = 0;
	place->options = (struct alert_options){.rules = place->rules, .n_rules = RULES};
	size_t h = place->web01 = add_host(&place->store, "web01");
	place->avail =
		add_column(&place->store, h, "node_filesystem_avail_bytes", root_fs, 3, 50 * GIB);
	add_column(&place->store, h, "node_load1", NULL, 0, 0);
	add_column(&place->store, h, "node_filesystem_size_bytes", root_fs, 3, 100 * GIB);
	open_alerts(place);
	*arg = place;
	return 0;
}

static int tear_down(void **arg)
{
	struct place *place = *arg;
	fw_fault_clear();
	close_alerts(place);
	assert_int_equal(uv_loop_close(&place->loop), 0);
	state_close(place->state);
	assert_int_equal(test_remove_tree(place->dir), 0);
	fw_arena_done(&place->arena);
	fw_free(place);
	return 0;
}

/* The host sends its sweep, `step_ms` after the one before. */
static void speak(struct place *place, size_t h, int64_t step_ms)
{
	struct store_host *host = &place->store.hosts[h];
	host->newest_ms = host->newest_ms ? host->newest_ms + step_ms : fw_wall_ms();
	host->received_ms = host->newest_ms;
	host->changes++;
	alert_wake(place->alerts);
}

/* And some turns more: where a machine stood still till then, what is due comes in them. */
static void run_for(struct place *place, int64_t ms)
{
	int64_t end_ms = fw_mono_ms() + ms;
	for (int more = 20; more > 0; more -= fw_mono_ms() >= end_ms) {
		uv_run(&place->loop, UV_RUN_NOWAIT);
		usleep(500);
	}
}

static struct alert_view *find(struct place *place, const char *rule)
{
	struct alert_view *views;
	size_t n;
	assert_int_equal(alert_list(place->alerts, &place->arena, &views, &n, NULL), 0);
	for (size_t i = 0; i < n; i++)
		if (strcmp(views[i].rule, rule) == 0)
			return &views[i];
	return NULL;
}

/* Speaks with this much free, and looks after a while. */
static struct alert_view *with_free(struct place *place, int64_t bytes)
{
	place->store.cells[place->web01][place->avail] = bytes;
	speak(place, place->web01, 15000);
	run_for(place, 120);
	return find(place, "FilesystemAlmostFull");
}

static const char *annotation(const struct alert_view *view, const char *name)
{
	for (size_t i = 0; i < view->n_annotations; i++)
		if (strcmp(view->annotations[i].name, name) == 0)
			return view->annotations[i].value;
	return "";
}

/* ---- tests ---- */

static void test_a_filling_filesystem_fires_and_recovers(void **arg)
{
	struct place *place = *arg;
	assert_null(with_free(place, 50 * GIB));
	struct alert_view *view = with_free(place, 9 * GIB);
	assert_non_null(view);
	assert_int_equal(view->state, ALERT_FIRING);
	assert_string_equal(view->key, "fw1-9aa0906f9bf6daf5a26868ca33d4f86c");
	assert_string_equal(view->instance, "web01");
	assert_string_equal(view->severity, "warning");
	assert_string_equal(annotation(view, "summary"), "web01: / has 9.0 % left");
	assert_int_equal(view->n_labels, 7); /* alertname, severity, the host's and the series' */
	assert_non_null(with_free(place, 11 * GIB)); /* between the thresholds */
	assert_null(with_free(place, 12 * GIB));
	assert_in_range(
		place->store.n_selects, 1, 2); /* not for each value; a second tick may ask anew */
}

/* The host speaks; what is forecast of it fills in so many days. */
static struct alert_view *with_days(struct place *place, size_t column, double days)
{
	place->store.cells[place->web01][column] =
		fw_wall_ms() / 1000 + (int64_t)(days * 24 * 3600);
	speak(place, place->web01, 15000);
	run_for(place, 120);
	return find(place, "FilesystemFullSoon");
}

static void test_a_forecast_fires_within_a_week_and_recovers_beyond_ten_days(void **arg)
{
	static const char metric[] = "fenwatch_filesystem_fills_timestamp_seconds";
	static const struct fw_label earliest[] = {{"bound", "earliest"}, {"mountpoint", "/srv"}};
	static const struct fw_label likely[] = {{"bound", "likely"}, {"mountpoint", "/srv"}};
	struct place *place = *arg;
	assert_null(with_free(place, 50 * GIB)); /* the host's series are known by now */
	add_column(&place->store, place->web01, metric, earliest, 2, fw_wall_ms() / 1000 + 3600);
	size_t column = add_column(&place->store, place->web01, metric, likely, 2, 0);
	assert_null(with_days(place, column, 5)); /* but not these */
	alert_look_again(place->alerts, place->store.hosts[place->web01].id);
	assert_null(with_days(place, column, 8));
	struct alert_view *view = with_days(place, column, 5);
	assert_non_null(view);
	assert_int_equal(view->state, ALERT_FIRING);
	assert_string_equal(annotation(view, "summary"), "web01: /srv fills in about 5 days");
	assert_non_null(with_days(place, column, 9));
	assert_null(with_days(place, column, 11));
}

static void test_a_hold_is_pending_first(void **arg)
{
	struct place *place = *arg;
	close_alerts(place);
	place->rules[rule_find("FilesystemAlmostFull") - rules].limits.hold_ms = 20000;
	open_alerts(place);
	struct alert_view *view = with_free(place, 9 * GIB);
	assert_int_equal(view->state, ALERT_PENDING);
	skipped_ms += 20000;
	assert_int_equal(with_free(place, 9 * GIB)->state, ALERT_FIRING);
}

/* What a check says of a machine must not open or close what its agent says of itself. */
static void test_of_a_check_only_its_own_rules_look(void **arg)
{
	struct place *place = *arg;
	for (int is_check = 1; is_check >= 0; is_check--) {
		size_t h = add_host(&place->store, is_check ? "web02" : "web03");
		place->store.labels[h][1] = (struct fw_label){is_check ? "check" : "job", "ping"};
		add_column(&place->store, h, "probe_success", NULL, 0, 0);
		add_column(&place->store, h, "node_reboot_required", NULL, 0, 1);
		speak(place, h, 15000);
		run_for(place, 120);
		assert_non_null(find(place, "CheckFailing"));
		struct alert_view *other = find(place, "RebootRequired");
		assert_true(is_check ? !other : other && strcmp(other->instance, "web03") == 0);
	}
}

/* As days, whatever the number in the series. */
static void test_a_time_is_judged_by_its_age(void **arg)
{
	struct place *place = *arg;
	static const struct fw_label flag[] = {{"detector", "flag"}};
	int64_t week_s = fw_wall_ms() / 1000 - 7 * 86400;
	size_t since = add_column(&place->store, place->web01,
		"fenwatch_reboot_required_since_timestamp_seconds", flag, 1, week_s + 60);
	with_free(place, 50 * GIB);
	assert_null(find(place, "RebootOverdue"));
	place->store.cells[place->web01][since] = week_s - 86460;
	with_free(place, 50 * GIB);
	assert_string_equal(annotation(find(place, "RebootOverdue"), "summary"),
		"web01 has needed a reboot for 8 days (by its flag)");
}

/* Series that are made here may begin long after the agent's, which are known by then. */
static void test_series_of_the_collectors_own_are_found(void **arg)
{
	struct place *place = *arg;
	static const struct fw_label ce14[] = {{"policy", "ce14"}};
	static const struct fw_label ncsc5[] = {{"policy", "ncsc5"}};
	close_alerts(place);
	place->has_detail = true;
	open_alerts(place);
	with_free(place, 50 * GIB);
	add_column(&place->store, place->web01, "fenwatch_patch_overdue", ncsc5, 1, 9);
	add_column(&place->store, place->web01, "fenwatch_patch_overdue", ce14, 1, 3);
	with_free(place, 50 * GIB);
	assert_null(find(place, "PatchOverdue")); /* the control */
	alert_look_again(place->alerts, place->store.hosts[place->web01].id);
	with_free(place, 50 * GIB);
	assert_string_equal(annotation(find(place, "PatchOverdue"), "summary"),
		"web01: fixes overdue: 3: openssl (DSA-5532-1)");
}

static void test_late_data_opens_nothing(void **arg)
{
	struct place *place = *arg;
	with_free(place, 50 * GIB);
	place->store.cells[place->web01][place->avail] = GIB;
	place->store.hosts[place->web01].changes++; /* but no newer live sweep */
	alert_wake(place->alerts);
	run_for(place, 150);
	assert_null(find(place, "FilesystemAlmostFull"));
}

static void test_read_only_and_sizeless_filesystems_are_passed_over(void **arg)
{
	struct place *place = *arg;
	static const struct fw_label cd[] = {{"mountpoint", "/cd"}};
	size_t h = place->web01;
	add_column(&place->store, h, "node_filesystem_avail_bytes", cd, 1, 0);
	add_column(&place->store, h, "node_filesystem_size_bytes", cd, 1, GIB);
	size_t readonly = add_column(&place->store, h, "node_filesystem_readonly", cd, 1, 1);
	add_column(&place->store, h, "node_filesystem_files_free", root_fs, 3, 0);
	add_column(&place->store, h, "node_filesystem_files", root_fs, 3, 0);
	assert_null(with_free(place, 50 * GIB));
	assert_null(find(place, "FilesystemInodesAlmostGone"));
	place->store.cells[h][readonly] = 0;
	assert_non_null(with_free(place, 50 * GIB));
}

/* What is wrong with storage, as the agent's series say it; each is over when they say that. */
static const struct storage_case {
	const char *rule, *metric;
	struct fw_label labels[3];
	uint16_t n_labels;
	int64_t bad, good;
	const char *summary;
} storage_cases[] = {
	{"FilesystemReadOnly", "fenwatch_filesystem_readonly_since_timestamp_seconds",
		{{"mountpoint", "/srv"}}, 1, 1795390015, 0, "web01: /srv has become read-only"},
	{"MountMissing", "node_fstab_mount_status", {{"mountpoint", "/data"}}, 1, 0, 1,
		"web01: /data is not mounted"},
	{"MountNotAnswering", "node_filesystem_device_error",
		{{"device_error", "mountpoint timeout"}, {"mountpoint", "/net"}}, 2, 1, 0,
		"web01: /net does not answer"},
	{"ArrayDegraded", "node_md_degraded", {{"device", "md0"}}, 1, 1, 0,
		"web01: md0 lacks 1 of its disks"},
	{"ArrayInactive", "node_md_state", {{"device", "md1"}, {"state", "inactive"}}, 2, 1, 0,
		"web01: md1 is not running"},
	{"ArrayDiskFailed", "fenwatch_md_disk_failed", {{"device", "md0"}, {"disk", "sdb1"}}, 2, 1,
		0, "web01: sdb1 of md0 has failed"},
	{"PoolDegraded", "node_zfs_zpool_state", {{"state", "online"}, {"zpool", "tank"}}, 2, 0, 1,
		"web01: the pool tank is not online"},
	{"BtrfsDeviceMissing", "fenwatch_btrfs_devices_missing", {{"uuid", "0abb"}}, 1, 2, 0,
		"web01: the btrfs filesystem 0abb lacks 2 of its devices"},
	{"VolumeDeviceMissing", "fenwatch_lvm_volume_faulty",
		{{"device", "vg0-db"}, {"lv_name", "db"}, {"vg_name", "vg0"}}, 3, 1, 0,
		"web01: the logical volume db of vg0 lacks a device"},
	{"PathFailed", "node_dmmultipath_device_paths_failed", {{"device", "mpatha"}}, 1, 2, 0,
		"web01: mpatha lacks 2 of its paths"},
};

static void test_storage(void **arg)
{
	struct place *place = *arg;
	size_t h = place->web01, n = sizeof storage_cases / sizeof *storage_cases, columns[16];
	assert_true(n <= 16);
	for (size_t i = 0; i < n; i++)
		columns[i] = add_column(&place->store, h, storage_cases[i].metric,
			storage_cases[i].labels, storage_cases[i].n_labels, storage_cases[i].bad);
	with_free(place, 50 * GIB);
	for (size_t i = 0; i < n; i++) {
		struct alert_view *view = find(place, storage_cases[i].rule);
		if (!view)
			fail_msg("%s does not fire", storage_cases[i].rule);
		assert_string_equal(annotation(view, "summary"), storage_cases[i].summary);
		place->store.cells[h][columns[i]] = storage_cases[i].good;
	}
	with_free(place, 50 * GIB);
	for (size_t i = 0; i < n; i++)
		if (find(place, storage_cases[i].rule))
			fail_msg("%s does not recover", storage_cases[i].rule);
}

/* What a series is while its rule fires, between its thresholds, and when all is well. */
static const struct vital {
	const char *metric;
	const struct fw_label *labels;
	uint16_t n_labels;
	int64_t bad, between, good;
	const char *rule, *summary; /* NULL: of another one */
} vitals[] = {
	{"node_memory_MemTotal_bytes", NULL, 0, 100, 100, 100, NULL, NULL},
	{"node_memory_MemAvailable_bytes", NULL, 0, 4, 6, 9, "MemoryAlmostGone",
		"web01 has 4.0 % of its memory left"},
	{"node_cpu_seconds_total", (const struct fw_label[]){{"cpu", "0"}, {"mode", "idle"}}, 2, 1,
		1, 1, NULL, NULL},
	{"node_cpu_seconds_total", (const struct fw_label[]){{"cpu", "0"}, {"mode", "user"}}, 2, 1,
		1, 1, NULL, NULL},
	{"node_cpu_seconds_total", (const struct fw_label[]){{"cpu", "1"}, {"mode", "idle"}}, 2, 1,
		1, 1, NULL, NULL},
	{"node_load15", NULL, 0, 5, 4, 2, "LoadHigh", "web01 has a load of 2.5 a processor"},
	{"node_timex_offset_seconds", NULL, 0, -1, -1, 0, "ClockWrong",
		"web01: its clock is off by 1 s"},
	{"node_timex_sync_status", NULL, 0, 0, 0, 1, "ClockNotSynchronised",
		"web01: its clock is not synchronised"},
	{"node_power_supply_charge_full_design",
		(const struct fw_label[]){{"power_supply", "BAT0"}}, 1, 100, 100, 100, NULL, NULL},
	{"node_power_supply_charge_full", (const struct fw_label[]){{"power_supply", "BAT0"}}, 1,
		40, 52, 60, "BatteryWorn", "web01: the battery BAT0 holds 40.0 % of what it did"},
	{"node_hwmon_temp_crit_celsius",
		(const struct fw_label[]){{"chip", "coretemp"}, {"sensor", "temp1"}}, 2, 100, 100,
		100, NULL, NULL},
	{"node_hwmon_temp_celsius",
		(const struct fw_label[]){{"chip", "coretemp"}, {"sensor", "temp1"}}, 2, 96, 92, 80,
		"TemperatureHigh",
		"web01: temp1 of coretemp is at 96.0 % of its critical temperature"},
	{"node_hwmon_temp_crit_celsius",
		(const struct fw_label[]){{"chip", "nvme"}, {"sensor", "temp1"}}, 2, 80, 80, 80,
		NULL, NULL},
	{"node_hwmon_temp_celsius",
		(const struct fw_label[]){{"chip", "nvme"}, {"sensor", "temp1"}}, 2, 40, 40, 40,
		NULL, NULL},
	{"fenwatch_capture_recent_address_conflicts", NULL, 0, 2, 1, 0, "WireAddressConflict",
		"web01: on its network two devices have one address"},
	{"fenwatch_capture_recent_arp_storm_seconds", NULL, 0, 31, 6, 5, "WireArpStorm",
		"web01: a storm of ARP requests on its network (31 s of ten minutes)"},
	{"fenwatch_capture_recent_dhcp_unanswered_ratio", NULL, 0, 1, 1, 0, "WireDhcpFailing",
		"web01: on its network 100.0 % of DHCP requests have no answer"},
	{"fenwatch_capture_recent_dns_failed_ratio", NULL, 0, 1, 1, 0, "WireDnsFailing",
		"web01: on its network 100.0 % of DNS queries fail"},
	{"fenwatch_capture_recent_tcp_retransmitted_ratio", NULL, 0, 1, 1, 0, "WireRetransmissions",
		"web01: 100.0 % of TCP segments on its network are sent again"},
	{"fenwatch_capture_recent_kernel_dropped_ratio", NULL, 0, 1, 1, 0, "CaptureDropping",
		"web01: its capture misses 100.0 % of the packets"},
	{"fenwatch_capture_sampled_ratio", NULL, 0, 0, 0, 1, "CaptureSampling",
		"web01: its capture looks into 0.0 % of the conversations"},
};
#define VITALS (sizeof vitals / sizeof *vitals)

/* All of them at once, each `at` its offset in a row of the table. */
static void set_vitals(struct place *place, const size_t columns[VITALS], size_t at)
{
	for (size_t i = 0; i < VITALS; i++)
		place->store.cells[place->web01][columns[i]] =
			*(const int64_t *)(const void *)((const char *)&vitals[i] + at);
	with_free(place, 50 * GIB);
}

static void test_vital_signs(void **arg)
{
	struct place *place = *arg;
	static const size_t stages[] = {offsetof(struct vital, good), offsetof(struct vital, bad),
		offsetof(struct vital, between), offsetof(struct vital, good)};
	size_t columns[VITALS];
	for (size_t i = 0; i < VITALS; i++)
		columns[i] = add_column(&place->store, place->web01, vitals[i].metric,
			vitals[i].labels, vitals[i].n_labels, vitals[i].good);
	for (size_t stage = 0; stage < 4; stage++) {
		bool fires = stage == 1 || stage == 2;
		set_vitals(place, columns, stages[stage]);
		for (size_t i = 0; i < VITALS; i++) {
			struct alert_view *view =
				vitals[i].rule ? find(place, vitals[i].rule) : NULL;
			if (vitals[i].rule && !view == fires)
				fail_msg("%s, stage %zu", vitals[i].rule, stage);
			if (view && stage == 1)
				assert_string_equal(annotation(view, "summary"), vitals[i].summary);
		}
	}
}

/* A certificate that is valid for so long, and ends in so many days. */
static const struct certificate_case {
	const char *valid_for;
	double days;
	const char *rule, *severity; /* NULL: none */
} certificate_cases[] = {
	{"years", 61, NULL, NULL},
	{"years", 59, "CertificateRenewalDue", "info"},
	{"years", 29, "CertificateEndsSoon", "warning"},
	{"years", 6, "CertificateEndsThisWeek", "critical"},
	{"years", 0.5, "CertificateEnds", "critical"},
	{"years", -3, "CertificateEnds", "critical"},
	{"years", 365, NULL, NULL},
	{"months", 29, NULL, NULL},
	{"months", 13, "CertificateNotRenewed", "warning"},
	{"months", 6, "CertificateEndsThisWeek", "critical"},
	{"months", 0.5, "CertificateEnds", "critical"},
	{"days", 5, NULL, NULL},
	{"days", 0.5, "CertificateEnds", "critical"},
};

/* At most one alert at a time: the worse takes over. */
static void test_certificates(void **arg)
{
	struct place *place = *arg;
	for (size_t i = 0; i < sizeof certificate_cases / sizeof *certificate_cases; i++) {
		const struct certificate_case *c = &certificate_cases[i];
		const struct fw_label labels[] = {
			{"path", "/etc/nginx/ssl/a.pem"}, {"valid_for", c->valid_for}};
		place->store.schemas[place->web01].n_columns = 3; /* without the last one */
		add_column(&place->store, place->web01,
			"fenwatch_certificate_not_after_timestamp_seconds", labels, 2,
			fw_wall_ms() / 1000 + (int64_t)(c->days * 24 * 3600));
		alert_look_again(place->alerts, place->store.hosts[place->web01].id);
		with_free(place, 50 * GIB);
		struct alert_view *views;
		size_t n;
		assert_int_equal(alert_list(place->alerts, &place->arena, &views, &n, NULL), 0);
		if (n != (c->rule != NULL) || (n == 1 && strcmp(views->rule, c->rule) != 0) ||
			(n == 1 && strcmp(views->severity, c->severity) != 0))
			fail_msg("%s, %g days: %zu alerts, %s", c->valid_for, c->days, n,
				n > 0 ? views->rule : "none");
	}
}

static void test_a_job_that_failed_and_one_that_did_not_run(void **arg)
{
	static const struct fw_label backup[] = {{"kind", "stamp"}, {"name", "backup"}};
	static const struct fw_label fstrim[] = {{"kind", "timer"}, {"name", "fstrim.service"}};
	static const char due[] = "fenwatch_job_due_timestamp_seconds";
	struct place *place = *arg;
	size_t h = place->web01;
	size_t ok = add_column(&place->store, h, "fenwatch_job_ok", backup, 2, 0);
	add_column(&place->store, h, "fenwatch_job_ok", fstrim, 2, 0); /* SystemdUnitFailed */
	size_t next = add_column(&place->store, h, due, fstrim, 2, fw_wall_ms() / 1000 + 600);
	with_free(place, 50 * GIB);
	struct alert_view *view = find(place, "JobFailed");
	assert_string_equal(annotation(view, "summary"), "web01: the job backup has failed");
	assert_null(find(place, "JobMissed"));
	place->store.cells[h][ok] = 1;
	place->store.cells[h][next] = fw_wall_ms() / 1000 - 600;
	with_free(place, 50 * GIB);
	assert_null(find(place, "JobFailed"));
	assert_string_equal(annotation(find(place, "JobMissed"), "summary"),
		"web01: the job fstrim.service did not run when it was due");
}

/* Whatever they come from. */
static void test_security_updates_are_added_up(void **arg)
{
	static const struct fw_label series[][3] = {
		{{"class", "security"}, {"severity", "low"}, {"source", "rpm"}},
		{{"class", "bugfix"}, {"severity", "low"}, {"source", "rpm"}},
		{{"class", "security"}, {"severity", "critical"}, {"source", "rpm"}},
		{{"class", "security"}, {"severity", "high"}, {"source", "snap"}},
	};
	struct place *place = *arg;
	size_t h = place->web01, first = place->store.schemas[h].n_columns;
	for (size_t i = 0; i < 4; i++)
		add_column(&place->store, h, "fenwatch_patch_pending", series[i], 3, 2);
	place->store.cells[h][first + 3] = FW_ABSENT;
	with_free(place, 50 * GIB);
	struct alert_view *view = find(place, "SecurityUpdatesPending");
	assert_string_equal(annotation(view, "summary"), "web01: security updates pending: 4");
	for (size_t i = 0; i < 4; i++)
		place->store.cells[h][first + i] = i == 1;
	with_free(place, 50 * GIB);
	assert_null(find(place, "SecurityUpdatesPending"));
}

static void test_a_new_series_is_found(void **arg)
{
	struct place *place = *arg;
	static const struct fw_label failed[] = {{"name", "a.service"}, {"state", "failed"}};
	static const struct fw_label active[] = {{"name", "b.service"}, {"state", "active"}};
	with_free(place, 50 * GIB);
	size_t two = add_host(&place->store, "web02");
	add_column(&place->store, two, "node_systemd_unit_state", active, 2, 1);
	add_column(&place->store, two, "node_systemd_unit_state", failed, 2, 1);
	speak(place, two, 15000);
	run_for(place, 150);
	struct alert_view *view = find(place, "SystemdUnitFailed");
	assert_non_null(view);
	assert_string_equal(annotation(view, "summary"), "web02: a.service has failed");
}

static void test_a_series_that_is_gone_is_not_recovered(void **arg)
{
	struct place *place = *arg;
	assert_non_null(with_free(place, GIB));
	struct alert_view *view = with_free(place, FW_ABSENT);
	assert_non_null(view);
	assert_int_equal(view->state, ALERT_FIRING);
	assert_null(with_free(place, 50 * GIB));
}

static const struct fw_label of_filesystems[] = {{"collector", "filesystem"}};
static const struct fw_label of_disks[] = {{"collector", "smart"}};

static size_t add_success(struct place *place, const struct fw_label *source)
{
	return add_column(
		&place->store, place->web01, "node_scrape_collector_success", source, 1, 1);
}

/* The host goes on speaking for longer than what is gone may be so. */
static void speak_on(struct place *place)
{
	for (int i = 0; i < 3; i++) {
		speak(place, place->web01, 15000);
		run_for(place, 120);
		skipped_ms += i == 0 ? 11 * 60 * 1000 : 0;
	}
}

/* Off the bus it can no longer say that it fails. */
static void test_a_failing_disk_that_is_gone_is_unknown(void **arg)
{
	static const struct fw_label disk[] = {{"disk", "/dev/sdc"}, {"type", "sat"}};
	struct place *place = *arg;
	size_t h = place->web01;
	size_t healthy = add_column(&place->store, h, "smartmon_device_smart_healthy", disk, 2, 0);
	add_success(place, of_disks);
	with_free(place, 50 * GIB);
	assert_string_equal(find(place, "DiskFailing")->unknown, "");
	place->store.cells[h][healthy] = FW_ABSENT;
	speak_on(place);
	struct alert_view *view = find(place, "DiskFailing");
	assert_non_null(view);
	assert_string_equal(view->unknown, "its host no longer reports it");
	close_alerts(place);
	open_alerts(place);
	speak_on(place);
	assert_non_null(find(place, "DiskFailing"));
	place->store.cells[h][healthy] = 1;
	with_free(place, 50 * GIB);
	assert_null(find(place, "DiskFailing"));
}

static int say(struct place *place, enum alert_answer_kind kind, const char *rule, const char *note,
	struct fw_err *err)
{
	const struct alert_answer answer = {.kind = kind,
		.alert = find(place, rule)->key,
		.feed = kind == ANSWER_RESOLVED ? "desk" : "",
		.who = "Ann",
		.note = note};
	return alert_take_answer(place->alerts, &answer, err);
}

static int64_t entries(struct place *place, const char *kind)
{
	sqlite3_stmt *row;
	assert_int_equal(
		state_query(place->state, &row, NULL,
			"SELECT count(*) FROM audit WHERE kind = ? AND who = 'Ann'", "t", kind),
		0);
	assert_int_equal(state_step(place->state, row, NULL), 1);
	int64_t n = sqlite3_column_int64(row, 0);
	state_done(row);
	return n;
}

static size_t failing_disk(struct place *place)
{
	static const struct fw_label disk[] = {{"disk", "/dev/sdc"}, {"type", "sat"}};
	size_t healthy = add_column(
		&place->store, place->web01, "smartmon_device_smart_healthy", disk, 2, 0);
	add_success(place, of_disks);
	with_free(place, 50 * GIB);
	return healthy;
}

/* One that fires is ended by nobody's word. */
static void test_what_is_unknown_is_closed_by_hand(void **arg)
{
	struct place *place = *arg;
	struct fw_err err;
	size_t healthy = failing_disk(place);
	assert_int_equal(say(place, ANSWER_CLOSED, "DiskFailing", "CHG-1", &err), -EALREADY);
	assert_non_null(strstr(err.text, "it is firing"));
	assert_int_equal(say(place, ANSWER_RESOLVED, "DiskFailing", "", NULL), 0);
	assert_non_null(find(place, "DiskFailing"));
	assert_int_equal(entries(place, "closed"), 0);
	place->store.cells[place->web01][healthy] = FW_ABSENT;
	speak_on(place);
	/* What cannot be written has not happened. */
	fw_fault_arm(FW_OP_WRITE, 1, -ENOSPC, true);
	assert_int_equal(say(place, ANSWER_CLOSED, "DiskFailing", "CHG-1", &err), -EIO);
	fw_fault_clear();
	assert_non_null(find(place, "DiskFailing"));
	assert_int_equal(entries(place, "closed"), 0);
	assert_int_equal(say(place, ANSWER_CLOSED, "DiskFailing", "CHG-1", NULL), 0);
	assert_null(find(place, "DiskFailing"));
	assert_int_equal(entries(place, "closed"), 1);
	place->store.cells[place->web01][healthy] = 0;
	with_free(place, 50 * GIB);
	assert_string_equal(find(place, "DiskFailing")->unknown, "");
}

static void test_a_desk_closes_what_is_unknown(void **arg)
{
	struct place *place = *arg;
	size_t healthy = failing_disk(place);
	place->store.cells[place->web01][healthy] = FW_ABSENT;
	speak_on(place);
	assert_int_equal(say(place, ANSWER_RESOLVED, "DiskFailing", "", NULL), 0);
	assert_null(find(place, "DiskFailing"));
	assert_int_equal(entries(place, "resolved"), 1);
	assert_int_equal(entries(place, "closed"), 1);
}

/* Its ring was lost, say, and the host with it. */
static void test_what_nothing_is_stored_of_is_closed_by_hand(void **arg)
{
	struct place *place = *arg;
	assert_non_null(with_free(place, GIB));
	close_alerts(place);
	place->store.n_hosts = 0;
	open_alerts(place);
	assert_string_equal(find(place, "FilesystemAlmostFull")->unknown,
		"nothing is stored of its host any more");
	assert_int_equal(say(place, ANSWER_CLOSED, "FilesystemAlmostFull", "scrapped", NULL), 0);
	assert_null(find(place, "FilesystemAlmostFull"));
}

static void test_what_a_failing_source_no_longer_reads_is_unknown(void **arg)
{
	struct place *place = *arg;
	size_t success = add_success(place, of_filesystems);
	add_success(place, of_disks);
	int64_t *said = &place->store.cells[place->web01][success];
	with_free(place, GIB);
	*said = 0;
	with_free(place, FW_ABSENT);
	speak_on(place);
	struct alert_view *view = find(place, "FilesystemAlmostFull");
	assert_non_null(view);
	assert_string_equal(view->unknown, "what reads it does not succeed");
	*said = FW_ABSENT; /* the agent has been restarted, and has not read it yet */
	speak_on(place);
	assert_non_null(find(place, "FilesystemAlmostFull"));
	*said = 1;
	with_free(place, GIB);
	assert_string_equal(find(place, "FilesystemAlmostFull")->unknown, "");
}

/* The control: what was unmounted is over, where its source succeeds or none is known. */
static void test_control_what_was_unmounted_is_over(void **arg)
{
	struct place *place = *arg;
	with_free(place, GIB);
	with_free(place, FW_ABSENT);
	assert_string_equal(
		find(place, "FilesystemAlmostFull")->unknown, "its host no longer reports it");
	speak_on(place);
	assert_null(find(place, "FilesystemAlmostFull"));
	add_success(place, of_filesystems);
	alert_look_again(place->alerts, place->store.hosts[place->web01].id);
	assert_non_null(with_free(place, GIB));
	with_free(place, FW_ABSENT);
	speak_on(place);
	assert_null(find(place, "FilesystemAlmostFull"));
}

static void test_a_silent_host_and_its_return(void **arg)
{
	struct place *place = *arg;
	for (int i = 0; i < 3; i++) {
		speak(place, place->web01, 15000);
		run_for(place, 120);
	}
	assert_null(find(place, "HostSilent"));
	skipped_ms += 40000;
	run_for(place, 1200);
	struct alert_view *view = find(place, "HostSilent");
	assert_non_null(view);
	assert_string_equal(view->severity, "critical");
	assert_string_equal(view->key, "fw1-830f023c3c524a1ddf7cf09b6b69162c");
	speak(place, place->web01, 15000);
	for (int i = 0; i < 12 && find(place, "HostSilent"); i++) {
		run_for(place, 100);
		speak(place, place->web01, 15000);
	}
	assert_null(find(place, "HostSilent"));
}

static bool nobody_is_expected(const uint8_t agent[16], void *arg)
{
	(void)agent;
	(void)arg;
	return false;
}

/* The agent was revoked: what fired closes, and nothing opens. */
static void test_a_host_that_nobody_expects_may_be_silent(void **arg)
{
	struct place *place = *arg;
	for (int i = 0; i < 3; i++) {
		speak(place, place->web01, 400);
		run_for(place, 120);
	}
	run_for(place, 2500);
	assert_non_null(find(place, "HostSilent"));
	close_alerts(place);
	place->is_expected = nobody_is_expected;
	open_alerts(place);
	place->is_expected = NULL;
	speak(place, place->web01, 400);
	run_for(place, 2500);
	assert_null(find(place, "HostSilent"));
}

/* The host says of which class it is, speaks a little, and then no more. */
static struct alert_view *go_silent(struct place *place, const struct fw_label *class, int ms)
{
	add_column(&place->store, place->web01, "fenwatch_host_info", class, 1, 1);
	for (int i = 0; i < 3; i++) {
		speak(place, place->web01, 400);
		run_for(place, 120);
	}
	run_for(place, ms);
	return find(place, "HostSilent");
}

static const struct fw_label laptop[] = {{"class", "laptop"}};
static const struct fw_label blue_light[] = {{"class", "blue-light"}};
static const struct fw_label server[] = {{"class", "server"}};

static void test_a_laptop_may_be_away(void **arg)
{
	struct place *place = *arg;
	place->options.absence.laptop_ms = 86400000;
	assert_null(go_silent(place, laptop, 2500));
}

static void test_a_laptop_may_not_be_away_for_ever(void **arg)
{
	struct place *place = *arg;
	place->options.absence.laptop_ms = 1500;
	assert_non_null(go_silent(place, laptop, 2500));
}

/* Starts anew with these limits of the rule on silence. */
static void reopen_with(struct place *place, double threshold, int64_t hold_ms)
{
	close_alerts(place);
	place->rules[0].limits.threshold = place->rules[0].limits.recovery = threshold;
	place->rules[0].limits.hold_ms = hold_ms;
	open_alerts(place);
}

/* The collector was off meanwhile: the time that counts began before its start. */
static void test_absence_goes_on_over_a_restart(void **arg)
{
	struct place *place = *arg;
	static const int days[] = {1, 20};
	place->options.absence.laptop_ms = 14 * INT64_C(86400000);
	assert_null(go_silent(place, laptop, 100));
	int64_t last_ms = place->store.hosts[place->web01].received_ms, now_ms = fw_wall_ms();
	for (int i = 0; i < 2; i++) {
		fw_fault_clock(last_ms - now_ms + days[i] * INT64_C(86400000));
		reopen_with(place, 0.001, 0);
		run_for(place, 1500);
		assert_int_equal(find(place, "HostSilent") != NULL, days[i] > 14);
	}
	fw_fault_clock(0);
}

static void test_blue_light_is_missed_without_a_hold(void **arg)
{
	struct place *place = *arg;
	reopen_with(place, 2.5, 3600000);
	assert_non_null(go_silent(place, blue_light, 2500));
}

/* The next one follows at once, as it is taken when it is due. */
static void test_behind_a_late_sweep_no_host_is_silent(void **arg)
{
	static const int64_t steps_ms[] = {15000, 15000, 15000, 15000, 29900, 100};
	struct place *place = *arg;
	reopen_with(place, 2.5, 3600000);
	add_column(&place->store, place->web01, "fenwatch_host_info", blue_light, 1, 1);
	for (size_t i = 0; i < sizeof steps_ms / sizeof *steps_ms; i++) {
		speak(place, place->web01, steps_ms[i]);
		run_for(place, 120);
	}
	skipped_ms += 10000;
	run_for(place, 1200);
	assert_null(find(place, "HostSilent"));
	skipped_ms += 50000;
	run_for(place, 1200);
	assert_non_null(find(place, "HostSilent"));
}

static struct registry *use_register(struct place *place, const char *text)
{
	struct registry *registry;
	struct fw_err err;
	char dir[96];
	snprintf(dir, sizeof dir, "%s/register", place->dir);
	assert_int_equal(test_put(place->dir, "register/all.yml", text, strlen(text)), 0);
	if (register_load(&registry, dir, &err) < 0)
		fail_msg("%s", err.text);
	place->options.registry = registry;
	return registry;
}

static void on_reloaded(void *arg)
{
	*(bool *)arg = true;
}

static void reload(struct place *place)
{
	bool reloaded = false;
	assert_int_equal(
		alert_reload(place->alerts, &place->options, on_reloaded, &reloaded, NULL), 0);
	while (!reloaded)
		uv_run(&place->loop, UV_RUN_ONCE);
}

/* Whatever its agent says: the register has it at a fire station. */
static void test_a_host_of_a_blue_light_site_is_missed_without_a_hold(void **arg)
{
	struct place *place = *arg;
	struct registry *registry = use_register(place,
		"sites: [{name: Station, tier: blue-light}]\n"
		"hosts: [{match: {instance: web.*}, site: Station, contract: no. 4711,\n"
		"  contract_ends: 2027-03-31, serial: CZ37}]\n");
	reopen_with(place, 2.5, 3600000);
	struct alert_view *view = go_silent(place, server, 2500);
	assert_true(view && view->state == ALERT_FIRING);
	assert_string_equal(annotation(view, "priority"), "P1");
	assert_string_equal(annotation(view, "site"), "Station");
	assert_string_equal(annotation(view, "contract"), "no. 4711");
	assert_string_equal(annotation(view, "contract_ends"), "2027-03-31");
	assert_string_equal(annotation(view, "serial"), "CZ37");
	assert_string_equal(annotation(view, "summary"), "web01 has gone silent");
	place->options.registry = NULL;
	register_drop(registry);
}

/* One that is planned or retired need not be there: what fired closes with the reload. */
static void test_who_is_not_in_service_may_be_silent(void **arg)
{
	static const char *const lives[] = {"planned", "retired", "live"};
	struct place *place = *arg;
	reopen_with(place, 2.5, 0);
	assert_non_null(go_silent(place, server, 2500));
	for (size_t i = 0; i < sizeof lives / sizeof *lives; i++) {
		char text[128];
		snprintf(text, sizeof text, "hosts: [{host: web01, lifecycle: %s}]", lives[i]);
		struct registry *registry = use_register(place, text);
		reload(place);
		run_for(place, 1100);
		assert_int_equal(find(place, "HostSilent") != NULL, i > 1);
		place->options.registry = NULL;
		reload(place);
		register_drop(registry);
	}
}

/* The register has it as live, and nobody has ever heard it; then it speaks. */
static void test_a_host_that_never_came_is_missed_until_it_does(void **arg)
{
	struct place *place = *arg;
	struct registry *registry =
		use_register(place, "hosts: [{host: web02, contract: no. 4711}, {host: web01}]");
	speak(place, place->web01, 15000);
	reload(place);
	run_for(place, 1100);
	assert_null(find(place, "HostNeverHeard"));
	fw_fault_clock(330 * 1000);
	run_for(place, 1100);
	struct alert_view *view = find(place, "HostNeverHeard");
	assert_true(view && view->state == ALERT_FIRING);
	assert_string_equal(view->instance, "web02");
	assert_string_equal(annotation(view, "contract"), "no. 4711");
	speak(place, add_host(&place->store, "web02"), 15000);
	run_for(place, 1200);
	assert_null(find(place, "HostNeverHeard"));
	place->options.registry = NULL;
	reload(place);
	register_drop(registry);
}

static void test_a_server_is_held_as_the_rule_says(void **arg)
{
	struct place *place = *arg;
	reopen_with(place, 2.5, 3600000);
	struct alert_view *view = go_silent(place, server, 2500);
	assert_true(!view || view->state == ALERT_PENDING);
}

/* The host speaks, and what it says comes so long after its time. */
static struct alert_view *with_lag(struct place *place, int64_t lag_ms)
{
	struct store_host *host = &place->store.hosts[place->web01];
	speak(place, place->web01, 15000);
	host->received_ms += lag_ms;
	run_for(place, 120);
	return find(place, lag_ms < 0 || host->ahead_ms ? "ClockAhead" : "ClockBehind");
}

static void test_a_clock_that_is_behind_is_told_until_it_is_right(void **arg)
{
	struct place *place = *arg;
	assert_null(with_lag(place, 239 * 1000));
	struct alert_view *view = with_lag(place, 7 * MINUTE_MS);
	assert_true(view && view->state == ALERT_FIRING);
	assert_string_equal(view->instance, "web01");
	assert_string_equal(view->severity, "warning");
	assert_string_equal(annotation(view, "summary"),
		"web01: its clock is 7 minutes behind the collector's");
	assert_null(find(place, "ClockAhead"));
	assert_non_null(with_lag(place, 181 * 1000));
	close_alerts(place);
	open_alerts(place);
	assert_non_null(with_lag(place, 7 * MINUTE_MS));
	assert_null(with_lag(place, 0));
}

/* An agent that was cut off sends what had been on its way, and then what is so now. */
static void test_values_that_were_held_up_are_no_clock(void **arg)
{
	struct place *place = *arg;
	place->rules[rule_find("ClockBehind") - rules].limits.hold_ms = 20000;
	reload(place);
	assert_int_equal(with_lag(place, 8 * 60 * MINUTE_MS)->state, ALERT_PENDING);
	assert_null(with_lag(place, 0));
	skipped_ms += 20000;
	assert_int_equal(with_lag(place, 8 * 60 * MINUTE_MS)->state, ALERT_PENDING);
	skipped_ms += 20000;
	assert_int_equal(with_lag(place, 8 * 60 * MINUTE_MS)->state, ALERT_FIRING);
}

/* A laptop that wakes for a moment now and then says each time what was so before it slept. */
static void test_what_a_host_comes_back_with_is_no_clock(void **arg)
{
	struct place *place = *arg;
	struct store_host *host = &place->store.hosts[place->web01];
	for (int i = 0; i < 5; i++) { /* so quickly that it is missed each time */
		speak(place, place->web01, 20);
		host->received_ms += i < 2 ? 0 : 8 * 60 * MINUTE_MS;
		run_for(place, 200);
		assert_null(find(place, "ClockBehind"));
	}
	assert_null(with_lag(place, 7 * MINUTE_MS));
	assert_non_null(with_lag(place, 7 * MINUTE_MS)); /* at its slower pace it was not */
	for (int i = 0; i < 2; i++) {
		speak(place, place->web01, 20);
		host->received_ms += 7 * MINUTE_MS;
		run_for(place, 200);
		assert_non_null(find(place, "ClockBehind"));
	}
	assert_null(with_lag(place, 0));
}

/* Up to ten minutes it shows in what is stored; from there on the store has set it back. */
static void test_a_clock_that_is_ahead_is_told_until_it_is_right(void **arg)
{
	struct place *place = *arg;
	struct store_host *host = &place->store.hosts[place->web01];
	assert_null(with_lag(place, -239 * 1000));
	assert_non_null(with_lag(place, -6 * MINUTE_MS));
	assert_null(find(place, "ClockBehind"));
	assert_null(with_lag(place, -1));
	host->ahead_ms = 50 * MINUTE_MS;
	assert_string_equal(annotation(with_lag(place, 0), "summary"),
		"web01: its clock is 50 minutes ahead of the collector's");
	host->ahead_ms = 0;
	assert_null(with_lag(place, -1));
}

static void test_of_an_agents_devices_the_clock_is_not_told(void **arg)
{
	struct place *place = *arg;
	size_t device = add_host(&place->store, "sw1");
	place->store.labels[device][1].value = "snmp";
	place->store.hosts[device].agent[0] = place->store.hosts[place->web01].agent[0] = 1;
	assert_null(with_lag(place, 0)); /* who speaks for the device is known by now */
	speak(place, device, 15000);
	place->store.hosts[device].received_ms += 7 * MINUTE_MS;
	run_for(place, 120);
	assert_null(find(place, "ClockBehind"));
	assert_string_equal(with_lag(place, 7 * MINUTE_MS)->instance, "web01");
}

static void test_a_clock_is_not_told_where_its_rule_is_off_or_the_host_not_in_service(void **arg)
{
	struct place *place = *arg;
	struct alert_rule_option *rule = &place->rules[rule_find("ClockBehind") - rules];
	struct registry *registry =
		use_register(place, "hosts: [{host: web01, lifecycle: planned}]");
	reload(place);
	assert_string_equal(with_lag(place, 7 * MINUTE_MS)->held, "not in service");
	rule->enabled = false;
	reload(place);
	assert_null(with_lag(place, 7 * MINUTE_MS));
	place->options.registry = NULL;
	reload(place);
	register_drop(registry);
}

/* One host and its link fall silent: the site is told of, and neither of them. */
static void test_a_site_is_told_of_in_place_of_its_hosts(void **arg)
{
	struct place *place = *arg;
	size_t link = add_host(&place->store, "rtr1");
	struct registry *registry = use_register(place,
		"sites: [{name: Library, tier: blue-light, links: [rtr1]}]\n"
		"hosts: [{match: {instance: 'web01|rtr1'}, site: Library}]\n");
	close_alerts(place);
	place->options.registry = registry;
	open_alerts(place);
	for (int i = 0; i < 3; i++) {
		speak(place, place->web01, 15000);
		speak(place, link, 15000);
		run_for(place, 120);
	}
	assert_null(find(place, "SiteUnreachable"));
	skipped_ms += 40000;
	run_for(place, 2200);
	assert_string_equal(annotation(find(place, "SiteUnreachable"), "summary"),
		"the site Library cannot be reached: 2 devices are unobserved");
	assert_string_equal(annotation(find(place, "SiteUnreachable"), "tier"), "blue-light");
	assert_string_equal(find(place, "HostSilent")->held, "unobserved");
	for (int i = 0; i < 14 && find(place, "SiteUnreachable"); i++) {
		speak(place, link, 15000);
		run_for(place, 100);
	}
	assert_null(find(place, "SiteUnreachable"));
	assert_string_equal(find(place, "HostSilent")->held_why,
		"the site Library can be reached again; it may, too");
	close_alerts(place);
	place->options.registry = NULL;
	open_alerts(place);
	register_drop(registry);
}

static void deliver(struct delivery *delivery)
{
	feed_finish(delivery, DELIVERED, "");
}

static bool always(const void *config)
{
	(void)config;
	return true;
}

static struct registry *use_library(struct place *place, const char *hosts)
{
	char text[200];
	snprintf(text, sizeof text,
		"sites: [{name: Library, tier: blue-light, links: [rtr1]}]\n"
		"hosts: [{match: {instance: '%s'}, site: Library}]\n",
		hosts);
	return use_register(place, text);
}

static int64_t count(struct place *place, const char *sql)
{
	sqlite3_stmt *row;
	assert_int_equal(state_query(place->state, &row, NULL, sql, ""), 0);
	assert_int_equal(state_step(place->state, row, NULL), 1);
	int64_t n = sqlite3_column_int64(row, 0);
	state_done(row);
	return n;
}

static int64_t updates(struct place *place)
{
	return count(place,
		"SELECT ifnull(max(id), 0) FROM notice WHERE kind = 2 AND"
		" labels LIKE '%SiteUnreachable%'");
}

/* It fired while the host was being built, under another supplier. */
static void test_what_was_held_is_told_as_the_register_has_it_then(void **arg)
{
	static const struct feed type = {.name = "made up", .deliver = deliver};
	struct place *place = *arg;
	struct alert_feed_option feed = {.name = "desk", .live = true, .feed = &type}, *all = &feed;
	struct registry *before = use_register(place,
		"hosts: [{host: web01, lifecycle: planned, supplier: Old, owner: Builders}]");
	place->options.feeds = &all;
	place->options.n_feeds = 1;
	reload(place);
	struct alert_view *view = with_lag(place, 7 * MINUTE_MS);
	assert_string_equal(view->held, "not in service");
	struct registry *after = use_register(place,
		"sites: [{name: Hall, tier: blue-light}]\n"
		"hosts: [{host: web01, supplier: Contoso, site: Hall}]");
	reload(place);
	run_for(place, 1100);
	view = with_lag(place, 7 * MINUTE_MS);
	assert_string_equal(view->held, "");
	assert_string_equal(annotation(view, "supplier"), "Contoso");
	assert_string_equal(annotation(view, "owner"), "");
	assert_int_equal(count(place, "SELECT count(*) FROM notice WHERE kind = 0"), 1);
	assert_int_equal(
		count(place,
			"SELECT count(*) FROM notice WHERE annotations LIKE '%Contoso%' AND"
			" annotations LIKE '%Hall%' AND annotations NOT LIKE '%Builders%'"
			" AND annotations LIKE '%\"P2\"%'"),
		1);
	assert_int_equal(count(place, "SELECT count(*) FROM audit WHERE kind = 'assigned'"), 1);
	/* Whose it is is shown where its priority is as before. */
	struct registry *again = use_register(place,
		"sites: [{name: Hall, tier: blue-light}]\n"
		"hosts: [{host: web01, supplier: Fabrikam, site: Hall}]");
	reload(place);
	assert_string_equal(annotation(find(place, "ClockBehind"), "supplier"), "Fabrikam");
	close_alerts(place);
	place->options.registry = NULL;
	place->options.n_feeds = 0;
	open_alerts(place);
	register_drop(before);
	register_drop(after);
	register_drop(again);
}

/* The register was changed while the collector was off, and nobody has looked at the host yet, which
 * said that it is a laptop. */
static void test_a_start_takes_what_the_register_says(void **arg)
{
	struct place *place = *arg;
	struct registry *before =
		use_register(place, "hosts: [{host: web01, lifecycle: planned, supplier: Old}]");
	add_column(&place->store, place->web01, "fenwatch_host_info", laptop, 1, 1);
	reload(place);
	struct alert_view *view = with_lag(place, 7 * MINUTE_MS);
	assert_string_equal(view->held, "not in service");
	assert_string_equal(annotation(view, "priority"), "P4");
	close_alerts(place);
	struct registry *after = use_register(place, "hosts: [{host: web01, supplier: Contoso}]");
	open_alerts(place);
	view = find(place, "ClockBehind");
	assert_string_equal(annotation(view, "supplier"), "Contoso");
	assert_string_equal(annotation(view, "priority"), "P4");
	assert_int_equal(count(place, "SELECT count(*) FROM audit WHERE kind = 'assigned'"), 1);
	close_alerts(place);
	place->options.registry = NULL;
	open_alerts(place);
	register_drop(before);
	register_drop(after);
}

static void on_doubt(const char *sentence, void *arg)
{
	snprintf(arg, 200, "%s", sentence);
}

static void test_a_feed_that_is_gone_is_missed_while_tickets_are_open(void **arg)
{
	static const struct feed type = {.name = "made up", .deliver = deliver};
	struct place *place = *arg;
	struct alert_feed_option feed = {.name = "old",
					 .type = "webhook",
					 .live = true,
					 .feed = &type},
				 *all = &feed;
	struct alert_feed_view *views;
	char said[200] = "";
	size_t n;
	place->options.feeds = &all;
	place->options.n_feeds = 1;
	reload(place);
	assert_non_null(with_lag(place, 7 * MINUTE_MS));
	alert_doubt_gone(place->state, &place->options, on_doubt, said);
	assert_string_equal(said, "");
	feed.name = "new";
	alert_doubt_gone(place->state, &place->options, on_doubt, said);
	assert_string_equal(said,
		"feed 'old' is not configured any more, and 1 ticket is open with it: ends wait "
		"until there is a feed of that name again");
	reload(place);
	assert_int_equal(alert_feeds(place->alerts, &place->arena, &views, &n, NULL), 0);
	assert_int_equal(n, 2);
	assert_string_equal(views[0].name, "new");
	assert_string_equal(views[1].name, "old");
	assert_string_equal(views[1].type, "");
	assert_string_equal(views[1].last_error, said);
	place->options.n_feeds = 0;
	reload(place);
}

/* Feeds are looked at each minute and for each list, whatever they were told in a month. */
static void test_what_is_over_is_not_counted_again(void **arg)
{
	struct place *place = *arg;
	struct alert_feed_view *views;
	size_t n;
	assert_int_equal(
		state_run(place->state, NULL,
			"WITH RECURSIVE t (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM t WHERE"
			" i < 20000) INSERT INTO notice (feed, key, kind, starts_ms, ends_ms, labels,"
			" annotations, state, tries, told_ms, why)"
			" SELECT 'old', i, 0, i, 0, '', '', 1, 1, 1, '' FROM t",
			""),
		0);
	clock_t began = clock();
	for (int i = 0; i < 20; i++)
		assert_int_equal(alert_feeds(place->alerts, &place->arena, &views, &n, NULL), 0);
	assert_in_range(clock() - began, 0, CLOCKS_PER_SEC / 20);
	assert_int_equal(n, 0);
}

/* It says how many hosts are behind the line now; tickets hear of that every 15 minutes. */
static void test_a_site_says_how_many_are_unobserved_now(void **arg)
{
	static const struct feed type = {.name = "made up", .deliver = deliver, .updates = always};
	struct alert_feed_option feed = {.name = "desk", .live = true, .feed = &type}, *all = &feed;
	struct place *place = *arg;
	size_t link = add_host(&place->store, "rtr1");
	close_alerts(place);
	struct registry *two = use_library(place, "web01|rtr1"), *one = use_library(place, "rtr1");
	place->options.registry = two;
	place->options.feeds = &all;
	place->options.n_feeds = 1;
	open_alerts(place);
	for (int i = 0; i < 3; i++) {
		speak(place, place->web01, 400);
		speak(place, link, 400);
		run_for(place, 120);
	}
	run_for(place, 3500);
	assert_string_equal(annotation(find(place, "SiteUnreachable"), "summary"),
		"the site Library cannot be reached: 2 devices are unobserved");
	place->options.registry = one;
	reload(place);
	run_for(place, 1200);
	assert_string_equal(annotation(find(place, "SiteUnreachable"), "summary"),
		"the site Library cannot be reached: 1 device is unobserved");
	assert_int_equal(updates(place), 0);
	skipped_ms += 15 * 60 * 1000;
	run_for(place, 1200);
	int64_t first = updates(place);
	assert_true(first > 0);
	place->options.registry = two;
	reload(place);
	run_for(place, 1200);
	assert_int_equal(updates(place), first);
	assert_string_equal(annotation(find(place, "SiteUnreachable"), "summary"),
		"the site Library cannot be reached: 2 devices are unobserved");
	close_alerts(place);
	place->options.registry = NULL;
	place->options.n_feeds = 0;
	open_alerts(place);
	register_drop(one);
	register_drop(two);
}

static const char *storm_text(struct place *place)
{
	const struct alert_view *storm = find(place, "AlertStorm");
	return storm ? annotation(storm, "summary") : "";
}

/* Of four that fall silent one is told of, and of the others one alert. */
static void test_of_a_storm_one_alert_tells(void **arg)
{
	struct place *place = *arg;
	static const char *const names[] = {"web02", "web03", "web04"};
	for (size_t i = 0; i < 3; i++)
		add_host(&place->store, names[i]);
	place->options.noise.storm = 1;
	for (int i = 0; i < 3; i++) {
		for (size_t h = 0; h < place->store.n_hosts; h++)
			speak(place, h, 400);
		run_for(place, 120);
	}
	for (int i = 0; i < 100 && !find(place, "AlertStorm"); i++)
		run_for(place, 200);
	assert_string_equal(annotation(find(place, "AlertStorm"), "summary"),
		"3 more alerts of HostSilent are held");
	assert_string_equal(find(place, "AlertStorm")->held, "");
	/* The number that is shown is the one there is now. */
	for (int i = 0; i < 100 && strncmp(storm_text(place), "2 ", 2) != 0; i++) {
		speak(place, place->store.n_hosts - 1, 400);
		run_for(place, 100);
	}
	assert_string_equal(storm_text(place), "2 more alerts of HostSilent are held");
	for (int i = 0; i < 100 && find(place, "AlertStorm"); i++) {
		for (size_t h = 0; h < place->store.n_hosts; h++)
			speak(place, h, 400);
		run_for(place, 100);
	}
	assert_null(find(place, "AlertStorm"));
	assert_null(find(place, "HostSilent"));
}

static void test_after_a_restart_hosts_get_time_to_come_back(void **arg)
{
	struct place *place = *arg;
	with_free(place, GIB);
	close_alerts(place);
	open_alerts(place);
	run_for(place, 1200);
	/* What fired goes on, and nothing is said of its silence. */
	assert_non_null(find(place, "FilesystemAlmostFull"));
	assert_null(find(place, "HostSilent"));
	assert_null(with_free(place, 50 * GIB));
}

static void test_what_was_heard_before_the_start_is_not_judged(void **arg)
{
	struct place *place = *arg;
	assert_null(with_free(place, 50 * GIB));
	assert_true(alert_judged_ms(place->alerts) > 0);
	close_alerts(place);
	open_alerts(place);
	run_for(place, 1200);
	assert_int_equal(alert_judged_ms(place->alerts), 0);
	assert_null(with_free(place, 50 * GIB));
	assert_true(alert_judged_ms(place->alerts) > 0);
}

static void test_an_alert_that_cannot_be_written_is_not_lost(void **arg)
{
	struct place *place = *arg;
	with_free(place, 50 * GIB);
	fw_fault_arm(FW_OP_WRITE, 1, -EIO, true);
	assert_null(with_free(place, GIB));
	fw_fault_clear();
	assert_non_null(with_free(place, GIB));
	fw_fault_arm(FW_OP_WRITE, 1, -EIO, true);
	assert_non_null(with_free(place, 50 * GIB));
	fw_fault_clear();
	assert_null(with_free(place, 50 * GIB));
}

static void test_raised_and_cleared_by_name(void **arg)
{
	struct place *place = *arg;
	for (int i = 0; i < 2; i++)
		alert_raise(place->alerts, "HostCloned", "web01", "web01 is on A and on B");
	struct alert_view *view = find(place, "HostCloned");
	assert_non_null(view);
	assert_string_equal(view->severity, "critical");
	assert_string_equal(annotation(view, "summary"), "web01 is on A and on B");
	close_alerts(place);
	open_alerts(place);
	assert_non_null(find(place, "HostCloned"));
	alert_clear(place->alerts, "HostCloned", "web01");
	assert_null(find(place, "HostCloned"));
	alert_clear(place->alerts, "HostCloned", "web01");
	fw_fault_arm(FW_OP_WRITE, 1, -EIO, true);
	alert_raise(place->alerts, "HostCloned", "web01", "again");
	fw_fault_clear();
	alert_raise(place->alerts, "HostCloned", "web01", "again");
	assert_non_null(find(place, "HostCloned"));
}

static int64_t silence_web01(struct place *place)
{
	const char *const matchers[] = {"instance=web01"};
	struct alert_silence silence = {.matchers = matchers,
		.n_matchers = 1,
		.ends_ms = fw_wall_ms() + 60000,
		.who = "Ann",
		.comment = "CHG-1"};
	assert_int_equal(alert_silence_add(place->alerts, &silence, NULL), 0);
	return silence.id;
}

static void test_what_was_told_is_listed_as_silenced(void **arg)
{
	struct place *place = *arg;
	alert_raise(place->alerts, "HostCloned", "web01", "twice");
	assert_string_equal(find(place, "HostCloned")->held, "");
	int64_t id = silence_web01(place);
	assert_string_equal(find(place, "HostCloned")->held, "silenced");
	assert_string_equal(find(place, "HostCloned")->held_why, "silence 1, by Ann: CHG-1");
	assert_int_equal(alert_silence_end(place->alerts, id, "Ann", NULL), 0);
	assert_string_equal(find(place, "HostCloned")->held, "");
}

static int64_t updates_over(struct place *place, int silence)
{
	char wanted[64];
	sqlite3_stmt *row;
	snprintf(wanted, sizeof wanted, "%%silence_over\":\"silence %d, by Ann: CHG-1%%", silence);
	assert_int_equal(
		state_query(place->state, &row, NULL,
			"SELECT count(*) FROM notice WHERE kind = 2 AND annotations LIKE ?", "t",
			wanted),
		0);
	assert_int_equal(state_step(place->state, row, NULL), 1);
	int64_t n = sqlite3_column_int64(row, 0);
	state_done(row);
	return n;
}

/* What a silence held is told as ever; who was told before hears that it is over, and once. */
static void test_the_end_of_a_silence_is_told_where_it_was_told_before(void **arg)
{
	struct place *place = *arg;
	static const struct feed type = {.name = "desk", .deliver = deliver, .updates = always};
	static struct alert_feed_option desk = {
		.name = "desk", .type = "desk", .live = true, .feed = &type};
	static struct alert_feed_option *list[] = {&desk};
	close_alerts(place);
	place->options.feeds = list;
	place->options.n_feeds = 1;
	open_alerts(place);
	alert_raise(place->alerts, "HostCloned", "web01", "twice");
	int64_t first = silence_web01(place), second = silence_web01(place);
	alert_raise(place->alerts, "SpoolDropping", "web01", "a gap");
	assert_string_equal(find(place, "SpoolDropping")->held, "silenced");
	assert_int_equal(alert_silence_end(place->alerts, first, "Ann", NULL), 0);
	assert_int_equal(updates_over(place, 1), 0);
	assert_int_equal(alert_silence_end(place->alerts, second, "Ann", NULL), 0);
	assert_int_equal(updates_over(place, 2), 1);
	close_alerts(place);
	open_alerts(place);
	run_for(place, 1500);
	assert_int_equal(updates_over(place, 2), 1);
	assert_string_equal(find(place, "SpoolDropping")->held, "");
}

static void test_a_rule_that_is_switched_off_closes_its_alerts(void **arg)
{
	struct place *place = *arg;
	assert_non_null(with_free(place, GIB));
	close_alerts(place);
	place->rules[rule_find("FilesystemAlmostFull") - rules].enabled = false;
	open_alerts(place);
	assert_null(find(place, "FilesystemAlmostFull"));
	assert_null(with_free(place, GIB));
}

/* A hold that runs goes on over a reload; thresholds and switches are the new ones at once. */
static void test_a_reload_takes_new_rules_and_keeps_holds(void **arg)
{
	struct place *place = *arg;
	struct alert_rule_option *rule = &place->rules[rule_find("FilesystemAlmostFull") - rules];
	rule->limits.hold_ms = 20000;
	reload(place);
	assert_int_equal(with_free(place, 9 * GIB)->state, ALERT_PENDING);
	skipped_ms += 20000;
	reload(place);
	assert_int_equal(with_free(place, 9 * GIB)->state, ALERT_FIRING);
	rule->enabled = false;
	reload(place);
	assert_null(find(place, "FilesystemAlmostFull"));
	assert_null(with_free(place, 9 * GIB));
	rule->enabled = true;
	rule->limits = (struct limits){BELOW, 0.05, 0.06, 0};
	reload(place);
	assert_null(with_free(place, 9 * GIB));
	assert_non_null(with_free(place, 4 * GIB));
}

/* Open, over, or raised by name: nothing of a forgotten host is left, nor comes again. */
static void test_a_forgotten_host(void **arg)
{
	struct place *place = *arg;
	assert_non_null(with_free(place, 9 * GIB));
	assert_null(with_free(place, 50 * GIB));
	assert_non_null(with_free(place, 9 * GIB));
	alert_raise(place->alerts, "HostCloned", "web01", "twice");
	alert_raise(place->alerts, "HostCloned", "web02", "twice");
	assert_true(count(place, "SELECT count(*) FROM episode WHERE instance = 'web01'") >= 2);
	place->store.n_hosts = 0;
	fw_fault_arm(FW_OP_WRITE, 1, -EIO, true);
	assert_true(alert_forget(place->alerts, "web01", NULL) < 0);
	fw_fault_clear();
	assert_int_equal(alert_forget(place->alerts, "web01", NULL), 0);
	assert_null(find(place, "FilesystemAlmostFull"));
	assert_string_equal(find(place, "HostCloned")->instance, "web02");
	assert_int_equal(count(place, "SELECT count(*) FROM episode WHERE instance = 'web01'"), 0);
	assert_int_equal(alert_forget(place->alerts, "web01", NULL), 0);
	alert_wake(place->alerts);
	run_for(place, 1200);
	assert_null(find(place, "FilesystemAlmostFull"));
}

/* A host that comes has a work list; one that was there before there was any has none. Over a
 * restart that stays as it was. */
static void test_when_a_host_was_first_heard_is_kept(void **arg)
{
	struct place *place = *arg;
	size_t supported =
		add_column(&place->store, place->web01, "fenwatch_os_supported", NULL, 0, 1);
	with_free(place, 50 * GIB);
	size_t h = add_host(&place->store, "new01");
	add_column(&place->store, h, "fenwatch_os_supported", NULL, 0, 0);
	place->store.cells[place->web01][supported] = 0;
	for (int i = 0; i < 2; i++) {
		speak(place, h, 400);
		with_free(place, 50 * GIB);
		struct alert_view *views;
		size_t n;
		assert_int_equal(alert_list(place->alerts, &place->arena, &views, &n, NULL), 0);
		assert_int_equal(n, 2);
		for (size_t k = 0; k < n; k++)
			assert_string_equal(views[k].held,
				strcmp(views[k].instance, "new01") == 0 ? "work" : "");
		run_for(place, 200);
		close_alerts(place);
		open_alerts(place);
	}
	assert_int_equal(count(place, "SELECT count(*) FROM first_heard"), 2);
}

static void test_the_worst_come_first(void **arg)
{
	struct place *place = *arg;
	with_free(place, GIB);
	alert_raise(place->alerts, "HostCloned", "web01", "two");
	struct alert_view *views;
	size_t n;
	alert_list(place->alerts, &place->arena, &views, &n, NULL);
	assert_int_equal(n, 2);
	assert_string_equal(views[0].rule, "HostCloned");
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		CASE(test_a_filling_filesystem_fires_and_recovers),
		CASE(test_a_forecast_fires_within_a_week_and_recovers_beyond_ten_days),
		CASE(test_a_hold_is_pending_first),
		CASE(test_late_data_opens_nothing),
		CASE(test_of_a_check_only_its_own_rules_look),
		CASE(test_a_time_is_judged_by_its_age),
		CASE(test_series_of_the_collectors_own_are_found),
		CASE(test_read_only_and_sizeless_filesystems_are_passed_over),
		CASE(test_storage),
		CASE(test_vital_signs),
		CASE(test_certificates),
		CASE(test_a_job_that_failed_and_one_that_did_not_run),
		CASE(test_security_updates_are_added_up),
		CASE(test_a_new_series_is_found),
		CASE(test_a_series_that_is_gone_is_not_recovered),
		CASE(test_a_failing_disk_that_is_gone_is_unknown),
		CASE(test_what_is_unknown_is_closed_by_hand),
		CASE(test_a_desk_closes_what_is_unknown),
		CASE(test_what_nothing_is_stored_of_is_closed_by_hand),
		CASE(test_what_a_failing_source_no_longer_reads_is_unknown),
		CASE(test_control_what_was_unmounted_is_over),
		CASE(test_a_silent_host_and_its_return),
		CASE(test_a_host_that_nobody_expects_may_be_silent),
		CASE(test_a_laptop_may_be_away),
		CASE(test_a_laptop_may_not_be_away_for_ever),
		CASE(test_absence_goes_on_over_a_restart),
		CASE(test_blue_light_is_missed_without_a_hold),
		CASE(test_behind_a_late_sweep_no_host_is_silent),
		CASE(test_a_host_of_a_blue_light_site_is_missed_without_a_hold),
		CASE(test_who_is_not_in_service_may_be_silent),
		CASE(test_a_server_is_held_as_the_rule_says),
		CASE(test_a_host_that_never_came_is_missed_until_it_does),
		CASE(test_a_clock_that_is_behind_is_told_until_it_is_right),
		CASE(test_values_that_were_held_up_are_no_clock),
		CASE(test_what_a_host_comes_back_with_is_no_clock),
		CASE(test_a_clock_that_is_ahead_is_told_until_it_is_right),
		CASE(test_of_an_agents_devices_the_clock_is_not_told),
		CASE(test_a_clock_is_not_told_where_its_rule_is_off_or_the_host_not_in_service),
		CASE(test_a_site_is_told_of_in_place_of_its_hosts),
		CASE(test_what_was_held_is_told_as_the_register_has_it_then),
		CASE(test_a_start_takes_what_the_register_says),
		CASE(test_a_feed_that_is_gone_is_missed_while_tickets_are_open),
		CASE(test_what_is_over_is_not_counted_again),
		CASE(test_a_site_says_how_many_are_unobserved_now),
		CASE(test_of_a_storm_one_alert_tells),
		CASE(test_after_a_restart_hosts_get_time_to_come_back),
		CASE(test_what_was_heard_before_the_start_is_not_judged),
		CASE(test_an_alert_that_cannot_be_written_is_not_lost),
		CASE(test_raised_and_cleared_by_name),
		CASE(test_what_was_told_is_listed_as_silenced),
		CASE(test_the_end_of_a_silence_is_told_where_it_was_told_before),
		CASE(test_a_rule_that_is_switched_off_closes_its_alerts),
		CASE(test_a_reload_takes_new_rules_and_keeps_holds),
		CASE(test_a_forgotten_host),
		CASE(test_when_a_host_was_first_heard_is_kept),
		CASE(test_the_worst_come_first),
	};
	fw_log_init("test_alerts", (enum fw_level)0);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
