/* SPDX-License-Identifier: Apache-2.0 */
/* Who is told when nobody takes an alert up. */
#include "escalation.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <fenwatch/file.h>

#include "acks.h"
#include "alert.h"
#include "book.h"
#include "gate.h"
#include "outbox.h"
#include "register.h"
#include "silences.h"
#include "state.h"
#include "test_tree.h"

#define NOW_MS INT64_C(1796000000000)
#define MINUTE_MS INT64_C(60000)

static const char suppliers[] =
	"suppliers: [{name: Contoso, contacts: [{name: Ann, mail: a@b.example},"
	" {name: Ben, mail: b@b.example}]}]";

struct stage {
	char dir[64];
	struct state *state;
	struct acks *acks;
	struct registry *registry;
	struct alert_feed_option first, second, *feeds[2];
	struct alert_options options;
	struct gate *gate;
};

static void must(int rc, const struct fw_err *err)
{
	if (rc < 0)
		fail_msg("%s", err->text);
}

static int set_up(void **arg)
{
	struct stage *stage = fw_alloc(sizeof *stage);
	struct fw_err err;
	char path[128];
	snprintf(stage->dir, sizeof stage->dir, "/tmp/fenwatch-escalation-XXXXXX");
	assert_non_null(mkdtemp(stage->dir));
	snprintf(path, sizeof path, "%s/all.yml", stage->dir);
	must(fw_file_replace(path, suppliers, strlen(suppliers), 0600, &err), &err);
	must(register_load(&stage->registry, stage->dir, &err), &err);
	must(state_open(&stage->state, stage->dir, &err), &err);
	must(book_open(stage->state, &err), &err);
	must(acks_open(&stage->acks, stage->state, &err), &err);
	stage->first = (struct alert_feed_option){
		.name = "first", .live = true, .contact = 1, .feed = feeds[0]};
	stage->second = (struct alert_feed_option){.name = "second",
		.live = true,
		.contact = 2,
		.after_ms = 15 * MINUTE_MS,
		.feed = feeds[0]};
	stage->feeds[0] = &stage->first;
	stage->feeds[1] = &stage->second;
	stage->options = (struct alert_options){
		.feeds = stage->feeds, .n_feeds = 2, .registry = stage->registry};
	must(escalation_configure(stage->state, &stage->options, NOW_MS, &err), &err);
	const struct gate_config config = {.state = stage->state, .options = &stage->options};
	must(gate_open(&stage->gate, &config, &err), &err);
	*arg = stage;
	return 0;
}

static int tear_down(void **arg)
{
	struct stage *stage = *arg;
	gate_close(stage->gate);
	acks_close(stage->acks);
	state_close(stage->state);
	register_drop(stage->registry);
	int rc = test_remove_tree(stage->dir);
	fw_free(stage);
	return rc;
}

static struct episode told(struct stage *stage, const char *key, int64_t now_ms)
{
	static const struct notice_pair annotation = {"supplier", "Contoso"};
	struct episode episode = {.rule = "R",
		.instance = "web01",
		.severity = "critical",
		.life = {.phase = FIRING, .starts_ms = now_ms}};
	struct fw_err err;
	snprintf(episode.key, sizeof episode.key, "%s", key);
	pairs_copy(&episode.annotations, &annotation, 1);
	must(book_fired(stage->state, &episode, &err), &err);
	must(book_tell(stage->state, &stage->options, &episode, NULL, now_ms, &err), &err);
	pairs_done(&episode.annotations);
	return episode;
}

static int look(struct stage *stage, int64_t now_ms)
{
	struct fw_err err;
	int n = escalation_look(
		stage->state, stage->gate, &stage->options, (struct moment){now_ms, now_ms}, &err);
	must(n, &err);
	return n;
}

struct heard {
	struct stage *stage;
	char text[256];
};

static void hear(int64_t id, const char *key, int64_t tries, void *arg)
{
	struct heard *heard = arg;
	struct book_notice notice;
	struct fw_err err;
	size_t used = strlen(heard->text);
	(void)tries;
	must(book_try(heard->stage->state, id, &notice, &err), &err);
	snprintf(heard->text + used, sizeof heard->text - used, "%s %s %s, ", key,
		notice.kind == NOTICE_OPEN ? "open" : "close",
		pairs_get(&notice.annotations, "contact"));
	book_notice_done(&notice);
}

