/* SPDX-License-Identifier: Apache-2.0 */
/* What was judged, as series of the host: one schema for all, so that it is made once. */
#include "internal.h"
#include "store.h"

enum {
	OVERDUE,
	OLDEST = OVERDUE + PATCH_POLICIES,
	PROVEN = OLDEST + PATCH_CLASSES,
	SUPPORTED,
	SUPPORT_END,
	COLUMNS = SUPPORT_END + PATCH_TIERS
};

/* One sweep; the store's until it is written, then it comes back as mail. */
struct cells {
	struct store_entry entry;
	struct fw_mail mail;
	struct patch *patch;
	uint32_t host;
	int64_t at_ms;
	int64_t values[COLUMNS];
};

static void name_columns(struct fw_column *columns, struct fw_label *labels, const char *name,
	const char *label, const char *const *values, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		labels[i] = (struct fw_label){label, values ? values[i] : NULL};
		columns[i] = (struct fw_column){.name = name,
			.labels = label ? &labels[i] : NULL,
			.n_labels = label != NULL,
			.type = FW_GAUGE,
			.factor = 1};
	}
}

int series_open(struct patch *patch, struct fw_err *err)
{
	struct fw_column c[COLUMNS];
	struct fw_label l[COLUMNS];
	struct fw_schema schema = {.n_columns = COLUMNS, .columns = c};
	name_columns(c + OVERDUE, l + OVERDUE, "fenwatch_patch_overdue", "policy",
		patch_policy_names, PATCH_POLICIES);
	name_columns(c + OLDEST, l + OLDEST, "fenwatch_patch_oldest_release_timestamp_seconds",
		"class", patch_class_names, PATCH_CLASSES);
	name_columns(c + PROVEN, l + PROVEN, "fenwatch_patch_proven", NULL, NULL, 1);
	name_columns(c + SUPPORTED, l + SUPPORTED, "fenwatch_os_supported", NULL, NULL, 1);
	name_columns(c + SUPPORT_END, l + SUPPORT_END, "fenwatch_os_support_end_timestamp_seconds",
		"tier", patch_tier_names, PATCH_TIERS);
	fw_schema_seal(&schema);
	return store_schema_intern(patch->config.store, &schema, &patch->schema, err);
}

/* No fix that is overdue means something only where the list is proven. */
static void fill(int64_t *values, const struct patch_host *host)
{
	for (size_t p = 0; p < PATCH_POLICIES; p++)
		values[OVERDUE + p] =
			host->why && host->overdue[p] == 0 ? FW_ABSENT : host->overdue[p];
	for (size_t c = 0; c < PATCH_CLASSES; c++)
		values[OLDEST + c] = host->oldest_s[c] ? host->oldest_s[c] : FW_ABSENT;
	values[PROVEN] = host->why == NULL;
	values[SUPPORTED] = host->os_listed ? !host->os_ended : FW_ABSENT;
	for (size_t t = 0; t < PATCH_TIERS; t++)
		values[SUPPORT_END + t] =
			host->support_end_s[t] ? host->support_end_s[t] : FW_ABSENT;
}

/* The mailbox is open for as long as anything is on its way. */
static void on_done(struct store_entry *entry)
{
	struct cells *cells = FW_CONTAINER(entry, struct cells, entry);
	fw_mailbox_post(&cells->patch->written, &cells->mail);
}

void series_write(struct patch *patch, uint32_t host, int64_t now_ms)
{
	struct cells *cells = fw_alloc(sizeof *cells);
	cells->patch = patch;
	cells->host = host;
	cells->at_ms = now_ms;
	fill(cells->values, &patch->hosts[host].view);
	cells->entry = (struct store_entry){
		.kind = STORE_CELLS,
		.host = host,
		.schema = patch->schema,
		.received_ms = now_ms,
		.sweeps = {.n_sweeps = 1,
			.n_columns = COLUMNS,
			.times_ms = &cells->at_ms,
			.cells = cells->values},
		.on_done = on_done,
	};
	patch->hosts[host].told_ms = now_ms;
	patch->in_flight++;
	store_submit(patch->config.store, &cells->entry);
}

void series_on_written(struct fw_mailbox *box, struct fw_mail *mail)
{
	struct patch *patch = FW_CONTAINER(box, struct patch, written);
	struct cells *cells = FW_CONTAINER(mail, struct cells, mail);
	struct watched *host = &patch->hosts[cells->host];
	if (cells->entry.verdict == STORE_DURABLE && !host->told && !patch->closing) {
		host->told = true;
		if (patch->config.on_series)
			patch->config.on_series(cells->host, patch->config.arg);
	}
	fw_free(cells);
	patch->in_flight--;
	patch_finish(patch);
}
