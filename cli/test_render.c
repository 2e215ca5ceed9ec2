/* SPDX-License-Identifier: Apache-2.0 */
/* Recorded answers and what the command line makes of them: recorded/NAME.json is
 * the `data`, recorded/NAME.txt the screen, as wide as a telephone where it says so.
 * FENWATCH_WRITE_EXPECTED=1 writes the screens anew, to be looked at before they are kept.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <fenwatch/file.h>

#include "render.h"

/* 2026-11-23T00:00:00Z */
#define NOW_MS INT64_C(1795392000000)

static const char *folder;

struct recording {
	const char *name, *answer;
	enum status (*render)(struct screen *s, const json_t *data);
	enum status status;
	size_t width;
	enum screen_form form;
};

static const struct recording recordings[] = {
	{"hosts", "hosts", render_hosts, STATUS_WELL, 0, FORM_TEXT},
	{"hosts-narrow", "hosts", render_hosts, STATUS_WELL, 40, FORM_TEXT},
	{"hosts-none", "alerts-none", render_hosts, STATUS_WELL, 0, FORM_TEXT},
	{"host", "host", render_host, STATUS_BAD_NEWS, 0, FORM_TEXT},
	{"host-narrow", "host", render_host, STATUS_BAD_NEWS, 40, FORM_TEXT},
	{"host-bare", "host-bare", render_host, STATUS_WELL, 40, FORM_TEXT},
	{"host-late", "host-late", render_host, STATUS_WELL, 40, FORM_TEXT},
	{"inventory", "inventory", render_inventory, STATUS_WELL, 0, FORM_TEXT},
	{"inventory-narrow", "inventory", render_inventory, STATUS_WELL, 40, FORM_TEXT},
	{"found", "found", render_found, STATUS_WELL, 0, FORM_TEXT},
	{"found-none", "found-none", render_found, STATUS_WELL, 0, FORM_TEXT},
	{"depends", "depends", render_depends, STATUS_WELL, 0, FORM_TEXT},
	{"depends-none", "depends-none", render_depends, STATUS_WELL, 0, FORM_TEXT},
	{"depends-stopped", "depends-stopped", render_depends, STATUS_BAD_NEWS, 0, FORM_TEXT},
	{"depends-unheard", "found-none", render_depends, STATUS_BAD_NEWS, 0, FORM_TEXT},
	{"licences", "licences", render_licences, STATUS_BAD_NEWS, 0, FORM_TEXT},
	{"licences-well", "licences-well", render_licences, STATUS_WELL, 0, FORM_TEXT},
	{"licences-none", "licences-none", render_licences, STATUS_WELL, 0, FORM_TEXT},
	{"licences-csv", "licences", render_licences, STATUS_BAD_NEWS, 0, FORM_CSV},
	{"licences-html", "licences", render_licences, STATUS_BAD_NEWS, 0, FORM_HTML},
	{"licence", "licence", render_licence, STATUS_BAD_NEWS, 0, FORM_TEXT},
	{"licence-csv", "licence", render_licence, STATUS_BAD_NEWS, 0, FORM_CSV},
	{"licence-html", "licence", render_licence, STATUS_BAD_NEWS, 0, FORM_HTML},
	{"patches", "patches", render_patches, STATUS_WELL, 0, FORM_TEXT},
	{"patches-narrow", "patches", render_patches, STATUS_WELL, 40, FORM_TEXT},
	{"host-patches", "host-patches", render_host_patches, STATUS_BAD_NEWS, 40, FORM_TEXT},
	{"compliance", "compliance", render_compliance, STATUS_WELL, 0, FORM_TEXT},
	{"compliance-csv", "compliance", render_compliance, STATUS_WELL, 0, FORM_CSV},
	{"compliance-html", "compliance", render_compliance, STATUS_WELL, 0, FORM_HTML},
	{"advisories", "advisories", render_advisories, STATUS_WELL, 0, FORM_TEXT},
	{"advisories-none", "advisories-none", render_advisories, STATUS_WELL, 0, FORM_TEXT},
	{"disks", "disks", render_disks, STATUS_WELL, 0, FORM_TEXT},
	{"disks-host", "disks", render_host_disks, STATUS_WELL, 0, FORM_TEXT},
	{"disks-nobody", "alerts-none", render_host_disks, STATUS_BAD_NEWS, 0, FORM_TEXT},
	{"capacity", "capacity", render_capacity, STATUS_WELL, 0, FORM_TEXT},
	{"capacity-csv", "capacity", render_capacity, STATUS_WELL, 0, FORM_CSV},
	{"capacity-html", "capacity", render_capacity, STATUS_WELL, 0, FORM_HTML},
	{"capacity-none", "alerts-none", render_capacity, STATUS_WELL, 0, FORM_TEXT},
	{"alerts", "alerts", render_alerts, STATUS_BAD_NEWS, 0, FORM_TEXT},
	{"alerts-info", "alerts-info", render_alerts, STATUS_WELL, 0, FORM_TEXT},
	{"alerts-none", "alerts-none", render_alerts, STATUS_WELL, 0, FORM_TEXT},
	{"silences", "silences", render_silences, STATUS_WELL, 0, FORM_TEXT},
	{"silences-none", "alerts-none", render_silences, STATUS_WELL, 0, FORM_TEXT},
	{"tickets", "tickets", render_tickets, STATUS_BAD_NEWS, 0, FORM_TEXT},
	{"tickets-none", "alerts-none", render_tickets, STATUS_WELL, 0, FORM_TEXT},
	{"sla", "sla", render_sla, STATUS_WELL, 0, FORM_TEXT},
	{"sla-csv", "sla", render_sla, STATUS_WELL, 0, FORM_CSV},
	{"sla-html", "sla", render_sla, STATUS_WELL, 0, FORM_HTML},
	{"volumes", "volumes", render_volumes, STATUS_WELL, 0, FORM_TEXT},
	{"volumes-csv", "volumes", render_volumes, STATUS_WELL, 0, FORM_CSV},
	{"volumes-html", "volumes", render_volumes, STATUS_WELL, 0, FORM_HTML},
	{"worklist", "worklist", render_worklist, STATUS_WELL, 0, FORM_TEXT},
	{"worklist-none", "alerts-none", render_worklist, STATUS_WELL, 0, FORM_TEXT},
	{"replay", "replay", render_replay, STATUS_BAD_NEWS, 0, FORM_TEXT},
	{"replay-nothing", "alerts-none", render_replay, STATUS_WELL, 0, FORM_TEXT},
	{"audit", "audit", render_audit, STATUS_WELL, 0, FORM_TEXT},
	{"audit-whole", "audit-whole", render_audit_verdict, STATUS_WELL, 0, FORM_TEXT},
	{"audit-broken", "audit-broken", render_audit_verdict, STATUS_BAD_NEWS, 0, FORM_TEXT},
	{"maintenance", "maintenance", render_maintenance, STATUS_WELL, 0, FORM_TEXT},
	{"maintenance-none", "alerts-none", render_maintenance, STATUS_WELL, 0, FORM_TEXT},
	{"watch", "watch", render_watch, STATUS_WELL, 0, FORM_TEXT},
	{"watch-warning", "watch-warning", render_watch, (enum status)1, 0, FORM_TEXT},
	{"watch-critical", "watch-critical", render_watch, (enum status)2, 0, FORM_TEXT},
	{"watch-unknown", "watch-unknown", render_watch, (enum status)3, 0, FORM_TEXT},
	{"watch-strange", "alerts-none", render_watch, (enum status)2, 0, FORM_TEXT},
	{"vector", "vector", render_result, STATUS_WELL, 0, FORM_TEXT},
	{"matrix", "matrix", render_result, STATUS_WELL, 0, FORM_TEXT},
	{"range", "range", render_range, STATUS_WELL, 72, FORM_TEXT},
	{"range-flat", "range-flat", render_range, STATUS_WELL, 40, FORM_TEXT},
	{"range-many", "range-many", render_range, STATUS_WELL, 60, FORM_TEXT},
	{"range-nothing", "range-nothing", render_range, STATUS_WELL, 72, FORM_TEXT},
	{"matrix", "matrix", render_range, STATUS_WELL, 0, FORM_TEXT},
	{"scalar", "scalar", render_result, STATUS_WELL, 0, FORM_TEXT},
	{"series", "series", render_series, STATUS_WELL, 0, FORM_TEXT},
	{"tokens", "tokens", render_tokens, STATUS_WELL, 0, FORM_TEXT},
	{"new-token", "new-token", render_new_token, STATUS_WELL, 0, FORM_TEXT},
	{"agents", "agents", render_agents, STATUS_WELL, 0, FORM_TEXT},
	{"ca", "ca", render_ca, STATUS_WELL, 0, FORM_TEXT},
	{"ca-alone", "ca-alone", render_ca, STATUS_WELL, 0, FORM_TEXT},
	{"store", "store", render_store, STATUS_BAD_NEWS, 0, FORM_TEXT},
	{"store-well", "store-well", render_store, STATUS_WELL, 0, FORM_TEXT},
	{"snapshot", "snapshot", render_snapshot, STATUS_WELL, 0, FORM_TEXT},
	{"snapshot-failed", "snapshot-failed", render_snapshot, STATUS_BAD_NEWS, 0, FORM_TEXT},
	{"feeds", "feeds", render_feeds, STATUS_WELL, 0, FORM_TEXT},
	{"notices", "notices", render_notices, STATUS_WELL, 0, FORM_TEXT},
	{"feed-test", "notices", render_test, STATUS_BAD_NEWS, 0, FORM_TEXT},
};
#define N_RECORDINGS (sizeof recordings / sizeof *recordings)

