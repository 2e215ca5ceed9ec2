/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>

#include <fenwatch/file.h>
#include <fenwatch/mem.h>

#include "spool_internal.h"

void spool_journal_load(struct spool *s)
{
	char *path = spool_path(s, "journal");
	s->journal_fd = fw_open(path, O_RDWR, 0);
	fw_free(path);
	if (s->journal_fd < 0 || spool_file_check(s->journal_fd, SPOOL_JOURNAL_MAGIC) < 0)
		return;
	struct fw_buf buf = {0};
	struct record record;
	uint64_t offset = SPOOL_FILE_HEADER;
	for (int n; (n = record_read(s->journal_fd, offset, &buf, &record)) > 0;
		offset += (unsigned)n) {
		const struct frame *frame = &record.frame;
		spool_schema_learn(s, &record);
		if (record.kind != RECORD_PIECE || frame->chain <= s->chain_closed)
			continue;
		s->journal_chain = frame->chain;
		s->left_schema = frame->schema;
		fw_buf_append(&s->left, frame->payload, frame->length);
	}
	s->journal_bytes = offset;
	fw_buf_done(&buf);
}

static int journal_begin(struct spool *s, uint32_t schema, struct fw_buf *out)
{
	int rc = 0;
	if (s->journal_fd < 0) {
		char *path = spool_path(s, "journal");
		s->journal_fd = fw_open(path, O_RDWR | O_CREAT, 0600);
		fw_free(path);
		s->dir_unsynced = true;
		if (s->journal_fd < 0)
			return s->journal_fd;
	}
	rc = fw_truncate(s->journal_fd, 0);
	s->journal_bytes = 0;
	uint8_t header[SPOOL_FILE_HEADER];
	spool_file_header(header, SPOOL_JOURNAL_MAGIC);
	fw_buf_append(out, header, sizeof header);
	spool_schema_record(s, schema, out);
	return rc;
}

static int journal_append(struct spool *s, const struct fw_buf *data)
{
	int rc = spool_write_durably(s, s->journal_fd, data, s->journal_bytes);
	if (rc >= 0)
		s->journal_bytes += data->length;
	return rc;
}

int spool_journal(struct spool *s, uint32_t chain, uint32_t schema, const uint8_t *pieces,
	size_t length, bool first, struct fw_err *err)
{
	if (!spool_disk_has_room(s, length, err))
		return -ENOSPC;
	struct fw_buf data = {0};
	int rc = first || s->journal_fd < 0 ? journal_begin(s, schema, &data) : 0;
	struct record record = {
		.kind = RECORD_PIECE,
		.frame = {.lane = LANE_BACKLOG,
			.schema = schema,
			.chain = chain,
			.payload = pieces,
			.length = length},
	};
	record_put(&data, &record);
	if (rc >= 0)
		rc = journal_append(s, &data);
	fw_buf_done(&data);
	if (rc < 0)
		return fw_fail_sys(err, rc, "spool '%s': its journal cannot be written", s->dir);
	s->journal_chain = chain;
	return 0;
}

void spool_journal_truncate(struct spool *s)
{
	if (s->journal_fd >= 0)
		fw_truncate(s->journal_fd, 0);
	s->journal_bytes = 0;
	s->journal_chain = 0;
	fw_buf_done(&s->left);
}

uint32_t spool_journal_left(
	const struct spool *s, uint32_t *schema, const uint8_t **pieces, size_t *length)
{
	*schema = s->left_schema;
	*pieces = s->left.data;
	*length = s->left.length;
	return s->left.length > 0 ? s->journal_chain : 0;
}

uint32_t spool_chain_next(struct spool *s)
{
	return s->next_chain++;
}