static void expect(struct stage *stage, const char *feed, const char *text)
{
	struct heard heard = {.stage = stage};
	struct fw_err err;
	must(book_waiting(stage->state, feed, 0, hear, &heard, &err), &err);
	assert_string_equal(heard.text, text);
}

static void what_nobody_takes_up_goes_to_the_next_one(void **arg)
{
	struct stage *stage = *arg;
	struct fw_err err;
	struct episode one = told(stage, "fw1-1", NOW_MS);
	expect(stage, "first", "fw1-1 open Ann, ");
	assert_int_equal(look(stage, NOW_MS + 14 * MINUTE_MS), 0);
	assert_int_equal(look(stage, NOW_MS + 15 * MINUTE_MS), 1);
	assert_int_equal(look(stage, NOW_MS + 30 * MINUTE_MS), 0);
	expect(stage, "second", "fw1-1 open Ben, ");
	/* A close goes to whom the open went, whose turn it may no longer be. */
	stage->second.contact = 1;
	one.life.ends_ms = NOW_MS + 40 * MINUTE_MS;
	must(book_resolved(stage->state, &stage->options, &one, &err), &err);
	expect(stage, "second", "fw1-1 open Ben, fw1-1 close Ben, ");
}

static void what_is_taken_up_or_over_goes_no_further(void **arg)
{
	struct stage *stage = *arg;
	struct fw_err err;
	struct episode one = told(stage, "fw1-1", NOW_MS), two = told(stage, "fw1-2", NOW_MS);
	must(state_run(stage->state, &err, "INSERT INTO ack VALUES ('fw1-1', ?, 0, 'jo', '')", "i",
		     one.life.starts_ms),
		&err);
	two.life.ends_ms = NOW_MS + MINUTE_MS;
	must(book_resolved(stage->state, &stage->options, &two, &err), &err);
	assert_int_equal(look(stage, NOW_MS + 20 * MINUTE_MS), 0);
	expect(stage, "second", "");
}

static void what_is_silenced_goes_on_when_the_silence_ends(void **arg)
{
	struct stage *stage = *arg;
	struct fw_err err;
	const char *matchers[] = {"supplier=Contoso"};
	struct alert_silence wanted = {.matchers = matchers,
		.n_matchers = 1,
		.starts_ms = NOW_MS,
		.ends_ms = NOW_MS + 60 * MINUTE_MS,
		.who = "jo",
		.comment = "it is known"};
	told(stage, "fw1-1", NOW_MS);
	must(silences_add(gate_silences(stage->gate), &wanted, NOW_MS, &err), &err);
	assert_int_equal(look(stage, NOW_MS + 30 * MINUTE_MS), 0);
	assert_int_equal(look(stage, NOW_MS + 61 * MINUTE_MS), 1);
}

/* Somebody adds the second feed when much has gone on for long. */
static void a_new_feed_hears_of_what_is_told_from_then_on(void **arg)
{
	struct stage *stage = *arg;
	struct fw_err err;
	const int64_t added_ms = NOW_MS + 60 * MINUTE_MS;
	stage->second.after_ms = 0;
	must(escalation_configure(stage->state, &stage->options, NOW_MS, &err), &err);
	stage->options.n_feeds = 1;
	told(stage, "fw1-1", NOW_MS);
	stage->options.n_feeds = 2;
	stage->second.after_ms = 15 * MINUTE_MS;
	must(escalation_configure(stage->state, &stage->options, added_ms, &err), &err);
	assert_int_equal(look(stage, added_ms + MINUTE_MS), 0);
	told(stage, "fw1-2", added_ms + MINUTE_MS);
	/* A restart changes nothing. */
	must(escalation_configure(stage->state, &stage->options, added_ms + 5 * MINUTE_MS, &err),
		&err);
	assert_int_equal(look(stage, added_ms + 16 * MINUTE_MS), 1);
	expect(stage, "second", "fw1-2 open Ben, ");
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		CASE(what_nobody_takes_up_goes_to_the_next_one),
		CASE(what_is_taken_up_or_over_goes_no_further),
		CASE(what_is_silenced_goes_on_when_the_silence_ends),
		CASE(a_new_feed_hears_of_what_is_told_from_then_on),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
