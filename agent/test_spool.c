/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fenwatch/crc.h>
#include <fenwatch/fault.h>
#include <fenwatch/file.h>
#include <fenwatch/mem.h>

#include "record.h"
#include "spool.h"

static char root[64], dir[96];

static int set_up(void **state)
{
	(void)state;
	snprintf(root, sizeof root, "/tmp/fenwatch-spool-XXXXXX");
	assert_non_null(mkdtemp(root));
	snprintf(dir, sizeof dir, "%s/spool", root);
	fw_fault_clear();
	return 0;
}

static void empty_dir(const char *path)
{
	DIR *d = opendir(path);
	for (struct dirent *e; d && (e = readdir(d));) {
		char inner[400];
		snprintf(inner, sizeof inner, "%s/%s", path, e->d_name);
		if (e->d_name[0] != '.')
			unlink(inner);
	}
	if (d)
		closedir(d);
	rmdir(path);
}

static int tear_down(void **state)
{
	(void)state;
	fw_fault_clear();
	empty_dir(dir);
	rmdir(root);
	return 0;
}

static struct spool *open_spool(uint64_t max_bytes)
{
	struct spool_config config = {.dir = dir, .max_bytes = max_bytes};
	struct spool *spool = NULL;
	struct fw_err err;
	bool made;
	int rc = spool_open(&spool, &config, &made, &err);
	if (rc < 0)
		fail_msg("%s", err.text);
	return spool;
}

/* A payload that says its number, `size` bytes of it. */
static size_t payload_of(uint64_t seq, uint8_t *out, size_t size)
{
	struct fw_buf buf = {0};
	fw_buf_putc(&buf, 0x08);
	fw_buf_put_varint(&buf, seq);
	while (buf.length < size)
		fw_buf_putc(&buf, (char)('a' + seq % 26));
	memcpy(out, buf.data, buf.length);
	fw_buf_done(&buf);
	return size;
}

static void add(struct spool *spool, enum lane lane, size_t size)
{
	static uint8_t payload[1 << 16];
	uint64_t seq = spool_next(spool, lane);
	struct frame frame = {.type = FW_FRAME_BATCH,
		.lane = lane,
		.seq = seq,
		.sweeps = 1,
		.oldest_ms = 1000 * (int64_t)seq,
		.payload = payload};
	frame.length = payload_of(seq, payload, size);
	spool_add(spool, &frame);
}

static bool frame_is(struct spool *spool, enum lane lane, uint64_t seq, size_t size)
{
	static uint8_t expected[1 << 16];
	struct frame frame;
	payload_of(seq, expected, size);
	return spool_read(spool, lane, seq, &frame, NULL) == 0 && frame.type == FW_FRAME_BATCH &&
		frame.seq == seq && frame.length == size &&
		memcmp(frame.payload, expected, size) == 0;
}

static unsigned count_segments(void)
{
	unsigned n = 0;
	DIR *d = opendir(dir);
	for (struct dirent *e; d && (e = readdir(d));)
		n += strstr(e->d_name, ".seg") != NULL;
	if (d)
		closedir(d);
	return n;
}

static void test_frames_survive_until_acknowledged(void **state)
{
	(void)state;
	struct spool *spool = open_spool(1 << 20);
	uint64_t stream = spool_stream(spool);
	for (int i = 0; i < 5; i++)
		add(spool, LANE_BACKLOG, 100);
	add(spool, LANE_LIVE, 60);
	assert_false(spool_is_flushed(spool));
	assert_int_equal(spool_flush(spool, NULL), 0);
	spool_close(spool);

	spool = open_spool(1 << 20);
	assert_true(spool_stream(spool) == stream);
	for (uint64_t seq = 1; seq <= 5; seq++)
		assert_true(frame_is(spool, LANE_BACKLOG, seq, 100));
	assert_true(frame_is(spool, LANE_LIVE, 1, 60));
	struct frame frame;
	assert_int_equal(spool_read(spool, LANE_BACKLOG, 6, &frame, NULL), -ENOENT);
	spool_ack(spool, LANE_BACKLOG, 3);
	assert_int_equal(spool_oldest(spool, LANE_BACKLOG), 4);
	spool_ack(spool, LANE_BACKLOG, 5);
	assert_int_equal(count_segments(), 1); /* the live frame's copy */
	spool_ack(spool, LANE_LIVE, 1);
	assert_int_equal(count_segments(), 0);
	spool_close(spool);

	spool = open_spool(1 << 20);
	assert_int_equal(spool_next(spool, LANE_BACKLOG), 6);
	assert_int_equal(spool_oldest(spool, LANE_BACKLOG), 6);
	spool_close(spool);
}

