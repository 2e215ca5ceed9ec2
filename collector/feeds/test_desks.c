/* SPDX-License-Identifier: Apache-2.0 */
/* The desks of vendors, each against a receiver that answers as they publish it. */
#include "testkit.h"

#include <string.h>

#include <jansson.h>

#define ID "46d44a5dc0a8010e0000e39d1bd06dd1"

static json_t *body_of(const struct kit *kit, size_t i)
{
	json_t *root = json_loads(kit_got(kit, i)->body, 0, NULL);
	assert_non_null(root);
	return root;
}

static void expect_text(const json_t *object, const char *name, const char *text)
{
	const char *found = json_string_value(json_object_get(object, name));
	assert_string_equal(found ? found : "none", text);
}

static void expect_request(const struct kit *kit, size_t i, const char *line)
{
	const char *head = kit_got(kit, i)->head;
	if (strncmp(head, line, strlen(line)) != 0)
		fail_msg("'%.*s' is not '%s'", (int)strcspn(head, "\r"), head, line);
}

/* A text of this many characters, each of two bytes. */
static const char *long_text(struct kit *kit, size_t characters)
{
	char *text = fw_arena_alloc(&kit->arena, 2 * characters + 1);
	for (size_t i = 0; i < characters; i++)
		memcpy(text + 2 * i, "\xc3\xa4", 2);
	return text;
}

static size_t characters(const char *text)
{
	size_t n = 0;
	for (; *text; text++)
		n += ((unsigned char)*text & 0xc0) != 0x80;
	return n;
}

/* What the register says, as it stands in a ticket. */
#define LINES                                                                    \
	"Little is left for ordinary users.\n\nPriority: P2\nTier: blue-light\n" \
	"Site: Boston Fire\nAddress: Robin Hood's Walk\n"                        \
	"Purpose: forms, payments\nContract: no. 4711\n"                         \
	"Contract ends: 2027-03-31\nRing: 01522 580397\nSerial number: CZ3\"7\n"

/* ---- PagerDuty ---- */

#define PAGERDUTY "url: 'http://127.0.0.1:PORT/v2/enqueue'\nrouting_key_file: DIR/key"

static void test_pagerduty_triggers_and_resolves(void **arg)
{
	struct kit *kit = *arg;
	kit_file(kit, "key", "0123456789abcdef0123456789abcdef\n");
	kit_configure(kit, "pagerduty", PAGERDUTY);
	kit->receiver.answer = 202;
	assert_int_equal(kit_deliver(kit), DELIVERED);
	json_t *event = body_of(kit, 0), *payload = json_object_get(event, "payload");
	expect_request(kit, 0, "POST /v2/enqueue HTTP/1.1\r\n");
	assert_int_equal(json_object_size(event), 6);
	expect_text(event, "routing_key", "0123456789abcdef0123456789abcdef");
	expect_text(event, "event_action", "trigger");
	expect_text(event, "dedup_key", kit->notice.key);
	expect_text(payload, "summary", "web01: /srv has 4.0 % left");
	expect_text(payload, "source", "web01");
	expect_text(payload, "severity", "critical");
	expect_text(payload, "timestamp", "2026-11-22T10:00:00.000Z");
	expect_text(json_object_get(payload, "custom_details"), "mountpoint", "/srv/\"quoted\"\n");
	json_decref(event);
	kit_resolve(kit, "");
	assert_int_equal(kit_deliver(kit), DELIVERED);
	event = body_of(kit, 1);
	assert_int_equal(json_object_size(event), 3);
	expect_text(event, "event_action", "resolve");
	expect_text(event, "dedup_key", kit->notice.key);
	json_decref(event);
}

static void test_pagerduty_is_told_no_more_than_it_takes(void **arg)
{
	struct kit *kit = *arg;
	const struct notice_pair annotations[] = {{"summary", long_text(kit, 5000)}};
	kit_file(kit, "key", "k");
	kit_configure(kit, "pagerduty", PAGERDUTY);
	kit->notice.annotations = annotations;
	kit->notice.n_annotations = 1;
	assert_int_equal(kit_deliver(kit), DELIVERED);
	json_t *event = body_of(kit, 0);
	const json_t *summary = json_object_get(json_object_get(event, "payload"), "summary");
	assert_int_equal(characters(json_string_value(summary)), 1024);
	json_decref(event);
}

