/* SPDX-License-Identifier: Apache-2.0 */
/* What the store needs: bytes a sample, and time to write and read them.
 *
 * usage: store CAPTURE FOLDER HOSTS [MADE JITTER CAPTURE of VictoriaMetrics, then of Prometheus]
 *
 * Blocks are packed and read by themselves first, of made-up hosts over a day and of
 * a capture; beside them zstd -1 reads the same cells from byte planes. Then a store in
 * FOLDER takes the day as a collector does, batch by batch, and is asked for series.
 * Sizes and ratios are the same on every machine, so one that misses its target ends the
 * program with 1. The figures of others are bytes a sample, nan where there is none; those that
 * stand in this file were recorded: README.md says of what. */
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <zstd.h>

#include <fenwatch/clock.h>

#include "../../collector/store/block.h"
#include "../../collector/store/columns.h"
#include "../../collector/store/index.h"
#include "../../collector/store/store.h"
#include "capture.h"
#include "gen.h"

enum {
	DAY = 8640, /* sweeps */
	GROUP = 64, /* columns of one frame of zstd */
	ROUNDS = 3, /* the fastest counts: others have run in between */
	BATCH_SWEEPS = 6,
	PARCELS = 512,            /* batches on their way at most */
	SEGMENT_BYTES = 96 << 10, /* for each host: about twice what a digest joins */
	SEGMENTS = 64,
	READS = 200,          /* of each host's series: one alone takes too little to tell */
	AGE_SEGMENTS = 160,   /* thirty days of AGE_HOSTS */
	SETTLED_NS = 1000000, /* CPU in a quarter of a second */
	AGE_HOSTS = 2,
	AGE_DAYS = 30,
	HOSTS_LIMIT = 1000,
};

#define START_MS INT64_C(1700000000000)
#define AGE_RATIO 1.25 /* what a day and a query may cost more after thirty: noise */

static void die(const char *what, const struct fw_err *err)
{
	fprintf(stderr, "store: %s: %s\n", what, err->text);
	exit(2);
}

/* ---- rows of the table ---- */

#define NONE NAN

/* What others need for the same, bytes a sample. */
static struct other {
	double made, jitter, capture;
} victoria = {.611, .936, .541}, prometheus = {1.746, 3.583, 1.83};

struct row {
	const char *what;
	double value, limit, victoria, prometheus;
};

static void print_number(int width, int decimals, double value)
{
	if (isnan(value))
		printf(" %*s", width, "-");
	else
		printf(" %*.*f", width, decimals, value);
}

static bool print_row(const struct row *row, int decimals)
{
	printf("%-58s", row->what);
	print_number(9, decimals, row->value);
	print_number(9, decimals, row->limit);
	print_number(16, decimals, row->victoria);
	print_number(11, decimals, row->prometheus);
	printf("%s\n", row->value > row->limit ? "  missed" : "");
	fflush(stdout);
	return row->value > row->limit;
}

static void print_heading(void)
{
	printf("%-58s %9s %9s %16s %11s\n", "", "", "at most", "VictoriaMetrics", "Prometheus");
}

/* ---- blocks ---- */

struct cost {
	uint64_t samples, blocks, bytes, pack_ns, read_ns, zstd_ns;
};

/* One block, and what becomes of it. */
struct trial {
	struct columns_cells cells;
	const struct fw_column *columns;
	uint32_t *all;
	struct fw_buf body;
	int64_t times_ms[FW_SWEEPS_LIMIT], *read;
	uint8_t *planes, *unpacked;
	struct fw_buf frames;
	size_t *frame_lengths;
	ZSTD_DCtx *zstd;
};

static void trial_init(struct trial *t, const struct fw_column *columns, uint32_t n_columns)
{
	size_t cells = (size_t)FW_SWEEPS_LIMIT * n_columns;
	*t = (struct trial){
		.columns = columns,
		.all = fw_alloc_array(n_columns, sizeof *t->all),
		.read = fw_alloc_array(cells, sizeof *t->read),
		.planes = fw_alloc_array(cells, sizeof(int64_t)),
		.unpacked = fw_alloc_array(cells, sizeof(int64_t)),
		.frame_lengths = fw_alloc_array(n_columns / GROUP + 1, sizeof *t->frame_lengths),
		.zstd = ZSTD_createDCtx(),
	};
	for (uint32_t c = 0; c < n_columns; c++)
		t->all[c] = c;
}