static void test_what_is_acknowledged_in_time_never_meets_the_disk(void **state)
{
	(void)state;
	struct spool *spool = open_spool(1 << 20);
	add(spool, LANE_LIVE, 200);
	fw_fault_clear();
	for (uint64_t seq = 2; seq <= SPOOL_RESERVE; seq++) {
		spool_ack(spool, LANE_LIVE, seq - 1);
		add(spool, LANE_LIVE, 200);
	}
	assert_int_equal(fw_fault_calls(FW_OP_PWRITE) + fw_fault_calls(FW_OP_WRITE), 0);
	assert_int_equal(fw_fault_calls(FW_OP_FDATASYNC) + fw_fault_calls(FW_OP_FSYNC), 0);
	spool_ack(spool, LANE_LIVE, SPOOL_RESERVE);
	add(spool, LANE_LIVE, 200);
	add(spool, LANE_LIVE, 200);
	assert_true(fw_fault_calls(FW_OP_RENAME) >= 1); /* the next thousand is reserved */
	spool_close(spool);
}

static void test_the_oldest_goes_when_full_and_is_told(void **state)
{
	(void)state;
	struct spool *spool = open_spool(1 << 20);
	for (int i = 0; i < 50; i++) {
		add(spool, LANE_BACKLOG, 40000);
		assert_int_equal(spool_flush(spool, NULL), 0);
	}
	struct spool_stat stat;
	spool_stat(spool, &stat);
	assert_true(stat.bytes <= 1 << 20);
	assert_true(stat.dropped_frames > 20);
	uint64_t oldest = spool_oldest(spool, LANE_BACKLOG);
	assert_int_equal(oldest, stat.dropped_frames + 1);
	assert_true(frame_is(spool, LANE_BACKLOG, oldest, 40000));
	spool_close(spool);

	spool = open_spool(1 << 20);
	uint64_t seq = spool_next(spool, LANE_BACKLOG);
	spool_tell_gap(spool, 77);
	struct frame frame;
	assert_int_equal(spool_read(spool, LANE_BACKLOG, seq, &frame, NULL), 0);
	assert_int_equal(frame.type, FW_FRAME_EVENT);
	char to[24];
	snprintf(to, sizeof to, "%llu", (unsigned long long)oldest - 1);
	assert_non_null(memmem(frame.payload, frame.length, to, strlen(to)));
	assert_non_null(memmem(frame.payload, frame.length, "spool full", 10));
	spool_tell_gap(spool, 78); /* only once */
	assert_int_equal(spool_next(spool, LANE_BACKLOG), seq + 1);
	spool_close(spool);
}

static void test_memory_is_bounded_while_the_disk_is_full(void **state)
{
	(void)state;
	struct spool_config config = {
		.dir = dir, .max_bytes = 1 << 20, .keep_free_bytes = UINT64_C(1) << 60};
	struct spool *spool;
	struct fw_err err;
	bool made;
	assert_int_equal(spool_open(&spool, &config, &made, &err), 0);
	for (int i = 0; i < 20; i++) {
		add(spool, LANE_BACKLOG, 30000);
		assert_int_equal(spool_flush(spool, &err), -ENOSPC);
	}
	struct spool_stat stat;
	spool_stat(spool, &stat);
	assert_true(stat.bytes <= SPOOL_MEMORY_BYTES);
	assert_int_equal(stat.frames + stat.dropped_frames, 20);
	assert_true(stat.dropped_frames > 0);
	assert_int_equal(count_segments(), 0);
	spool_close(spool);
}

