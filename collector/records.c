/* SPDX-License-Identifier: Apache-2.0 */
#include "records.h"

#include <string.h>

#include <fenwatch/log.h>
#include <fenwatch/loop.h>
#include <fenwatch/mem.h>

#include "events.h"
#include "inventory.h"
#include "state.h"
#include "store.h"

#define AGAIN_MS 1000
#define AT_ONCE 500 /* events in one transaction */

struct records {
	struct fw_mailbox mailbox;
	struct fw_owner owner;
	uv_timer_t again;
	unsigned n_open; /* mailbox, owner */
	struct state *state;
	struct inventory *inventory;
	struct events *events;
	struct store *store;
	struct fw_mail *first, **last; /* not filed yet; the store bounds them */
	bool failing;
};

struct record_mail {
	struct fw_mail mail;
	struct store_record record;
	uint8_t payload[];
};

/* What was on its way when its host was forgotten goes nowhere. */
static int file_document(
	struct records *records, const struct store_record *record, struct fw_err *err)
{
	if (records->store && !store_host_is_known(records->store, record->host))
		return 0;
	return inventory_take(records->inventory, record, err);
}

/* Without the store nobody knows whose it is: it comes again at the next start. */
static int file_event(
	struct records *records, const struct store_record *record, struct fw_err *err)
{
	const char *host =
		records->store ? store_host_instance(records->store, record->host) : NULL;
	if (!host)
		return 0;
	bool of_check = store_host_is_check(records->store, record->host);
	return events_take(records->events, record, host, of_check, err);
}

static void tell_outcome(struct records *records, int rc, const struct fw_err *err)
{
	if (rc < 0 && !records->failing)
		fw_log(FW_ERROR, "documents and events stay in the log for now: %s", err->text);
	else if (rc >= 0 && records->failing && !records->first)
		fw_log(FW_NOTICE, "documents and events are filed again");
	records->failing = rc < 0 || (records->failing && records->first);
}

static struct record_mail *take_first(struct records *records)
{
	struct fw_mail *mail = records->first;
	records->first = mail->next;
	if (!records->first)
		records->last = &records->first;
	return FW_CONTAINER(mail, struct record_mail, mail);
}

static void add_last(struct records *records, struct record_mail *letter)
{
	letter->mail.next = NULL;
	*records->last = &letter->mail;
	records->last = &letter->mail.next;
}

/* Those at the front that are of the same kind: one document, or many events. */
static size_t take_alike(struct records *records, struct record_mail **letters)
{
	size_t n = 0;
	do
		letters[n++] = take_first(records);
	while (n < AT_ONCE && letters[0]->record.kind == STORE_EVENT && records->first &&
		FW_CONTAINER(records->first, struct record_mail, mail)->record.kind == STORE_EVENT);
	return n;
}

/* A trap seldom comes alone, and a transaction is a sync of the disk. */
static int file_events(
	struct records *records, struct record_mail *const *letters, size_t n, struct fw_err *err)
{
	int rc = state_begin(records->state, err);
	if (rc < 0)
		return rc;
	for (size_t i = 0; i < n && rc == 0; i++)
		rc = file_event(records, &letters[i]->record, err);
	return state_finish(records->state, rc, err);
}

static void release(struct records *records, struct record_mail *letter)
{
	if (records->store)
		store_release(records->store, letter->record.position);
	fw_free(letter);
}

static void on_again(uv_timer_t *timer);

/* In their order, up to the first that cannot be filed: it goes to the end, so that one
 * alone does not keep all others, and is tried again. At the worst it stays in the log and
 * comes at the next start. */
static void file_waiting(struct records *records)
{
	struct record_mail *letters[AT_ONCE];
	while (records->first) {
		size_t n = take_alike(records, letters);
		struct fw_err err;
		int rc = letters[0]->record.kind == STORE_DOCUMENT
			? file_document(records, &letters[0]->record, &err)
			: file_events(records, letters, n, &err);
		tell_outcome(records, rc, &err);
		for (size_t i = 0; i < n; i++)
			if (rc < 0)
				add_last(records, letters[i]);
			else
				release(records, letters[i]);
		if (rc < 0) {
			if (!records->owner.closing)
				uv_timer_start(&records->again, on_again, AGAIN_MS, 0);
			return;
		}
	}
}

static void on_again(uv_timer_t *timer)
{
	file_waiting(FW_CONTAINER(timer, struct records, again));
}

static void on_mail(struct fw_mailbox *box, struct fw_mail *mail)
{
	struct records *records = FW_CONTAINER(box, struct records, mailbox);
	add_last(records, FW_CONTAINER(mail, struct record_mail, mail));
	if (!uv_is_active((uv_handle_t *)&records->again))
		file_waiting(records);
}

static void closed_one(struct records *records)
{
	if (--records->n_open > 0)
		return;
	while (records->first)
		fw_free(take_first(records));
	fw_free(records);
}

static void on_mailbox_closed(struct fw_mailbox *box)
{
	closed_one(FW_CONTAINER(box, struct records, mailbox));
}

static void on_owner_done(struct fw_owner *owner)
{
	closed_one(FW_CONTAINER(owner, struct records, owner));
}

int records_open(struct records **out, uv_loop_t *loop, struct state *state,
	struct inventory *inventory, struct events *events, struct fw_err *err)
{
	struct records *records = fw_alloc(sizeof *records);
	records->state = state;
	records->inventory = inventory;
	records->events = events;
	records->last = &records->first;
	records->n_open = 2;
	int rc = fw_mailbox_open(&records->mailbox, loop, on_mail);
	if (rc < 0) {
		fw_free(records);
		return fw_fail_sys(err, rc, "cannot make a mailbox");
	}
	uv_timer_init(loop, &records->again);
	fw_owner_init(&records->owner, on_owner_done);
	fw_owner_adopt(&records->owner, &records->again);
	*out = records;
	return 0;
}

void records_set_store(struct records *records, struct store *store)
{
	records->store = store;
}

void records_take(struct records *records, const struct store_record *record)
{
	struct record_mail *letter = fw_alloc(sizeof *letter + record->length);
	letter->record = *record;
	memcpy(letter->payload, record->payload, record->length);
	letter->record.payload = letter->payload;
	if (!fw_mailbox_post(&records->mailbox, &letter->mail))
		fw_free(letter);
}

void records_close(struct records *records)
{
	if (!records)
		return;
	fw_mailbox_close(&records->mailbox, on_mailbox_closed);
	file_waiting(records);
	fw_owner_close(&records->owner);
}