static void trial_done(struct trial *t)
{
	fw_buf_done(&t->body);
	fw_buf_done(&t->frames);
	fw_free(t->all);
	fw_free(t->read);
	fw_free(t->planes);
	fw_free(t->unpacked);
	fw_free(t->frame_lengths);
	ZSTD_freeDCtx(t->zstd);
}

static void pack(struct trial *t)
{
	fw_buf_reset(&t->body);
	columns_pack(&t->cells, t->columns, &t->body);
}

static void read_back(struct trial *t)
{
	struct columns columns;
	const struct columns_cells *of = &t->cells;
	int (*const begin)(struct columns *, const uint8_t *, size_t, uint32_t, uint32_t) =
		columns_are_grouped(of->n_columns) ? columns_open_groups : columns_open;
	if (begin(&columns, t->body.data, t->body.length, of->n_sweeps, of->n_columns) < 0 ||
		columns_times(&columns, t->times_ms) < 0 ||
		columns_read(&columns, t->all, of->n_columns, t->read, of->n_sweeps) < 0)
		die("a block", &(struct fw_err){"cannot be read"});
}

static int64_t cell_of(const struct columns_cells *of, uint32_t sweep, uint32_t column)
{
	return of->cells[column * of->to_column + sweep * of->to_sweep];
}

static void compare(const struct trial *t)
{
	const struct columns_cells *of = &t->cells;
	bool same = memcmp(t->times_ms, of->times_ms, of->n_sweeps * sizeof *of->times_ms) == 0;
	for (uint32_t c = 0; c < of->n_columns; c++)
		for (uint32_t i = 0; i < of->n_sweeps; i++)
			same = same && t->read[(size_t)c * of->n_sweeps + i] == cell_of(of, i, c);
	if (!same)
		die("a block", &(struct fw_err){"is not what was packed"});
}

static size_t group_bytes(const struct columns_cells *of, uint32_t first)
{
	uint32_t left = of->n_columns - first;
	return (size_t)(left < GROUP ? left : GROUP) * of->n_sweeps * sizeof(int64_t);
}

/* All lowest bytes of a column, then all second ones, and so on. */
static void make_planes(struct trial *t)
{
	const struct columns_cells *of = &t->cells;
	uint8_t *to = t->planes;
	for (uint32_t c = 0; c < of->n_columns; c++)
		for (unsigned shift = 0; shift < 64; shift += 8)
			for (uint32_t i = 0; i < of->n_sweeps; i++)
				*to++ = (uint8_t)((uint64_t)cell_of(of, i, c) >> shift);
}

static void compress_planes(struct trial *t)
{
	const uint8_t *from = t->planes;
	make_planes(t);
	fw_buf_reset(&t->frames);
	for (uint32_t c = 0; c < t->cells.n_columns; c += GROUP) {
		size_t length = group_bytes(&t->cells, c), most = ZSTD_compressBound(length);
		uint8_t *room = fw_buf_reserve(&t->frames, most);
		size_t used = ZSTD_compress(room, most, from, length, 1);
		t->frame_lengths[c / GROUP] = used;
		t->frames.length += used;
		from += length;
	}
}

static void unpack_planes(struct trial *t)
{
	const uint8_t *from = t->frames.data;
	uint8_t *to = t->unpacked;
	for (uint32_t c = 0; c < t->cells.n_columns; c += GROUP) {
		size_t length = group_bytes(&t->cells, c), frame = t->frame_lengths[c / GROUP];
		if (ZSTD_decompressDCtx(t->zstd, to, length, from, frame) != length)
			die("zstd", &(struct fw_err){"gives something else back"});
		from += frame;
		to += length;
	}
}

static uint64_t fastest_ns(void (*work)(struct trial *t), struct trial *t)
{
	uint64_t best_ns = UINT64_MAX;
	for (unsigned round = 0; round < ROUNDS; round++) {
		uint64_t start_ns = fw_cpu_ns();
		work(t);
		uint64_t took_ns = fw_cpu_ns() - start_ns;
		best_ns = took_ns < best_ns ? took_ns : best_ns;
	}
	return best_ns;
}