static void test_a_machine_set_back_gets_a_new_stream(void **state)
{
	(void)state;
	struct spool *spool = open_spool(1 << 20);
	for (int i = 0; i < 4; i++)
		add(spool, LANE_BACKLOG, 100);
	spool_ack(spool, LANE_BACKLOG, 2);
	uint64_t stream = spool_stream(spool);
	struct frame frame;
	assert_int_equal(spool_read(spool, LANE_BACKLOG, 4, &frame, NULL), 0);
	uint32_t crc = fw_crc32c(0, frame.payload, frame.length);

	const uint64_t fine[LANES] = {0, 4}, more[LANES] = {0, 5}, live[LANES] = {1, 0};
	const uint32_t no[LANES] = {0, 0}, same[LANES] = {0, crc}, other[LANES] = {0, crc + 1};
	assert_int_equal(spool_welcome(spool, fine, same), 0);
	assert_int_equal(spool_welcome(spool, more, no), -ESTALE);
	assert_int_equal(spool_welcome(spool, live, no), -ESTALE);
	assert_int_equal(spool_welcome(spool, fine, other), -ESTALE);

	assert_int_equal(spool_renew(spool, LOSS_STREAM, 5, NULL), 0);
	assert_true(spool_stream(spool) != stream);
	assert_int_equal(spool_oldest(spool, LANE_BACKLOG), 1);
	for (uint64_t seq = 1; seq <= 2; seq++) {
		assert_int_equal(spool_read(spool, LANE_BACKLOG, seq, &frame, NULL), 0);
		assert_int_equal(frame.seq, seq);
		assert_int_equal(frame.payload[1], seq); /* renumbered */
		assert_int_equal(frame.payload[2], 'a' + (int)seq + 2);
	}
	assert_int_equal(spool_read(spool, LANE_BACKLOG, 3, &frame, NULL), 0);
	assert_int_equal(frame.type, FW_FRAME_EVENT);
	assert_int_equal(spool_flush(spool, NULL), 0);
	stream = spool_stream(spool);
	spool_close(spool);

	spool = open_spool(1 << 20);
	assert_true(spool_stream(spool) == stream);
	assert_int_equal(spool_read(spool, LANE_BACKLOG, 1, &frame, NULL), 0);
	assert_int_equal(frame.payload[2], 'a' + 3);
	spool_close(spool);
}

static void test_after_a_crash_the_collector_may_know_more(void **state)
{
	(void)state;
	struct spool *spool = open_spool(1 << 20);
	for (uint64_t i = 1; i <= 10; i++) {
		add(spool, LANE_LIVE, 50);
		spool_ack(spool, LANE_LIVE, i);
	}
	/* A crash: what is on disk now is what the next process finds. */
	char command[200], copy[128];
	snprintf(copy, sizeof copy, "%s/cursor", dir);
	snprintf(command, sizeof command, "%s/cursor.kept", dir);
	assert_int_equal(link(copy, command), 0);
	spool_close(spool);
	assert_int_equal(rename(command, copy), 0);

	spool = open_spool(1 << 20);
	const uint64_t acked[LANES] = {10, 0};
	const uint32_t crc[LANES] = {123, 0};
	assert_int_equal(spool_welcome(spool, acked, crc), 0);
	assert_int_equal(spool_next(spool, LANE_LIVE), 11);
	const uint64_t far[LANES] = {2 * SPOOL_RESERVE, 0};
	assert_int_equal(spool_welcome(spool, far, crc), -ESTALE);
	spool_close(spool);
}

/* ---- every crash state opens ---- */

enum { CUT_FRAMES = 6, CUT_SIZE = 90 };

static void write_for_cutting(void)
{
	struct spool *spool = open_spool(1 << 20);
	for (int i = 0; i < CUT_FRAMES; i++) {
		add(spool, LANE_BACKLOG, CUT_SIZE);
		assert_int_equal(spool_flush(spool, NULL), 0);
	}
	add(spool, LANE_LIVE, CUT_SIZE);
	assert_int_equal(spool_flush(spool, NULL), 0);
	static const uint8_t pieces[] = "0123456789";
	assert_int_equal(
		spool_journal(spool, spool_chain_next(spool), 7, pieces, 10, true, NULL), 0);
	spool_close(spool);
}

static size_t slurp(const char *name, uint8_t *out, size_t size)
{
	char path[200];
	snprintf(path, sizeof path, "%s/%s", dir, name);
	int fd = open(path, O_RDONLY);
	assert_true(fd >= 0);
	ssize_t n = read(fd, out, size);
	close(fd);
	return (size_t)n;
}

static void spill(const char *name, const uint8_t *data, size_t length)
{
	char path[200];
	snprintf(path, sizeof path, "%s/%s", dir, name);
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	assert_int_equal(write(fd, data, length), length);
	close(fd);
}

/* Whole frames are read, what is damaged says so under its number, nothing is
 * skipped and nothing is invented. Returns the whole ones. */
