/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <zstd.h>

#include <fenwatch/batch.h>
#include <fenwatch/schema.h>
#include <fenwatch/wire.h>

#include "little.h"

#define T0_MS 1795383000000
#define INTERVAL_MS 15000

static uint64_t random_state;

static uint64_t random_number(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state;
}

/* Cells of every temper, by column: constant, counter, flickering between a value
 * and none, the ends of the range in turn, anything at all, zero. */
static int64_t make_cell(uint32_t column, uint32_t sweep, int64_t before)
{
	uint64_t r = random_number();
	switch (column % 8) {
	case 0:
		return 4096 * (int64_t)column;
	case 1:
		return (before == FW_ABSENT ? 0 : before) + (int64_t)(r % 1000);
	case 2:
		return r % 4 == 0 ? FW_ABSENT : (int64_t)(r % 5);
	case 3:
		return (sweep + column / 8) % 2 ? INT64_MAX : INT64_MIN + 1;
	case 4:
		return (int64_t)r == FW_ABSENT ? 0 : (int64_t)r;
	case 5:
		return (int64_t)sweep * 4096 + (int64_t)(r % 2) * 512;
	case 6:
		return r % 16 ? before : (int64_t)(r % 100000) - 50000;
	default:
		return 0;
	}
}

struct sample {
	struct fw_sweeps sweeps;
	int64_t *times_ms, *cells, *state;
};

static struct sample make_sample(uint32_t n_sweeps, uint32_t n_columns, bool on_grid)
{
	struct sample s = {
		.times_ms = fw_alloc_array(n_sweeps, sizeof(int64_t)),
		.cells = fw_alloc_array((size_t)n_sweeps * n_columns, sizeof(int64_t)),
		.state = fw_alloc_array(n_columns, sizeof(int64_t)),
	};
	random_state = 88172645463325252ull + n_sweeps * 131 + n_columns;
	for (uint32_t c = 0; c < n_columns; c++)
		s.state[c] = make_cell(c, 0, 7);
	for (uint32_t i = 0; i < n_sweeps; i++) {
		uint64_t late_ms = on_grid ? 0 : random_number() % 3000 + (i > 2 ? 7000000 : 0);
		s.times_ms[i] = T0_MS + (int64_t)i * INTERVAL_MS + (int64_t)late_ms;
	}
	const int64_t *before = s.state;
	for (uint32_t i = 0; i < n_sweeps; i++) {
		int64_t *row = s.cells + (size_t)i * n_columns;
		for (uint32_t c = 0; c < n_columns; c++)
			row[c] = make_cell(c, i, before[c]);
		before = row;
	}
	s.sweeps = (struct fw_sweeps){.host = n_columns % 3,
		.n_sweeps = n_sweeps,
		.n_columns = n_columns,
		.times_ms = s.times_ms,
		.cells = s.cells};
	return s;
}

static void sample_done(struct sample *s)
{
	fw_free(s->times_ms);
	fw_free(s->cells);
	fw_free(s->state);
}

enum form { LIVE, LIVE_KEY, BACKLOG, FORMS };

static void encode(const struct sample *s, enum form form, struct fw_buf *out)
{
	if (form == BACKLOG)
		assert_int_equal(fw_batch_encode_backlog(&s->sweeps, 300, 5, INTERVAL_MS, out), 0);
	else
		fw_batch_encode_live(
			&s->sweeps, 300, 5, INTERVAL_MS, form == LIVE_KEY ? NULL : s->state, out);
}

/* Opens and decodes; 0 or the failure. What came out is compared if `expected` is given. */
static int read_batch(const struct fw_buf *message, const struct sample *s, uint32_t n_columns,
	const struct fw_sweeps *expected)
{
	struct fw_arena arena = {.limit = FW_WIRE_ARENA};
	struct fw_batch batch;
	int rc = fw_batch_open(message->data, message->length, &arena, &batch, NULL);
	if (rc == 0) {
		size_t n = (size_t)batch.n_sweeps * n_columns;
		int64_t *cells = fw_alloc_array(n, sizeof *cells);
		rc = fw_batch_decode(&batch, n_columns, s->state, cells, NULL);
		if (rc == 0 && expected) {
			assert_int_equal(batch.n_sweeps, expected->n_sweeps);
			assert_int_equal(batch.host, expected->host);
			assert_memory_equal(batch.times_ms, expected->times_ms,
				expected->n_sweeps * sizeof(int64_t));
			assert_memory_equal(cells, expected->cells, n * sizeof *cells);
		}
		fw_free(cells);
	}
	fw_arena_done(&arena);
	return rc;
}

