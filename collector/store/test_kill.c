/* SPDX-License-Identifier: Apache-2.0 */
/* Kills. A child opens the store and sends without a pause, so that segments are sealed,
 * digested and written over all the time; it is killed, opens again, and every answer is
 * worked out anew from what was acknowledged. Meanwhile snapshots are made: one that was done
 * has all that was acknowledged before it, one that was broken off is refused or whole.
 * FENWATCH_KILLS=1000 makes it the long form.
 *
 * The controls say that they have been told of more than they sent, of hosts or of series
 * from elsewhere, or lose what is older than the raw ring, and must be found out.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <pthread.h>
#include <sys/stat.h>

#include <fenwatch/file.h>
#include <fenwatch/mem.h>

#include "internal.h"
#include "testkit.h"

enum { STEP = 15000, HOSTS = 3, SWEEPS = 60, SEGMENT = 4 << 10, SEGMENTS = 16, SHORT = 60 };
enum { BEGINS = 30 }; /* number of the target after which its other series are there */
enum { TURNS = 2, TURNS_LONG = 20 }; /* at least */

/* What becomes of a child. */
enum { WRONG_HOST = 3, WRONG_TARGET = 8 };
/* How it may lie besides, that one of them is found out. */
enum { SHORT_HOST = 9, SHORT_TARGET = 10 };

/* Shared with the children. */
static struct {
	uint64_t acked[HOSTS], told; /* the newest number of each host, and of the target */
	uint64_t digests, lives, snapshots, broken_off;
	uint64_t turns;                  /* of the raw ring, in all lives */
	uint64_t kept[HOSTS], kept_told; /* acknowledged before the snapshot was begun */
	bool is_kept;                    /* it was done */
	bool slowly;                     /* the ring is to turn more slowly than it is copied */
	int lying;                       /* what is to be found out, 0: nothing */
} * shared;

static struct kit kit;
static struct sender senders[HOSTS];
static uint32_t hosts[HOSTS];
static int64_t start_ms;
static uint64_t random_state = 3;

static uint32_t chance(uint32_t below)
{
	random_state = random_state * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(random_state >> 33) % below;
}

static int64_t time_of(uint64_t number)
{
	return start_ms + (int64_t)(number - 1) * SWEEPS * STEP;
}

static void open_and_greet(void)
{
	static const char *const names[HOSTS] = {"alpha", "beta", "gamma"};
	struct fw_err err = {""};
	if (kit_open(&kit, &err) < 0) {
		fprintf(stderr, "%s\n", err.text);
		_exit(2);
	}
	kit.schema = kit_schema(&kit, "m");
	for (int h = 0; h < HOSTS; h++) {
		hosts[h] = kit_host(&kit, names[h]);
		senders[h] = (struct sender){0};
		kit.session = shared->lives * HOSTS + (uint64_t)h;
		sender_begin(&senders[h], &kit, (uint8_t)(h + 1), 7);
	}
	shared->lives++;
}

/* Only what the last ring has turned over may be missing before the oldest that is answered. */
static bool reaches_back(const struct kit *of, int64_t begin_ms, int64_t oldest_ms)
{
	int64_t forgotten_ms = ring_forgotten_ms(&of->store->rings.tiers[STORE_HOUR]);
	return oldest_ms <= (forgotten_ms > begin_ms ? forgotten_ms : begin_ms) + STORE_HOUR_MS;
}

/* Is the host's whole past there, up to its last number? Raw has the newest sweeps, rows
 * the last sweep of each bucket before, and the ring has turned over the rest. */