/* As it lies in a segment: those that a digest joined say what they were made from. */
static size_t block_bytes(const struct trial *t)
{
	bool joined = t->cells.n_sweeps > STORE_BLOCK_SWEEPS;
	size_t whole = (joined ? BLOCK_BYTES_DIGESTED : BLOCK_BYTES) + t->body.length;
	return (whole + 7) / 8 * 8;
}

/* With their entries in the index. */
static double bytes_a_sample(const struct cost *cost)
{
	return (double)(cost->bytes + index_bytes(cost->blocks)) / (double)cost->samples;
}

static void measure_block(struct trial *t, struct cost *cost)
{
	cost->samples += (uint64_t)t->cells.n_sweeps * t->cells.n_columns;
	cost->pack_ns += fastest_ns(pack, t);
	cost->blocks++;
	cost->bytes += block_bytes(t);
	cost->read_ns += fastest_ns(read_back, t);
	compare(t);
	compress_planes(t);
	cost->zstd_ns += fastest_ns(unpack_planes, t);
}

/* In whole blocks of so many sweeps. */
static void measure(const struct recording *r, uint32_t n_sweeps, struct cost *cost)
{
	struct trial trial;
	trial_init(&trial, r->columns, r->n_columns);
	for (uint32_t at = 0; at + n_sweeps <= r->n_sweeps; at += n_sweeps) {
		trial.cells = (struct columns_cells){
			.times_ms = r->times_ms + at,
			.cells = r->cells + (size_t)at * r->n_columns,
			.to_column = 1,
			.to_sweep = r->n_columns,
			.n_sweeps = n_sweeps,
			.n_columns = r->n_columns,
		};
		measure_block(&trial, cost);
	}
	trial_done(&trial);
}

static bool print_cost(const char *what, const struct cost *cost, struct row row)
{
	char text[80];
	double n = (double)cost->samples, read = (double)cost->read_ns;
	snprintf(text, sizeof text, "%s: bytes a sample", what);
	row.what = text;
	row.value = bytes_a_sample(cost);
	bool missed = print_row(&row, 3);
	print_row(
		&(struct row){"  packed, ns a sample", (double)cost->pack_ns / n, NONE, NONE, NONE},
		1);
	print_row(&(struct row){"  read, ns a sample", read / n, NONE, NONE, NONE}, 2);
	missed |= print_row(&(struct row){"  read, over what zstd -1 alone takes",
				    read / (double)cost->zstd_ns, 1.5, NONE, NONE},
		2);
	return missed;
}

/* ---- data ---- */

static void make_day(unsigned number, struct fw_arena *arena, struct recording *out)
{
	static struct gen_host host;
	struct fw_schema schema;
	gen_schema(arena, &schema);
	*out = (struct recording){
		.n_sweeps = DAY,
		.n_columns = GEN_SERIES,
		.columns = (struct fw_column *)schema.columns,
		.times_ms = fw_arena_alloc(arena, DAY * sizeof *out->times_ms),
		.cells = fw_arena_alloc(arena, (size_t)DAY * GEN_SERIES * sizeof *out->cells),
	};
	gen_host_init(&host, number);
	for (uint32_t i = 0; i < DAY; i++) {
		double values[GEN_SERIES];
		out->times_ms[i] = START_MS + (int64_t)i * GEN_INTERVAL_MS;
		gen_host_step(&host, i, out->times_ms[i], values);
		memcpy(out->cells + (size_t)i * GEN_SERIES, values, sizeof values);
	}
}

/* Up to 5 ms to either side. */
static void add_jitter(struct recording *r)
{
	uint32_t dice = 1;
	for (uint32_t i = 0; i < r->n_sweeps; i++) {
		dice = dice * 1664525 + 1013904223;
		r->times_ms[i] += (int64_t)(dice >> 16) % 11 - 5;
	}
}

