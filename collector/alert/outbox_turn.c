/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include <fenwatch/log.h>

#include "outbox_parts.h"
#include "state.h"

/* SQLite may say the same every second for hours. */
void outbox_tell_trouble(struct outbox *outbox, const char *what, const struct fw_err *err)
{
	if (strcmp(outbox->trouble, err->text) == 0)
		return;
	snprintf(outbox->trouble, sizeof outbox->trouble, "%s", err->text);
	fw_log(FW_ERROR, "outbox: %s: %s; it is tried again", what, err->text);
}

/* ---- one transaction a turn ---- */

void sendings_init(struct sendings *list)
{
	list->first = NULL;
	list->last = &list->first;
}

void sendings_add(struct sendings *list, struct sending *sending)
{
	sending->next = NULL;
	*list->last = sending;
	list->last = &sending->next;
}

struct sending *sendings_take(struct sendings *list)
{
	struct sending *first = list->first;
	sendings_init(list);
	return first;
}

void sending_free(struct sending *sending)
{
	book_notice_done(&sending->row);
	fw_free(sending->generator_url);
	fw_free(sending);
}

int turn_begin(struct outbox *outbox, struct fw_err *err)
{
	if (outbox->is_writing)
		return 0;
	int rc = state_begin(outbox->config.state, err);
	outbox->is_writing = rc == 0;
	return rc;
}

void turn_set_over(struct outlet *outlet, struct entry *entry)
{
	entry->is_over = true;
	entry->next_over = NULL;
	*outlet->last_over = entry;
	outlet->last_over = &entry->next_over;
	outlet->under_way -= entry->sending != NULL;
}

void outlet_note_trouble(struct outlet *outlet, const struct sending *sending, bool goes_on)
{
	if (strcmp(outlet->error, sending->why) != 0 || !goes_on)
		fw_log(FW_WARNING, "feed '%s': notice %s %s: %s", outlet->option->name,
			sending->idempotency, goes_on ? "is tried again" : "was refused",
			sending->why);
	snprintf(outlet->error, sizeof outlet->error, "%s", sending->why);
}

static void forget(struct outlet *outlet, struct entry *entry)
{
	struct sending *sending = entry->sending;
	if (sending && sending->verdict == DELIVERED)
		*outlet->error = '\0';
	else if (sending)
		outlet_note_trouble(outlet, sending, sending->verdict == TRY_LATER);
	if (sending)
		sending_free(sending);
	outlet->repeats -= entry->repeat;
	lanes_remove(&outlet->lanes, entry);
}

static void end_over(struct outlet *outlet, bool written)
{
	struct entry *entry = outlet->over, *next;
	outlet->over = NULL;
	outlet->last_over = &outlet->over;
	for (; entry; entry = next) {
		next = entry->next_over;
		if (written) {
			forget(outlet, entry);
			continue;
		}
		entry->is_over = false;
		if (entry->sending) {
			outlet->under_way++;
			sendings_add(&outlet->outbox->finished, entry->sending);
		}
	}
}

static void start(struct sending *sending, bool written)
{
	struct outlet *outlet = sending->outlet;
	if (written) {
		sending->entry->tries = sending->row.tries;
		outlet->option->feed->deliver(&sending->delivery);
		return;
	}
	sending->entry->sending = NULL;
	outlet->under_way--;
	sending_free(sending);
}

int turn_finish(struct outbox *outbox, int rc, struct fw_err *err)
{
	if (outbox->is_writing)
		rc = state_finish(outbox->config.state, rc, err);
	outbox->is_writing = false;
	for (size_t i = 0; i < outbox->n_outlets; i++)
		end_over(&outbox->outlets[i], rc == 0);
	struct sending *sending = sendings_take(&outbox->starting), *next;
	for (; sending; sending = next) {
		next = sending->next;
		start(sending, rc == 0);
	}
	return rc;
}

bool turn_end_step(struct outbox *outbox, int rc, const char *what, struct fw_err *err)
{
	if (rc == 0 && !outbox->one_by_one)
		return true;
	rc = turn_finish(outbox, rc, err);
	if (rc < 0 && outbox->one_by_one)
		outbox_tell_trouble(outbox, what, err);
	return outbox->one_by_one;
}