/* Every column alone, all of them, and some by chance: as the sample has them, and its last
 * sweep in what is kept for the next batch. */
static void expect_some(
	const struct fw_batch *batch, const struct sample *s, const uint32_t *wanted, size_t n)
{
	const uint32_t n_columns = s->sweeps.n_columns, n_sweeps = s->sweeps.n_sweeps;
	const size_t to_column = n_sweeps + 3;
	int64_t *cells = fw_alloc_array(n * to_column + 1, sizeof *cells);
	int64_t *state = fw_alloc_array(n + 1, sizeof *state);
	for (size_t i = 0; i < n; i++)
		state[i] = s->state[wanted[i]];
	assert_int_equal(
		fw_batch_decode_some(batch, n_columns, wanted, n, state, cells, to_column), 0);
	for (size_t i = 0; i < n; i++) {
		for (uint32_t k = 0; k < n_sweeps; k++)
			assert_int_equal(cells[i * to_column + k],
				s->cells[(size_t)k * n_columns + wanted[i]]);
		assert_int_equal(
			state[i], s->cells[(size_t)(n_sweeps - 1) * n_columns + wanted[i]]);
	}
	fw_free(cells);
	fw_free(state);
}

static void expect_columns(const struct fw_buf *message, const struct sample *s)
{
	const uint32_t n_columns = s->sweeps.n_columns;
	uint32_t *wanted = fw_alloc_array(n_columns, sizeof *wanted);
	struct fw_arena arena = {.limit = FW_WIRE_ARENA};
	struct fw_batch batch;
	assert_int_equal(fw_batch_open(message->data, message->length, &arena, &batch, NULL), 0);
	for (uint32_t c = 0; c < n_columns; c += 1 + n_columns / 40)
		expect_some(&batch, s, &c, 1);
	for (unsigned every = 1; every < 100; every *= 3) {
		size_t n = 0;
		for (uint32_t c = 0; c < n_columns; c++)
			if (random_number() % every == 0)
				wanted[n++] = c;
		expect_some(&batch, s, wanted, n);
	}
	fw_free(wanted);
	fw_arena_done(&arena);
}

static void round_trip(uint32_t n_sweeps, uint32_t n_columns, bool on_grid)
{
	struct sample s = make_sample(n_sweeps, n_columns, on_grid);
	for (enum form form = LIVE; form < FORMS; form++) {
		struct fw_buf message = {0};
		encode(&s, form, &message);
		assert_int_equal(read_batch(&message, &s, n_columns, &s.sweeps), 0);
		expect_columns(&message, &s);
		fw_buf_done(&message);
	}
	sample_done(&s);
}

static void test_round_trips(void **unused)
{
	(void)unused;
	static const uint32_t sweeps[] = {1, 2, 3, 6, 7, 8, 9, 60, 240};
	static const uint32_t columns[] = {1, 2, 7, 8, 9, 63, 300, 2041};
	for (size_t i = 0; i < sizeof sweeps / sizeof *sweeps; i++)
		for (size_t k = 0; k < sizeof columns / sizeof *columns; k++)
			if (sweeps[i] * columns[k] < 60000)
				round_trip(sweeps[i], columns[k], i % 2);
	round_trip(1, 5000, true);
	round_trip(6, 5000, false);
	round_trip(1, FW_COLUMNS_LIMIT, true);
}

static void test_head(void **unused)
{
	(void)unused;
	struct sample s = make_sample(3, 10, true);
	for (enum form form = LIVE; form < FORMS; form++) {
		struct fw_buf message = {0};
		struct fw_arena arena = {0};
		struct fw_batch batch;
		encode(&s, form, &message);
		assert_int_equal(
			fw_batch_open(message.data, message.length, &arena, &batch, NULL), 0);
		assert_int_equal(batch.seq, 300);
		assert_int_equal(batch.schema, 5);
		assert_int_equal(batch.host, 1);
		assert_int_equal(batch.interval_ms, INTERVAL_MS);
		assert_int_equal(batch.t0_ms, T0_MS);
		assert_int_equal(batch.key, form != LIVE);
		assert_int_equal(batch.backlog, form == BACKLOG);
		fw_arena_done(&arena);
		fw_buf_done(&message);
	}
	sample_done(&s);
}