static void test_pagerduty_has_what_the_register_says(void **arg)
{
	struct kit *kit = *arg;
	kit_file(kit, "key", "k");
	kit_configure(kit, "pagerduty", PAGERDUTY);
	kit_judge(kit);
	assert_int_equal(kit_deliver(kit), DELIVERED);
	json_t *event = body_of(kit, 0);
	const json_t *details =
		json_object_get(json_object_get(event, "payload"), "custom_details");
	expect_text(details, "priority", "P2");
	expect_text(details, "site_address", "Robin Hood's Walk");
	expect_text(details, "contract_ends", "2027-03-31");
	expect_text(details, "mountpoint", "/srv/\"quoted\"\n");
	json_decref(event);
}

static void test_pagerduty_hears_that_it_was_taken_up(void **arg)
{
	struct kit *kit = *arg;
	kit_file(kit, "key", "k");
	kit_configure(kit, "pagerduty", PAGERDUTY);
	assert_true(kit->feed->updates(kit->delivery.config));
	kit_take_up(kit, "");
	assert_int_equal(kit_deliver(kit), DELIVERED);
	json_t *event = body_of(kit, 0);
	assert_int_equal(json_object_size(event), 3);
	expect_text(event, "event_action", "acknowledge");
	expect_text(event, "dedup_key", kit->notice.key);
	json_decref(event);
	/* Another priority alone is not told. */
	kit->notice.n_annotations = 0;
	assert_int_equal(kit_deliver(kit), DELIVERED);
	assert_int_equal(kit->receiver.n_got, 1);
}

/* ---- ServiceNow ---- */

#define SERVICENOW "url: 'http://127.0.0.1:PORT'\nuser: fenwatch\npassword_file: DIR/password\n"

static void test_servicenow_has_an_event_and_its_clear(void **arg)
{
	struct kit *kit = *arg;
	kit_file(kit, "password", "p:w");
	kit_configure(kit, "servicenow", SERVICENOW);
	assert_int_equal(kit_deliver(kit), DELIVERED);
	expect_request(kit, 0, "POST /api/global/em/jsonv2 HTTP/1.1\r\n");
	assert_non_null(strstr(kit_got(kit, 0)->head, "Authorization: Basic ZmVud2F0Y2g6cDp3\r\n"));
	json_t *root = body_of(kit, 0);
	json_t *event = json_array_get(json_object_get(root, "records"), 0);
	assert_int_equal(json_array_size(json_object_get(root, "records")), 1);
	expect_text(event, "source", "Fenwatch");
	expect_text(event, "node", "web01");
	expect_text(event, "type", "FilesystemAlmostFull");
	expect_text(event, "resource", "/srv/\"quoted\"\n");
	expect_text(event, "message_key", kit->notice.key);
	expect_text(event, "severity", "1");
	expect_text(event, "resolution_state", "New");
	expect_text(event, "time_of_event", "2026-11-22 10:00:00");
	json_t *more =
		json_loads(json_string_value(json_object_get(event, "additional_info")), 0, NULL);
	expect_text(more, "alertname", "FilesystemAlmostFull");
	json_decref(more);
	json_decref(root);
	kit_resolve(kit, "");
	assert_int_equal(kit_deliver(kit), DELIVERED);
	root = body_of(kit, 1);
	event = json_array_get(json_object_get(root, "records"), 0);
	expect_text(event, "severity", "0");
	expect_text(event, "resolution_state", "Closing");
	expect_text(event, "message_key", kit->notice.key);
	expect_text(event, "time_of_event", "2026-11-22 10:00:59");
	json_decref(root);
}

static int none_yet(struct receiver *receiver, const struct received *request)
{
	bool asks = strncmp(request->head, "GET", 3) == 0;
	receiver->text = asks ? "{\"result\":[]}"
			      : "{\"result\":{\"sys_id\":\"" ID "\",\"number\":\"INC0000001\"}}";
	return asks ? 200 : 201;
}

