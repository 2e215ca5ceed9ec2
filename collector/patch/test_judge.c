/* SPDX-License-Identifier: Apache-2.0 */
/* Documents as agents send them, and how hosts stand at moments chosen. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <fenwatch/mem.h>

#include "advisories.h"
#include "evidence.h"
#include "internal.h"
#include "inventory.h"
#include "judge.h"
#include "sent.h"
#include "store.h"
#include "test_tree.h"

#define T INT64_C(1795390000) /* 2026-11-22 */
#define DAY_S INT64_C(86400)
#define HOUR_S INT64_C(3600)

struct stage {
	char dir[64];
	struct patch patch;
	uint64_t seq;
	struct fw_arena arena;
};

static void on_need(const uint8_t agent[16], const char *kind, void *arg)
{
	(void)agent;
	(void)kind;
	(void)arg;
}

static int setup(void **state)
{
	struct stage *stage = fw_alloc(sizeof *stage);
	struct patch_config *config = &stage->patch.config;
	struct fw_err err;
	snprintf(stage->dir, sizeof stage->dir, "/tmp/fenwatch-patch-XXXXXX");
	assert_non_null(mkdtemp(stage->dir));
	config->dir = stage->dir;
	assert_int_equal(state_open(&config->state, stage->dir, &err), 0);
	const struct inventory_config inventory = {.state = config->state, .on_need = on_need};
	assert_int_equal(inventory_open(&config->inventory, &inventory, &err), 0);
	assert_int_equal(evidence_open(config->state, &err), 0);
	assert_int_equal(advisories_open(config->state, &err), 0);
	assert_int_equal(support_open(&stage->patch.support, NULL, &err), 0);
	*state = stage;
	return 0;
}

static int teardown(void **state)
{
	struct stage *stage = *state;
	inventory_close(stage->patch.config.inventory);
	state_close(stage->patch.config.state);
	support_done(&stage->patch.support);
	fw_arena_done(&stage->arena);
	int rc = test_remove_tree(stage->dir);
	fw_free(stage);
	return rc;
}

/* ---- what a host has sent ---- */

/* A fix, seen at a time, is evidence for all who have it. */
static int note(const struct judge_fix *fix, void *arg, struct fw_err *err)
{
	const struct judge *judge = arg;
	return evidence_note(judge->state, fix->fix->source, fix->fix->candidate, fix->listed_s,
		fix->from_s, judge->now_s, err);
}

/* `text` is the whole of what the host has from then on; it is heard at that time. */
static void put(struct stage *stage, uint32_t host, int64_t at_s, const char *text)
{
	struct patch_config *config = &stage->patch.config;
	struct fw_err err;
	sent_take(config->inventory, host, ++stage->seq, at_s, text);
	struct judge judge = {.state = config->state,
		.inventory = config->inventory,
		.arena = &stage->arena,
		.now_s = at_s};
	if (judge_each_fix(&judge, host, note, &judge, &err) < 0 ||
		evidence_heard(config->state, host, at_s, &err) < 0)
		fail_msg("%s", err.text);
}

static const char *table(struct stage *stage, int64_t at_s, const char *fixes)
{
	return sent_table(&stage->arena, at_s, fixes);
}

/* ---- how it stands ---- */

static bool ask(struct stage *stage, uint32_t host, int64_t heard_s, int64_t at_s, int64_t now_s,
	struct patch_host *out)
{
	const struct patch_asked asked = {host, "web01", heard_s};
	const struct patch_question question = {.asked = &asked,
		.n = 1,
		.now_ms = now_s * 1000,
		.at_ms = at_s * 1000,
		.with_fixes = true};
	struct patch_host *hosts;
	struct fw_err err;
	size_t n;
	if (patch_judge(&stage->patch, &question, &stage->arena, &hosts, &n, &err) < 0)
		fail_msg("%s", err.text);
	if (n > 0)
		*out = hosts[0];
	return n > 0;
}