static bool measure_made(unsigned n_hosts)
{
	struct cost small = {0}, large = {0}, uneven = {0};
	for (unsigned number = 0; number < n_hosts; number++) {
		struct fw_arena arena = {0};
		struct recording day;
		make_day(number, &arena, &day);
		measure(&day, 60, &small);
		measure(&day, 240, &large);
		add_jitter(&day);
		measure(&day, 240, &uneven);
		fw_arena_done(&arena);
	}
	bool missed = print_cost("made-up hosts, blocks of 60 sweeps", &small,
		(struct row){.limit = NONE, .victoria = NONE, .prometheus = NONE});
	missed |= print_cost("made-up hosts, blocks of 240 sweeps", &large,
		(struct row){
			.limit = .53, .victoria = victoria.made, .prometheus = prometheus.made});
	missed |= print_row(
		&(struct row){"  with 5 ms jitter: bytes a sample", bytes_a_sample(&uneven),
			bytes_a_sample(&large) + .02, victoria.jitter, prometheus.jitter},
		3);
	return missed;
}

static bool measure_capture(const char *path, bool integers, double limit)
{
	struct fw_arena arena = {0};
	struct fw_err err;
	struct recording capture;
	struct cost small = {0}, large = {0};
	const char *how = integers ? "integers" : "as scraped";
	char what[80];
	if (capture_load(path, integers, &arena, &capture, &err) < 0)
		die("the capture", &err);
	measure(&capture, 60, &small);
	measure(&capture, 240, &large);
	snprintf(what, sizeof what, "capture, %s, blocks of 60 sweeps", how);
	bool missed = print_cost(
		what, &small, (struct row){.limit = NONE, .victoria = NONE, .prometheus = NONE});
	snprintf(what, sizeof what, "capture, %s, blocks of 240 sweeps", how);
	missed |= print_cost(what, &large,
		(struct row){.limit = limit,
			.victoria = victoria.capture,
			.prometheus = prometheus.capture});
	fw_arena_done(&arena);
	return missed;
}

/* ---- a whole store ---- */

/* A batch on its way: the store gives it back when it is durable. */
struct parcel {
	struct store_entry entry; /* first: on_done gets this */
	struct parcel *next;
	struct fw_arena arena;
	struct fw_buf message;
	struct fw_batch batch;
	struct feed *feed;
};

struct sender {
	struct gen_host made;
	uint32_t host;
	uint8_t agent[16];
	uint64_t seq;
	int64_t last[GEN_SERIES];
};

struct feed {
	struct store *store;
	uint32_t schema;
	struct sender *senders;
	unsigned n_senders, segments;
	pthread_mutex_t lock;
	pthread_cond_t given_back;
	struct parcel parcels[PARCELS], *idle;
	unsigned n_idle;
};

static void on_done(struct store_entry *entry)
{
	struct parcel *parcel = (struct parcel *)entry;
	struct feed *feed = parcel->feed;
	if (entry->verdict != STORE_DURABLE)
		die("a batch was not stored", &(struct fw_err){"see the store's verdict"});
	pthread_mutex_lock(&feed->lock);
	parcel->next = feed->idle;
	feed->idle = parcel;
	feed->n_idle++;
	pthread_cond_signal(&feed->given_back);
	pthread_mutex_unlock(&feed->lock);
}

static struct parcel *take_parcel(struct feed *feed)
{
	pthread_mutex_lock(&feed->lock);
	while (!feed->idle)
		pthread_cond_wait(&feed->given_back, &feed->lock);
	struct parcel *parcel = feed->idle;
	feed->idle = parcel->next;
	feed->n_idle--;
	pthread_mutex_unlock(&feed->lock);
	return parcel;
}

static void wait_for_all(struct feed *feed)
{
	pthread_mutex_lock(&feed->lock);
	while (feed->n_idle < PARCELS)
		pthread_cond_wait(&feed->given_back, &feed->lock);
	pthread_mutex_unlock(&feed->lock);
}

static void submit(
	struct feed *feed, struct parcel *parcel, const struct sender *sender, int64_t now_ms)
{
	parcel->entry.stream = 1;
	parcel->entry.session = 1;
	parcel->entry.received_ms = now_ms;
	parcel->entry.on_done = on_done;
	memcpy(parcel->entry.agent, sender->agent, sizeof sender->agent);
	store_submit(feed->store, &parcel->entry);
}