static bool is_whole(int h)
{
	struct fw_arena arena = {0};
	struct store_columns all;
	int64_t end_ms = time_of(senders[h].next[STORE_LIVE]);
	unsigned sweeps = 0; /* in a row that are raw; a row may end next to one by chance */
	bool whole = senders[h].next[STORE_LIVE] > shared->acked[h];
	size_t n = kit_read(&kit, hosts[h], 0, INT64_MAX, &arena, &all);
	whole = whole && n > 0 && all.damaged_blocks == 0 && all.times_ms[n - 1] == end_ms - STEP &&
		reaches_back(&kit, start_ms, all.times_ms[0]);
	for (size_t i = 0; i < n && whole; i++) {
		for (uint32_t c = 0; c < KIT_COLUMNS; c++)
			whole = whole && all.cells[c][i] == kit_cell(all.times_ms[i], c);
		int64_t step_ms = i > 0 ? all.times_ms[i] - all.times_ms[i - 1] : STEP;
		/* From coarse to fine, never back, and nothing left out. */
		whole = whole && step_ms <= (sweeps > 3 ? STEP : STORE_HOUR_MS);
		sweeps = step_ms == STEP ? sweeps + 1 : 0;
	}
	fw_arena_done(&arena);
	return whole;
}

/* A row has the time of its bundle's last sweep, and the last cell of a series within the
 * hour where two rows overlap, as those of a segment and the next may. */
static bool is_sample(const struct store_sample *sample, int series, bool raw)
{
	const int64_t shift_ms = kit_target_shift(series);
	int64_t own_ms = sample->at_ms - (sample->at_ms - start_ms - shift_ms) % STEP;
	int64_t oldest_ms = raw ? own_ms : own_ms - STORE_HOUR_MS;
	while (own_ms > oldest_ms && sample->cell != kit_target_cell(own_ms, series))
		own_ms -= STEP;
	return sample->cell == kit_target_cell(own_ms, series);
}

static int64_t begin_of(int series)
{
	return (series < KIT_EARLY ? start_ms : time_of(BEGINS + 1)) + kit_target_shift(series);
}

/* The same of one series of the target: what was being written when it was killed is there
 * or not. */
static bool is_whole_series(struct kit *of, int series, uint64_t told)
{
	int64_t end_ms = time_of(told + 1) - STEP + kit_target_shift(series);
	struct kit_found found = kit_target_read(of, series);
	const struct store_sample *all = found.samples;
	int64_t forgotten_ms = ring_forgotten_ms(&of->store->rings.tiers[STORE_HOUR]);
	bool whole = found.n > 0 && all[found.n - 1].at_ms >= end_ms &&
		reaches_back(of, begin_of(series), all[0].at_ms);
	for (size_t i = 0; i < found.n && whole; i++) {
		int64_t step_ms = i > 0 ? all[i].at_ms - all[i - 1].at_ms : STORE_HOUR_MS;
		whole = is_sample(&all[i], series, step_ms == STEP) &&
			(all[i].at_ms <= forgotten_ms + STORE_HOUR_MS ||
				step_ms <= STORE_HOUR_MS + STORE_FIVE_MINUTE_MS);
	}
	fw_arena_done(&found.arena);
	return whole;
}

static bool target_is_whole(struct kit *of, uint64_t told)
{
	bool whole = true;
	for (int s = 0; s < (told > BEGINS ? KIT_SERIES : KIT_EARLY) && told > 0; s++)
		whole = whole && is_whole_series(of, s, told);
	return whole;
}

static void pause_ms(uint32_t ms)
{
	nanosleep(&(struct timespec){.tv_nsec = (long)ms * 1000000}, NULL);
}

/* ---- snapshots ---- */

/* Two at a time. */
static const char *path_of(const char *ending)
{
	static char paths[2][96];
	static unsigned turn;
	char *path = paths[turn++ % 2];
	snprintf(path, sizeof paths[0], "%s%s", kit.dir, ending);
	return path;
}

