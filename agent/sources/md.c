/* SPDX-License-Identifier: Apache-2.0 */
#include "parse.h"

#include <stdio.h>
#include <string.h>

#include "udev.h"

enum {
	STATE,
	DISKS,
	DISKS_REQUIRED,
	BLOCKS,
	BLOCKS_SYNCED,
	RAID_DISKS,
	DEGRADED,
	INFO,
	DISK_INFO,
	DISK_FAILED,
};

static const struct metric metrics[] = {
	[STATE] = {"node_md_state", FW_GAUGE, "", "Indicates the state of md-device.", 0, 1},
	[DISKS] = {"node_md_disks", FW_GAUGE, "", "Number of active/failed/spare disks of device.",
		0, 1},
	[DISKS_REQUIRED] = {"node_md_disks_required", FW_GAUGE, "",
		"Total number of disks of device.", 0, 1},
	[BLOCKS] = {"node_md_blocks", FW_GAUGE, "", "Total number of blocks on device.", 0, 1},
	[BLOCKS_SYNCED] = {"node_md_blocks_synced", FW_GAUGE, "",
		"Number of blocks synced on device.", 0, 1},
	[RAID_DISKS] = {"node_md_raid_disks", FW_GAUGE, "", "Number of raid disks on device.", 0,
		1},
	[DEGRADED] = {"node_md_degraded", FW_GAUGE, "", "Number of degraded disks on device.", 0,
		1},
	[INFO] = {"node_md_info", FW_GAUGE, "", "What is known of an array, value is always 1.", 0,
		1},
	[DISK_INFO] = {"node_md_disk_info", FW_GAUGE, "",
		"Which disk has a place in which array, value is always 1.", 0, 1},
	[DISK_FAILED] = {"fenwatch_md_disk_failed", FW_GAUGE, "",
		"Whether the array has given up this disk.", 0, 1},
};

/* In the order of node_exporter's. */
enum activity { ACTIVE, INACTIVE, RECOVERING, RESYNC, CHECK, ACTIVITIES };
static const char *const activities[] = {"active", "inactive", "recovering", "resync", "check"};
#define BROKEN ACTIVITIES /* a raid0 that has lost a disk is in none of them */

struct array {
	char name[NAME_BYTES];
	enum activity activity;
	bool redundant; /* its line of status says how many disks there are */
	int64_t blocks, synced;
	int64_t active, failed, spare, required;
};

struct md {
	struct fw_buf text; /* /proc/mdstat, since more is read for every array */
};

static bool contains(struct fw_cursor line, const char *text)
{
	return memmem(line.at, (size_t)(line.end - line.at), text, strlen(text)) != NULL;
}

/* "sdb1[1](F)" */
static void add_member(struct sweep *out, struct array *a, const char *word, size_t length)
{
	const char *bracket = memchr(word, '[', length);
	if (!bracket)
		return;
	struct fw_cursor rest = {bracket, word + length};
	char disk[NAME_BYTES];
	bool failed = contains(rest, "(F)");
	a->failed += failed;
	a->spare += contains(rest, "(S)");
	a->active++;
	snprintf(disk, sizeof disk, "%.*s", (int)(bracket - word), word);
	sweep_add(
		out, &metrics[DISK_FAILED], failed, SWEEP_LABELS("device", a->name, "disk", disk));
}

static bool cut_activity(struct fw_cursor *line, enum activity *out)
{
	const struct {
		const char *word;
		enum activity activity;
	} words[] = {{"active", ACTIVE}, {"inactive", INACTIVE}, {"broken", BROKEN}};
	char word[NAME_BYTES];
	if (!cut_name(line, ' ', word, sizeof word))
		return false;
	for (size_t i = 0; i < COUNT(words); i++) {
		if (strcmp(word, words[i].word) == 0) {
			*out = words[i].activity;
			return true;
		}
	}
	return false;
}

/* "md0 : active raid1 sdb1[1] sda1[0]", "md1 : active (auto-read-only) raid0 ...",
 * "md2 : inactive sdc1[2](S)" */
