/* SPDX-License-Identifier: Apache-2.0 */
#include "schedule.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <time.h>

#include <fenwatch/clock.h>
#include <fenwatch/log.h>

#include "publish.h"
#include "rounds.h"

#define LONGEST_WAIT_MS 1000 /* the wall clock may step */

struct schedule {
	struct schedule_config config;
	pthread_t thread;
	struct rounds rounds; /* the thread's */
	struct group_settings settings;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	/* Under the lock: */
	struct rule_set *next_set;
	struct published published;
	bool stopping; /* read without it while a question goes on */
};

/* ---- about itself ---- */

static void say_itself(struct schedule *s, const struct round *round, int64_t at_ms)
{
	const struct file_group *file = round->group.file;
	const struct {
		const char *name;
		double value;
	} facts[] = {
		{"fenwatch_rule_group_duration_seconds", (double)round->group.took_ms / 1000},
		{"fenwatch_rule_group_failures_total", (double)round->failures},
		{"fenwatch_rule_group_missed_total", (double)round->missed},
	};
	struct fw_label labels[3][5];
	struct group_sample samples[3];
	struct fw_err err;
	for (size_t i = 0; i < 3; i++) {
		labels[i][0] = (struct fw_label){"__name__", facts[i].name};
		labels[i][1] = (struct fw_label){"file", file->file};
		labels[i][2] = (struct fw_label){"group", file->name};
		labels[i][3] = (struct fw_label){"instance", "collector"};
		labels[i][4] = (struct fw_label){"job", "fenwatch"};
		samples[i] = (struct group_sample){{labels[i], 5}, facts[i].value};
	}
	if (s->config.on_samples(s->config.arg, samples, 3, at_ms, &err) < 0)
		fw_log(FW_WARNING, "rules: group '%s': %s", file->name, err.text);
}

/* A rule's trouble is told when it begins, not at each of its evaluations. */
static void log_troubles(const struct group *group)
{
	for (size_t i = 0; i < group->file->n_rules; i++) {
		struct group_rule *rule = &group->rules[i];
		bool failed = rule->health == RULE_FAILED;
		if (failed && !rule->is_told)
			fw_log(FW_WARNING, "rules: '%s' in group '%s' of '%s': %s",
				rule->rule->name, group->file->name, group->file->file,
				rule->trouble);
		rule->is_told = failed;
	}
}

/* ---- the thread ---- */

static void run(struct schedule *s, struct round *round, int64_t now_ms)
{
	round_run(round, now_ms, &s->settings);
	/* What was broken off by the end is no trouble of a rule. */
	if (s->stopping)
		return;
	log_troubles(&round->group);
	say_itself(s, round, round->group.evaluated_ms);
}

static void wait_until(struct schedule *s, int64_t due_ms, int64_t now_ms)
{
	int64_t wait_ms = due_ms - now_ms;
	struct timespec until;
	if (wait_ms > LONGEST_WAIT_MS)
		wait_ms = LONGEST_WAIT_MS;
	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += wait_ms / 1000;
	until.tv_nsec += wait_ms % 1000 * 1000000;
	if (until.tv_nsec >= 1000000000) {
		until.tv_nsec -= 1000000000;
		until.tv_sec++;
	}
	pthread_cond_timedwait(&s->wake, &s->lock, &until);
}

static const struct schedule_group *find(
	const struct published *published, const struct file_group *file)
{
	const struct schedule_group *group = published->groups;
	while (strcmp(group->file, file->file) != 0 || strcmp(group->name, file->name) != 0)
		group++;
	return group;
}

/* `evaluated` NULL: others were loaded. */
static void hand_over(
	struct schedule *s, const struct published *published, const struct round *evaluated)
{
	const struct schedule_config *config = &s->config;
	if (s->stopping)
		return;
	if (!evaluated && config->on_loaded)
		config->on_loaded(config->arg, published->groups, published->n);
	else if (evaluated && config->on_evaluated)
		config->on_evaluated(config->arg, find(published, evaluated->group.file));
}

/* Called and returns with the lock held. */
static void publish(struct schedule *s, const struct round *evaluated)
{
	struct published fresh = {0}, before;
	pthread_mutex_unlock(&s->lock);
	publish_rounds(&fresh, &s->rounds);
	hand_over(s, &fresh, evaluated);
	pthread_mutex_lock(&s->lock);
	before = s->published;
	s->published = fresh;
	publish_done(&before);
}

static void load(struct schedule *s)
{
	struct rule_set *set = s->next_set;
	s->next_set = NULL;
	pthread_mutex_unlock(&s->lock);
	rounds_load(&s->rounds, set, s->config.interval_ms, fw_wall_ms(), &s->settings);
	pthread_mutex_lock(&s->lock);
	publish(s, NULL);
}

static void *on_thread(void *arg)
{
	struct schedule *s = arg;
	pthread_setname_np(pthread_self(), "rules");
	pthread_mutex_lock(&s->lock);
	while (!s->stopping) {
		int64_t now_ms = fw_wall_ms();
		struct round *first = rounds_first(&s->rounds, now_ms);
		if (s->next_set) {
			load(s);
		} else if (first && first->due_ms <= now_ms) {
			pthread_mutex_unlock(&s->lock);
			run(s, first, now_ms);
			pthread_mutex_lock(&s->lock);
			publish(s, first);
		} else {
			wait_until(s, first ? first->due_ms : now_ms + LONGEST_WAIT_MS, now_ms);
		}
	}
	pthread_mutex_unlock(&s->lock);
	return NULL;
}

/* ---- opening, closing ---- */

int schedule_open(struct schedule **out, const struct schedule_config *config, struct fw_err *err)
{
	struct schedule *s = fw_alloc(sizeof *s);
	pthread_condattr_t monotonic;
	s->config = *config;
	s->settings = (struct group_settings){
		.data = config->data,
		.limits = config->limits,
		.external_labels = config->external_labels,
		.external_url = config->external_url,
		.mono_ms = fw_mono_ms,
		.on_samples = config->on_samples,
		.arg = config->arg,
	};
	s->settings.limits.canceled = &s->stopping;
	pthread_mutex_init(&s->lock, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&s->wake, &monotonic);
	pthread_condattr_destroy(&monotonic);
	int rc = -pthread_create(&s->thread, NULL, on_thread, s);
	if (rc < 0) {
		fw_free(s);
		return fw_fail_sys(err, rc, "rules: cannot start their thread");
	}
	*out = s;
	return 0;
}

static void drop_set(struct rule_set *set)
{
	if (set)
		rule_set_done(set);
	fw_free(set);
}

void schedule_load(struct schedule *s, struct rule_set *set)
{
	pthread_mutex_lock(&s->lock);
	drop_set(s->next_set);
	s->next_set = set;
	pthread_cond_signal(&s->wake);
	pthread_mutex_unlock(&s->lock);
}

void schedule_close(struct schedule *s)
{
	if (!s)
		return;
	pthread_mutex_lock(&s->lock);
	s->stopping = true;
	pthread_cond_signal(&s->wake);
	pthread_mutex_unlock(&s->lock);
	pthread_join(s->thread, NULL);
	drop_set(s->next_set);
	rounds_done(&s->rounds);
	publish_done(&s->published);
	pthread_cond_destroy(&s->wake);
	pthread_mutex_destroy(&s->lock);
	fw_free(s);
}

void schedule_list(
	struct schedule *s, struct fw_arena *arena, struct schedule_group **groups, size_t *n)
{
	pthread_mutex_lock(&s->lock);
	publish_copy(&s->published, arena, groups, n);
	pthread_mutex_unlock(&s->lock);
}
