/* SPDX-License-Identifier: Apache-2.0 */
/* Which agent may speak for a device that has none of its own.
 *
 * It is the one that did last, until nothing of the device has come for three of its
 * intervals, but two minutes at least (an hour, where only events and documents tell of
 * it), or the agent is no longer to be believed. Who sent what is in the log, so that a
 * restart changes nothing. And where a machine of that name has an agent it is that agent
 * alone: alerts go by names.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "internal.h"

#define QUIET_MS (2 * 60 * 1000)
#define QUIET_RECORDS_MS (60 * 60 * 1000)
#define QUIET_UNKNOWN_MS (5 * 60 * 1000) /* where its interval is not known */

struct owned {
	uint8_t agent[16];
	int64_t received_ms;
	uint32_t interval_ms;
	bool by_records; /* no sweep of it has come */
};

static const char *label_of(const struct host *host, const char *name)
{
	return fw_label_value(host->name->labels, host->name->n_labels, name);
}

/* The machine of that name that has an agent, or NULL. Hosts only ever become more, so that
 * each is looked at once. */
static struct host *find_machine(struct store *store, struct host *device)
{
	uint32_t count = hosts_count(&store->hosts);
	const char *instance = label_of(device, "instance");
	for (uint32_t id = device->looked_to; !device->machine && id < count; id++) {
		struct host *host = hosts_get(&store->hosts, id);
		if (host && !host->is_device && strcmp(label_of(host, "instance"), instance) == 0)
			device->machine = host;
	}
	device->looked_to = count;
	return device->machine;
}

static struct owned owned_of(struct host *host)
{
	pthread_mutex_lock(&host->lock);
	struct owned is = {.received_ms = host->received_ms, .interval_ms = host->interval_ms};
	is.by_records = host->newest_ms == 0;
	if (host->record_ms > is.received_ms)
		is.received_ms = host->record_ms;
	memcpy(is.agent, host->agent, sizeof is.agent);
	pthread_mutex_unlock(&host->lock);
	return is;
}

/* Whoever was away because we were is not silent. */
static bool is_heard(const struct store *store, const struct owned *is, int64_t now_ms)
{
	int64_t quiet_ms = is->by_records ? QUIET_RECORDS_MS
		: is->interval_ms         ? 3 * (int64_t)is->interval_ms
					  : QUIET_UNKNOWN_MS;
	int64_t since_ms = is->received_ms > store->first_ms ? is->received_ms : store->first_ms;
	return now_ms - since_ms <= (quiet_ms < QUIET_MS ? QUIET_MS : quiet_ms);
}

static bool is_anothers(const struct store *store, struct store_entry *entry, struct host *host)
{
	static const uint8_t nobody[16];
	struct owned is = owned_of(host);
	if (memcmp(is.agent, entry->agent, sizeof is.agent) == 0 ||
		memcmp(is.agent, nobody, sizeof is.agent) == 0 ||
		!is_heard(store, &is, entry->received_ms))
		return false;
	memcpy(entry->owner, is.agent, sizeof entry->owner);
	return true;
}

/* What a check has for its target may well be a machine with an agent. */
bool owner_admits(struct store *store, struct store_entry *entry, struct host *host)
{
	if (store->first_ms == 0)
		store->first_ms = entry->received_ms;
	if (!host || !host->is_device)
		return true;
	const char *instance = label_of(host, "instance");
	if (entry->sender && strcmp(entry->sender, instance) == 0)
		return true;
	struct host *machine = *label_of(host, "check") ? NULL : find_machine(store, host);
	entry->is_anothers =
		(machine && is_anothers(store, entry, machine)) || is_anothers(store, entry, host);
	if (!entry->is_anothers)
		return true;
	store->counters.claimed++;
	snprintf(entry->why, sizeof entry->why, "'%.60s' is another agent's", instance);
	return false;
}

void owner_note(struct host *host, const uint8_t agent[16], int64_t received_ms)
{
	if (!host || !host->is_device)
		return;
	pthread_mutex_lock(&host->lock);
	memcpy(host->agent, agent, sizeof host->agent);
	if (received_ms > host->record_ms)
		host->record_ms = received_ms;
	pthread_mutex_unlock(&host->lock);
}

void store_disown(struct store *store, const uint8_t agent[16])
{
	uint32_t count = hosts_count(&store->hosts);
	for (uint32_t id = 0; id < count; id++) {
		struct host *host = hosts_get(&store->hosts, id);
		if (!host || !host->is_device)
			continue;
		pthread_mutex_lock(&host->lock);
		if (memcmp(host->agent, agent, sizeof host->agent) == 0)
			memset(host->agent, 0, sizeof host->agent);
		pthread_mutex_unlock(&host->lock);
	}
}