static bool cut_head(struct fw_cursor *line, struct sweep *out, struct array *a)
{
	const char *word;
	size_t length;
	*a = (struct array){.redundant = !contains(*line, "raid0") && !contains(*line, "linear")};
	if (!cut_name(line, ' ', a->name, sizeof a->name) || !fw_cut_word(line, &word, &length) ||
		length != 1 || *word != ':' || !cut_activity(line, &a->activity))
		return false;
	while (fw_cut_word(line, &word, &length))
		add_member(out, a, word, length);
	a->required = a->active; /* for want of redundancy, all of them are */
	return true;
}

/* "  1465151808 blocks super 1.2 level 5, 64k chunk, algorithm 2 [4/3] [UUU_]" */
static void cut_status(struct fw_cursor line, struct array *a)
{
	if (!fw_cut_i64(&line, &a->blocks))
		return;
	a->synced = a->blocks;
	if (!a->redundant)
		return;
	a->required = a->active = 0;
	while (line.at < line.end) {
		const char *bracket = memchr(line.at, '[', (size_t)(line.end - line.at));
		if (!bracket)
			return;
		line.at = bracket + 1;
		if (fw_cut_i64(&line, &a->required) && fw_cut_literal(&line, "/") &&
			fw_cut_i64(&line, &a->active))
			return;
	}
}

/* "[==>....]  recovery = 12.6% (37043392/292945152) finish=127.5min speed=33440K/sec",
 * "resync=PENDING" */
static void cut_progress(struct fw_cursor line, struct array *a)
{
	if (contains(line, "recovery"))
		a->activity = RECOVERING;
	else if (contains(line, "resync"))
		a->activity = RESYNC;
	else if (contains(line, "check"))
		a->activity = CHECK;
	else
		return;
	a->synced = 0;
	const char *bracket = memchr(line.at, '(', (size_t)(line.end - line.at));
	if (bracket) {
		line.at = bracket + 1;
		fw_cut_i64(&line, &a->synced);
	}
}

/* The lines of an array are the indented ones below its name. */
static void cut_body(struct fw_cursor *c, struct array *a)
{
	struct fw_cursor line;
	bool first = true;
	while (c->at < c->end && (*c->at == ' ' || *c->at == '\t') && fw_cut_line(c, &line)) {
		if (first)
			cut_status(line, a);
		else
			cut_progress(line, a);
		first = false;
	}
}

static void add_status(struct sweep *out, const struct array *a)
{
	const struct {
		const char *state;
		int64_t n;
	} disks[] = {{"active", a->active}, {"failed", a->failed}, {"spare", a->spare}};
	for (size_t i = 0; i < ACTIVITIES; i++)
		sweep_add(out, &metrics[STATE], a->activity == i,
			SWEEP_LABELS("device", a->name, "state", activities[i]));
	for (size_t i = 0; i < COUNT(disks); i++)
		sweep_add(out, &metrics[DISKS], disks[i].n,
			SWEEP_LABELS("device", a->name, "state", disks[i].state));
	sweep_add(out, &metrics[DISKS_REQUIRED], a->required, SWEEP_LABELS("device", a->name));
	sweep_add(out, &metrics[BLOCKS], a->blocks, SWEEP_LABELS("device", a->name));
	sweep_add(out, &metrics[BLOCKS_SYNCED], a->synced, SWEEP_LABELS("device", a->name));
}

/* ---- /sys/block/md0/md ---- */

static void read_of(struct machine *m, const char *array, const char *file, char out[TEXT_BYTES])
{
	char path[3 * NAME_BYTES];
	snprintf(path, sizeof path, "sys/block/%s/%s", array, file);
	read_text(m, path, out, TEXT_BYTES);
}

/* The name behind /dev/md/, as udev knows it. */
static void read_name(struct machine *m, const char *array, char out[TEXT_BYTES])
{
	char device[TEXT_BYTES];
	const struct udev_property wanted = {"MD_DEVNAME", out, TEXT_BYTES};
	read_of(m, array, "dev", device);
	out[0] = '\0';
	udev_read(m, device, &wanted, 1);
}

struct members {
	struct sweep *out;
	const char *array;
	bool raid10;
	int64_t layout, raid_disks;
};