static int one_there(struct receiver *receiver, const struct received *request)
{
	(void)request;
	receiver->text = "{\"result\":[{\"sys_id\":\"" ID "\",\"number\":\"INC0000001\"}]}";
	return 200;
}

static void test_servicenow_has_one_incident(void **arg)
{
	struct kit *kit = *arg;
	kit_file(kit, "password", "p");
	kit_configure(kit, "servicenow", SERVICENOW "table: incident\n");
	kit->receiver.decide = none_yet;
	assert_int_equal(kit_deliver(kit), DELIVERED);
	assert_string_equal(kit->delivery.receipt, "INC0000001");
	assert_int_equal(kit->receiver.n_got, 2);
	expect_request(kit, 0,
		"GET /api/now/table/incident?sysparm_query=correlation_id%3D"
		"fw1-0123456789abcdef0123456789abcdef%5Estate%3C6&");
	expect_request(kit, 1, "POST /api/now/table/incident HTTP/1.1\r\n");
	json_t *incident = body_of(kit, 1);
	expect_text(incident, "correlation_id", kit->notice.key);
	assert_null(json_object_get(incident, "assignment_group"));
	json_decref(incident);
	/* Told once more, as after a crash: found, and not made again. */
	kit->receiver.decide = one_there;
	assert_int_equal(kit_deliver(kit), DELIVERED);
	assert_string_equal(kit->delivery.receipt, "INC0000001");
	assert_int_equal(kit->receiver.n_got, 3);
	kit_resolve(kit, "INC0000001");
	assert_int_equal(kit_deliver(kit), DELIVERED);
	expect_request(kit, 3,
		"GET /api/now/table/incident?sysparm_query=number%3DINC0000001%5Estate%3C6&");
	expect_request(kit, 4, "PATCH /api/now/table/incident/" ID " HTTP/1.1\r\n");
	/* Without its number it is looked for; where people have closed it, all is well. */
	kit_resolve(kit, "../../x");
	assert_int_equal(kit_deliver(kit), DELIVERED);
	expect_request(kit, 6, "PATCH /api/now/table/incident/" ID " HTTP/1.1\r\n");
	kit->receiver.decide = none_yet;
	assert_int_equal(kit_deliver(kit), DELIVERED);
	assert_int_equal(kit->receiver.n_got, 8);
}

static int without_a_number(struct receiver *receiver, const struct received *request)
{
	bool asks = strncmp(request->head, "GET", 3) == 0;
	receiver->text = asks ? "{\"result\":[]}" : "{\"result\":{\"sys_id\":\"" ID "\"}}";
	return asks ? 200 : 201;
}

static void test_servicenow_may_show_no_number(void **arg)
{
	struct kit *kit = *arg;
	kit_file(kit, "password", "p");
	kit_configure(kit, "servicenow", SERVICENOW "table: incident\n");
	kit->receiver.decide = without_a_number;
	assert_int_equal(kit_deliver(kit), DELIVERED);
	assert_string_equal(kit->delivery.receipt, ID);
	kit_resolve(kit, ID);
	assert_int_equal(kit_deliver(kit), DELIVERED);
	expect_request(kit, 2, "PATCH /api/now/table/incident/" ID " HTTP/1.1\r\n");
}

static void test_servicenow_has_what_the_register_says(void **arg)
{
	struct kit *kit = *arg;
	kit_file(kit, "password", "p");
	kit_judge(kit);
	kit_configure(kit, "servicenow", SERVICENOW);
	assert_int_equal(kit_deliver(kit), DELIVERED);
	json_t *root = body_of(kit, 0);
	const json_t *event = json_array_get(json_object_get(root, "records"), 0);
	expect_text(event, "description", "web01: /srv has 4.0 % left\n\n" LINES);
	json_t *more =
		json_loads(json_string_value(json_object_get(event, "additional_info")), 0, NULL);
	expect_text(more, "priority", "P2");
	expect_text(more, "site", "Boston Fire");
	json_decref(more);
	json_decref(root);
}

