/* SPDX-License-Identifier: Apache-2.0 */
/* Segments of the ring and of the log, as if whoever wrote them were hostile: the store is
 * opened from them as after a kill, the log is replayed, and everything is checked.
 *
 * The input is pieces: which file u8, length u16, bytes. The first piece of a file is what
 * its header says behind the uuid, and a record finds its own place: neither would be
 * guessed. A piece with the bit LOOSE lies there as it is, the others are sealed, so that
 * checksums do not keep anything out. The store has two hosts, a schema of an agent and a
 * series from elsewhere.
 */
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fenwatch/file.h>
#include <fenwatch/mem.h>

#include "bytes.h"
#include "internal.h"
#include "test_tree.h"

enum { SEGMENT_BYTES = 2 << 10, COLUMNS = 4, PIECE_HEAD = 3, RECORD_POSITION = 32 };
enum { FILE_BITS = 7, LOOSE = 8, INDEX = 16, REPLAY = 32 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What the pieces go into: all segments that the store has. */
static struct disk_file {
	const char *name;
	enum file_kind kind;
	size_t header;
	int fd;
	size_t used;
	uint64_t number; /* of its life */
	uint8_t bytes[SEGMENT_BYTES];
} files[] = {
	{.name = "raw/0000", .kind = FILE_RAW, .header = RING_HEADER_BYTES},
	{.name = "raw/0001", .kind = FILE_RAW, .header = RING_HEADER_BYTES},
	{.name = "five_minute/0000", .kind = FILE_FIVE_MINUTE, .header = RING_HEADER_BYTES},
	{.name = "hour/0000", .kind = FILE_HOUR, .header = RING_HEADER_BYTES},
	{.name = "wal/00000000", .kind = FILE_LOG, .header = LOG_HEADER_BYTES},
	{.name = "wal/00000001", .kind = FILE_LOG, .header = LOG_HEADER_BYTES},
	{.name = "wal/00000002", .kind = FILE_LOG, .header = LOG_HEADER_BYTES},
	{.name = "wal/00000003", .kind = FILE_LOG, .header = LOG_HEADER_BYTES},
	{.name = "wal/00000004", .kind = FILE_LOG, .header = LOG_HEADER_BYTES},
};
enum { FILES = sizeof files / sizeof files[0] };

static char dir[64];
static struct super super;

static void must(int rc)
{
	if (rc < 0)
		abort();
}

/* ---- the store that is there ---- */

static void make_names(void)
{
	static const struct fw_label hosts[][2] = {
		{{"instance", "alpha"}, {"job", "node"}}, {{"instance", "beta"}, {"job", "node"}}};
	static const struct fw_column columns[COLUMNS] = {{.name = "a", .factor = 1},
		{.name = "b", .factor = 1000}, {.name = "c", .factor = 1, .type = FW_COUNTER},
		{.name = "d", .factor = 1, .type = FW_DOUBLE}};
	static const struct fw_column elsewhere = {
		.name = "e", .factor = 1, .type = FW_UNTYPED | FW_DOUBLE};
	struct fw_schema schemas[] = {
		{.n_columns = COLUMNS, .columns = columns},
		{.n_columns = 1, .columns = &elsewhere},
	};
	struct names names;
	uint32_t ids[2];
	for (size_t i = 0; i < 2; i++)
		fw_schema_seal(&schemas[i]);
	struct damage damage = {0};
	must(names_open(&names, dir, &super, false, &damage, NULL));
	must(names_intern_schemas(&names, schemas, 2, ids, NULL));
	for (size_t i = 0; i < 2; i++)
		must(names_intern_host(&names, hosts[i], 2, &ids[i], NULL));
	names_close(&names);
}

static void open_file(struct disk_file *file)
{
	char *path = fw_format("%s/%s", dir, file->name);
	file->fd = open(path, O_RDWR | O_CREAT, 0600);
	must(file->fd);
	must(ftruncate(file->fd, SEGMENT_BYTES));
	fw_free(path);
}

static void make_store(void)
{
	static const char *const folders[] = {"raw", "five_minute", "hour", "wal"};
	snprintf(dir, sizeof dir, "/dev/shm/fenwatch-fuzz-XXXXXX");
	if (!mkdtemp(dir))
		abort();
	super.log_segment_bytes = SEGMENT_BYTES;
	super.log_segments = LOG_SLOTS;
	for (int tier = 0; tier < STORE_TIERS; tier++)
		super.tiers[tier] = (struct super_tier){
			.segment_bytes = SEGMENT_BYTES, .segments = tier == STORE_RAW ? 2 : 1};
	super_set_uuid(&super, super.uuid);
	must(super_save(dir, &super, NULL));
	for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
		char *path = fw_format("%s/%s", dir, folders[i]);
		must(mkdir(path, 0700));
		fw_free(path);
	}
	make_names();
	for (size_t i = 0; i < FILES; i++)
		open_file(&files[i]);
}