static void begin(struct feed *feed, const struct sender *sender)
{
	struct parcel *parcel = take_parcel(feed);
	parcel->entry = (struct store_entry){.kind = STORE_SESSION, .announced = {1, 1}};
	submit(feed, parcel, sender, START_MS);
}

static void make_batch(struct parcel *parcel, struct sender *sender, uint32_t first)
{
	int64_t times_ms[BATCH_SWEEPS], cells[BATCH_SWEEPS][GEN_SERIES];
	struct fw_err err;
	for (uint32_t i = 0; i < BATCH_SWEEPS; i++) {
		double values[GEN_SERIES];
		times_ms[i] = START_MS + (int64_t)(first + i) * GEN_INTERVAL_MS;
		gen_host_step(&sender->made, first + i, times_ms[i], values);
		memcpy(cells[i], values, sizeof values);
	}
	const struct fw_sweeps sweeps = {.n_sweeps = BATCH_SWEEPS,
		.n_columns = GEN_SERIES,
		.times_ms = times_ms,
		.cells = cells[0]};
	fw_buf_reset(&parcel->message);
	fw_arena_reset(&parcel->arena);
	fw_batch_encode_live(&sweeps, sender->seq + 1, 1, GEN_INTERVAL_MS,
		sender->seq > 0 ? sender->last : NULL, &parcel->message);
	sender->seq++;
	memcpy(sender->last, cells[BATCH_SWEEPS - 1], sizeof sender->last);
	if (fw_batch_open(parcel->message.data, parcel->message.length, &parcel->arena,
		    &parcel->batch, &err) < 0)
		die("a batch", &err);
}

static void send(struct feed *feed, struct sender *sender, uint32_t first)
{
	struct parcel *parcel = take_parcel(feed);
	make_batch(parcel, sender, first);
	parcel->entry = (struct store_entry){
		.kind = STORE_BATCH,
		.lane = STORE_LIVE,
		.seq = sender->seq,
		.host = sender->host,
		.schema = feed->schema,
		.payload = parcel->message.data,
		.length = parcel->message.length,
		.batch = &parcel->batch,
	};
	submit(feed, parcel, sender, START_MS + (int64_t)(first + BATCH_SWEEPS) * GEN_INTERVAL_MS);
}

static void open_store(struct feed *feed, const char *folder)
{
	struct fw_err err;
	uint64_t segment_bytes = (uint64_t)feed->n_senders * SEGMENT_BYTES + (512 << 10);
	uint64_t bytes = segment_bytes * feed->segments;
	const struct store_config config = {
		.dir = folder,
		.segment_bytes = segment_bytes,
		.tier_bytes = {bytes, bytes, bytes},
		.late_ms = INT64_C(35) * 24 * 3600 * 1000,
		.columns_per_host = 5000,
		.commit_ms = 50,
	};
	if (store_open(&feed->store, &config, &err) < 0)
		die("the store", &err);
}

static void introduce(struct feed *feed, struct sender *sender, unsigned number)
{
	char instance[32];
	struct fw_err err;
	const struct fw_label labels[] = {{"instance", instance}, {"job", "node"}};
	snprintf(instance, sizeof instance, "host-%04u", number);
	memcpy(sender->agent, &number, sizeof number);
	gen_host_init(&sender->made, number);
	if (store_host_intern(feed->store, labels, 2, &sender->host, &err) < 0)
		die("a host", &err);
	begin(feed, sender);
}