#define NEWS "web01: /srv has 4.0 % left\nPriority: P2\nTaken up by Ann: on my way "

static void test_an_incident_gets_work_notes(void **arg)
{
	static const char *const receipts[] = {"INC0000001", ID};
	struct kit *kit = *arg;
	kit_file(kit, "password", "p");
	kit_configure(kit, "servicenow", SERVICENOW);
	assert_false(kit->feed->updates(kit->delivery.config));
	kit_configure(kit, "servicenow", SERVICENOW "table: incident\n");
	assert_true(kit->feed->updates(kit->delivery.config));
	kit->receiver.decide = one_there;
	for (size_t i = 0; i < 2; i++) {
		kit_take_up(kit, receipts[i]);
		assert_int_equal(kit_deliver(kit), DELIVERED);
		expect_request(kit, i + 1, "PATCH /api/now/table/incident/" ID " HTTP/1.1\r\n");
		json_t *note = body_of(kit, i + 1);
		assert_int_equal(json_object_size(note), 1);
		expect_text(note, "work_notes", NEWS "{code}");
		json_decref(note);
	}
	static const struct notice_pair over[] = {
		{"silence_over", "silence 3, by Ann: CHG-1"}, {"summary", "web01: it fills"}};
	kit->notice.annotations = over;
	kit->notice.n_annotations = 2;
	assert_int_equal(kit_deliver(kit), DELIVERED);
	json_t *note = body_of(kit, 3);
	expect_text(note, "work_notes",
		"web01: it fills\nPriority: P2\n"
		"It still fires, and is silenced no longer: silence 3, by Ann: CHG-1");
	json_decref(note);
	/* People have closed it. */
	kit->receiver.decide = none_yet;
	kit_take_up(kit, "INC0000001");
	assert_int_equal(kit_deliver(kit), DELIVERED);
	assert_int_equal(kit->receiver.n_got, 5);
}

/* ServiceNow makes its priority of urgency and impact: P2 of 2 and 1. */
static void test_an_incident_has_the_registers_priority(void **arg)
{
	static const struct {
		const char *priority, *urgency, *impact;
	} cases[] = {{"P1", "1", "1"}, {"P2", "2", "1"}, {"P3", "2", "2"}, {"P4", "3", "2"},
		{"P5", "3", "3"}, {NULL, "2", "1"}};
	struct kit *kit = *arg;
	kit_file(kit, "password", "p");
	kit_configure(kit, "servicenow",
		SERVICENOW "table: incident\nassignment_group: 287ebd7da9fe198100f92cc8d1d2154e\n");
	kit_judge(kit);
	kit->receiver.decide = none_yet;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		kit->notice.priority = cases[i].priority;
		assert_int_equal(kit_deliver(kit), DELIVERED);
		json_t *incident = body_of(kit, 2 * i + 1);
		expect_text(incident, "urgency", cases[i].urgency);
		expect_text(incident, "impact", cases[i].impact);
		expect_text(incident, "assignment_group", "287ebd7da9fe198100f92cc8d1d2154e");
		expect_text(incident, "description", LINES "\n\nhttp://collector/alerts");
		json_decref(incident);
	}
}

/* How a host is started may take a thousand characters, and a rule's summary any number. */
static void test_no_word_of_the_register_is_cut(void **arg)
{
	static char start[1001], summary[5001];
	const struct notice_pair said[] = {{"start", start}, {"summary", summary}};
	struct kit *kit = *arg;
	memset(start, 'a', sizeof start - 1);
	memset(summary, 'b', sizeof summary - 1);
	start[sizeof start - 2] = '.';
	kit_file(kit, "password", "pw");
	kit_configure(kit, "servicenow", SERVICENOW);
	kit->notice.annotations = said;
	kit->notice.n_annotations = 2;
	assert_int_equal(kit_deliver(kit), DELIVERED);
	json_t *root = body_of(kit, 0);
	const json_t *event = json_array_get(json_object_get(root, "records"), 0);
	const char *text = json_string_value(json_object_get(event, "description"));
	assert_non_null(strstr(text, "bb\n\nTo start it: aa"));
	assert_non_null(strstr(text, "aa.\n"));
	json_decref(root);
}