static int check_cut(void)
{
	struct spool *spool = open_spool(1 << 20);
	int whole = 0;
	uint64_t next = spool_next(spool, LANE_BACKLOG);
	assert_true(next <= CUT_FRAMES + 1);
	for (uint64_t seq = spool_oldest(spool, LANE_BACKLOG); seq < next; seq++) {
		struct frame frame;
		assert_int_equal(spool_read(spool, LANE_BACKLOG, seq, &frame, NULL), 0);
		assert_int_equal(frame.seq, seq);
		if (frame.type == FW_FRAME_BATCH) {
			assert_int_equal(frame.length, CUT_SIZE);
			whole++;
		}
	}
	/* It goes on working. */
	add(spool, LANE_BACKLOG, CUT_SIZE);
	assert_int_equal(spool_flush(spool, NULL), 0);
	assert_true(frame_is(spool, LANE_BACKLOG, next, CUT_SIZE));
	spool_close(spool);
	return whole;
}

static void restore(const uint8_t *const data[], const size_t lengths[], const char *const names[])
{
	empty_dir(dir);
	mkdir(dir, 0700);
	for (int i = 0; i < 3; i++)
		spill(names[i], data[i], lengths[i]);
}

static const char *const cut_names[] = {"00000001.seg", "cursor", "journal"};

static void load_for_cutting(uint8_t bytes[3][4096], const uint8_t *data[3], size_t lengths[3])
{
	write_for_cutting();
	for (int i = 0; i < 3; i++) {
		lengths[i] = slurp(cut_names[i], bytes[i], 4096);
		data[i] = bytes[i];
	}
}

static void test_cut_at_every_byte(void **state)
{
	(void)state;
	static uint8_t bytes[3][4096];
	const uint8_t *data[3];
	size_t lengths[3];
	load_for_cutting(bytes, data, lengths);
	for (int cut = 0; cut < 3; cut++) {
		for (size_t length = 0; length < lengths[cut]; length++) {
			restore(data, lengths, cut_names);
			spill(cut_names[cut], data[cut], length);
			int whole = check_cut();
			if (cut > 0)
				assert_int_equal(whole, CUT_FRAMES);
			else
				assert_true(whole == CUT_FRAMES ||
					length < (size_t)(whole + 1) * (RECORD_HEADER + CUT_SIZE) +
							SPOOL_FILE_HEADER);
		}
	}
}

static void test_every_byte_damaged(void **state)
{
	(void)state;
	static uint8_t bytes[3][4096];
	const uint8_t *data[3];
	size_t lengths[3];
	load_for_cutting(bytes, data, lengths);
	for (size_t at = 0; at < lengths[0]; at++) {
		restore(data, lengths, cut_names);
		bytes[0][at] ^= 0x10;
		spill(cut_names[0], bytes[0], lengths[0]);
		bytes[0][at] ^= 0x10;
		/* At most the frame that the byte belongs to. */
		assert_true(check_cut() >= CUT_FRAMES - 1);
	}
}

/* ---- every operation failed ---- */

struct outcome {
	uint64_t durable; /* frames that a flush called durable */
	bool opened;
};

enum { FAULT_FRAMES = 12, FAULT_SIZE = 9000 };

/* Says in `outcome` how far it has come, step by step: it may end in the middle. */
static void run_with_fault(struct outcome *outcome)
{
	struct spool_config config = {.dir = dir, .max_bytes = 1 << 20};
	struct spool *spool;
	struct fw_err err;
	bool made;
	*outcome = (struct outcome){0};
	if (spool_open(&spool, &config, &made, &err) < 0) {
		assert_true(strlen(err.text) > 10);
		return;
	}
	outcome->opened = true;
	for (int i = 0; i < FAULT_FRAMES; i++) {
		add(spool, LANE_BACKLOG, FAULT_SIZE);
		if (spool_flush(spool, &err) == 0)
			outcome->durable = spool_next(spool, LANE_BACKLOG) - 1;
		else
			assert_true(strlen(err.text) > 10);
	}
	for (uint64_t seq = 1; seq <= FAULT_FRAMES; seq++) {
		struct frame frame;
		int rc = spool_read(spool, LANE_BACKLOG, seq, &frame, &err);
		assert_true(rc < 0 || frame.seq == seq);
	}
	spool_ack(spool, LANE_BACKLOG, 3);
	spool_close(spool);
}

/* How many durable frames are not there any more. */
static uint64_t missing_after(const struct outcome *outcome)
{
	struct spool *spool = open_spool(1 << 20);
	uint64_t missing = 0;
	for (uint64_t seq = 4; seq <= outcome->durable; seq++)
		if (seq < spool_oldest(spool, LANE_BACKLOG) ||
			!frame_is(spool, LANE_BACKLOG, seq, FAULT_SIZE))
			missing++;
	spool_close(spool);
	return missing;
}