/* Now, at a moment of our choice; the host was heard just then. */
static struct patch_host judged(struct stage *stage, uint32_t host, int64_t now_s)
{
	struct patch_host out;
	assert_true(ask(stage, host, now_s, 0, now_s, &out));
	return out;
}

static void is_standing(const struct patch_host *host, enum patch_standing wanted)
{
	enum patch_standing got = patch_standing(host, PATCH_CE14);
	if (got != wanted)
		fail_msg("it is %s, not %s (%s)", patch_standing_names[got],
			patch_standing_names[wanted], host->why ? host->why : "-");
}

/* Fetches the lists once more, so that they are fresh. */
static struct patch_host again(struct stage *stage, uint32_t host, int64_t at_s, const char *fixes)
{
	put(stage, host, at_s, table(stage, at_s, fixes));
	return judged(stage, host, at_s);
}

/* ---- the stories ---- */

static void fourteen_days_to_the_second(void **state)
{
	struct stage *stage = *state;
	char fixes[256];
	snprintf(fixes, sizeof fixes, OPENSSL "\tstate=pending\tclass=security\treleased=%lld\n",
		(long long)T);
	struct patch_host host = again(stage, 1, T + 13 * DAY_S + 23 * HOUR_S, fixes);
	assert_int_equal(host.overdue[PATCH_CE14], 0);
	assert_int_equal(host.overdue[PATCH_NCSC5], 1);
	is_standing(&host, PATCH_COMPLIANT);
	assert_int_equal(host.next_s, T + 14 * DAY_S + 1);
	host = judged(stage, 1, T + 14 * DAY_S);
	is_standing(&host, PATCH_COMPLIANT);
	host = judged(stage, 1, T + 14 * DAY_S + 1);
	assert_int_equal(host.overdue[PATCH_CE14], 1);
	is_standing(&host, PATCH_OVERDUE);
	assert_int_equal(host.fixes[0].basis, PATCH_BY_VENDOR);
	assert_int_equal(host.fixes[0].start_s, T);
}

static void installed_is_not_done_before_the_reboot(void **state)
{
	struct stage *stage = *state;
	int64_t late_s = T + 15 * DAY_S;
	struct patch_host host =
		again(stage, 1, T, OPENSSL "\tstate=pending\tclass=security\tneeds=reboot\n");
	is_standing(&host, PATCH_COMPLIANT);
	assert_int_equal(host.fixes[0].basis, PATCH_BY_SIGHT);
	host = again(stage, 1, late_s,
		"+openssl:amd64\tinstalled=3.0.15-1\tcandidate=3.0.15-1\tsource=openssl"
		"\tstate=unfinished\tclass=security\tneeds=reboot\n");
	is_standing(&host, PATCH_OVERDUE);
	assert_int_equal(host.unfinished, 1);
	assert_int_equal(host.pending, 0);
	assert_int_equal(host.fixes[0].start_s, T);
	/* The reboot: the agent lists it no longer. */
	host = again(stage, 1, late_s + HOUR_S, "");
	is_standing(&host, PATCH_COMPLIANT);
}