/* ---- Jira ---- */

#define JIRA "url: 'http://127.0.0.1:PORT/jira'\nproject: OPS\ntoken_file: DIR/token\n"

static const char *found;    /* what a search finds */
static const char *category; /* what the issue itself says of its status */

static int jira(struct receiver *receiver, const struct received *request)
{
	if (strstr(request->head, "/search"))
		receiver->text = found;
	else if (strstr(request->head, "?fields=status"))
		receiver->text = category;
	else if (strncmp(request->head, "GET", 3) == 0)
		receiver->text = "{\"transitions\":[{\"id\":\"11\",\"name\":\"To do\"},"
				 "{\"id\":\"31\",\"name\":\"done\"}]}";
	else
		receiver->text = "{\"id\":\"10000\",\"key\":\"OPS-17\"}";
	return strstr(request->head, "POST /jira/rest/api/2/issue ") ? 201 : 200;
}

static void test_jira_has_one_issue(void **arg)
{
	struct kit *kit = *arg;
	static const struct notice_pair annotations[] = {
		{"description", "{noformat} [x|http://evil]\n\xe2\x80\xa8"}, {"summary", "a\nb"}};
	kit_file(kit, "token", "t");
	kit_configure(kit, "jira", JIRA);
	kit->receiver.decide = jira;
	kit->notice.annotations = annotations;
	kit->notice.n_annotations = 2;
	found = "{\"issues\":[]}";
	assert_int_equal(kit_deliver(kit), DELIVERED);
	assert_string_equal(kit->delivery.receipt, "OPS-17");
	assert_int_equal(kit->receiver.n_got, 2);
	expect_request(kit, 0, "POST /jira/rest/api/2/search HTTP/1.1\r\n");
	assert_non_null(strstr(kit_got(kit, 0)->head, "Authorization: Bearer t\r\n"));
	json_t *search = body_of(kit, 0);
	expect_text(search, "jql",
		"project = \"OPS\" AND labels = \"fw1-0123456789abcdef0123456789abcdef\" AND "
		"statusCategory != Done");
	json_decref(search);
	json_t *issue = body_of(kit, 1), *fields = json_object_get(issue, "fields");
	expect_text(fields, "summary", "a b");
	const char *text = json_string_value(json_object_get(fields, "description"));
	assert_non_null(strstr(text, "(noformat} [x|"));
	assert_int_equal(json_array_size(json_object_get(fields, "labels")), 2);
	json_decref(issue);
	found = "{\"issues\":[{\"key\":\"OPS-17\"}]}";
	assert_int_equal(kit_deliver(kit), DELIVERED);
	assert_int_equal(kit->receiver.n_got, 3);
	kit_resolve(kit, "OPS-17");
	assert_int_equal(kit_deliver(kit), DELIVERED);
	assert_int_equal(kit->receiver.n_got, 6);
	expect_request(kit, 4, "GET /jira/rest/api/2/issue/OPS-17/transitions HTTP/1.1\r\n");
	expect_request(kit, 5, "POST /jira/rest/api/2/issue/OPS-17/transitions HTTP/1.1\r\n");
	assert_string_equal(kit_got(kit, 5)->body, "{\"transition\":{\"id\":\"31\"}}");
}

static void test_jira_closes_nothing_it_should_not(void **arg)
{
	struct kit *kit = *arg;
	kit_file(kit, "token", "t");
	kit_configure(kit, "jira", JIRA "close_transition: Vanish\nuser: a@b\ncloud: true\n");
	kit->receiver.decide = jira;
	kit_resolve(kit, "OPS-17");
	static const char *const none[] = {
		"{\"issues\":[]}", "{\"issues\":[{\"key\":\"../../x\"}]}"};
	category = "{\"fields\":{\"status\":{\"statusCategory\":{\"key\":\"done\"}}}}";
	for (size_t i = 0; i < sizeof none / sizeof *none; i++) {
		found = none[i];
		assert_int_equal(kit_deliver(kit), DELIVERED); /* people have closed it */
		assert_int_equal(kit->receiver.n_got, 2 * (i + 1));
	}
	expect_request(kit, 1, "GET /jira/rest/api/2/issue/OPS-17?fields=status HTTP/1.1\r\n");
	expect_request(kit, 0, "POST /jira/rest/api/2/search/jql HTTP/1.1\r\n");
	assert_non_null(strstr(kit_got(kit, 0)->head, "Authorization: Basic YUBiOnQ=\r\n"));
	found = "{\"issues\":[{\"key\":\"OPS-17\"}]}";
	assert_int_equal(kit_deliver(kit), REFUSED);
	assert_non_null(strstr(kit->why, "no transition called 'Vanish'"));
}

