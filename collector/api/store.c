/* SPDX-License-Identifier: Apache-2.0 */
/* The store itself: how full, how far back, and its snapshots. */
#include <errno.h>

#include "alert.h"
#include "parts.h"
#include "store.h"

static void write_tier(struct json *j, const struct store_stat *stat,
	const struct store_reach reach[STORE_TIERS], enum store_tier tier)
{
	const struct store_tier_stat *at = &stat->tiers[tier];
	char warning[256];
	bool warns = store_reach_warning(reach, tier, warning, sizeof warning);
	json_open(j, '{');
	json_put_text(j, "tier", reach[tier].name);
	json_put_int(j, "bytes", (int64_t)at->bytes);
	json_put_int(j, "used", (int64_t)at->used_bytes);
	json_put_int(j, "blocks", (int64_t)at->blocks);
	json_put_time(j, "oldest", at->blocks ? at->oldest_ms : 0);
	json_put_time(j, "newest", at->blocks ? at->newest_ms : 0);
	json_put_number(j, "held_days", reach[tier].held_days);
	json_put_number(j, "target_days", reach[tier].target_days);
	json_key(j, "bytes_a_day");
	reach[tier].days > 0 ? json_number(j, reach[tier].bytes_a_day) : json_none(j);
	json_key(j, "days");
	reach[tier].days > 0 ? json_number(j, reach[tier].days) : json_none(j);
	json_put_int(j, "undigested", (int64_t)at->undigested);
	json_put_text(j, "warning", warns ? warning : NULL);
	json_close(j, '}');
}

static void write_counts(struct json *j, const struct store_stat *stat)
{
	const struct {
		const char *name;
		uint64_t value;
	} counts[] = {
		{"hosts", stat->hosts},
		{"schemas", stat->schemas},
		{"series", stat->series},
		{"sweeps", stat->sweeps},
		{"samples", stat->samples},
		{"damaged", stat->damaged_blocks},
		{"late", stat->late},
		{"ahead", stat->ahead},
		{"refused", stat->refused},
		{"duplicates", stat->duplicates},
		{"gaps", stat->gaps},
		{"digests", stat->digests},
	};
	for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)
		json_put_int(j, counts[i].name, (int64_t)counts[i].value);
	json_key(j, "bytes_a_sample");
	if (stat->packed_samples > 0)
		json_number(j, (double)stat->packed_bytes / (double)stat->packed_samples);
	else
		json_none(j);
}

/* When anything came from any agent, before the start, too; 0: nothing has. */
static int64_t heard_ms(struct request *r)
{
	struct store_host *hosts;
	int64_t newest_ms = 0;
	size_t n = store_hosts(api_config(r->api)->store, &r->arena, &hosts);
	for (size_t i = 0; i < n; i++)
		if (hosts[i].received_ms > newest_ms)
			newest_ms = hosts[i].received_ms;
	return newest_ms;
}

void store_page(struct request *r)
{
	struct store_stat stat;
	struct store_reach reach[STORE_TIERS];
	store_stat(api_config(r->api)->store, &stat);
	store_reach(&stat, reach);
	struct json *j = request_begin(r);
	json_open(j, '{');
	json_key(j, "tiers");
	json_open(j, '[');
	for (int tier = 0; tier < STORE_TIERS; tier++)
		write_tier(j, &stat, reach, (enum store_tier)tier);
	json_close(j, ']');
	write_counts(j, &stat);
	json_put_time(j, "heard", heard_ms(r));
	json_put_time(j, "judged", alert_judged_ms(api_config(r->api)->alerts));
	json_close(j, '}');
	request_end(r, NULL, 0);
}

/* ---- snapshots ---- */

void store_snapshots(struct request *r)
{
	const struct api_config *config = api_config(r->api);
	struct api_snapshot snapshot;
	config->on_snapshot_look(&snapshot, config->arg);
	struct json *j = request_begin(r);
	if (!snapshot.name[0]) {
		json_none(j);
		request_end(r, NULL, 0);
		return;
	}
	json_open(j, '{');
	json_put_text(j, "name", snapshot.name);
	json_put_text(j, "state",
		snapshot.failed             ? "failed"
			: snapshot.ended_ms ? "complete"
					    : "running");
	json_put_int(j, "bytes", (int64_t)snapshot.bytes);
	json_put_int(j, "of_bytes", (int64_t)snapshot.of_bytes);
	json_put_time(j, "began", snapshot.began_ms);
	json_put_time(j, "ended", snapshot.ended_ms);
	json_put_text(j, "error", snapshot.failed ? snapshot.why : NULL);
	json_close(j, '}');
	request_end(r, NULL, 0);
}

void store_snapshot_new(struct request *r)
{
	const struct api_config *config = api_config(r->api);
	const char *name = params_get(&r->params, "name");
	struct fw_err err;
	int rc = config->on_snapshot(name ? name : "", &err, config->arg);
	if (rc == -EINVAL)
		request_fail_bad(r, &err);
	else if (rc == -EEXIST || rc == -EBUSY)
		request_fail(r, 409, "conflict", "%s", err.text);
	else if (rc == -ENOSPC)
		request_fail(r, 507, "no_room", "%s", err.text);
	else if (rc < 0)
		request_fail(r, 500, "internal", "%s", err.text);
	else
		store_snapshots(r);
}