static void read_recorded(const char *name, const char *ending, struct fw_buf *out)
{
	char path[1024];
	struct fw_err err;
	snprintf(path, sizeof path, "%s/%s.%s", folder, name, ending);
	if (fw_file_read(path, 1u << 20, out, &err) < 0)
		fail_msg("%s", err.text);
}

static void write_recorded(const char *name, const struct fw_buf *text)
{
	char path[1024];
	struct fw_err err;
	snprintf(path, sizeof path, "%s/%s.txt", folder, name);
	if (fw_file_replace(path, text->data, text->length, 0644, &err) < 0)
		fail_msg("%s", err.text);
}

static json_t *read_answer(const char *name)
{
	struct fw_buf text = {0};
	json_error_t why;
	read_recorded(name, "json", &text);
	json_t *data = json_loadb((const char *)text.data, text.length, 0, &why);
	if (!data)
		fail_msg("%s.json:%d: %s", name, why.line, why.text);
	fw_buf_done(&text);
	return data;
}

static void check_recording(const struct recording *r)
{
	struct screen s = {
		.now_ms = NOW_MS, .charts = r->width > 0, .width = r->width, .form = r->form};
	struct fw_buf wanted = {0};
	json_t *data = read_answer(r->answer);
	enum status status = r->render(&s, data);
	if (getenv("FENWATCH_WRITE_EXPECTED"))
		write_recorded(r->name, &s.out);
	read_recorded(r->name, "txt", &wanted);
	if (strcmp((const char *)s.out.data, (const char *)wanted.data) != 0)
		fail_msg("%s:\n%s", r->name, (const char *)s.out.data);
	assert_int_equal(status, r->status);
	json_decref(data);
	fw_buf_done(&wanted);
	screen_done(&s);
}