/* A quiet host costs next to nothing: nothing changes, no column is mentioned. */
static void test_nothing_changed(void **unused)
{
	(void)unused;
	static int64_t cells[6 * 5000];
	int64_t times_ms[6];
	for (unsigned i = 0; i < 6; i++)
		times_ms[i] = T0_MS + i * INTERVAL_MS;
	for (unsigned i = 0; i < 6 * 5000; i++)
		cells[i] = i % 5000 == 17 ? FW_ABSENT : i % 5000 * 3;
	struct sample s = {.sweeps = {0, 6, 5000, times_ms, cells}, .state = cells};
	struct fw_buf message = {0};
	encode(&s, LIVE, &message);
	assert_in_range(message.length, 1, 64);
	assert_int_equal(read_batch(&message, &s, 5000, &s.sweeps), 0);
	fw_buf_done(&message);
}

static void test_all_absent(void **unused)
{
	(void)unused;
	int64_t cells[2 * 9], times_ms[] = {T0_MS, T0_MS + 1}, state[9] = {0};
	for (unsigned i = 0; i < 2 * 9; i++)
		cells[i] = FW_ABSENT;
	struct sample s = {.sweeps = {0, 2, 9, times_ms, cells}, .state = state};
	for (enum form form = LIVE; form < FORMS; form++) {
		struct fw_buf message = {0};
		encode(&s, form, &message);
		assert_int_equal(read_batch(&message, &s, 9, &s.sweeps), 0);
		fw_buf_done(&message);
	}
}

/* protobuf-c reads what is written by hand, and what it writes is read by hand. */
static void test_is_the_message(void **unused)
{
	(void)unused;
	struct sample s = make_sample(5, 40, false);
	for (enum form form = LIVE; form < FORMS; form++) {
		struct fw_buf ours = {0}, theirs = {0};
		struct fw_arena arena = {0};
		void *unpacked;
		encode(&s, form, &ours);
		assert_int_equal(fw_wire_unpack(&fenwatch__wire__batch__descriptor, ours.data,
					 ours.length, &arena, &unpacked, NULL),
			0);
		Fenwatch__Wire__Batch *batch = unpacked;
		assert_int_equal(batch->seq, 300);
		assert_int_equal(batch->sweeps, 5);
		assert_int_equal(batch->n_jitter_ms, 5);
		assert_int_equal(batch->base.n_unknown_fields, 0);
		theirs.length = protobuf_c_message_pack(
			&batch->base, fw_buf_reserve(&theirs, ours.length + 100));
		assert_int_equal(read_batch(&theirs, &s, 40, &s.sweeps), 0);
		fw_arena_done(&arena);
		fw_buf_done(&ours);
		fw_buf_done(&theirs);
	}
	sample_done(&s);
}

static void test_renumber(void **unused)
{
	(void)unused;
	struct sample s = make_sample(4, 30, false);
	for (enum form form = LIVE; form < FORMS; form++) {
		struct fw_buf message = {0}, again = {0};
		struct fw_arena arena = {0};
		struct fw_batch batch;
		encode(&s, form, &message);
		assert_int_equal(fw_batch_renumber(message.data, message.length, 1ull << 60,
					 UINT32_MAX, &again, NULL),
			0);
		assert_int_equal(read_batch(&again, &s, 30, &s.sweeps), 0);
		assert_int_equal(fw_batch_open(again.data, again.length, &arena, &batch, NULL), 0);
		assert_true(batch.seq == 1ull << 60);
		assert_int_equal(batch.schema, UINT32_MAX);
		assert_int_equal(
			fw_batch_renumber(message.data, message.length - 1, 1, 1, &again, NULL),
			-EBADMSG);
		fw_arena_done(&arena);
		fw_buf_done(&message);
		fw_buf_done(&again);
	}
	sample_done(&s);
}