static struct feed *feed_new(const char *folder, unsigned n_hosts, unsigned segments)
{
	struct feed *feed = fw_alloc(sizeof *feed);
	struct fw_arena arena = {0};
	struct fw_schema schema;
	struct fw_err err;
	*feed = (struct feed){.n_senders = n_hosts,
		.segments = segments,
		.senders = fw_alloc_array(n_hosts, sizeof *feed->senders),
		.lock = PTHREAD_MUTEX_INITIALIZER,
		.given_back = PTHREAD_COND_INITIALIZER};
	for (unsigned i = 0; i < PARCELS; i++) {
		feed->parcels[i].feed = feed;
		feed->parcels[i].next = feed->idle;
		feed->idle = &feed->parcels[i];
		feed->n_idle++;
	}
	open_store(feed, folder);
	gen_schema(&arena, &schema);
	if (store_schema_intern(feed->store, &schema, &feed->schema, &err) < 0)
		die("the schema", &err);
	fw_arena_done(&arena);
	for (unsigned i = 0; i < n_hosts; i++) {
		feed->senders[i] = (struct sender){.seq = 0};
		introduce(feed, &feed->senders[i], i);
	}
	return feed;
}

static void feed_free(struct feed *feed)
{
	for (unsigned i = 0; i < PARCELS; i++) {
		fw_arena_done(&feed->parcels[i].arena);
		fw_buf_done(&feed->parcels[i].message);
	}
	fw_free(feed->senders);
	fw_free(feed);
}

/* CPU time of this thread. */
static double own_ns(void)
{
	struct timespec used;
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
	return 1e9 * (double)used.tv_sec + (double)used.tv_nsec;
}

/* CPU time of all the others. */
static double others_ns(void)
{
	return (double)fw_cpu_ns() - own_ns();
}

/* Until what is sealed has been digested: then the store's threads have nothing to do. */
static void settle(void)
{
	for (double before_ns = 0, ns; (ns = others_ns()) - before_ns > SETTLED_NS; before_ns = ns)
		usleep(250000);
}

static double write_day(struct feed *feed, uint32_t day)
{
	double start_ns = others_ns();
	for (uint32_t at = day * DAY; at + BATCH_SWEEPS <= (day + 1) * DAY; at += BATCH_SWEEPS)
		for (unsigned i = 0; i < feed->n_senders; i++)
			send(feed, &feed->senders[i], at);
	wait_for_all(feed);
	settle();
	return others_ns() - start_ns;
}

static uint64_t file_bytes(const char *folder, const char *name)
{
	char path[512];
	struct stat st;
	snprintf(path, sizeof path, "%s/%s", folder, name);
	return stat(path, &st) == 0 ? (uint64_t)st.st_size : 0;
}

/* After a clean end. */
static void reopen(struct feed *feed, const char *folder)
{
	store_close(feed->store);
	open_store(feed, folder);
	settle();
}

/* Blocks, headers and indices of a tier. */
static double tier_bytes(const struct feed *feed, enum store_tier tier)
{
	struct store_stat stat;
	store_stat(feed->store, &stat);
	return (double)(stat.tiers[tier].used_bytes + index_bytes(stat.tiers[tier].blocks));
}

static bool accepts(const struct store_matcher *matcher, const char *value)
{
	return strcmp(matcher->value, value) == 0;
}

/* A day's sweeps of one series of one host. */
static void read_series(struct feed *feed, unsigned number, uint32_t day)
{
	int64_t from_ms = START_MS + (int64_t)day * DAY * GEN_INTERVAL_MS;
	int64_t to_ms = from_ms + (int64_t)DAY * GEN_INTERVAL_MS - 1;
	char instance[32];
	const struct store_matcher matchers[] = {
		{.name = "__name__", .value = "node_load1", .accepts = accepts},
		{.name = "instance", .value = instance, .accepts = accepts}};
	struct fw_arena arena = {0};
	struct store_group *groups;
	struct store_columns columns = {0};
	size_t n;
	struct fw_err err;
	snprintf(instance, sizeof instance, "host-%04u", number);
	if (store_select(feed->store, matchers, 2, from_ms, to_ms, &arena, &groups, &n, &err) < 0)
		die("a series", &err);
	if (n != 1 ||
		store_read(feed->store, groups, from_ms, to_ms, NULL, &arena, &columns, &err) < 0 ||
		columns.n != DAY)
		die("a series", &(struct fw_err){"is not there for the whole day"});
	fw_arena_done(&arena);
}

static double read_us(struct feed *feed, uint32_t day)
{
	for (unsigned i = 0; i < feed->n_senders; i++)
		read_series(feed, i, day);
	double start_ns = own_ns();
	for (int round = 0; round < READS; round++)
		for (unsigned i = 0; i < feed->n_senders; i++)
			read_series(feed, i, day);
	return (own_ns() - start_ns) / 1000 / feed->n_senders / READS;
}