static void what_lists_of_other_hosts_tell(void **state)
{
	struct stage *stage = *state;
	char fixes[256];
	/* This host saw the fix first in a list, and had none before it. */
	struct patch_host host = again(stage, 1, T, OPENSSL "\tstate=pending\tclass=security\n");
	assert_int_equal(host.fixes[0].start_s, T);
	/* Another one knows a list of nine days ago that lacked it. */
	snprintf(fixes, sizeof fixes, OPENSSL "\tstate=pending\tclass=security\tlisted=%lld\n",
		(long long)(T - 9 * DAY_S));
	again(stage, 2, T, fixes);
	host = judged(stage, 1, T);
	assert_int_equal(host.fixes[0].start_s, T - 9 * DAY_S);
	assert_int_equal(host.fixes[0].basis, PATCH_BY_LIST);
	/* A third one a newer such list: the fix came after that. */
	snprintf(fixes, sizeof fixes, OPENSSL "\tstate=pending\tclass=security\tlisted=%lld\n",
		(long long)(T - 2 * DAY_S));
	again(stage, 3, T, fixes);
	host = judged(stage, 1, T);
	assert_int_equal(host.fixes[0].start_s, T - 2 * DAY_S);
	/* What was never installed is not done by a newer candidate. */
	snprintf(fixes, sizeof fixes,
		CURL "\tstate=pending\tclass=security\tlisted=%lld\tsince=%lld\n",
		(long long)(T - 2 * DAY_S), (long long)(T - 30 * DAY_S));
	host = again(stage, 4, T, fixes);
	assert_int_equal(host.fixes[0].start_s, T - 30 * DAY_S);
	assert_int_equal(host.fixes[0].basis, PATCH_BY_EARLIER);
	is_standing(&host, PATCH_OVERDUE);
}

static void import(struct stage *stage, const char *name, int64_t issued_s, const char *severity,
	const char *package, const char *release, const char *version)
{
	const struct patch_advisory_fix fix = {package, release, version};
	const struct patch_advisory advisory = {.name = name,
		.issued_s = issued_s,
		.severity = severity,
		.n_fixes = 1,
		.fixes = &fix};
	struct fw_err err;
	if (patch_import(&stage->patch, &advisory, 1, T * 1000, &err) < 0)
		fail_msg("%s", err.text);
}

static void an_import_moves_the_clock(void **state)
{
	struct stage *stage = *state;
	struct patch_host host = again(stage, 1, T, OPENSSL "\tstate=pending\tclass=bugfix\n");
	is_standing(&host, PATCH_COMPLIANT);
	assert_int_equal(host.fixes[0].due_s[PATCH_CE14], 0);
	/* Not for this release, fixed before, fixed later than the candidate. */
	import(stage, "DSA-1-1", T - 90 * DAY_S, "", "openssl", "bullseye", "3.0.12-1");
	import(stage, "DSA-2-1", T - 80 * DAY_S, "", "openssl", "bookworm", "3.0.11-1");
	import(stage, "DSA-3-1", T - 70 * DAY_S, "", "openssl", "bookworm", "3.0.16-1");
	host = judged(stage, 1, T);
	is_standing(&host, PATCH_COMPLIANT);
	assert_string_equal(host.fixes[0].advisory, "");
	import(stage, "DSA-5-1", T - 10 * DAY_S, "high", "openssl", "bookworm", "3.0.15-1");
	import(stage, "DSA-4-1", T - 20 * DAY_S, "low", "openssl", "bookworm", "3.0.13-1");
	host = judged(stage, 1, T);
	is_standing(&host, PATCH_OVERDUE);
	assert_string_equal(host.fixes[0].advisory, "DSA-4-1");
	assert_string_equal(host.fixes[0].severity, "high");
	assert_int_equal(host.fixes[0].class, PATCH_SECURITY);
	assert_int_equal(host.fixes[0].start_s, T - 20 * DAY_S);
	assert_int_equal(host.fixes[0].basis, PATCH_BY_ADVISORY);
	/* Once installed it still closes the same ones, until the reboot. */
	host = again(stage, 1, T + HOUR_S,
		"+openssl:amd64\tinstalled=3.0.15-1\tcandidate=3.0.15-1\tsource=openssl"
		"\tstate=unfinished\tclass=bugfix\tneeds=reboot\n");
	assert_string_equal(host.fixes[0].advisory, "DSA-4-1");
	is_standing(&host, PATCH_OVERDUE);
}