static void *make_snapshots(void *arg)
{
	(void)arg;
	for (;;) {
		shared->is_kept = false;
		rename(path_of("-kept"), path_of(".gone")); /* half removed it is no snapshot */
		kit_remove(path_of(".gone"));
		memcpy(shared->kept, shared->acked, sizeof shared->kept);
		shared->kept_told = shared->told;
		/* -ESTALE: a ring so small may come round meanwhile. */
		int rc = mkdir(path_of("-kept"), 0700) == 0
			? store_snapshot(kit.store, path_of("-kept"), NULL, NULL)
			: -errno;
		if (rc < 0 && rc != -ESTALE)
			_exit(5);
		shared->is_kept = rc == 0;
		shared->snapshots += rc == 0;
	}
	return NULL;
}

static bool has_kept(struct kit *copy)
{
	bool has = target_is_whole(copy, shared->kept_told);
	for (int h = 0; h < HOSTS; h++) {
		struct fw_arena arena = {0};
		struct store_columns all;
		size_t n = kit_read(copy, hosts[h], 0, INT64_MAX, &arena, &all);
		has = has &&
			(shared->kept[h] == 0 ||
				(n > 0 &&
					all.times_ms[n - 1] >=
						time_of(shared->kept[h] + 1) - STEP));
		fw_arena_done(&arena);
	}
	return has;
}

/* What the life before has left behind. */
static bool snapshot_is_good(void)
{
	struct kit copy = kit;
	snprintf(copy.dir, sizeof copy.dir, "%s.again", kit.dir);
	copy.config.dir = copy.dir;
	kit_remove(copy.dir);
	if (mkdir(copy.dir, 0700) < 0)
		return false;
	if (store_restore(path_of("-kept"), copy.dir, NULL, NULL) < 0) {
		shared->broken_off++;
		return !shared->is_kept;
	}
	if (kit_check(copy.dir) != 0 || kit_open(&copy, NULL) < 0)
		return false;
	copy.schema = kit_schema(&copy, "m");
	bool good = !shared->is_kept || has_kept(&copy);
	store_close(copy.store);
	return good;
}

/* ---- a life ---- */

/* A batch of a host; the numbers of all of them keep step. */
static void send_next(int h, bool key)
{
	uint64_t number = senders[h].next[STORE_LIVE];
	kit_now_ms = time_of(number + 1);
	if (sender_send(&senders[h], STORE_LIVE, hosts[h], kit.schema, time_of(number), SWEEPS,
		    STEP, key) != STORE_DURABLE)
		_exit(4);
	shared->acked[h] = shared->lying == WRONG_HOST ? number + 2 : number;
}

/* As much of the target. */
static void write_next(void)
{
	uint64_t number = shared->told + 1;
	if (kit_target_write(&kit, number > BEGINS ? KIT_SERIES : KIT_EARLY, time_of(number),
		    SWEEPS, STEP) < 0)
		_exit(4);
	shared->told = number;
}

static void look(void)
{
	struct store_stat stat;
	store_stat(kit.store, &stat);
	shared->digests += stat.digests > 0;
	pthread_rwlock_rdlock(&kit.store->rings.lock);
	shared->turns = (raw_ring(kit.store)->next_number - 1) / SEGMENTS;
	pthread_rwlock_unlock(&kit.store->rings.lock);
}

/* As a recovery would that forgets older segments. */
static void drop_the_past(void)
{
	char folder[96];
	for (int tier = STORE_FIVE_MINUTE; tier < STORE_TIERS; tier++) {
		snprintf(folder, sizeof folder, "%s/%s", kit.dir,
			store_tier_name((enum store_tier)tier));
		kit_remove(folder);
	}
}

static _Noreturn void live(void)
{
	pthread_t snapshots;
	if (shared->lying >= SHORT_HOST && shared->turns > 0)
		drop_the_past();
	open_and_greet();
	for (int h = 0; h < HOSTS; h++)
		if (shared->lying != SHORT_TARGET && shared->acked[h] > 0 && !is_whole(h))
			_exit(WRONG_HOST);
	if (!target_is_whole(&kit, shared->told + (shared->lying == WRONG_TARGET ? 2 : 0)))
		_exit(WRONG_TARGET);
	if (shared->lives > 2 && !snapshot_is_good())
		_exit(6);
	if (pthread_create(&snapshots, NULL, make_snapshots, NULL) != 0)
		_exit(7);
	for (uint64_t i = 0;; i++) {
		send_next((int)(i % HOSTS), i < HOSTS);
		if (i % HOSTS == 0)
			write_next();
		if (shared->slowly)
			pause_ms(20);
		if (i % 8 == 7)
			look();
	}
}