static void test_jira_has_what_the_register_says(void **arg)
{
	struct kit *kit = *arg;
	kit_file(kit, "token", "t");
	kit_configure(kit, "jira",
		JIRA "levels: {P1: Highest, P2: High, P3: Medium, P4: Low, P5: Lowest}\n");
	kit_judge(kit);
	kit->receiver.decide = jira;
	found = "{\"issues\":[]}";
	assert_int_equal(kit_deliver(kit), DELIVERED);
	json_t *issue = body_of(kit, 1);
	const json_t *fields = json_object_get(issue, "fields");
	expect_text(json_object_get(fields, "priority"), "name", "High");
	const char *text = json_string_value(json_object_get(fields, "description"));
	assert_non_null(strstr(text, "% left\n\n" LINES "{noformat}\nhttp://collector/alerts\n"));
	json_decref(issue);
	/* Where nothing is said of levels it is the project's own. */
	kit_configure(kit, "jira", JIRA);
	assert_int_equal(kit_deliver(kit), DELIVERED);
	issue = body_of(kit, 3);
	assert_null(json_object_get(json_object_get(issue, "fields"), "priority"));
	json_decref(issue);
}

static void test_an_issue_gets_comments(void **arg)
{
	struct kit *kit = *arg;
	kit_file(kit, "token", "t");
	kit_configure(kit, "jira", JIRA);
	assert_true(kit->feed->updates(kit->delivery.config));
	kit->receiver.decide = jira;
	kit_take_up(kit, "OPS-17");
	assert_int_equal(kit_deliver(kit), DELIVERED);
	expect_request(kit, 0, "POST /jira/rest/api/2/issue/OPS-17/comment HTTP/1.1\r\n");
	json_t *comment = body_of(kit, 0);
	expect_text(comment, "body", "{noformat}" NEWS "(code}{noformat}");
	json_decref(comment);
	kit_take_up(kit, "../x");
	assert_int_equal(kit_deliver(kit), REFUSED);
	assert_int_equal(kit->receiver.n_got, 1);
}

/* Jira Service Management: the request type is a field, and a project may want others. */
static void test_jira_has_what_its_project_wants(void **arg)
{
	struct kit *kit = *arg;
	kit_file(kit, "token", "t");
	kit_configure(kit, "jira",
		JIRA "fields: {customfield_10010: ops/incident, labels: [mine], summary: mine,\n"
		     "  components: [{name: '{{annotations.site}}'}], customfield_2: 7}\n");
	kit_judge(kit);
	kit->receiver.decide = jira;
	found = "{\"issues\":[]}";
	assert_int_equal(kit_deliver(kit), DELIVERED);
	json_t *issue = body_of(kit, 1);
	const json_t *fields = json_object_get(issue, "fields");
	expect_text(fields, "customfield_10010", "ops/incident");
	expect_text(
		json_array_get(json_object_get(fields, "components"), 0), "name", "Boston Fire");
	assert_int_equal(json_integer_value(json_object_get(fields, "customfield_2")), 7);
	/* By these it is found again. */
	expect_text(fields, "summary", "web01: /srv has 4.0 % left");
	assert_int_equal(json_array_size(json_object_get(fields, "labels")), 2);
	json_decref(issue);
}