static void a_signed_kernel_is_the_kernel(void **state)
{
	struct stage *stage = *state;
	import(stage, "DSA-9-1", T - 20 * DAY_S, "", "linux", "bookworm", "6.1.99-1");
	struct patch_host host = again(stage, 1, T,
		"+linux-image-amd64:amd64\tinstalled=6.1.90-1\tcandidate=6.1.99-1"
		"\tsource=linux-signed-amd64\tstate=pending\tclass=security\tneeds=reboot\n");
	assert_string_equal(host.fixes[0].advisory, "DSA-9-1");
}

/* A restart that has been missing for long is told by the agent, whenever we came to know. */
static void what_waits_for_a_restart(void **state)
{
	struct stage *stage = *state;
	char fixes[256];
	snprintf(fixes, sizeof fixes,
		"+kernel:x86_64\tinstalled=5.14-3\tcandidate=5.14-3\tsource=kernel\tneeds=reboot"
		"\tstate=unfinished\tclass=unknown\twaits=%lld\n",
		(long long)(T - 40 * DAY_S));
	struct patch_host host = again(stage, 1, T, fixes);
	is_standing(&host, PATCH_OVERDUE);
	assert_int_equal(host.fixes[0].start_s, T - 40 * DAY_S);
	/* A newer one that is pending does not hide the one that is not at work. */
	snprintf(fixes, sizeof fixes,
		"+kernel:x86_64\tinstalled=5.14-3\tcandidate=5.14-4\tsource=kernel\tneeds=reboot"
		"\tstate=pending\tclass=unknown\twaits=%lld\n",
		(long long)(T - 40 * DAY_S));
	host = again(stage, 2, T, fixes);
	is_standing(&host, PATCH_OVERDUE);
	assert_int_equal(host.fixes[0].basis, PATCH_BY_EARLIER);
}

static void a_feature_is_no_security_fix(void **state)
{
	struct stage *stage = *state;
	struct patch_host host =
		again(stage, 1, T, OPENSSL "\tstate=pending\tclass=feature\treleased=1700000000\n");
	is_standing(&host, PATCH_COMPLIANT);
	assert_int_equal(host.overdue[PATCH_NCSC7], 1);
}

static void rpm_versions_in_rpms_order(void **state)
{
	struct stage *stage = *state;
	import(stage, "RHSA-1", T - 20 * DAY_S, "Important", "kernel", "el9", "5.14.0-70.el9");
	put(stage, 1, T,
		"+kernel:x86_64\tinstalled=5.14.0-7.el9\tcandidate=5.14.0-362.el9\tsource=kernel"
		"\tstate=pending\tclass=security\n+os\tid=rocky\tversion=9.3\n"
		"+source/rpm\tstate=ok\tfetched=1795380000\n");
	struct patch_host host = judged(stage, 1, T);
	assert_string_equal(host.fixes[0].advisory, "RHSA-1");
	is_standing(&host, PATCH_OVERDUE);
}

static void doubt_is_no_compliance(void **state)
{
	struct stage *stage = *state;
	struct patch_host host = again(stage, 1, T, "");
	is_standing(&host, PATCH_COMPLIANT); /* the control */
	host = judged(stage, 1, T - HOUR_S + 3 * DAY_S);
	is_standing(&host, PATCH_COMPLIANT);
	host = judged(stage, 1, T - HOUR_S + 3 * DAY_S + 1);
	is_standing(&host, PATCH_UNPROVEN);
	/* The agent says it of lists that are a year old. */
	put(stage, 2, T, OS "+source/apt\tstate=unproven\twhy=old\tfetched=1763850000\n");
	host = judged(stage, 2, T);
	is_standing(&host, PATCH_UNPROVEN);
	assert_string_equal(host.why, "apt: old");
	/* It has not been heard for ten days. */
	again(stage, 3, T, "");
	assert_true(ask(stage, 3, T, 0, T + 10 * DAY_S, &host));
	is_standing(&host, PATCH_UNPROVEN);
	assert_string_equal(host.why, "not heard from for over 3 days");
	/* It has nothing that tells of patches. */
	host = judged(stage, 4, T);
	is_standing(&host, PATCH_UNPROVEN);
	put(stage, 5, T, "+os\tid=arch\n+source/apt\tstate=ok\n");
	host = judged(stage, 5, T);
	is_standing(&host, PATCH_UNPROVEN);
	put(stage, 6, T, OS);
	host = judged(stage, 6, T);
	is_standing(&host, PATCH_UNPROVEN);
}