/* Without cells that vanish, whose field may be missing, no prefix is a batch. */
static void test_every_prefix_is_refused(void **unused)
{
	(void)unused;
	struct sample s = make_sample(5, 40, false);
	for (uint32_t i = 0; i < 5 * 40; i++)
		if (s.cells[i] == FW_ABSENT)
			s.cells[i] = 1;
	for (enum form form = LIVE; form < FORMS; form++) {
		struct fw_buf message = {0};
		encode(&s, form, &message);
		for (size_t length = 0; length < message.length; length++) {
			/* A copy of the exact size, so that reading past it is seen. */
			struct fw_buf prefix = {0};
			fw_buf_append(&prefix, message.data, length);
			prefix.data = fw_realloc(prefix.data, length + 1);
			assert_true(read_batch(&prefix, &s, 40, NULL) < 0);
			fw_buf_done(&prefix);
		}
		fw_buf_done(&message);
	}
	sample_done(&s);
}

static void test_every_bit_flipped(void **unused)
{
	(void)unused;
	struct sample s = make_sample(5, 40, false);
	for (enum form form = LIVE; form < FORMS; form++) {
		struct fw_buf message = {0};
		unsigned refused = 0;
		encode(&s, form, &message);
		for (size_t bit = 0; bit < 8 * message.length; bit++) {
			message.data[bit / 8] ^= (uint8_t)(1u << (bit % 8));
			refused += read_batch(&message, &s, 40, NULL) < 0;
			message.data[bit / 8] ^= (uint8_t)(1u << (bit % 8));
		}
		assert_true(refused > 0);
		fw_buf_done(&message);
	}
	sample_done(&s);
}

static void test_other_number_of_columns(void **unused)
{
	(void)unused;
	struct sample s = make_sample(3, 40, true), wide = make_sample(1, 100, true);
	for (enum form form = LIVE; form < FORMS; form++) {
		struct fw_buf message = {0};
		encode(&s, form, &message);
		assert_int_equal(read_batch(&message, &wide, 30, NULL), -EBADMSG);
		assert_int_equal(read_batch(&message, &wide, 100, NULL), -EBADMSG);
		fw_buf_done(&message);
	}
	sample_done(&s);
	sample_done(&wide);
}

static void test_state_is_needed(void **unused)
{
	(void)unused;
	struct sample s = make_sample(1, 8, true);
	struct fw_buf message = {0};
	encode(&s, LIVE, &message);
	fw_free(s.state);
	s.state = NULL;
	assert_int_equal(read_batch(&message, &s, 8, NULL), -EINVAL);
	fw_buf_done(&message);
	sample_done(&s);
}

/* A message built by hand, field by field. */
struct crafted {
	uint64_t seq, key, backlog, sweeps, raw_length, t0_ms;
	uint64_t interval_ms;
	struct fw_buf jitter, changed, deltas, gone, packed;
};

static struct crafted plain(void)
{
	return (struct crafted){.seq = 1, .key = 1, .sweeps = 1, .t0_ms = T0_MS};
}

static int read_crafted(const struct crafted *c, uint32_t n_columns)
{
	struct fw_buf message = {0};
	struct sample none = {0};
	wire_put_number(&message, 1, c->seq);
	wire_put_number(&message, 3, c->key);
	wire_put_number(&message, 5, c->backlog);
	wire_put_fixed64(&message, 6, c->t0_ms);
	wire_put_number(&message, 7, c->interval_ms);
	if (c->jitter.length)
		wire_put_bytes(&message, 8, c->jitter.data, c->jitter.length);
	wire_put_number(&message, 9, c->sweeps);
	if (!c->packed.length) {
		wire_put_bytes(&message, 10, c->changed.data, c->changed.length);
		wire_put_bytes(&message, 11, c->deltas.data, c->deltas.length);
		wire_put_bytes(&message, 12, c->gone.data, c->gone.length);
	}
	wire_put_number(&message, 13, c->raw_length);
	if (c->packed.length)
		wire_put_bytes(&message, 14, c->packed.data, c->packed.length);
	int rc = read_batch(&message, &none, n_columns, NULL);
	fw_buf_done(&message);
	return rc;
}

#define BYTES(...)                                                                           \
	{                                                                                    \
		.data = (uint8_t[]){__VA_ARGS__}, .length = sizeof((uint8_t[]){__VA_ARGS__}) \
	}