static void test_recorded_answers(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_RECORDINGS; i++)
		check_recording(&recordings[i]);
}

static void harm(size_t width)
{
	for (size_t i = 0; i < N_RECORDINGS; i++) {
		for (size_t k = 0; k <= N_RECORDINGS; k++) {
			struct screen s = {.now_ms = NOW_MS, .charts = true, .width = width};
			json_t *data =
				read_answer(k < N_RECORDINGS ? recordings[k].answer : "strange");
			recordings[i].render(&s, data);
			for (size_t at = 0; at < s.out.length; at++)
				assert_true(s.out.data[at] == '\n' ||
					(s.out.data[at] >= ' ' && s.out.data[at] != 0x7f));
			json_decref(data);
			screen_done(&s);
		}
	}
}

/* Every renderer meets every answer, the wrong ones too: nothing that comes may
 * break one, and no control character may go out but the newline. */
static void test_no_answer_harms_a_terminal(void **state)
{
	(void)state;
	harm(20);
	harm(60);
}

static void test_colours_are_for_terminals(void **state)
{
	(void)state;
	struct screen s = {.now_ms = NOW_MS, .colour = true};
	json_t *data = read_answer("hosts");
	render_hosts(&s, data);
	assert_non_null(strstr((const char *)s.out.data, "\033[1;31msilent\033[0m"));
	assert_non_null(strstr((const char *)s.out.data, "evil\\x1b[31m"));
	json_decref(data);
	screen_done(&s);
}

static void test_widths(void **state)
{
	(void)state;
	assert_int_equal(screen_width("web01"), 5);
	assert_int_equal(screen_width("na\xc3\xafve"), 5);
	assert_int_equal(screen_width("\xe6\x9d\xb1\xe4\xba\xac"), 4);
	assert_int_equal(screen_width("e\xcc\x81"), 1);
	assert_int_equal(screen_width("\xf0\x9f\x98\x80"), 2);
	assert_int_equal(screen_width(""), 0);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_recorded_answers),
		cmocka_unit_test(test_no_answer_harms_a_terminal),
		cmocka_unit_test(test_colours_are_for_terminals),
		cmocka_unit_test(test_widths),
	};
	if (argc != 2)
		return 1;
	folder = argv[1];
	return cmocka_run_group_tests(tests, NULL, NULL);
}