/* A host whose clock was years ahead when it fetched, and one that does not say when. */
static void times_that_prove_nothing(void **state)
{
	struct stage *stage = *state;
	struct patch_host host;
	put(stage, 1, T, OS "+source/apt\tstate=ok\tfetched=1895390000\n");
	host = judged(stage, 1, T);
	is_standing(&host, PATCH_UNPROVEN);
	put(stage, 2, T, OS "+source/apt\tstate=ok\n");
	host = judged(stage, 2, T);
	is_standing(&host, PATCH_UNPROVEN);
	/* One of its parts is ahead, and the oldest is in order. */
	put(stage, 3, T,
		OS "+source/rpm\tstate=ok\tfetched=1795380000\n"
		   "+source/rpm/epel\tstate=ok\tfetched=1895390000\n");
	host = judged(stage, 3, T);
	is_standing(&host, PATCH_UNPROVEN);
	assert_non_null(strstr(host.why, "rpm/epel: "));
	/* The collector's own clock was ahead when it last heard of this one. */
	again(stage, 4, T, "");
	assert_true(ask(stage, 4, T + 100 * DAY_S, 0, T, &host));
	is_standing(&host, PATCH_UNPROVEN);
	assert_true(ask(stage, 4, T + HOUR_S, 0, T, &host)); /* the control */
	is_standing(&host, PATCH_COMPLIANT);
}

/* The part that is in doubt is named, not only the whole. */
static void the_part_in_doubt_is_named(void **state)
{
	struct stage *stage = *state;
	put(stage, 1, T,
		OS "+source/apt\tstate=unproven\twhy=old\tfetched=1763850000\n"
		   "+source/apt/Debian:bookworm/stable\tstate=unproven\twhy=old\n");
	struct patch_host host = judged(stage, 1, T);
	assert_string_equal(host.why, "apt/Debian:bookworm/stable: old");
}

/* Installed fixes may wait for restarts that nobody could see. */
static void unseen_restarts_prove_nothing(void **state)
{
	struct stage *stage = *state;
	put(stage, 1, T,
		OS "+source/apt\tstate=ok\tfetched=1795380000\n"
		   "+source/restarts\tstate=unproven\twhy=partial\n");
	struct patch_host host = judged(stage, 1, T);
	is_standing(&host, PATCH_UNPROVEN);
	assert_non_null(strstr(host.why, "restarts: processes of other users"));
	put(stage, 2, T,
		OS "+source/apt\tstate=ok\tfetched=1795380000\n"
		   "+source/restarts\tstate=ok\n");
	host = judged(stage, 2, T);
	is_standing(&host, PATCH_COMPLIANT);
}

/* One of them says low and the other nothing: so nobody said that the fix can wait. */
static void a_mild_advisory_does_not_hide_one_that_says_nothing(void **state)
{
	struct stage *stage = *state;
	import(stage, "DSA-1-1", T - 20 * DAY_S, "", "openssl", "bookworm", "3.0.12-1");
	import(stage, "DSA-2-1", T - 19 * DAY_S, "low", "openssl", "bookworm", "3.0.13-1");
	struct patch_host host = again(stage, 1, T, OPENSSL "\tstate=pending\tclass=security\n");
	is_standing(&host, PATCH_OVERDUE);
	/* Nor one of the host's own metadata. */
	import(stage, "CVE-2", T - 19 * DAY_S, "low", "curl", "bookworm", "7.1-2");
	host = again(stage, 2, T,
		CURL "\tstate=pending\tclass=security\tadvisory=RHSA-1\treleased=1793000000\n");
	is_standing(&host, PATCH_OVERDUE);
	host = again(stage, 3, T, CURL "\tstate=pending\tclass=security\n"); /* the control */
	is_standing(&host, PATCH_COMPLIANT);
	assert_string_equal(host.fixes[0].severity, "low");
}

