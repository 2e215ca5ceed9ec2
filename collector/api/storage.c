/* SPDX-License-Identifier: Apache-2.0 */
#include "storage.h"

#include <string.h>

/* What a kind of thing is told from: a metric whose series are one thing each, or one
 * state of it each. */
static const struct part {
	const char *kind, *metric;
	const char *name;        /* the label that names it */
	const char *state_label; /* its series with 1 says the state; NULL: the value does */
	const char *good_states; /* " active check " */
	double good_value;
	const char *bad_state; /* of another value */
	bool only_bad;         /* what is well is not worth a row */
} parts[] = {
	{.kind = "mount",
		.metric = "node_fstab_mount_status",
		.name = "mountpoint",
		.good_value = 1,
		.bad_state = "not mounted",
		.only_bad = true},
	{.kind = "mount",
		.metric = "node_filesystem_device_error",
		.name = "mountpoint",
		.bad_state = "not readable",
		.only_bad = true},
	{.kind = "array",
		.metric = "node_md_state",
		.name = "device",
		.state_label = "state",
		.good_states = " active check "},
	{.kind = "array",
		.metric = "node_md_degraded",
		.name = "device",
		.bad_state = "degraded",
		.only_bad = true},
	{.kind = "array member",
		.metric = "fenwatch_md_disk_failed",
		.name = "disk",
		.bad_state = "failed",
		.only_bad = true},
	{.kind = "zfs pool",
		.metric = "node_zfs_zpool_state",
		.name = "zpool",
		.state_label = "state",
		.good_states = " online "},
	{.kind = "btrfs",
		.metric = "fenwatch_btrfs_devices_missing",
		.name = "uuid",
		.bad_state = "device missing"},
	{.kind = "volume",
		.metric = "fenwatch_lvm_volume_faulty",
		.name = "device",
		.bad_state = "device missing",
		.only_bad = true},
	{.kind = "volume",
		.metric = "fenwatch_lvm_volume_suspended",
		.name = "device",
		.bad_state = "suspended",
		.only_bad = true},
	{.kind = "multipath",
		.metric = "node_dmmultipath_device_paths_failed",
		.name = "device",
		.bad_state = "paths failed"},
};
#define PARTS (sizeof parts / sizeof parts[0])

static bool is_word_of(const char *words, const char *word)
{
	size_t length = strlen(word);
	for (const char *at = words; (at = strstr(at, word)); at++)
		if (at > words && at[-1] == ' ' && at[length] == ' ')
			return true;
	return false;
}

static void write_row(struct json *j, const struct part *part, const struct promql_row *series)
{
	double value = facts_newest(series);
	const char *state = part->state_label ? facts_label(series, part->state_label)
		: value == part->good_value   ? "ok"
					      : part->bad_state;
	bool good = part->state_label ? state && *state && is_word_of(part->good_states, state)
				      : value == part->good_value;
	if ((part->state_label && value != 1) || (part->only_bad && good))
		return;
	json_open(j, '{');
	json_put_text(j, "host", facts_label(series, "instance"));
	json_put_text(j, "kind", part->kind);
	json_put_text(j, "name", facts_label(series, part->name));
	json_put_text(j, "state", state);
	json_key(j, "good");
	json_raw(j, good ? "true" : "false");
	json_close(j, '}');
}

void storage_write_rows(struct json *j, const struct facts *facts)
{
	for (size_t i = 0; i < PARTS; i++) {
		size_t n;
		const struct promql_row *series = facts_metric(facts, parts[i].metric, &n);
		for (size_t k = 0; k < n; k++)
			write_row(j, &parts[i], &series[k]);
	}
}