static void remove_store(void)
{
	test_remove_tree(dir);
}

/* ---- what is put into it ---- */

static void put_header(struct disk_file *file, const uint8_t *data, size_t length)
{
	size_t more = file->header - FILE_HEADER_BYTES;
	memcpy(file->bytes + FILE_HEADER_BYTES, data, length < more ? length : more);
	file_header_seal(file->bytes, &super, file->kind, more);
	file->number = get_u64(file->bytes + FILE_HEADER_BYTES);
	file->used = file->header;
}

static void put_loose(struct disk_file *file, const uint8_t *data, size_t length)
{
	if (length <= SEGMENT_BYTES - file->used)
		memcpy(file->bytes + file->used, data, length);
	file->used += align8(length);
}

static void put_sealed(
	struct disk_file *file, const uint8_t *data, size_t length, uint32_t ring_magic)
{
	uint8_t *at = file->bytes + file->used;
	if (ENVELOPE_BYTES + length > SEGMENT_BYTES - file->used)
		return;
	memcpy(at + ENVELOPE_BYTES, data, length);
	if (file->kind == FILE_LOG && length >= LOG_RECORD_BYTES - ENVELOPE_BYTES)
		put_u64(at + RECORD_POSITION, file->number * SEGMENT_BYTES + file->used);
	envelope_seal(at, file->kind == FILE_LOG ? MAGIC_RECORD : ring_magic, length, super.salt);
	file->used += align8(ENVELOPE_BYTES + length);
}

static void put_piece(uint8_t how, const uint8_t *data, size_t length)
{
	struct disk_file *file = &files[(how & FILE_BITS) % FILES];
	if (file->used >= SEGMENT_BYTES)
		return;
	if (how & LOOSE)
		put_loose(file, data, length);
	else if (file->used == 0)
		put_header(file, data, length);
	else
		put_sealed(file, data, length, how & INDEX ? MAGIC_INDEX : MAGIC_BLOCK);
}

/* Returns what the pieces ask for. */
static uint8_t lay_out(const uint8_t *data, size_t size)
{
	uint8_t asked = 0;
	for (size_t i = 0; i < FILES; i++) {
		files[i].used = 0;
		memset(files[i].bytes, 0, sizeof files[i].bytes);
	}
	while (size >= PIECE_HEAD) {
		size_t length = get_u16(data + 1), most = size - PIECE_HEAD;
		length = length < most ? length : most;
		put_piece(data[0], data + PIECE_HEAD, length);
		asked |= data[0];
		data += PIECE_HEAD + length;
		size -= PIECE_HEAD + length;
	}
	for (size_t i = 0; i < FILES; i++)
		must(fw_pwrite(files[i].fd, files[i].bytes, SEGMENT_BYTES, 0));
	return asked;
}

/* ---- what is done with it ---- */

static void replay(void)
{
	const struct store_config config = {
		.dir = dir, .late_ms = INT64_C(35) * 24 * 3600 * 1000, .columns_per_host = 5000};
	struct store *store = store_new(&config);
	store->super = super;
	must(names_open(&store->names, dir, &store->super, true, &store->damage, NULL));
	must(rings_open(&store->rings, dir, &store->super, NULL, &store->damage, NULL));
	must(log_open(&store->log, dir, &store->super, true, &store->damage, NULL));
	must(store_replay(store, NULL));
	store_free(store);
}

static void check(void)
{
	must(store_check(dir, &(struct store_inspector){0}, NULL, NULL));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (!dir[0]) {
		make_store();
		atexit(remove_store);
	}
	if (lay_out(data, size) & REPLAY)
		replay();
	else
		check();
	return 0;
}
