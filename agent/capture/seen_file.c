/* SPDX-License-Identifier: Apache-2.0 */
/* The file of what was seen: a head, then the entries as they lie in memory. It is read by
 * the program that wrote it or not at all: sizes and a checksum say whether it was. */
#include <errno.h>
#include <string.h>

#include <fenwatch/crc.h>
#include <fenwatch/file.h>

#include "seen.h"

#define MAGIC "FWSEEN1"
#define MOST_BYTES (16u << 20)

struct head {
	char magic[8];
	uint32_t entry_bytes[SEEN_KINDS], entries[SEEN_KINDS];
	uint32_t checksum, pad;
};

static uint32_t append_all(struct fw_buf *out, const struct slots *table)
{
	uint32_t n = 0;
	const void *entry;
	for (size_t i = 0; (entry = slots_next(table, &i)) != NULL; n++)
		fw_buf_append(out, entry, table->entry_bytes);
	return n;
}

int seen_save(const struct watch *w, const char *path, struct fw_err *err)
{
	struct fw_buf out = {0};
	struct head head = {
		.magic = MAGIC,
		.entry_bytes = {sizeof(struct peer), sizeof(struct wire_host)},
	};
	fw_buf_append(&out, &head, sizeof head);
	head.entries[SEEN_CLIENTS] = append_all(&out, &w->peers);
	head.entries[SEEN_WIRE] = append_all(&out, &w->hosts);
	head.checksum = fw_crc32c(0, out.data + sizeof head, out.length - sizeof head);
	memcpy(out.data, &head, sizeof head);
	int rc = fw_file_replace(path, out.data, out.length, 0600, err);
	fw_buf_done(&out);
	return rc;
}

static bool is_ours(const struct fw_buf *file, struct head *head)
{
	if (file->length < sizeof *head)
		return false;
	memcpy(head, file->data, sizeof *head);
	size_t rest = file->length - sizeof *head;
	return memcmp(head->magic, MAGIC, sizeof head->magic) == 0 &&
		head->entry_bytes[SEEN_CLIENTS] == sizeof(struct peer) &&
		head->entry_bytes[SEEN_WIRE] == sizeof(struct wire_host) &&
		head->entries[SEEN_CLIENTS] <= WATCH_PEERS &&
		head->entries[SEEN_WIRE] <= WATCH_HOSTS &&
		rest ==
		head->entries[SEEN_CLIENTS] * sizeof(struct peer) +
			head->entries[SEEN_WIRE] * sizeof(struct wire_host) &&
		head->checksum == fw_crc32c(0, file->data + sizeof *head, rest);
}

/* Each finds its place anew: the places hang on a number that is another each time. */
static const uint8_t *take_all(struct slots *table, const uint8_t *at, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++, at += table->entry_bytes) {
		struct slot was;
		bool fresh;
		memcpy(&was, at, sizeof was);
		uint8_t *entry = slots_take(table, at + sizeof(struct slot), was.last_us, &fresh);
		memcpy(entry + sizeof was, at + sizeof was, table->entry_bytes - sizeof was);
	}
	return at;
}

int seen_load(struct watch *w, const char *path, struct fw_err *err)
{
	struct fw_buf file = {0};
	struct head head;
	int rc = fw_file_read(path, MOST_BYTES, &file, err);
	if (rc == -ENOENT)
		return 0;
	if (rc >= 0 && !is_ours(&file, &head))
		rc = fw_fail(err, -EBADMSG,
			"'%s' is damaged, or of another version: what was seen begins anew", path);
	if (rc >= 0) {
		const uint8_t *at = file.data + sizeof head;
		at = take_all(&w->peers, at, head.entries[SEEN_CLIENTS]);
		take_all(&w->hosts, at, head.entries[SEEN_WIRE]);
	}
	fw_buf_done(&file);
	return rc < 0 ? rc : 0;
}