/* Of a host of which the register says nothing the issue is made, too. */
static void test_jira_is_told_no_empty_field(void **arg)
{
	struct kit *kit = *arg;
	kit_file(kit, "token", "t");
	kit_configure(kit, "jira",
		JIRA
		"fields: {components: [{name: '{{annotations.supplier}}'}], customfield_2: 7,\n"
		"  customfield_3: '{{annotations.site}}', customfield_4: {a: [b, '']}}\n");
	kit->receiver.decide = jira;
	found = "{\"issues\":[]}";
	assert_int_equal(kit_deliver(kit), DELIVERED);
	json_t *issue = body_of(kit, 1);
	const json_t *fields = json_object_get(issue, "fields");
	assert_null(json_object_get(fields, "components"));
	assert_null(json_object_get(fields, "customfield_3"));
	assert_int_equal(json_integer_value(json_object_get(fields, "customfield_2")), 7);
	assert_int_equal(
		json_array_size(json_object_get(json_object_get(fields, "customfield_4"), "a")), 1);
	json_decref(issue);
}

/* A search goes by an index that lags behind. */
static void test_jira_closes_what_is_not_found_yet(void **arg)
{
	struct kit *kit = *arg;
	kit_file(kit, "token", "t");
	kit_configure(kit, "jira", JIRA);
	kit->receiver.decide = jira;
	kit_resolve(kit, "OPS-17");
	found = "{\"issues\":[]}";
	category = "{\"fields\":{\"status\":{\"statusCategory\":{\"key\":\"new\"}}}}";
	assert_int_equal(kit_deliver(kit), DELIVERED);
	assert_int_equal(kit->receiver.n_got, 4);
	assert_string_equal(kit_got(kit, 3)->body, "{\"transition\":{\"id\":\"31\"}}");
	category = "no json";
	assert_int_equal(kit_deliver(kit), TRY_LATER);
}

/* What stands before a desk and asks people to log in says 200 to everything. */
static void test_a_page_is_no_answer(void **arg)
{
	struct kit *kit = *arg;
	static const char *const types[] = {"servicenow", "jira"};
	static const char *const pages[] = {"<html>Log in</html>", "{}", "{\"result\":{}}"};
	kit_file(kit, "password", "p");
	kit_file(kit, "token", "t");
	for (int over = 0; over < 2; over++) {
		for (size_t i = 0; i < 6; i++) {
			kit_configure(
				kit, types[i % 2], i % 2 ? JIRA : SERVICENOW "table: incident\n");
			kit->receiver.text = pages[i / 2];
			assert_int_equal(kit_deliver(kit), TRY_LATER);
			assert_non_null(strstr(kit->why, "something else"));
		}
		kit_resolve(kit, "");
	}
}

/* ---- all of them ---- */

static const struct {
	const char *type, *yaml;
} desks[] = {
	{"pagerduty", PAGERDUTY},
	{"servicenow", SERVICENOW},
	{"servicenow", SERVICENOW "table: incident\n"},
	{"jira", JIRA},
};
#define DESKS (sizeof desks / sizeof *desks)

static void write_secrets(struct kit *kit)
{
	kit_file(kit, "key", "k");
	kit_file(kit, "password", "p");
	kit_file(kit, "token", "t");
}

static void test_answers_that_all_give(void **arg)
{
	static const struct {
		int answer;
		enum verdict verdict;
	} cases[] = {{400, REFUSED}, {401, TRY_LATER}, {429, TRY_LATER}, {503, TRY_LATER},
		{RECEIVER_RESET, TRY_LATER}};
	struct kit *kit = *arg;
	write_secrets(kit);
	kit->receiver.retry_after = "3";
	for (size_t desk = 0; desk < DESKS; desk++) {
		kit_configure(kit, desks[desk].type, desks[desk].yaml);
		for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
			kit->receiver.answer = cases[i].answer;
			assert_int_equal(kit_deliver(kit), cases[i].verdict);
			if (cases[i].answer > 0)
				assert_int_equal(kit->delivery.retry_after_ms, 3000);
		}
	}
}

static void test_without_their_secret_nothing_is_sent(void **arg)
{
	struct kit *kit = *arg;
	for (size_t desk = 0; desk < DESKS; desk++) {
		kit_configure(kit, desks[desk].type, desks[desk].yaml);
		assert_int_equal(kit_deliver(kit), TRY_LATER);
		assert_non_null(strstr(kit->why, kit->dir));
	}
	assert_int_equal(kit->receiver.n_got, 0);
}

