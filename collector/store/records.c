/* SPDX-License-Identifier: Apache-2.0 */
/* Documents and events live in the log until somebody has filed them elsewhere.
 *
 * One that is not released pins its segment. When the log runs out of segments
 * it is carried: logged again in the active one, under the position that it had
 * first, by which it is known to whoever releases it.
 */
#include <errno.h>
#include <string.h>

#include <fenwatch/mem.h>

#include "bytes.h"
#include "internal.h"

enum { CARRIED_HEAD = 16 }; /* origin u64, kind u8, 7 zeroes */

static struct unreleased *find(struct store *store, uint64_t origin)
{
	struct unreleased *at = store->records;
	while (at && at->origin != origin)
		at = at->next;
	return at;
}

void records_add(struct store *store, const struct log_record *record, uint64_t origin,
	const struct store_entry *entry)
{
	unsigned slot = log_slot_of(&store->log, record->position);
	struct unreleased *at = find(store, origin);
	if (at) {
		store->log.slots[at->slot].pins--;
	} else {
		at = fw_alloc(sizeof *at);
		*store->records_end = at;
		store->records_end = &at->next;
		store->unreleased_bytes += record->length;
	}
	at->origin = origin;
	at->position = record->position;
	at->length = record->length;
	at->entry = entry;
	at->slot = slot;
	store->log.slots[slot].pins++;
}

void records_release(struct store *store, uint64_t origin)
{
	struct unreleased **at = &store->records;
	while (*at && (*at)->origin != origin)
		at = &(*at)->next;
	struct unreleased *gone = *at;
	if (!gone)
		return;
	*at = gone->next;
	if (!*at)
		store->records_end = at;
	store->unreleased_bytes -= gone->length;
	store->log.slots[gone->slot].pins--;
	fw_free(gone);
}

/* What a carried record says it is, unpacked in place. */
static bool unpack_carried(struct log_record *record, uint64_t *origin)
{
	*origin = record->position;
	if (record->kind != LOG_CARRIED)
		return true;
	if (record->length < CARRIED_HEAD)
		return false;
	*origin = get_u64(record->payload);
	record->kind = record->payload[8] == LOG_DOCUMENT ? LOG_DOCUMENT : LOG_EVENT;
	record->payload += CARRIED_HEAD;
	record->length -= CARRIED_HEAD;
	return true;
}

void records_found(struct store *store, const struct log_record *record)
{
	struct log_record plain = *record;
	uint64_t origin;
	if (store->config.on_record && unpack_carried(&plain, &origin))
		records_add(store, &plain, origin, NULL);
}

static void tell(struct store *store, const struct unreleased *at, const struct log_record *record)
{
	struct store_record told = {
		.kind = record->kind == LOG_DOCUMENT ? STORE_DOCUMENT : STORE_EVENT,
		.position = at->origin,
		.stream = record->stream,
		.seq = record->seq,
		.lane = (enum store_lane)record->lane,
		.host = record->host,
		.received_ms = record->received_ms,
		.payload = record->payload,
		.length = record->length,
	};
	memcpy(told.agent, record->agent, sizeof told.agent);
	store->config.on_record(&told, store->config.arg);
}

static void tell_one(struct store *store, struct unreleased *at, struct fw_buf *buf)
{
	struct log_record record;
	uint64_t origin;
	at->told = true;
	at->entry = NULL;
	if (log_read(&store->log, at->position, buf, &record) >= 0 &&
		unpack_carried(&record, &origin))
		tell(store, at, &record);
	else
		store->counters.damaged++;
}

static void tell_entry(struct store *store, struct unreleased *at)
{
	const struct store_entry *entry = at->entry;
	struct log_record record = {
		.kind = entry->kind == STORE_DOCUMENT ? LOG_DOCUMENT : LOG_EVENT,
		.lane = (uint8_t)entry->lane,
		.host = entry->host,
		.stream = entry->stream,
		.seq = entry->seq,
		.received_ms = entry->received_ms,
		.payload = entry->payload,
		.length = entry->length,
	};
	memcpy(record.agent, entry->agent, sizeof record.agent);
	at->told = true;
	at->entry = NULL;
	tell(store, at, &record);
}

void records_tell(struct store *store)
{
	struct fw_buf buf = {0};
	for (struct unreleased *at = store->records; at; at = at->next) {
		if (at->told)
			continue;
		if (at->entry)
			tell_entry(store, at);
		else
			tell_one(store, at, &buf);
	}
	fw_buf_done(&buf);
}

static int carry_one(
	struct store *store, struct unreleased *at, struct fw_buf *buf, struct fw_buf *payload)
{
	struct log_record record;
	uint64_t origin;
	int rc = log_read(&store->log, at->position, buf, &record);
	if (rc < 0)
		return rc;
	if (!unpack_carried(&record, &origin))
		return -EBADMSG;
	uint8_t head[CARRIED_HEAD] = {0};
	put_u64(head, at->origin);
	head[8] = (uint8_t)record.kind;
	fw_buf_reset(payload);
	fw_buf_append(payload, head, sizeof head);
	fw_buf_append(payload, record.payload, record.length);
	record.kind = LOG_CARRIED;
	record.payload = payload->data;
	record.length = payload->length;
	if (!log_has_room(&store->log, record.length))
		return -ENOSPC;
	log_append(&store->log, &record);
	store->log.slots[at->slot].pins--;
	at->slot = store->log.active;
	at->position = record.position;
	store->log.slots[at->slot].pins++;
	return 0;
}

int records_carry(struct store *store, unsigned slot)
{
	struct fw_buf buf = {0}, payload = {0};
	int rc = 0;
	for (struct unreleased *at = store->records, *next; at && rc >= 0; at = next) {
		next = at->next;
		if (at->slot != slot)
			continue;
		rc = carry_one(store, at, &buf, &payload);
		if (rc != -EBADMSG)
			continue;
		store->counters.damaged++;
		records_release(store, at->origin);
		rc = 0;
	}
	fw_buf_done(&buf);
	fw_buf_done(&payload);
	return rc;
}