static void test_bytes_missing_or_left_over(void **unused)
{
	(void)unused;
	struct fw_buf one = BYTES(1), none_set = BYTES(0, 1), run_of_two = BYTES(0, 2);
	struct fw_buf no_run = BYTES(0), empty_run = BYTES(0, 0), two = BYTES(1, 1);
	struct fw_buf ninth = BYTES(0, 1, 2), first_gone = BYTES(1), twice_gone = BYTES(1, 0);
	struct fw_buf far_gone = BYTES(10);
	const struct {
		struct fw_buf changed, deltas, gone;
		int rc;
	} cases[] = {
		{one, one, {0}, 0},
		{none_set, {0}, {0}, 0},
		{none_set, {0}, first_gone, 0},
		{{0}, {0}, {0}, -EBADMSG},
		{no_run, {0}, {0}, -EBADMSG},
		{empty_run, {0}, {0}, -EBADMSG},
		{run_of_two, {0}, {0}, -EBADMSG},
		{two, two, {0}, -EBADMSG},
		{one, {0}, {0}, -EBADMSG},
		{one, two, {0}, -EBADMSG},
		{none_set, {0}, twice_gone, -EBADMSG},
		{none_set, {0}, far_gone, -EBADMSG},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct crafted c = plain();
		c.changed = cases[i].changed;
		c.deltas = cases[i].deltas;
		c.gone = cases[i].gone;
		assert_int_equal(read_crafted(&c, 8), cases[i].rc);
	}
	struct crafted c = plain(); /* bit 1 of the second byte: column 9 of 9 */
	c.changed = ninth;
	c.deltas = one;
	assert_int_equal(read_crafted(&c, 9), -EBADMSG);
	assert_int_equal(read_crafted(&c, 10), 0);
}

static void test_head_limits(void **unused)
{
	(void)unused;
	struct fw_buf row = BYTES(0, 1), ahead = BYTES(0, 2), long_jitter = BYTES(0, 0);
	struct crafted c = plain();
	c.changed = row;
	assert_int_equal(read_crafted(&c, 1), 0);
	c.seq = 0;
	assert_int_equal(read_crafted(&c, 1), -EBADMSG);
	c = plain();
	c.changed = row;
	c.sweeps = 0;
	assert_int_equal(read_crafted(&c, 1), -EBADMSG);
	c.sweeps = FW_SWEEPS_LIMIT + 1;
	assert_int_equal(read_crafted(&c, 1), -EMSGSIZE);
	c = plain();
	c.changed = row;
	c.t0_ms = UINT64_MAX;
	assert_int_equal(read_crafted(&c, 1), -EMSGSIZE);
	c = plain();
	c.changed = (struct fw_buf)BYTES(0, 2);
	c.sweeps = 2; /* both at the same moment */
	assert_int_equal(read_crafted(&c, 1), -EBADMSG);
	c.jitter = ahead;
	assert_int_equal(read_crafted(&c, 1), 0);
	c.jitter.length = 1;
	assert_int_equal(read_crafted(&c, 1), -EBADMSG);
	c = plain();
	c.changed = row;
	c.jitter = long_jitter;
	assert_int_equal(read_crafted(&c, 1), -EBADMSG);
	c = plain();
	c.key = 0;
	c.backlog = 1;
	assert_int_equal(read_crafted(&c, 1), -EBADMSG);
}

static void test_odd_fields(void **unused)
{
	(void)unused;
	struct sample s = make_sample(1, 8, true);
	static const struct {
		uint8_t bytes[4];
		size_t length;
		int rc;
	} tails[] = {
		{{0x08, 0x01}, 2, -EBADMSG},       /* seq again */
		{{0x0a, 0x00}, 2, -EBADMSG},       /* seq as bytes */
		{{0x7b}, 1, -EBADMSG},             /* a group begins */
		{{0x7c}, 1, -EBADMSG},             /* a group ends */
		{{0x00, 0x00}, 2, -EBADMSG},       /* field 0 */
		{{0x72, 0x01, 0x00}, 3, -EBADMSG}, /* packed in a live batch */
		{{0x98, 0x06, 0x01}, 3, 0},        /* field 99, of a newer agent */
	};
	for (size_t i = 0; i < sizeof tails / sizeof *tails; i++) {
		struct fw_buf message = {0};
		encode(&s, LIVE, &message);
		fw_buf_append(&message, tails[i].bytes, tails[i].length);
		assert_int_equal(read_batch(&message, &s, 8, NULL), tails[i].rc);
		fw_buf_done(&message);
	}
	sample_done(&s);
}

static void pack(struct crafted *c, const void *raw, size_t length)
{
	size_t room = ZSTD_compressBound(length);
	fw_buf_reset(&c->packed);
	c->packed.length = ZSTD_compress(fw_buf_reserve(&c->packed, room), room, raw, length, 3);
	c->raw_length = length;
	c->backlog = 1;
}