static void systems_past_their_support(void **state)
{
	struct stage *stage = *state;
	static const char old[] = "+os\tid=ubuntu\tversion=18.04\n"
				  "+source/apt\tstate=ok\tfetched=1795380000\n";
	const char *paid[] = {"db*", "web0?"};
	const struct patch_options options = {.paid_support = {paid, 2}};
	put(stage, 1, T, old);
	struct patch_host host = judged(stage, 1, T);
	is_standing(&host, PATCH_UNSUPPORTED);
	stage->patch.config.options = &options;
	host = judged(stage, 1, T);
	is_standing(&host, PATCH_COMPLIANT);
	paid[1] = "web1?";
	host = judged(stage, 1, T);
	is_standing(&host, PATCH_UNSUPPORTED);
}

static void any_date_in_the_past(void **state)
{
	struct stage *stage = *state;
	struct patch_host host, twice;
	again(stage, 1, T, OPENSSL "\tstate=pending\tclass=security\n");
	again(stage, 1, T + DAY_S, OPENSSL "\tstate=pending\tclass=security\n");
	again(stage, 1, T + 15 * DAY_S, OPENSSL "\tstate=pending\tclass=security\n");
	again(stage, 1, T + 16 * DAY_S, "");
	int64_t now_s = T + 100 * DAY_S;
	assert_false(ask(stage, 1, now_s, T - DAY_S, now_s, &host)); /* not known then */
	assert_true(ask(stage, 1, now_s, T + HOUR_S, now_s, &host));
	is_standing(&host, PATCH_COMPLIANT);
	assert_int_equal(host.pending, 1);
	assert_true(ask(stage, 1, now_s, T + 8 * DAY_S, now_s, &host));
	is_standing(&host, PATCH_UNPROVEN); /* silent from the second day to the fifteenth */
	assert_true(ask(stage, 1, now_s, T + 15 * DAY_S, now_s, &host));
	is_standing(&host, PATCH_OVERDUE);
	assert_true(ask(stage, 1, now_s, T + 16 * DAY_S, now_s, &host));
	is_standing(&host, PATCH_COMPLIANT);
	assert_true(ask(stage, 1, now_s + 1, T + 16 * DAY_S, now_s + 1, &twice));
	assert_int_equal(host.heard_s, twice.heard_s);
	assert_int_equal(host.next_s, twice.next_s);
}

/* ---- what it costs ---- */

static int on_step(void *arg)
{
	(*(int64_t *)arg)++;
	return 0;
}

/* Steps of SQLite's machine for one host. */
static int64_t work_of(struct stage *stage, uint32_t host)
{
	struct judge judge = {.support = &stage->patch.support, .arena = &stage->arena, .now_s = T};
	const struct patch_asked asked = {host, "web01", T};
	struct patch_host out;
	struct fw_err err;
	int64_t steps = 0;
	assert_int_equal(state_open_reader(&judge.state, stage->dir, &err), 0);
	inventory_open_reader(&judge.inventory, judge.state);
	sqlite3_progress_handler(state_db(judge.state), 1, on_step, &steps);
	assert_int_equal(judge_host(&judge, &asked, &out, &err), 1);
	assert_int_equal(out.n_fixes, 50);
	inventory_close(judge.inventory);
	state_close(judge.state);
	return steps;
}