/* Copies of a raid10 lie in sets, A, B and so on, as mdadm shows them. */
static void find_set(const struct members *members, int64_t slot, char set[2])
{
	int64_t copies = (members->layout & 0xff) * (members->layout >> 8 & 0xff);
	set[0] = '\0';
	if (members->raid10 && members->layout & ~INT64_C(0x1ffff) && copies > 0 && copies <= 26 &&
		members->raid_disks % copies == 0) {
		set[0] = (char)('A' + slot % copies);
		set[1] = '\0';
	}
}

/* "dev-sda1" of the array's folder; "slot" is its place, or "none". */
static int add_disk(struct machine *m, const char *name, void *arg)
{
	const struct members *members = arg;
	char file[NAME_BYTES + 32], state[TEXT_BYTES], set[2] = "";
	int64_t slot;
	if (strncmp(name, "dev-", 4) != 0)
		return 0;
	snprintf(file, sizeof file, "md/%.*s/state", NAME_BYTES, name);
	read_of(m, members->array, file, state);
	char path[3 * NAME_BYTES];
	snprintf(path, sizeof path, "sys/block/%s/md/%.*s/slot", members->array, NAME_BYTES, name);
	if (machine_read_i64(m, path, &slot) < 0 || slot < 0)
		return 0;
	if (strcmp(state, "in_sync") == 0)
		find_set(members, slot, set);
	sweep_add(members->out, &metrics[DISK_INFO], 1,
		SWEEP_LABELS("disk_device", name + 4, "md_device", members->array, "md_set", set));
	return 0;
}

static int64_t read_count(struct machine *m, const char *array, const char *file)
{
	char path[NAME_BYTES + 48];
	int64_t value;
	snprintf(path, sizeof path, "sys/block/%s/md/%s", array, file);
	return machine_read_i64(m, path, &value) == 0 ? value : 0;
}

static void add_facts(struct machine *m, struct sweep *out, const char *array)
{
	char level[TEXT_BYTES], version[TEXT_BYTES], name[TEXT_BYTES], path[NAME_BYTES + 32];
	read_of(m, array, "md/level", level);
	if (!level[0])
		return;
	read_of(m, array, "md/metadata_version", version);
	read_name(m, array, name);
	struct members members = {out, array, strcmp(level, "raid10") == 0,
		read_count(m, array, "layout"), read_count(m, array, "raid_disks")};
	sweep_add(out, &metrics[RAID_DISKS], members.raid_disks, SWEEP_LABELS("device", array));
	sweep_add(out, &metrics[DEGRADED], read_count(m, array, "degraded"),
		SWEEP_LABELS("device", array));
	sweep_add(out, &metrics[INFO], 1,
		SWEEP_LABELS("md_device", array, "md_metadata_version", version, "md_name", name,
			"raid_level", strncmp(level, "raid", 4) == 0 ? level + 4 : level));
	snprintf(path, sizeof path, "sys/block/%s/md", array);
	machine_list(m, path, add_disk, &members);
}

static int read_md(void *state, struct machine *m, struct sweep *out, struct fw_err *err)
{
	struct md *md = state;
	struct fw_cursor c, line;
	struct array a;
	int rc = read_facts(m, "proc/mdstat", &c, err);
	if (rc < 0)
		return rc;
	fw_buf_reset(&md->text);
	fw_buf_append(&md->text, c.at, (size_t)(c.end - c.at));
	c.at = (const char *)md->text.data;
	c.end = c.at + md->text.length;
	while (c.at < c.end && fw_cut_line(&c, &line)) {
		if (!cut_head(&line, out, &a))
			continue;
		cut_body(&c, &a);
		add_status(out, &a);
		add_facts(m, out, a.name);
	}
	return 0;
}

static void close_md(void *state)
{
	struct md *md = state;
	fw_buf_done(&md->text);
}

/* Old kernels hold /proc/mdstat back while an array is stuck. */
const struct source source_md = {
	.name = "md",
	.help = "Software RAID: the state of the arrays and of their disks.",
	.purpose =
		"A failed disk goes unnoticed while its mirror works; the next one loses the data.",
	.reads = "/proc/mdstat, /sys/block/md*/md, /run/udev/data",
	.slow = true,
	.only_with = "proc/mdstat",
	.every_s = 30,
	.timeout_s = 20,
	.metrics = metrics,
	.n_metrics = COUNT(metrics),
	.state_size = sizeof(struct md),
	.close = close_md,
	.read = read_md,
};