static void test_bombs(void **unused)
{
	(void)unused;
	struct crafted c = plain();
	size_t length = FW_BATCH_RAW_LIMIT;
	uint8_t *zeros = fw_alloc(4 * length);
	pack(&c, zeros, length); /* 8 MiB in a few hundred bytes */
	assert_int_equal(read_crafted(&c, 1), -EMSGSIZE);
	pack(&c, zeros, 4 * length);
	assert_int_equal(read_crafted(&c, 1), -EMSGSIZE);
	c.raw_length = 1000; /* lies about it */
	assert_int_equal(read_crafted(&c, 1), -EBADMSG);
	pack(&c, zeros, 64u << 10); /* small enough to be allowed, and no batch */
	assert_int_equal(read_crafted(&c, 1), -EBADMSG);
	c.packed.data[c.packed.length / 2] ^= 0x55;
	assert_int_equal(read_crafted(&c, 1), -EBADMSG);
	fw_free(zeros);
	fw_buf_done(&c.packed);
}

/* A frame of one stored block, with the window as given. */
static void craft_window(struct crafted *c, uint8_t window, const uint8_t *raw, uint8_t length)
{
	const uint8_t head[] = {0x28, 0xb5, 0x2f, 0xfd, 0x80, window, length, 0, 0, 0,
		(uint8_t)(length << 3 | 1), 0, 0};
	fw_buf_reset(&c->packed);
	fw_buf_append(&c->packed, head, sizeof head);
	fw_buf_append(&c->packed, raw, length);
	c->raw_length = length;
	c->backlog = 1;
}

/* The first `length` bytes alone, so that it would be seen if more were read. */
static void expect_cut_refused(
	const struct fw_batch *batch, const uint8_t **part, size_t *part_length, size_t length)
{
	static const uint32_t wanted[] = {1, 12, 36, 37};
	int64_t state[4] = {0}, cells[4 * 3];
	uint8_t *copy = fw_alloc(length ? length : 1);
	memcpy(copy, *part, length);
	*part = copy;
	*part_length = length;
	assert_int_equal(fw_batch_decode_some(batch, 40, wanted, 4, state, cells, 3), -EBADMSG);
	fw_free(copy);
}

static void test_some_cut_short(void **unused)
{
	(void)unused;
	struct sample s = make_sample(3, 40, true);
	for (enum form form = LIVE; form < FORMS; form++) {
		struct fw_buf message = {0};
		struct fw_arena arena = {0};
		struct fw_batch batch;
		encode(&s, form, &message);
		assert_int_equal(
			fw_batch_open(message.data, message.length, &arena, &batch, NULL), 0);
		const struct fw_batch whole = batch;
		for (size_t k = 0; k < whole.changed_length / 2; k++, batch = whole)
			expect_cut_refused(&batch, &batch.changed, &batch.changed_length, k);
		for (size_t k = 0; k < whole.deltas_length / 2; k++, batch = whole)
			expect_cut_refused(&batch, &batch.deltas, &batch.deltas_length, k);
		fw_arena_done(&arena);
		fw_buf_done(&message);
	}
	sample_done(&s);
}

static void test_window(void **unused)
{
	(void)unused;
	static const uint8_t raw[] = {1, 0 /* one constant column */, 1, 84};
	struct crafted c = plain();
	craft_window(&c, 13 << 3, raw, sizeof raw); /* 2^23 */
	assert_int_equal(read_crafted(&c, 1), 0);
	craft_window(&c, 13 << 3 | 1, raw, sizeof raw);
	assert_int_equal(read_crafted(&c, 1), -EBADMSG);
	craft_window(&c, 17 << 3, raw, sizeof raw); /* 2^27, zstd's own limit */
	assert_int_equal(read_crafted(&c, 1), -EBADMSG);
	fw_buf_done(&c.packed);
}

