/* SPDX-License-Identifier: Apache-2.0 */
#include "records.h"

#include <string.h>

#include <fenwatch/log.h>
#include <fenwatch/loop.h>
#include <fenwatch/mem.h>

#include "inventory.h"
#include "state.h"
#include "store.h"

static const char *const steps[] = {
	"CREATE TABLE record ("
	" agent BLOB NOT NULL, stream INTEGER NOT NULL, lane INTEGER NOT NULL, seq INTEGER NOT NULL,"
	" kind TEXT NOT NULL, host INTEGER NOT NULL, received_ms INTEGER NOT NULL,"
	" message BLOB NOT NULL,"
	" PRIMARY KEY (agent, stream, lane, seq)) WITHOUT ROWID",
	"CREATE INDEX record_host ON record (host, kind, received_ms)",
	"DELETE FROM record WHERE kind = 'document'",
};

struct records {
	struct fw_mailbox mailbox;
	struct state *state;
	struct inventory *inventory;
	struct store *store;
	bool failing;
};

struct record_mail {
	struct fw_mail mail;
	struct store_record record;
	uint8_t payload[];
};

static int file_record(
	struct records *records, const struct store_record *record, struct fw_err *err)
{
	/* One that was on its way when its host was forgotten. */
	if (records->store && !store_host_is_known(records->store, record->host))
		return 0;
	if (record->kind == STORE_DOCUMENT)
		return inventory_take(records->inventory, record, err);
	return state_run(records->state, err,
		"INSERT OR IGNORE INTO record (agent, stream, lane, seq, kind, host, received_ms, message)"
		" VALUES (?, ?, ?, ?, 'event', ?, ?, ?)",
		"biiiiib", record->agent, sizeof record->agent, (int64_t)record->stream,
		(int64_t)record->lane, (int64_t)record->seq, (int64_t)record->host,
		record->received_ms, record->payload, record->length);
}

/* What cannot be filed stays in the log and comes again at the next start. */
static void on_mail(struct fw_mailbox *box, struct fw_mail *mail)
{
	struct records *records = FW_CONTAINER(box, struct records, mailbox);
	struct record_mail *letter = FW_CONTAINER(mail, struct record_mail, mail);
	struct fw_err err;
	int rc = file_record(records, &letter->record, &err);
	if (rc < 0 && !records->failing)
		fw_log(FW_ERROR, "documents and events stay in the log for now: %s", err.text);
	else if (rc >= 0 && records->failing)
		fw_log(FW_NOTICE, "documents and events are filed again");
	records->failing = rc < 0;
	if (rc >= 0 && records->store)
		store_release(records->store, letter->record.position);
	fw_free(letter);
}

int records_open(struct records **out, uv_loop_t *loop, struct state *state,
	struct inventory *inventory, struct fw_err *err)
{
	int rc = state_migrate(state, "records", steps, sizeof steps / sizeof *steps, err);
	if (rc < 0)
		return rc;
	struct records *records = fw_alloc(sizeof *records);
	records->state = state;
	records->inventory = inventory;
	rc = fw_mailbox_open(&records->mailbox, loop, on_mail);
	if (rc < 0) {
		fw_free(records);
		return fw_fail_sys(err, rc, "cannot make a mailbox");
	}
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

static void on_closed(struct fw_mailbox *box)
{
	fw_free(FW_CONTAINER(box, struct records, mailbox));
}

void records_close(struct records *records)
{
	if (records)
		fw_mailbox_close(&records->mailbox, on_closed);
}