/* Returns the child's end, where it did not wait to be killed. */
static int one_life(void)
{
	fflush(stdout);
	uint64_t before = shared->acked[0], snapshots = shared->snapshots;
	shared->slowly = !shared->lying && shared->lives % 16 == 0;
	pid_t child = fork();
	if (child == 0)
		live();
	for (int i = 0; i < 3000 && shared->acked[0] < before + 2 + chance(30); i++)
		pause_ms(2);
	/* Now and then until a snapshot is done, however busy the machine. */
	for (int i = 0; i < 20000 && shared->slowly && shared->snapshots == snapshots; i++)
		pause_ms(1);
	pause_ms(chance(20));
	kill(child, SIGKILL);
	int status;
	assert_int_equal(waitpid(child, &status, 0), child);
	return WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL ? 0 : WEXITSTATUS(status);
}

static void tell(void)
{
	print_message("# %llu sweeps of each host, %llu turns of the ring, %llu looks at a digest, "
		      "%llu snapshots, %llu broken off\n",
		(unsigned long long)shared->acked[0] * SWEEPS, (unsigned long long)shared->turns,
		(unsigned long long)shared->digests, (unsigned long long)shared->snapshots,
		(unsigned long long)shared->broken_off);
}

static int kill_often(int kills, int lying)
{
	const uint64_t least = kills > SHORT ? TURNS_LONG : TURNS;
	int end = 0;
	shared = mmap(
		NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	kit_init_of(&kit, SEGMENT, SEGMENTS);
	store_close(kit.store);
	start_ms = (kit_now_ms - INT64_C(34) * 24 * 3600 * 1000) / STORE_HOUR_MS * STORE_HOUR_MS;
	kit.config.any_age = true;
	shared->lives = 1;
	shared->lying = lying;
	for (int i = 0; (i < kills || (i < 4 * kills && shared->turns < least)) && end == 0; i++)
		end = one_life();
	if (!lying && end == 0) {
		tell();
		assert_true(shared->digests > 0 && shared->snapshots > 0);
		assert_true(shared->turns >= least);
		assert_int_equal(kit_check(kit.dir), 0);
	}
	kit_remove(path_of("-kept"));
	kit_remove(path_of(".again"));
	kit_remove(path_of(".gone"));
	kit_remove(kit.dir);
	munmap(shared, sizeof *shared);
	return end;
}

static void test_nothing_is_lost_or_doubled(void **state)
{
	(void)state;
	const char *wanted = getenv("FENWATCH_KILLS");
	assert_int_equal(kill_often(wanted ? (int)strtol(wanted, NULL, 10) : SHORT, 0), 0);
}

static void test_control_a_lost_past_is_found_out(void **state)
{
	(void)state;
	assert_int_equal(kill_often(SHORT, SHORT_HOST), WRONG_HOST);
	assert_int_equal(kill_often(SHORT, SHORT_TARGET), WRONG_TARGET);
}

static void test_control_a_wrong_ledger_is_found_out(void **state)
{
	(void)state;
	assert_int_equal(kill_often(SHORT, WRONG_HOST), WRONG_HOST);
	assert_int_equal(kill_often(SHORT, WRONG_TARGET), WRONG_TARGET);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nothing_is_lost_or_doubled),
		cmocka_unit_test(test_control_a_wrong_ledger_is_found_out),
		cmocka_unit_test(test_control_a_lost_past_is_found_out),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