static void test_packed_and_plain(void **unused)
{
	(void)unused;
	static const uint8_t raw[] = {1, 0, 1, 84};
	static const uint8_t cut_short[] = {2, 0, 1, 84}, past_the_end[] = {1, 0, 5, 84};
	static const uint8_t unknown_kind[] = {1, 16, 1, 84}, left_over[] = {1, 0, 2, 84, 1};
	const struct {
		const uint8_t *raw;
		uint8_t length;
		int rc;
	} cases[] = {
		{raw, sizeof raw, 0},
		{cut_short, sizeof cut_short, -EBADMSG},
		{past_the_end, sizeof past_the_end, -EBADMSG},
		{unknown_kind, sizeof unknown_kind, -EBADMSG},
		{left_over, sizeof left_over, -EBADMSG},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct crafted c = plain();
		craft_window(&c, 0, cases[i].raw, cases[i].length);
		assert_int_equal(read_crafted(&c, 1), cases[i].rc);
		fw_buf_done(&c.packed);
	}
	struct crafted c = plain();
	struct fw_buf kinds = BYTES(0), numbers = BYTES(84);
	c.backlog = 1;
	c.changed = kinds;
	c.deltas = numbers;
	assert_int_equal(read_crafted(&c, 1), 0);
}

static void test_a_million_columns(void **unused)
{
	(void)unused;
	struct crafted c = plain();
	c.backlog = 1;
	c.changed.length = 1000000;
	c.changed.data = fw_alloc(c.changed.length);
	struct fw_buf message = {0};
	assert_int_equal(read_crafted(&c, 300), -EBADMSG);
	fw_free(c.changed.data);
	fw_buf_done(&message);
}

/* So alike that zstd would go past the ratio: goes plain, and comes back. */
static void test_too_good_to_pack(void **unused)
{
	(void)unused;
	enum { SWEEPS = 60, COLUMNS = 3000 };
	struct sample s = make_sample(SWEEPS, COLUMNS, true);
	for (uint32_t i = 0; i < SWEEPS * COLUMNS; i++)
		s.cells[i] = (int64_t)(i / COLUMNS) % 2;
	struct fw_buf message = {0};
	encode(&s, BACKLOG, &message);
	assert_in_range(message.length, SWEEPS * COLUMNS, FW_FRAME_LIMIT);
	assert_int_equal(read_batch(&message, &s, COLUMNS, &s.sweeps), 0);
	fw_buf_done(&message);
	sample_done(&s);
}

static void test_too_much_for_a_frame(void **unused)
{
	(void)unused;
	struct sample s = make_sample(60, 5000, true);
	for (uint32_t i = 0; i < 60 * 5000; i++)
		s.cells[i] = (int64_t)random_number();
	struct fw_buf message = {0};
	fw_buf_puts(&message, "before");
	assert_int_equal(
		fw_batch_encode_backlog(&s.sweeps, 1, 1, INTERVAL_MS, &message), -EMSGSIZE);
	assert_string_equal((char *)message.data, "before");
	fw_buf_done(&message);
	sample_done(&s);
}

static void test_arena_limit(void **unused)
{
	(void)unused;
	struct sample s = make_sample(60, 300, true);
	struct fw_buf message = {0};
	struct fw_batch batch;
	encode(&s, BACKLOG, &message);
	struct fw_arena small = {.limit = 256}, middling = {.limit = 1024};
	assert_int_equal(
		fw_batch_open(message.data, message.length, &small, &batch, NULL), -ENOMEM);
	assert_int_equal(
		fw_batch_open(message.data, message.length, &middling, &batch, NULL), -ENOMEM);
	fw_arena_done(&small);
	fw_arena_done(&middling);
	fw_buf_done(&message);
	sample_done(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trips),
		cmocka_unit_test(test_head),
		cmocka_unit_test(test_nothing_changed),
		cmocka_unit_test(test_all_absent),
		cmocka_unit_test(test_is_the_message),
		cmocka_unit_test(test_renumber),
		cmocka_unit_test(test_every_prefix_is_refused),
		cmocka_unit_test(test_every_bit_flipped),
		cmocka_unit_test(test_some_cut_short),
		cmocka_unit_test(test_other_number_of_columns),
		cmocka_unit_test(test_state_is_needed),
		cmocka_unit_test(test_bytes_missing_or_left_over),
		cmocka_unit_test(test_head_limits),
		cmocka_unit_test(test_odd_fields),
		cmocka_unit_test(test_bombs),
		cmocka_unit_test(test_window),
		cmocka_unit_test(test_packed_and_plain),
		cmocka_unit_test(test_a_million_columns),
		cmocka_unit_test(test_too_good_to_pack),
		cmocka_unit_test(test_too_much_for_a_frame),
		cmocka_unit_test(test_arena_limit),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