static void test_text_that_is_none_is_refused(void **arg)
{
	struct kit *kit = *arg;
	static const struct notice_pair broken[] = {{"alertname", "a\xff"}, {"instance", "a\xff"}};
	static const struct notice_pair annotations[] = {{"description", "a\xff"}};
	write_secrets(kit);
	kit->receiver.text = "{\"result\":[],\"issues\":[]}";
	kit_set_labels(kit, broken, 2);
	kit->notice.annotations = annotations;
	kit->notice.n_annotations = 1;
	for (size_t desk = 0; desk < DESKS; desk++) {
		kit_configure(kit, desks[desk].type, desks[desk].yaml);
		assert_int_equal(kit_deliver(kit), REFUSED);
		assert_non_null(strstr(kit->why, "UTF-8"));
	}
}

static void test_mistakes_are_named(void **arg)
{
	static const struct {
		const char *type, *yaml, *word;
	} cases[] = {
		{"pagerduty", "url: 'ftp://x'\nrouting_key_file: k", "ftp"},
		{"pagerduty", "url: 'http://x'", "routing_key_file"},
		{"servicenow", "url: 'https://x/'\nuser: u\npassword_file: p", "without a '/'"},
		{"servicenow", "url: 'https://x'\nuser: u\npassword_file: p\ntable: cmdb", "event"},
		{"jira", "url: 'https://x/'\nproject: OPS\ntoken_file: t", "without a '/'"},
		{"jira", "url: 'https://x'\nproject: 'O\" OR 1'\ntoken_file: t", "its key"},
		{"jira", "url: 'https://x'\nproject: O\ntoken_file: t\nlevels: {P1: High}",
			"lack 'P2'"},
		{"jira", "url: 'https://x'\nproject: O\ntoken_file: t\nfields: [a]",
			"written like"},
		{"jira", "url: 'https://x'\nproject: O\ntoken_file: t\nfields: {a: '{{sumary}}'}",
			"did you mean {{summary}}"},
		{"jira", "url: 'https://x'\nproject: O\ntoken_file: t\nfields: {a: '{{token}}'}",
			"no {{token}}"},
		{"jira", "url: 'https://x'\nproject: O\ntoken_file: t\nfields: {a: '{{level}}'}",
			"needs `levels`"},
	};
	struct kit *kit = *arg;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		const char *said = kit_refusal(kit, cases[i].type, cases[i].yaml);
		if (!strstr(said, cases[i].word))
			fail_msg("%s: %s", cases[i].yaml, said);
	}
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, kit_set_up, kit_tear_down)
	const struct CMUnitTest tests[] = {
		CASE(test_pagerduty_triggers_and_resolves),
		CASE(test_pagerduty_is_told_no_more_than_it_takes),
		CASE(test_pagerduty_has_what_the_register_says),
		CASE(test_pagerduty_hears_that_it_was_taken_up),
		CASE(test_servicenow_has_an_event_and_its_clear),
		CASE(test_servicenow_has_one_incident),
		CASE(test_servicenow_may_show_no_number),
		CASE(test_servicenow_has_what_the_register_says),
		CASE(test_no_word_of_the_register_is_cut),
		CASE(test_an_incident_gets_work_notes),
		CASE(test_an_incident_has_the_registers_priority),
		CASE(test_jira_has_one_issue),
		CASE(test_jira_has_what_the_register_says),
		CASE(test_jira_closes_nothing_it_should_not),
		CASE(test_jira_has_what_its_project_wants),
		CASE(test_jira_is_told_no_empty_field),
		CASE(test_an_issue_gets_comments),
		CASE(test_jira_closes_what_is_not_found_yet),
		CASE(test_a_page_is_no_answer),
		CASE(test_answers_that_all_give),
		CASE(test_without_their_secret_nothing_is_sent),
		CASE(test_text_that_is_none_is_refused),
		CASE(test_mistakes_are_named),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