static const enum fw_op fault_ops[] = {
	FW_OP_OPEN,
	FW_OP_READ,
	FW_OP_WRITE,
	FW_OP_PWRITE,
	FW_OP_FSYNC,
	FW_OP_FDATASYNC,
	FW_OP_RENAME,
	FW_OP_UNLINK,
	FW_OP_TRUNCATE,
};

static uint64_t calls_without_fault(enum fw_op op)
{
	empty_dir(dir);
	fw_fault_clear();
	struct outcome outcome;
	run_with_fault(&outcome);
	assert_int_equal(outcome.durable, FAULT_FRAMES);
	return fw_fault_calls(op);
}

static void test_every_operation_fails_once_and_for_ever(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof fault_ops / sizeof *fault_ops; i++) {
		uint64_t calls = calls_without_fault(fault_ops[i]);
		for (uint64_t nth = 1; nth <= calls; nth++) {
			for (int forever = 0; forever < 2; forever++) {
				empty_dir(dir);
				fw_fault_clear();
				fw_fault_arm(fault_ops[i], nth, nth % 2 ? -EIO : -ENOSPC, forever);
				struct outcome outcome;
				run_with_fault(&outcome);
				fw_fault_clear();
				assert_int_equal(missing_after(&outcome), 0);
			}
		}
	}
}

/* In a process of its own, which memory that is gone may end (SIGABRT); true if it did. */
static bool ends_without_memory(struct outcome *outcome, uint64_t nth, bool forever)
{
	int status;
	pid_t child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		assert_non_null(freopen("/dev/null", "w", stderr));
		fw_fault_clear();
		fw_fault_arm(FW_OP_ALLOC, nth, -ENOMEM, forever);
		run_with_fault(outcome);
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status) ? WEXITSTATUS(status) == 0 : WTERMSIG(status) == SIGABRT);
	return WIFSIGNALED(status);
}

/* What a flush called durable before is there when it starts again. */
static void test_every_allocation_fails_once_and_for_ever(void **state)
{
	(void)state;
	struct outcome *outcome = mmap(
		NULL, sizeof *outcome, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(outcome, MAP_FAILED);
	uint64_t calls = calls_without_fault(FW_OP_ALLOC), stride = fw_fault_stride(7), ended = 0;
	for (uint64_t nth = 1; nth <= calls; nth += nth < 40 ? 1 : stride) {
		for (int forever = 0; forever < 2; forever++) {
			empty_dir(dir);
			*outcome = (struct outcome){0};
			ended += ends_without_memory(outcome, nth, forever);
			fw_fault_clear();
			assert_int_equal(missing_after(outcome), 0);
		}
	}
	assert_true(ended > 20);
	munmap(outcome, sizeof *outcome);
}

/* The control: a write that only pretends is found by the same check. */
static void test_the_fault_check_has_teeth(void **state)
{
	(void)state;
	fw_fault_arm(FW_OP_PWRITE, 5, 1, true);
	struct outcome outcome;
	run_with_fault(&outcome);
	fw_fault_clear();
	assert_int_equal(outcome.durable, FAULT_FRAMES);
	assert_true(missing_after(&outcome) > 0);
}

static void test_a_newer_format_is_refused(void **state)
{
	(void)state;
	spool_close(open_spool(1 << 20));
	uint8_t cursor[4096];
	size_t length = slurp("cursor", cursor, sizeof cursor);
	cursor[4] = SPOOL_VERSION + 1;
	spill("cursor", cursor, length);
	struct spool_config config = {.dir = dir, .max_bytes = 1 << 20};
	struct spool *spool;
	struct fw_err err;
	bool made;
	assert_int_equal(spool_open(&spool, &config, &made, &err), -EPROTONOSUPPORT);
	assert_non_null(strstr(err.text, "newer"));
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		CASE(test_frames_survive_until_acknowledged),
		CASE(test_what_is_acknowledged_in_time_never_meets_the_disk),
		CASE(test_the_oldest_goes_when_full_and_is_told),
		CASE(test_memory_is_bounded_while_the_disk_is_full),
		CASE(test_a_machine_set_back_gets_a_new_stream),
		CASE(test_after_a_crash_the_collector_may_know_more),
		CASE(test_cut_at_every_byte),
		CASE(test_every_byte_damaged),
		CASE(test_every_operation_fails_once_and_for_ever),
		CASE(test_every_allocation_fails_once_and_for_ever),
		CASE(test_the_fault_check_has_teeth),
		CASE(test_a_newer_format_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