static double fastest_us(struct feed *feed, uint32_t day)
{
	double us = INFINITY;
	for (int round = 0; round < ROUNDS; round++)
		us = fmin(us, read_us(feed, day));
	return us;
}

static void print_value(const char *what, double value, int decimals)
{
	print_row(&(struct row){what, value, NONE, NONE, NONE}, decimals);
}

static bool measure_store(const char *folder, unsigned n_hosts)
{
	struct feed *feed = feed_new(folder, n_hosts, SEGMENTS);
	double n = (double)n_hosts * DAY * GEN_SERIES;
	double write_ns = write_day(feed, 0);
	reopen(feed, folder);
	double names = (double)(file_bytes(folder, "schema.log") + file_bytes(folder, "host.log"));
	double raw = tier_bytes(feed, STORE_RAW);
	double above = tier_bytes(feed, STORE_FIVE_MINUTE) + tier_bytes(feed, STORE_HOUR);
	bool missed = print_row(&(struct row){"a store with a day of made-up hosts: bytes a sample",
					(raw + names) / n, .53, victoria.made, prometheus.made},
		3);
	print_value("  of five minutes and hours beside it, of what is digested", above / n, 3);
	print_value("  written, CPU of the store's threads, ns a sample", write_ns / n, 1);
	print_value("  one series of one host over 24 h, us of CPU", read_us(feed, 0), 0);
	store_close(feed->store);
	feed_free(feed);
	return missed;
}

/* Nothing costs more when the ring holds thirty days. */
static bool measure_age(const char *folder)
{
	struct feed *feed = feed_new(folder, AGE_HOSTS, AGE_SEGMENTS);
	double first_ns = write_day(feed, 0), first_us = fastest_us(feed, 0), last_ns = INFINITY;
	for (uint32_t day = 1; day < AGE_DAYS; day++) {
		double ns = write_day(feed, day);
		if (day + ROUNDS >= AGE_DAYS)
			last_ns = fmin(last_ns, ns);
	}
	double last_us = fastest_us(feed, AGE_DAYS - 1);
	bool missed = print_row(
		&(struct row){"a store of thirty days: its last days written, over its first",
			last_ns / first_ns, AGE_RATIO, NONE, NONE},
		2);
	missed |= print_row(
		&(struct row){"  a series over the last day, over the same after the first",
			last_us / first_us, AGE_RATIO, NONE, NONE},
		2);
	store_close(feed->store);
	feed_free(feed);
	return missed;
}

static double figure(const char *text)
{
	char *end;
	double value = strtod(text, &end);
	if (*end)
		die(text, &(struct fw_err){"this is no figure"});
	return value;
}

static void take_figures(struct other *other, char **words)
{
	*other = (struct other){figure(words[0]), figure(words[1]), figure(words[2])};
}

int main(int argc, char **argv)
{
	char *end = NULL;
	unsigned long n_hosts = argc > 3 ? strtoul(argv[3], &end, 10) : 0;
	if ((argc != 4 && argc != 10) || *end || n_hosts < 1 || n_hosts > HOSTS_LIMIT) {
		fprintf(stderr, "usage: store CAPTURE FOLDER HOSTS [OTHERS' FIGURES]\n");
		return 2;
	}
	if (argc == 10) {
		take_figures(&victoria, argv + 4);
		take_figures(&prometheus, argv + 7);
	}
	printf("%lu made-up hosts of %d series for 24 h, a sweep every 10 s; others' figures are %s.\n\n",
		n_hosts, GEN_SERIES, argc == 10 ? "of this run" : "recorded");
	print_heading();
	bool missed = measure_capture(argv[1], false, .46);
	missed |= measure_capture(argv[1], true, .36);
	missed |= measure_made((unsigned)n_hosts);
	missed |= measure_store(argv[2], (unsigned)n_hosts);
	char *aged = fw_format("%s/aged", argv[2]);
	missed |= measure_age(aged);
	fw_free(aged);
	return missed;
}