static void put_fifty(struct stage *stage, uint32_t host)
{
	struct fw_buf fixes = {0};
	for (int i = 0; i < 50; i++)
		fw_buf_printf(&fixes,
			"+lib%02d:amd64\tinstalled=1.%u\tcandidate=2.0\tsource=lib%02d"
			"\tstate=pending\tclass=security\n",
			i, host % 7, i);
	put(stage, host, T, table(stage, T, (const char *)fixes.data));
	fw_buf_done(&fixes);
}

/* Hosts up to number `last` have what the first ten have. */
static void copy_hosts(struct stage *stage, int64_t last)
{
	struct state *state = stage->patch.config.state;
	struct fw_err err;
	int rc = state_run(state, &err,
		"INSERT INTO inventory_item (host, kind, text, from_ms)"
		" WITH RECURSIVE n (host) AS (SELECT 11 UNION ALL SELECT host + 1 FROM n"
		"  WHERE host < ?) SELECT n.host, kind, text, from_ms FROM n"
		" JOIN inventory_item i ON i.host = n.host % 10 + 1",
		"i", last);
	if (rc == 0)
		rc = state_run(state, &err,
			"INSERT INTO inventory_document SELECT value, kind, agent, stream, seq,"
			" revision, first_ms, at_ms, missing, rows FROM inventory_document,"
			" (WITH RECURSIVE n (value) AS (SELECT 11 UNION ALL SELECT value + 1 FROM n"
			"  WHERE value < ?) SELECT value FROM n) WHERE host = value % 10 + 1",
			"i", last);
	if (rc < 0)
		fail_msg("%s", err.text);
}

static void judge_fleet(struct stage *stage, size_t n)
{
	struct patch_asked *asked = fw_arena_alloc(&stage->arena, n * sizeof *asked);
	for (size_t i = 0; i < n; i++)
		asked[i] = (struct patch_asked){(uint32_t)i + 1, "web01", T};
	const struct patch_question question = {.asked = asked, .n = n, .now_ms = T * 1000};
	struct patch_host *hosts;
	struct fw_err err;
	size_t n_judged, before = stage->arena.used;
	assert_int_equal(
		patch_judge(&stage->patch, &question, &stage->arena, &hosts, &n_judged, &err), 0);
	assert_int_equal(n_judged, n);
	for (size_t i = 0; i < n; i++)
		assert_int_equal(hosts[i].pending, 50);
	print_message("# bytes kept of a host: %zu\n", (stage->arena.used - before) / n);
	assert_true((stage->arena.used - before) / n < 1024);
}

/* A host costs what it has fixes, however many others have the same. */
static void the_fleet_does_not_make_a_host_dearer(void **state)
{
	struct stage *stage = *state;
	for (uint32_t host = 1; host <= 10; host++)
		put_fifty(stage, host);
	int64_t few = work_of(stage, 5);
	copy_hosts(stage, 2000);
	int64_t many = work_of(stage, 1005);
	judge_fleet(stage, 2000);
	print_message("# steps a host of 50 fixes: %lld among 10, %lld among 2000\n",
		(long long)few, (long long)many);
	assert_true(many <= few + few / 10);
	assert_true(few / 50 < 400);
}

int main(void)
{
#define STORY(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		STORY(fourteen_days_to_the_second),
		STORY(installed_is_not_done_before_the_reboot),
		STORY(what_lists_of_other_hosts_tell),
		STORY(an_import_moves_the_clock),
		STORY(a_signed_kernel_is_the_kernel),
		STORY(what_waits_for_a_restart),
		STORY(unseen_restarts_prove_nothing),
		STORY(a_feature_is_no_security_fix),
		STORY(rpm_versions_in_rpms_order),
		STORY(doubt_is_no_compliance),
		STORY(times_that_prove_nothing),
		STORY(the_part_in_doubt_is_named),
		STORY(a_mild_advisory_does_not_hide_one_that_says_nothing),
		STORY(systems_past_their_support),
		STORY(any_date_in_the_past),
		STORY(the_fleet_does_not_make_a_host_dearer),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
