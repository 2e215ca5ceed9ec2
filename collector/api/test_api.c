/* SPDX-License-Identifier: Apache-2.0 */
/* The API over real sockets, in front of a collector that is made up (fakes.h).
 * Each test has a loop with the API in this thread and a client in another.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include <arpa/inet.h>
#include <sys/socket.h>

#include <cmocka.h>
#include <uv.h>
#include <zlib.h>

#include <fenwatch/buf.h>
#include <fenwatch/clock.h>
#include <fenwatch/fault.h>
#include <fenwatch/file.h>

#include "fakes.h"
#include "parts.h"
#include "register.h"
#include "test_tree.h"
#include "wanted.h"

struct scene {
	struct api *api;
	uv_loop_t loop;
	uv_thread_t thread;
	uv_async_t ended;
	unsigned port;
	void (*client)(struct scene *);
	char failure[4096]; /* what the client did not like; cmocka's checks are for one thread */
};

static const char full[] =
	"sites: [{name: County, tier: vip}, {name: Hall, parent: County, telephone: 1}]\n"
	"hosts: [{host: web01, site: Hall, supplier: Contoso, rack: B7}]\n"
	"licences: [{name: Shells, packages: [bash, zsh], entitled: 3},\n"
	"  {name: Old shells, packages: [ba*], entitled: 1, expires: 2023-11-30, note: contract 7}]";
static const char broad[] = "licences: [{name: All, packages: [lib*], entitled: 3}]";
static const char broader[] = "licences: [{name: A, packages: [many*], entitled: 3},\n"
			      "  {name: B, packages: [many*], entitled: 3},\n"
			      "  {name: C, packages: [many*], entitled: 3}]";
static const char none[] = "";
static const char *known = full; /* what the register says */

static struct registry *registry_of(const char *text)
{
	char dir[] = "/tmp/fenwatch-api-XXXXXX", path[64];
	struct registry *registry = NULL;
	struct fw_err err;
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof path, "%s/all.yml", dir);
	if (fw_file_replace(path, text, strlen(text), 0600, &err) < 0 ||
		register_load(&registry, dir, &err) < 0)
		fail_msg("%s", err.text);
	assert_int_equal(test_remove_tree(dir), 0);
	return registry;
}

static void on_ended(uv_async_t *ended)
{
	struct scene *s = ended->data;
	uv_close((uv_handle_t *)ended, NULL);
	api_close(s->api, NULL, NULL);
}

static void run_client(void *arg)
{
	struct scene *s = arg;
	s->client(s);
	uv_async_send(&s->ended);
}

static const char *cors;
static struct api_query limits;
static struct schedule *schedule; /* fakes.c never looks into it */

static void play(int auth, void (*client)(struct scene *))
{
	struct scene s = {.client = client};
	struct fw_err err = {0};
	struct api_config config = {.loop = &s.loop,
		.listen = "127.0.0.1:0",
		.auth = auth,
		.cors = cors,
		.query = limits,
		.schedule = schedule,
		.registry = registry_of(known),
		.on_forget = fakes_forget,
		.on_retire = fakes_retire,
		.on_return = fakes_return,
		.on_snapshot = fakes_snapshot,
		.on_snapshot_look = fakes_snapshot_look};
	fakes_reset();
	assert_int_equal(uv_loop_init(&s.loop), 0);
	if (api_open(&s.api, &config, &err) < 0)
		fail_msg("%s", err.text);
	s.port = api_port(s.api);
	uv_async_init(&s.loop, &s.ended, on_ended);
	s.ended.data = &s;
	uv_thread_create(&s.thread, run_client, &s);
	uv_run(&s.loop, UV_RUN_DEFAULT);
	uv_thread_join(&s.thread);
	assert_int_equal(uv_loop_close(&s.loop), 0);
	register_drop(config.registry);
	if (s.failure[0])
		fail_msg("%s", s.failure);
}

/* ---- the client ---- */

static int dial(const struct scene *s)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)s->port)};
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	if (connect(fd, (struct sockaddr *)&address, sizeof address) < 0)
		abort();
	return fd;
}

/* Sends bytes and gives back all that comes until the end. */
static size_t answer_length;

static char *exchange(const struct scene *s, const char *bytes, size_t length)
{
	static char answer[4 << 20];
	size_t used = 0;
	int fd = dial(s);
	ssize_t n = write(fd, bytes, length);
	(void)n;
	while ((n = read(fd, answer + used, sizeof answer - 1 - used)) > 0)
		used += (size_t)n;
	close(fd);
	answer[used] = '\0';
	answer_length = used;
	return answer;
}

static char *ask(const struct scene *s, const char *method, const char *path, const char *token,
	const char *more, const char *body)
{
	struct fw_buf request = {0};
	fw_buf_printf(&request, "%s %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n",
		method, path);
	if (token)
		fw_buf_printf(&request, "Authorization: Bearer %s\r\n", token);
	if (body)
		fw_buf_printf(&request, "Content-Length: %zu\r\n", strlen(body));
	fw_buf_printf(&request, "%s\r\n%s", more ? more : "", body ? body : "");
	char *answer = exchange(s, (const char *)request.data, request.length);
	fw_buf_done(&request);
	return answer;
}

#define JSON_HEADER "Content-Type: application/json; charset=utf-8\r\n"
#define FORM_HEADER "Content-Type: application/x-www-form-urlencoded\r\n"

static int status_of(const char *answer)
{
	return strncmp(answer, "HTTP/1.1 ", 9) == 0 ? (int)strtol(answer + 9, NULL, 10) : 0;
}

static void expect(
	struct scene *s, const char *what, const char *answer, int status, const char *text)
{
	if (s->failure[0] || (status_of(answer) == status && strstr(answer, text)))
		return;
	snprintf(s->failure, sizeof s->failure, "%s: wanted %d and '%s', got: %.3000s", what,
		status, text, answer);
}

static void expect_get(struct scene *s, const char *path, int status, const char *text)
{
	expect(s, path, ask(s, "GET", path, "admin", NULL, NULL), status, text);
}

/* What a packed answer says, or what is wrong with it. */
static const char *unpacked(const char *answer, size_t length)
{
	static char text[1 << 20];
	const char *body = memmem(answer, length, "\r\n\r\n", 4);
	if (!body)
		return "no answer";
	body += 4;
	z_stream z = {.next_in = (Bytef *)(uintptr_t)body,
		.avail_in = (uInt)(length - (size_t)(body - answer)),
		.next_out = (Bytef *)text,
		.avail_out = sizeof text - 1};
	inflateInit2(&z, MAX_WBITS + 16);
	int rc = inflate(&z, Z_FINISH);
	text[z.total_out] = '\0';
	inflateEnd(&z);
	return rc == Z_STREAM_END ? text : "not packed";
}

/* ---- who may ask ---- */

static int wanted_status(const struct route *route, const char *token)
{
	static const struct {
		const char *role;
		int access;
	} ranks[] = {{"supplier", ACCESS_VIEWER}, {"viewer", ACCESS_VIEWER},
		{"engineer", ACCESS_ENGINEER}, {"admin", ACCESS_ADMIN}};
	int may = 0;
	if (route->access == ACCESS_ANYONE)
		return 200;
	if (!token || strcmp(token, "stranger") == 0 || route->access == ACCESS_READER)
		return 401;
	if (strcmp(token, "writer") == 0)
		return route->access == ACCESS_WRITER ? 200 : 403;
	for (int i = 0; i < 4; i++)
		if (strcmp(ranks[i].role, token) == 0)
			may = ranks[i].access;
	if (strcmp(token, "supplier") == 0 && route->scope == SCOPE_CLOSED)
		return 403;
	return may >= (int)route->access ? 200 : 403;
}

static void ask_every_route(struct scene *s, const char *token)
{
	for (const struct route *route = routes; route->method; route++) {
		char path[256], what[300];
		const char *brace = strchr(route->path, '{'),
			   *rest = brace ? strchr(brace, '}') : NULL;
		snprintf(path, sizeof path, "%.*s%s%s", brace ? (int)(brace - route->path) : 256,
			route->path, brace ? "x" : "", rest ? rest + 1 : "");
		snprintf(what, sizeof what, "%s %s as %s", route->method, path,
			token ? token : "nobody");
		int got = status_of(ask(s, route->method, path, token, NULL, NULL));
		int wanted = wanted_status(route, token);
		/* Whoever may ask is told what is wrong with the question, or that it is not there. */
		bool right = wanted == 200 ? got && got != 401 && got != 403 : got == wanted;
		if (!right && !s->failure[0])
			snprintf(s->failure, sizeof s->failure, "%s: wanted %d, got %d", what,
				wanted, got);
	}
}

static void client_of_every_role(struct scene *s)
{
	static const char *const tokens[] = {
		NULL, "stranger", "supplier", "viewer", "engineer", "writer", "admin"};
	for (size_t i = 0; i < sizeof tokens / sizeof *tokens; i++)
		ask_every_route(s, tokens[i]);
}

static void test_every_route_has_its_role(void **state)
{
	(void)state;
	play(1, client_of_every_role);
}

/* A question to every route that is cut which, of a viewer, brings up db01. */
#define ALL "%7B__name__=~%22.%2B%22%7D"
static const struct {
	const char *path, *question;
} revealing[] = {
	{"/api/v1/query", "?query=" ALL "&time=100"},
	{"/api/v1/query_range", "?query=" ALL "&start=100&end=130&step=15"},
	{"/api/v1/series", "?match[]=" ALL},
	{"/api/v1/labels", "?start=100"},
	{"/api/v1/label/db_only/values", ""},
	{"/api/v1/metadata", ""},
	{"/api/v1/read", ""},
	{"/federate", "?match[]=" ALL},
	{"/api/v1/alerts", ""},
	{"/api/fenwatch/v1/hosts", ""},
	{"/api/fenwatch/v1/hosts/db01", ""},
	{"/api/fenwatch/v1/inventory", "?package=ba*"},
	{"/api/fenwatch/v1/patches", ""},
	{"/api/fenwatch/v1/patches/db01", ""},
	{"/api/fenwatch/v1/reports/patch-compliance", ""},
	{"/api/fenwatch/v1/disks", ""},
	{"/api/fenwatch/v1/retired", ""},
	{"/api/fenwatch/v1/worklist", ""},
	{"/api/fenwatch/v1/events", ""},
	{"/api/fenwatch/v1/reports/capacity", ""},
	{"/api/fenwatch/v1/alerts", ""},
	{"/api/fenwatch/v1/agents", ""},
	{"/api/fenwatch/v1/tickets", ""},
	{"/api/fenwatch/v1/reports/sla", "?month=1970-01"},
	{"/api/fenwatch/v1/reports/tickets", "?month=1970-01&by=host"},
};

static bool fits(const char *pattern, const char *path)
{
	size_t before = strcspn(pattern, "{");
	if (!pattern[before])
		return strcmp(pattern, path) == 0;
	const char *rest = path + before;
	return strncmp(pattern, path, before) == 0 &&
		strcmp(strchr(pattern, '}') + 1, rest + strcspn(rest, "/")) == 0;
}

/* What tells of db01, of other than the question's own words in a refusal. */
static bool tells_of_db(const char *answer)
{
	static const char *const words[] = {
		"db01", "db_only", "42.42", "u-2", "lap01", "db_metric"};
	static const char not_found[] = "\"errorType\":\"not_found\"";
	for (size_t i = 0; i < sizeof words / sizeof *words; i++)
		if (strstr(answer, words[i]) && !strstr(answer, not_found))
			return true;
	return strstr(answer, "\"x\"") != NULL;
}

static void expect_cut(struct scene *s, const struct route *route)
{
	char what[300];
	for (size_t i = 0; i < sizeof revealing / sizeof *revealing; i++) {
		if (!fits(route->path, revealing[i].path))
			continue;
		snprintf(what, sizeof what, "%s%s", revealing[i].path, revealing[i].question);
		char *answer = ask(s, route->method, what, "supplier", NULL, NULL);
		if (tells_of_db(answer) || status_of(answer) >= 500)
			expect(s, what, answer, 0, "nothing of db01");
		answer = ask(s, route->method, what, "viewer", NULL, NULL);
		if (!tells_of_db(answer))
			expect(s, what, answer, 0, "db01, as a viewer");
		return;
	}
	expect(s, route->path, "no question", 0, "that reveals something");
}

static void client_of_a_supplier(struct scene *s)
{
	fakes_has_work = true;
	for (const struct route *route = routes; route->method; route++)
		if (route->scope == SCOPE_CUT)
			expect_cut(s, route);
	fakes_has_work = false;
	expect(s, "its own", ask(s, "GET", "/api/fenwatch/v1/hosts", "supplier", NULL, NULL), 200,
		"\"data\":[{\"name\":\"web01\"");
	expect(s, "its counts",
		ask(s, "GET", "/api/fenwatch/v1/reports/patch-compliance?policy=ce14", "supplier",
			NULL, NULL),
		200, "{\"compliant\":0,\"overdue\":1,\"unproven\":0,");
	expect(s, "its values",
		ask(s, "GET", "/api/v1/query?query=node_load1&time=100", "supplier", NULL, NULL),
		200, "\"value\":[100,\"1.5\"]}]}}");
	expect(s, "another's host",
		ask(s, "GET", "/api/fenwatch/v1/hosts/db01", "supplier", NULL, NULL), 404,
		"there is no host 'db01'; see");
	expect(s, "nobody's host",
		ask(s, "GET", "/api/fenwatch/v1/hosts/db02", "supplier", NULL, NULL), 404,
		"there is no host 'db02'; see");
	expect(s, "all hosts at once",
		ask(s, "GET", "/api/fenwatch/v1/store", "supplier", NULL, NULL), 403,
		"about all hosts at once");
}

static void test_a_supplier_sees_its_own_hosts_alone(void **state)
{
	static const char text[] = "hosts: [{host: web01, supplier: Contoso}, "
				   "{match: {instance: 'db.*'}, supplier: Fabrikam}]";
	(void)state;
	known = text;
	fakes_both = true;
	schedule = (struct schedule *)&schedule;
	play(1, client_of_a_supplier);
	schedule = NULL;
	fakes_both = false;
	known = full;
}

static void client_with_passwords(struct scene *s)
{
	/* any:viewer and any:nobody */
	expect(s, "password",
		ask(s, "GET", "/metrics", NULL, "Authorization: Basic YW55OnZpZXdlcg==\r\n", NULL),
		200, "fenwatch_store_samples_total 42\n");
	expect(s, "wrong password",
		ask(s, "GET", "/metrics", NULL, "Authorization: Basic YW55Om5vYm9keQ==\r\n", NULL),
		401, "WWW-Authenticate: Basic");
	expect(s, "no password",
		ask(s, "GET", "/metrics", NULL, "Authorization: Basic YW55\r\n", NULL), 401,
		"\"errorType\":\"unauthorized\"");
	expect(s, "nonsense", ask(s, "GET", "/metrics", NULL, "Authorization: ,,,\r\n", NULL), 401,
		"a token is needed");
	expect(s, "agent's hat", ask(s, "GET", "/metrics", "join", NULL, NULL), 401, "not known");
}

static void test_a_token_may_come_as_a_password(void **state)
{
	(void)state;
	play(1, client_with_passwords);
}

static void client_without_tokens(struct scene *s)
{
	expect(s, "local", ask(s, "GET", "/metrics", NULL, NULL, NULL), 200,
		"fenwatch_ingest_connections 2\n");
	static const char strange[] =
		"GET /metrics HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n";
	expect(s, "another name", exchange(s, strange, sizeof strange - 1), 403, "without tokens");
	static const char other[] =
		"GET /metrics HTTP/1.1\r\nHost: localhost.evil.example\r\nConnection: close\r\n\r\n";
	expect(s, "a longer name", exchange(s, other, sizeof other - 1), 403, "without tokens");
}

static void test_without_tokens_only_this_machine_may_ask(void **state)
{
	(void)state;
	play(0, client_without_tokens);
	struct api *api;
	struct fw_err err;
	uv_loop_t loop;
	uv_loop_init(&loop);
	struct api_config config = {.loop = &loop, .listen = "0.0.0.0:0"};
	assert_true(api_open(&api, &config, &err) < 0);
	assert_non_null(strstr(err.text, "without tokens: that is allowed on loopback only"));
	config.auth = 1;
	assert_true(api_open(&api, &config, &err) < 0);
	assert_non_null(strstr(err.text, "without TLS"));
	config.listen = "somewhere:1";
	assert_true(api_open(&api, &config, &err) < 0);
	assert_non_null(strstr(err.text, "write an address and a port"));
	assert_int_equal(uv_loop_close(&loop), 0);
}

static void client_of_another_origin(struct scene *s)
{
	static const char path[] = "/api/fenwatch/v1/agents/web01/revoke";
	expect(s, "stranger's page",
		ask(s, "POST", path, "admin", "Origin: https://evil.example\r\n", ""), 403,
		"another origin");
	if (fakes_asked[0])
		snprintf(s->failure, sizeof s->failure, "a stranger's page did '%s'", fakes_asked);
	expect(s, "own page", ask(s, "POST", path, "admin", "Origin: http://localhost\r\n", ""),
		200, "web01");
	expect(s, "its reading",
		ask(s, "GET", "/api/v1/labels", "viewer", "Origin: https://evil.example\r\n", NULL),
		200, "instance");
}

static void test_a_page_from_elsewhere_changes_nothing(void **state)
{
	(void)state;
	play(1, client_of_another_origin);
}

static void client_of_an_origin_that_may(struct scene *s)
{
	static const char friend[] = "Origin: https://grafana.example\r\n",
			  stranger[] = "Origin: https://grafana.example.evil\r\n";
	char *answer = ask(s, "GET", "/api/v1/labels", "viewer", friend, NULL);
	expect(s, "its reading", answer, 200,
		"Access-Control-Allow-Origin: https://grafana.example\r\n");
	expect(s, "its headers", answer, 200, "Vary: Origin\r\n");
	expect(s, "its question",
		ask(s, "POST", "/api/v1/query", "viewer",
			"Origin: https://grafana.example\r\n" FORM_HEADER, "query=1"),
		200, "Access-Control-Allow-Methods: GET, POST, OPTIONS\r\n");
	expect(s, "its preflight", ask(s, "OPTIONS", "/api/v1/query", NULL, friend, NULL), 204,
		"Access-Control-Allow-Headers: Accept, Authorization, Content-Type, Origin\r\n");
	answer = ask(s, "GET", "/api/v1/labels", "viewer", stranger, NULL);
	expect(s, "a stranger's reading", answer, 200, "instance");
	if (strstr(answer, "Access-Control"))
		expect(s, "a stranger's headers", answer, 0, "");
	expect(s, "a stranger's question",
		ask(s, "POST", "/api/v1/query", "viewer",
			"Origin: https://grafana.example.evil\r\n" FORM_HEADER, "query=1"),
		200, "\"1\"");
	expect(s, "a stranger's change",
		ask(s, "POST", "/api/fenwatch/v1/tokens", "admin", stranger, ""), 403,
		"another origin");
}

static void client_without_cors(struct scene *s)
{
	char *answer = ask(
		s, "OPTIONS", "/api/v1/query", NULL, "Origin: https://grafana.example\r\n", NULL);
	expect(s, "options", answer, 204, "");
	if (strstr(answer, "Access-Control"))
		expect(s, "no headers", answer, 0, "");
	expect(s, "any of the API's", ask(s, "OPTIONS", "/api/v1/x/y", NULL, NULL, NULL), 204, "");
	expect(s, "another path", ask(s, "OPTIONS", "/x", NULL, NULL, NULL), 404, "not found");
}

static void test_pages_of_other_origins(void **state)
{
	(void)state;
	play(1, client_without_cors);
	cors = "https://grafana\\.example|https://other\\.example";
	play(1, client_of_an_origin_that_may);
	cors = NULL;
	struct api *api;
	struct fw_err err;
	uv_loop_t loop;
	uv_loop_init(&loop);
	struct api_config config = {.loop = &loop, .listen = "127.0.0.1:0", .auth = 1, .cors = "("};
	assert_true(api_open(&api, &config, &err) < 0);
	assert_non_null(strstr(err.text, "'cors' is no expression: missing closing )"));
	assert_int_equal(uv_loop_close(&loop), 0);
}

/* ---- packed, and in pieces ---- */

static void client_that_unpacks(struct scene *s)
{
	static const char plain[] = "\"data\":[\"__name__\",\"instance\",\"job\"]";
	char *answer = ask(s, "GET", "/api/v1/labels?match[]=node_load1", "viewer",
		"Accept-Encoding: deflate, gzip;q=1.0, *;q=0.5\r\n", NULL);
	size_t length = answer_length;
	expect(s, "packed", answer, 200, "Content-Encoding: gzip\r\n");
	if (!strstr(unpacked(answer, length), plain))
		expect(s, unpacked(answer, length), answer, 0, "");
	expect(s, "an error, packed",
		ask(s, "GET", "/api/v1/nothing", "viewer", "Accept-Encoding: gzip\r\n", NULL), 404,
		"Content-Encoding: gzip\r\n");
	expect(s, "without",
		ask(s, "GET", "/api/v1/labels?match[]=node_load1", "viewer",
			"Accept-Encoding: gzip;q=0, identity\r\n", NULL),
		200, plain);
}

static void test_answers_are_packed_on_demand(void **state)
{
	(void)state;
	play(1, client_that_unpacks);
}

#define LONG_ANSWER "/api/v1/query_range?query=%7Bjob=%22node%22%7D&start=0&end=10000&step=1"

static void client_of_long_answers(struct scene *s)
{
	static const char end[] = "]}]}}\r\n0\r\n\r\n";
	char *answer = ask(s, "GET", LONG_ANSWER, "viewer", NULL, NULL);
	expect(s, "in pieces", answer, 200, "Transfer-Encoding: chunked\r\n");
	if (answer_length < 3000000 || strcmp(answer + answer_length - strlen(end), end) != 0)
		expect(s, "to its end", answer + answer_length - 100, 0, "");
}

static void client_of_too_long_answers(struct scene *s)
{
	expect_get(s, LONG_ANSWER, 503, "answers that are long are on their way");
	expect_get(s, "/api/v1/query?query=node_load1&time=100", 200, "\"1.5\"");
}

static void test_long_answers_are_held_as_far_as_there_is_room(void **state)
{
	(void)state;
	play(1, client_of_long_answers);
	limits.held_bytes = 1000;
	play(1, client_of_too_long_answers);
	limits.held_bytes = 0;
}

/* ---- what is no proper request ---- */

static void client_with_bad_framing(struct scene *s)
{
	static const char twice[] =
		"POST /api/v1/query HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer admin\r\nContent-Length: 3\r\nContent-Length: 5\r\n\r\nabcde";
	expect(s, "two lengths", exchange(s, twice, sizeof twice - 1), 400, "more than once");
	static const char both[] =
		"POST /api/v1/query HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer admin\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n";
	expect(s, "length and chunks", exchange(s, both, sizeof both - 1), 400, "");
	static const char huge[] =
		"POST /api/v1/query HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer admin\r\nContent-Length: 999999999\r\n\r\n";
	expect(s, "a huge length", exchange(s, huge, sizeof huge - 1), 413, "");
	expect(s, "no form",
		ask(s, "POST", "/api/v1/query", "admin", "Content-Type: text/plain\r\n", "query=1"),
		415, "form");
	expect(s, "method", ask(s, "BREW", "/api/v1/query", "admin", NULL, NULL), 405,
		"no method BREW");
	expect(s, "path", ask(s, "GET", "/api/v1/nothing", "admin", NULL, NULL), 404,
		"404 page not found");
	expect(s, "dots", ask(s, "GET", "/../../etc/passwd", "admin", NULL, NULL), 404,
		"404 page not found");
	expect(s, "no UTF-8", ask(s, "GET", "/api/v1/query?query=%ff", "admin", NULL, NULL), 400,
		"not UTF-8");
	expect(s, "zero byte", ask(s, "GET", "/api/v1/query?query=up%00", "admin", NULL, NULL), 400,
		"zero byte");
	struct fw_buf flood = {0};
	fw_buf_puts(&flood, "GET /metrics HTTP/1.1\r\nHost: x\r\nX-Flood: ");
	for (int i = 0; i < 100000; i++)
		fw_buf_putc(&flood, 'a');
	fw_buf_puts(&flood, "\r\n\r\n");
	expect(s, "a long header", exchange(s, (const char *)flood.data, flood.length), 431, "");
	fw_buf_done(&flood);
}

static void test_bad_framing_is_refused(void **state)
{
	(void)state;
	play(1, client_with_bad_framing);
}

static void client_that_looks_at_headers(struct scene *s)
{
	char *answer = ask(s, "GET", "/-/healthy", NULL, NULL, NULL);
	expect(s, "nosniff", answer, 200, "X-Content-Type-Options: nosniff\r\n");
	expect(s, "CSP", answer, 200, "Content-Security-Policy: default-src 'none'");
	expect(s, "no store", answer, 200, "Cache-Control: no-store\r\n");
	expect(s, "not ready", ask(s, "GET", "/-/ready", NULL, NULL, NULL), 503, "not ready");
	expect(s, "head", ask(s, "HEAD", "/-/healthy", NULL, NULL, NULL), 200, "Content-Length: ");
}

static void test_every_answer_has_its_headers(void **state)
{
	(void)state;
	play(1, client_that_looks_at_headers);
}

/* ---- Prometheus' questions ---- */

/* "query=" and the text as a form has it. */
static char *asked(const char *text)
{
	struct fw_buf form = {0};
	fw_buf_puts(&form, "query=");
	for (const char *c = text; *c; c++)
		fw_buf_printf(&form, "%%%02x", (unsigned char)*c);
	return (char *)form.data;
}

static void client_that_parses(struct scene *s)
{
	static const struct {
		const char *route, *query;
		int status;
		const char *answer;
	} rows[] = {
		{"format_query", "sum( a+b )by(c)", 200, "\"data\":\"sum by (c) (a + b)\"}"},
		{"format_query", "{a=\"\\\"\"}", 200, "\"data\":\"{a=\\\"\\\\\\\"\\\"}\"}"},
		{"format_query", "sum(", 400,
			"\"errorType\":\"bad_data\",\"error\":\"invalid parameter \\\"query\\\": 1:5: parse error: unclosed left parenthesis\"}"},
		{"format_query", "", 400,
			"unknown position: parse error: no expression found in input"},
		{"parse_query", "1e3", 200,
			"\"data\":{\"type\":\"numberLiteral\",\"val\":\"1000\"}}"},
		{"parse_query", "-(\"a\")", 400, "got \\\"string\\\"\"}"},
		{"parse_query", "(\"a\")", 200,
			"{\"type\":\"parenExpr\",\"expr\":{\"type\":\"stringLiteral\",\"val\":\"a\"}}"},
		{"parse_query", "-a{b!~\"c\"} offset 1m", 200,
			"{\"type\":\"unaryExpr\",\"op\":\"-\",\"expr\":{\"type\":\"vectorSelector\",\"name\":\"a\",\"matchers\":[{\"name\":\"b\",\"type\":\"!~\",\"value\":\"c\"},{\"name\":\"__name__\",\"type\":\"=\",\"value\":\"a\"}],\"offset\":60000,\"startOrEnd\":null,\"timestamp\":null}}"},
		{"parse_query", "rate(a[5m] @ 2)", 200,
			"{\"type\":\"call\",\"func\":{\"argTypes\":[\"matrix\"],\"name\":\"rate\",\"returnType\":\"vector\",\"variadic\":0},\"args\":[{\"type\":\"matrixSelector\",\"name\":\"a\",\"range\":300000,"},
		{"parse_query", "a[5m:1m] @ end()", 200,
			"\"range\":300000,\"step\":60000,\"offset\":0,\"startOrEnd\":\"end\",\"timestamp\":null}}"},
		{"parse_query", "a > bool on (b) group_left (c) d", 200,
			"\"matching\":{\"card\":\"many-to-one\",\"include\":[\"c\"],\"labels\":[\"b\"],\"on\":true}}"},
		{"parse_query", "a and b", 200, "\"card\":\"many-to-many\""},
		{"parse_query", "a + 1", 200, "\"op\":\"+\",\"bool\":false,"},
		{"parse_query", "a + 1", 200, "\"matching\":null}"},
		{"parse_query", "topk by (b) (5, a)", 200,
			"\"param\":{\"type\":\"numberLiteral\",\"val\":\"5\"},\"grouping\":[\"b\"],\"without\":false}}"},
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		char path[64], *form = asked(rows[i].query);
		snprintf(path, sizeof path, "/api/v1/%s", rows[i].route);
		expect(s, rows[i].query, ask(s, "POST", path, "viewer", FORM_HEADER, form),
			rows[i].status, rows[i].answer);
		fw_free(form);
	}
	expect_get(s, "/api/v1/format_query?query=1%2B1", 200, "\"data\":\"1 + 1\"}");
}

static void client_that_queries(struct scene *s)
{
	expect_get(s, "/api/v1/query?query=node_load1&time=1795383731.86", 200,
		"\r\n\r\n{\"status\":\"success\",\"data\":{\"resultType\":\"vector\",\"result\":[{\"metric\":{\"__name__\":\"node_load1\",\"instance\":\"web01\",\"job\":\"node\"},\"value\":[1795383731.860,\"1.5\"]}]}}");
	expect_get(s, "/api/v1/query?query=1.5&time=1795383731.95", 200,
		"{\"resultType\":\"scalar\",\"result\":[1795383731.95,\"1.5\"]}");
	expect_get(s, "/api/v1/query?query=time()&time=1.5e3", 200, "[1500,\"1500\"]");
	expect_get(s, "/api/v1/query_range?query=time()&start=0&end=1e2&step=5e1", 200,
		"\"values\":[[0,\"0\"],[50,\"50\"],[100,\"100\"]]");
	expect_get(s, "/api/v1/query?query=node_load1[30s]&time=2026-11-22T12:00:00Z", 200,
		"\"resultType\":\"matrix\",\"result\":[{\"metric\":{\"__name__\":\"node_load1\",\"instance\":\"web01\",\"job\":\"node\"},\"values\":[[1795348785,\"1.5\"],[1795348800,\"1.5\"]]}]");
	expect_get(s, "/api/v1/query_range?query=node_load1&start=100&end=130&step=15", 200,
		"\"values\":[[100,\"1.5\"],[115,\"1.5\"],[130,\"1.5\"]]");
	expect(s, "a form",
		ask(s, "POST", "/api/v1/query", "viewer", FORM_HEADER,
			"query=node_load1%7Bjob%3D%22node%22%7D&time=100"),
		200, "\"value\":[100,\"1.5\"]");
	expect(s, "a form beside an address",
		ask(s, "POST", "/api/v1/query?query=5&time=100", "viewer", FORM_HEADER, "query=4"),
		200, "[100,\"4\"]");
	expect_get(s, "/api/v1/series?match[]=node_load1&start=600&end=0", 200, "\"data\":[]");
	expect_get(s,
		"/api/v1/series?match[]=node_load1&start=-292273086-05-16T16:47:06Z&end=292277025-08-18T07:12:54.999999999Z",
		200, "\"data\":[{\"__name__\":\"node_load1\",");
	expect_get(s, "/api/v1/series?match[]=node_load1", 200,
		"\"data\":[{\"__name__\":\"node_load1\",\"instance\":\"web01\",\"job\":\"node\"}]");
	expect_get(s, "/api/v1/labels?match[]=node_load1", 200,
		"\"data\":[\"__name__\",\"instance\",\"job\"]");
	expect_get(s, "/api/v1/label/instance/values", 200, "\"data\":[\"web01\"]");
	expect_get(s, "/api/v1/labels?match[]=node_load1&limit=1", 200,
		"\"data\":[\"__name__\"],\"warnings\":[\"results truncated due to limit\"]");
	expect_get(s, "/api/v1/alerts", 200,
		"\"state\":\"firing\",\"activeAt\":\"2023-11-14T22:13:20.000Z\",\"value\":\"1e+00\"");
	expect_get(s, "/api/v1/status/buildinfo", 200, "\"version\":\"3.");
	expect_get(s, "/api/v1/query?query=node_load1&time=100&stats=all", 200,
		"\"value\":[100,\"1.5\"]}],\"stats\":{\"timings\":{\"evalTotalTime\":");
	expect_get(s, "/api/v1/query?query={job=%22node%22}&time=100&limit=2", 200,
		"]}]},\"warnings\":[\"results truncated due to limit\"]}");
	expect_get(s, "/api/v1/label/U__ins_74_ance/values", 200, "\"data\":[\"web01\"]");
	expect_get(s, "/api/v1/label/U__mode/values", 200, "\"data\":[\"idle\"]");
	expect_get(s, "/api/v1/label/U__x_zz_/values", 200, "\"data\":[]");
}

static void client_that_asks_what_is_not_there(struct scene *s)
{
	static const struct {
		const char *path, *data;
	} rows[] = {
		{"/api/v1/query_exemplars?query=up&start=1&end=2", "\"data\":[]}"},
		{"/api/v1/targets", "{\"activeTargets\":[],\"droppedTargets\":[],"},
		{"/api/v1/alertmanagers",
			"{\"activeAlertmanagers\":[],\"droppedAlertmanagers\":[]}"},
		{"/api/v1/notifications", "\"data\":[]}"},
		{"/api/v1/rules", "{\"groups\":[]}"},
		{"/api/v1/metadata?metric=node_load1",
			"{\"node_load1\":[{\"type\":\"gauge\",\"unit\":\"\",\"help\":\"1m load average.\"}]}"},
		{"/api/v1/metadata?metric=nothing", "\"data\":{}}"},
		{"/api/v1/metadata?limit=1",
			"\"data\":{\"apt_package_cache_timestamp_seconds\":[{\"type\":\"gauge\","},
		{"/api/v1/metadata?limit=0", "\"data\":{}}"},
		{"/api/v1/metadata?metric=node_disk_read_bytes_total",
			"\"type\":\"counter\",\"unit\":\"bytes\""},
		{"/api/v1/metadata?metric=sent",
			"{\"sent\":[{\"type\":\"summary\",\"unit\":\"s\",\"help\":\"What a sender says.\"}]}"},
		{"/api/v1/status/tsdb?limit=1",
			"\"seriesCountByMetricName\":[{\"name\":\"fenwatch_filesystem_fills_timestamp_seconds\",\"value\":3}],"
			"\"labelValueCountByLabelName\":[{\"name\":\"__name__\",\"value\":30}],"
			"\"memoryInBytesByLabelName\":[{\"name\":\"__name__\",\"value\":732}],"
			"\"seriesCountByLabelValuePair\":[{\"name\":\"instance=web01\",\"value\":35}]"},
		{"/api/v1/status/walreplay", "{\"min\":0,\"max\":0,\"current\":0}"},
		{"/api/v1/status/flags", "\"query.timeout\":\"30s\""},
		{"/api/v1/status/config", "{\"yaml\":\"global:"},
		{"/api/v1/status/runtimeinfo", "\"corruptionCount\":0,"},
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		expect_get(s, rows[i].path, 200, rows[i].data);
	static const char exemplars[] = "/api/v1/query_exemplars";
	static const struct {
		const char *question, *error;
	} wrong[] = {
		{"", "\"errorType\":\"bad_data\",\"error\":\"unknown position: parse error: no expression found in input\""},
		{"?query=sum(", "\"error\":\"1:5: parse error: unclosed left parenthesis\""},
		{"?query=up&start=x", "\"error\":\"invalid parameter \\\"start\\\": "},
		{"?query=up&end=never", "\"error\":\"invalid parameter \\\"end\\\": "},
		{"?query=up&start=2&end=1",
			"\"error\":\"end timestamp must not be before start timestamp\""},
	};
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		char path[64];
		snprintf(path, sizeof path, "%s%s", exemplars, wrong[i].question);
		expect_get(s, path, 400, wrong[i].error);
	}
	expect(s, "a form", ask(s, "POST", exemplars, "admin", FORM_HEADER, "query=up{"), 400,
		"bad_data");
	expect(s, "an administrator's",
		ask(s, "POST", "/api/v1/admin/tsdb/snapshot", "admin", NULL, ""), 500,
		"{\"status\":\"error\",\"errorType\":\"unavailable\",\"error\":\"admin APIs disabled\"}");
}

static void test_what_is_not_there_has_its_shape(void **state)
{
	(void)state;
	play(1, client_that_asks_what_is_not_there);
}

static void test_queries_are_answered_as_prometheus_does(void **state)
{
	(void)state;
	play(1, client_that_queries);
	play(1, client_that_parses);
}

static void client_that_asks_for_rules(struct scene *s)
{
	static const char path[] = "/api/v1/rules";
	expect_get(s, path, 200,
		"{\"groups\":[{\"name\":\"one\",\"file\":\"a.yml\",\"rules\":[{\"name\":\"Busy\",\"query\":\"up == 1\","
		"\"labels\":{\"severity\":\"page\"},\"state\":\"firing\",\"duration\":60,\"keepFiringFor\":300,"
		"\"annotations\":{\"summary\":\"{{ $value }}\"},\"alerts\":[{\"labels\":{\"alertname\":\"Busy\",\"instance\":\"web01\"},"
		"\"annotations\":{},\"state\":\"firing\",\"activeAt\":\"2023-11-14T22:13:20.000Z\",\"keepFiringSince\":\"2023-11-14T22:14:20.000Z\",\"value\":\"1e+00\"},");
	expect_get(s, path, 200,
		"{\"name\":\"a:b\",\"query\":\"sum(up)\",\"labels\":{},\"health\":\"err\",\"lastError\":\"too much\","
		"\"evaluationTime\":0,\"lastEvaluation\":\"0001-01-01T00:00:00Z\",\"type\":\"recording\"}],"
		"\"interval\":15,\"limit\":0,\"evaluationTime\":0.003,\"lastEvaluation\":\"2023-11-14T22:13:20.000Z\"}");
	expect_get(s, "/api/v1/alerts", 200,
		"\"instance\":\"db01\"},\"annotations\":{},\"state\":\"pending\",");
}

static void client_that_chooses_rules(struct scene *s)
{
	static const char busy[] =
		"{\"groups\":[{\"name\":\"one\",\"file\":\"a.yml\",\"rules\":[{\"name\":\"Busy\"",
			  two[] = "{\"groups\":[{\"name\":\"two\",", nothing[] = "{\"groups\":[]}";
	static const struct {
		const char *parameters, *answer;
	} rows[] = {
		{"type=record&rule_group[]=two", two},
		{"type=ALERT&exclude_alerts=TRUE", "\"alerts\":null,"},
		{"exclude_alerts=0", busy},
		{"rule_name[]=none", nothing},
		{"rule_name[]=none&rule_name[]=Busy", busy},
		{"file[]=b.yml", two},
		{"file[]=b.yml&rule_group[]=one", nothing},
		{"match[]={severity=~'pa.*'}", busy},
		{"match[]={severity='x'}&match[]={severity='page'}", busy},
		{"match[]={severity='x'}", nothing},
		{"match[]={severity=~'p..e',severity!='page'}", nothing},
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		char path[200];
		snprintf(path, sizeof path, "/api/v1/rules?%s", rows[i].parameters);
		expect_get(s, path, 200, rows[i].answer);
	}
}

static void client_that_pages_rules(struct scene *s)
{
	static const struct schedule_group two = {.file = "b.yml", .name = "two"};
	char token[WANTED_TOKEN], text[200];
	wanted_token(&two, token);
	snprintf(text, sizeof text, "],\"groupNextToken\":\"%s\"}", token);
	expect_get(s, "/api/v1/rules?group_limit=1", 200, text);
	snprintf(text, sizeof text, "/api/v1/rules?group_limit=1&group_next_token=%s", token);
	expect_get(s, text, 200, "{\"groups\":[{\"name\":\"two\",");
	expect_get(s, "/api/v1/rules?group_limit=2", 200,
		"\"lastEvaluation\":\"0001-01-01T00:00:00Z\"}]}}");
}

static void client_with_wrong_rules(struct scene *s)
{
	static const struct {
		const char *parameters, *sentence;
	} rows[] = {
		{"type=x", "invalid parameter \\\"type\\\": not supported value \\\"x\\\""},
		{"exclude_alerts=x",
			"invalid parameter \\\"exclude_alerts\\\": error converting exclude_alerts: strconv.ParseBool: parsing \\\"x\\\": invalid syntax"},
		{"group_limit=x",
			"group_limit needs to be a valid number: strconv.ParseInt: parsing \\\"x\\\": invalid syntax"},
		{"group_limit=0",
			"invalid parameter \\\"group_limit\\\": group_limit needs to be greater than 0"},
		{"group_limit=-1", "group_limit needs to be greater than 0"},
		{"group_next_token=x",
			"group_limit needs to be present in order to paginate over the groups"},
		{"group_limit=1&group_next_token=x",
			"invalid group_next_token 'x'. were rule groups changed?"},
		{"match[]={severity=~'['}", "error parsing regexp: missing closing ]"},
		{"match[]={a='b'}&match[]={}",
			"match[] must contain at least one non-empty matcher"},
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		char path[200];
		snprintf(path, sizeof path, "/api/v1/rules?%s", rows[i].parameters);
		expect_get(s, path, 400, rows[i].sentence);
	}
}

static void test_rules_and_their_alerts(void **state)
{
	(void)state;
	schedule = (struct schedule *)&schedule;
	play(1, client_that_asks_for_rules);
	play(1, client_that_chooses_rules);
	play(1, client_that_pages_rules);
	play(1, client_with_wrong_rules);
	schedule = NULL;
}

static void client_with_bad_questions(struct scene *s)
{
	static const struct {
		const char *path, *sentence;
	} rows[] = {
		{"/api/v1/query?query=up%7B",
			"invalid parameter \\\"query\\\": 1:4: parse error: unexpected end of input inside braces"},
		{"/api/v1/query",
			"invalid parameter \\\"query\\\": unknown position: parse error: no expression found in input"},
		{"/api/v1/query?query=up&time=x",
			"invalid parameter \\\"time\\\": Invalid time value for 'time': cannot parse \\\"x\\\" to a valid timestamp"},
		{"/api/v1/query?query=up&lookback_delta=x",
			"\"error parsing lookback delta duration: cannot parse \\\"x\\\" to a valid duration\""},
		{"/api/v1/query?query=up&timeout=x",
			"invalid parameter \\\"timeout\\\": cannot parse \\\"x\\\" to a valid duration"},
		{"/api/v1/query?query=up&limit=-1",
			"invalid parameter \\\"limit\\\": limit must be non-negative"},
		{"/api/v1/query_range?query=up",
			"invalid parameter \\\"start\\\": cannot parse \\\"\\\" to a valid timestamp"},
		{"/api/v1/query_range?query=up&start=2&end=1&step=1",
			"invalid parameter \\\"end\\\": end timestamp must not be before start time"},
		{"/api/v1/query_range?query=up&start=1&end=2&step=0",
			"invalid parameter \\\"step\\\": zero or negative query resolution step widths are not accepted. Try a positive integer"},
		{"/api/v1/query_range?query=up&start=1&end=2&step=-5",
			"zero or negative query resolution step widths"},
		{"/api/v1/query_range?query=up&start=0&end=11001&step=1",
			"exceeded maximum resolution of 11,000 points per timeseries. Try decreasing the query resolution (?step=XX)"},
		{"/api/v1/query_range?query=up[5m]&start=0&end=1&step=1",
			"invalid expression type \\\"range vector\\\" for range query, must be Scalar or instant Vector"},
		{"/api/v1/series", "no match[] parameter provided"},
		{"/api/v1/series?match[]={}", "must contain at least one non-empty matcher"},
		{"/api/v1/labels?limit=many",
			"invalid parameter \\\"limit\\\": strconv.Atoi: parsing \\\"many\\\": invalid syntax"},
		{"/api/v1/labels?limit=99999999999999999999", "value out of range"},
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		expect_get(s, rows[i].path, 400, rows[i].sentence);
}

static void test_bad_questions_get_prometheus_sentences(void **state)
{
	(void)state;
	play(1, client_with_bad_questions);
}

/* ---- Fenwatch's own ---- */

static void client_that_looks_at_hosts(struct scene *s)
{
	char *answer = ask(s, "GET", "/api/fenwatch/v1/hosts", "viewer", NULL, NULL);
	expect(s, "silent", answer, 200, "{\"name\":\"db01\",\"state\":\"silent\",");
	expect(s, "warned of", answer, 200,
		"{\"name\":\"web01\",\"state\":\"warning\",\"since\":\"2023-11-14T22:13:20.000Z\",");
	/* One of them is of severity info, and changes nothing. */
	expect(s, "alerts", answer, 200, "\"alerts\":2}");
	fakes_silent = "ping"; /* a check of it is silent, which says nothing of itself */
	answer = ask(s, "GET", "/api/fenwatch/v1/hosts", "viewer", NULL, NULL);
	expect(s, "its check", answer, 200, "{\"name\":\"web01\",\"state\":\"warning\",");
	fakes_silent = "";
	answer = ask(s, "GET", "/api/fenwatch/v1/hosts", "viewer", NULL, NULL);
	expect(s, "itself", answer, 200, "{\"name\":\"web01\",\"state\":\"silent\",");
	fakes_silent = NULL;
	fakes_checked = true; /* a check was heard just now, and does not speak for it */
	answer = ask(s, "GET", "/api/fenwatch/v1/hosts", "viewer", NULL, NULL);
	fakes_checked = false;
	expect(s, "still silent", answer, 200, "{\"name\":\"db01\",\"state\":\"silent\",");
	answer = ask(s, "GET", "/api/fenwatch/v1/hosts/web01", "viewer", NULL, NULL);
	static const char *const parts[] = {
		"\"labels\":{\"instance\":\"web01\",\"job\":\"node\"}",
		"\"os\":\"Debian \\u003c12\\u003e\",\"kernel\":\"6.1.0\",\"architecture\":\"x86_64\",\"load\":[1.5,null,null]",
		"\"cpus\":1,\"cpu_busy_percent\":90,",
		"\"memory\":{\"total\":2048000,\"available\":512000,\"used_percent\":75,",
		"{\"mountpoint\":\"/\",\"device\":\"/dev/sda1\",\"fstype\":\"ext4\",\"size\":1024000000,\"avail\":256000000,\"used_percent\":75,",
		"\"disks\":[{\"device\":\"sda\",\"read_bytes_per_s\":51200,\"written_bytes_per_s\":null,\"busy_percent\":10}]",
		"\"network\":[{\"device\":\"eth0\",\"up\":true,\"receive_bytes_per_s\":100,",
		"\"patches\":{\"pending\":7,\"security\":3,\"held\":2,\"reboot_required\":true,",
		"\"source_ok\":true}",
		"\"register\":{\"tier\":\"vip\",\"vip\":false,\"lifecycle\":\"live\",\"retires\":null,",
		"\"rack\":\"B7\",\"serial\":null,\"firmware\":null,\"sites\":[{\"name\":\"Hall\",\"tier\":\"vip\",\"address\":null,",
		"\"contacts\":[]}",
		"\"units_failed\":[\"cron.service\"]",
		"\"inventory\":[{\"kind\":\"packages\",\"items\":912,\"since\":\"2023-11-14T22:13:20.000Z\",",
		"\"rule\":\"SecurityUpdatesPending\"",
	};
	for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
		expect(s, "host", answer, 200, parts[i]);
	expect_get(s, "/api/fenwatch/v1/hosts/nobody", 404, "there is no host 'nobody'");
	expect_get(s, "/api/fenwatch/v1/disks?host=web01", 200,
		"[{\"host\":\"web01\",\"kind\":\"filesystem\",\"mountpoint\":\"/\",");
	expect_get(s, "/api/fenwatch/v1/disks?host=web01", 200,
		"{\"host\":\"web01\",\"kind\":\"mount\",\"name\":\"/backup\","
		"\"state\":\"not mounted\",\"good\":false},"
		"{\"host\":\"web01\",\"kind\":\"array\",\"name\":\"md0\","
		"\"state\":\"recovering\",\"good\":false},"
		"{\"host\":\"web01\",\"kind\":\"array\",\"name\":\"md0\","
		"\"state\":\"degraded\",\"good\":false},"
		"{\"host\":\"web01\",\"kind\":\"array member\",\"name\":\"sdb1\","
		"\"state\":\"failed\",\"good\":false},"
		"{\"host\":\"web01\",\"kind\":\"zfs pool\",\"name\":\"tank\","
		"\"state\":\"online\",\"good\":true}]");
	expect_get(s, "/api/fenwatch/v1/disks", 200,
		"\"readonly\":false,\"readonly_since\":\"2001-09-09T01:46:40.000Z\",\"fills\":{\"earliest\":\"2026-11-24T06:00:00.000Z\","
		"\"likely\":\"2026-11-25T09:46:40.000Z\","
		"\"latest\":\"2026-11-26T13:33:20.000Z\",\"samples\":359,"
		"\"span_s\":1814400},\"inodes_gone\":null}");
	expect_get(s, "/api/fenwatch/v1/reports/capacity", 200,
		"[{\"host\":\"web01\",\"mountpoint\":\"/\",\"resource\":\"bytes\","
		"\"size\":1024000000,\"left\":256000000,\"used_percent\":75,"
		"\"earliest\":\"2026-11-24T06:00:00.000Z\",");
	expect_get(s, "/api/fenwatch/v1/reports/capacity?at=2100-01-01T00:00:00Z", 400,
		"has not been yet");
	expect_get(s, "/api/fenwatch/v1/reports/capacity?at=soon", 400, "\\\"at\\\"");
}

static void ask_patches(struct scene *s)
{
	expect_get(s, "/api/fenwatch/v1/patches", 200,
		"{\"host\":\"db01\",\"os\":\"\",\"state\":\"unproven\","
		"\"why\":\"it has sent no list of fixes\",\"pending\":null,\"security\":null,"
		"\"held\":null,\"unfinished\":null,\"overdue\":{\"ce14\":null,");
	expect_get(s, "/api/fenwatch/v1/patches", 200,
		"{\"host\":\"lap01\",\"os\":\"\",\"state\":\"unproven\","
		"\"why\":\"it has not been heard yet\",\"pending\":null,");
	expect_get(s, "/api/fenwatch/v1/patches", 200,
		"\"overdue\":{\"ce14\":1,\"ncsc5\":1,\"ncsc7\":0},\"oldest\":\"2023-11-14T22:13:20.000Z\"");
	expect_get(s, "/api/fenwatch/v1/patches/web01", 200,
		"\"state\":\"overdue\",\"why\":\"\",\"pending\":1,");
	expect_get(s, "/api/fenwatch/v1/patches/web01?at=1701000000", 200,
		"\"rests_on\":\"advisory\",\"due\":{\"ce14\":\"2023-11-28T22:13:20.000Z\",");
	expect_get(s, "/api/fenwatch/v1/patches/nobody", 404, "nothing is known");
	expect_get(s, "/api/fenwatch/v1/patches/web01?at=soon", 400, "cannot parse");
	expect_get(s, "/api/fenwatch/v1/patches/web01?at=9000000000", 400, "has not been yet");
}

static void ask_compliance(struct scene *s)
{
	static const char path[] = "/api/fenwatch/v1/reports/patch-compliance";
	expect_get(
		s, path, 200, "\"advisories\":7,\"newest_advisory\":\"2023-11-14T22:13:20.000Z\"");
	expect_get(s, "/api/fenwatch/v1/reports/patch-compliance?policy=ncsc7&at=1701000000", 200,
		"\"summary\":{\"ncsc7\":{\"compliant\":1,\"overdue\":0,\"unproven\":1,"
		"\"unsupported\":0}},\"hosts\":[{\"host\":\"db01\",");
	expect_get(s, path, 200, "\"ce14\":{\"state\":\"unproven\",\"overdue\":null}");
	/* Enrolled an hour ago, and never heard. */
	expect_get(s, "/api/fenwatch/v1/reports/patch-compliance?policy=ce14", 200,
		"\"summary\":{\"ce14\":{\"compliant\":0,\"overdue\":1,\"unproven\":2,");
	expect_get(s, "/api/fenwatch/v1/reports/patch-compliance?policy=best", 400,
		"it is ce14, ncsc5 or ncsc7");
}

/* web01 by the register, db01 by somebody. */
static void ask_without_the_retired(struct scene *s)
{
	static const char report[] =
		"/api/fenwatch/v1/reports/patch-compliance?policy=ce14&at=1701000000";
	expect_get(s, report, 200, "\"compliant\":0,\"overdue\":0,\"unproven\":1,");
	expect_get(s, report, 200, "\"hosts\":[{\"host\":\"db01\",");
	fakes_retired_ms = 1;
	expect_get(s, report, 200, "\"compliant\":0,\"overdue\":0,\"unproven\":0,");
	expect_get(s, "/api/fenwatch/v1/patches", 200, "\"data\":[{\"host\":\"lap01\"");
	expect_get(s, "/api/fenwatch/v1/hosts", 200, "{\"name\":\"db01\",\"state\":\"retired\"");
	expect_get(s, "/api/fenwatch/v1/retired", 200,
		"[{\"host\":\"db01\",\"at\":\"1970-01-01T00:00:00.001Z\",\"who\":\"Ann\","
		"\"reason\":\"scrapped\"}]");
}

static void ask_to_retire(struct scene *s)
{
	static const char path[] = "/api/fenwatch/v1/hosts/web01/retire";
	expect(s, "retire", ask(s, "POST", path, "engineer", FORM_HEADER, "reason=sold"), 200,
		"{\"retired\":\"web01\"}");
	if (strncmp(fakes_asked, "retire web01, ", 14) != 0 || !strstr(fakes_asked, ", sold"))
		snprintf(s->failure, sizeof s->failure, "asked for: %s", fakes_asked);
	expect(s, "again",
		ask(s, "POST", "/api/fenwatch/v1/hosts/db01/retire", "engineer", NULL, ""), 409,
		"'db01' is retired already");
	expect(s, "a viewer", ask(s, "POST", path, "viewer", NULL, ""), 403, "");
	expect(s, "not retired", ask(s, "DELETE", path, "engineer", NULL, NULL), 404,
		"no host 'web01' was retired");
	expect(s, "return",
		ask(s, "DELETE", "/api/fenwatch/v1/hosts/db01/retire", "engineer", NULL, NULL), 200,
		"{\"returned\":\"db01\"}");
}

#define RULES_OF(expr) "rules=groups:+[{name:+g,+rules:+[{alert:+High,+expr:+" expr ",+for:+15s}]}]"

static void ask_to_replay(struct scene *s)
{
	static const char path[] = "/api/fenwatch/v1/rules/replay";
	expect(s, "replay",
		ask(s, "POST", path, "viewer", FORM_HEADER,
			RULES_OF("node_load1+>+1") "&from=100&to=130&step=15"),
		200,
		"\"evaluations\":3,\"rules\":[{\"group\":\"g\",\"rule\":\"High\","
		"\"type\":\"alerting\",\"fired\":");
	expect(s, "what fired",
		ask(s, "POST", path, "viewer", FORM_HEADER,
			RULES_OF("node_load1+>+1") "&from=100&to=130&step=15"),
		200,
		"\"pending\":\"1970-01-01T00:01:40.000Z\",\"firing\":\"1970-01-01T00:01:55.000Z\","
		"\"resolved\":null");
	expect(s, "nothing",
		ask(s, "POST", path, "viewer", FORM_HEADER,
			RULES_OF("node_load1+>+1000") "&from=100&to=130&step=15"),
		200, "\"alerts\":[]");
	expect(s, "a mistake",
		ask(s, "POST", path, "viewer", FORM_HEADER, RULES_OF("rate(") "&from=1&to=2"), 400,
		"line 1: ");
	expect(s, "no rules", ask(s, "POST", path, "viewer", FORM_HEADER, "from=1&to=2"), 400,
		"rules are needed");
	expect(s, "backwards",
		ask(s, "POST", path, "viewer", FORM_HEADER, RULES_OF("up") "&from=2&to=1"), 400,
		"the last moment is before the first");
	expect(s, "too much",
		ask(s, "POST", path, "viewer", FORM_HEADER,
			RULES_OF("up") "&from=1&to=1000000&step=1"),
		422, "choose a longer step");
}

static void ask_to_replay_built_in_rules(struct scene *s)
{
	static const struct {
		const char *form;
		int status;
		const char *words;
	} rows[] = {
		{"builtin=LoadHigh&from=100&to=130", 200,
			"\"evaluations\":3,\"rules\":[{\"group\":\"built-in\",\"rule\":\"LoadHigh\","
			"\"type\":\"alerting\",\"fired\":1,"},
		{"builtin=all&from=100&to=130", 200,
			"\"labels\":{\"alertname\":\"LoadHigh\",\"job\":\"node\"},"
			"\"annotations\":{\"summary\":\"web01 has a load\"},\"value\":2.5,"
			"\"pending\":\"1970-01-01T00:01:40.000Z\",\"firing\":"
			"\"1970-01-01T00:01:50.000Z\",\"resolved\":null"},
		{"builtin=all&from=100&to=130", 200,
			"\"warnings\":[\"up to 1970-01-01T00:01:40.000Z no more is stored than the "
			"last value of each hour: what was shorter is not seen\"]"},
		{"builtin=LoadHihg&from=100&to=130", 404, "no built-in rule is called"},
		{"builtin=HostCloned&from=100&to=130", 400, "cannot be replayed"},
		{"builtin=all&from=130&to=100", 400, "the last moment is before the first"},
		{"builtin=all&from=100&to=130&step=15", 400, "they have no step"},
		{"builtin=all&from=100&to=130&rules=x", 400, "either the text"},
		{"builtin=all&from=100&to=2000000", 503, "it took too long"},
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		expect(s, rows[i].form,
			ask(s, "POST", "/api/fenwatch/v1/rules/replay", "viewer", FORM_HEADER,
				rows[i].form),
			rows[i].status, rows[i].words);
}

static void ask_for_what_there_is(struct scene *s)
{
	expect_get(s, "/api/fenwatch/v1/devices?state=unmanaged", 200,
		"{\"state\":\"unmanaged\",\"host\":\"\",\"name\":\"\",\"mac\":"
		"\"02:00:00:00:00:07\",\"addresses\":[\"10.0.0.7\"],\"switch\":\"\",\"port\":"
		"\"\",\"speaks\":\"telnet\",\"clones\":[],\"sources\":[\"wire\"");
	expect_get(s, "/api/fenwatch/v1/devices", 200, "\"host\":\"web01\"");
	fakes_checked = true;
	expect_get(s, "/api/fenwatch/v1/devices?state=silent", 200, "\"host\":\"db01\"");
	fakes_checked = false;
	expect_get(s, "/api/fenwatch/v1/devices?state=odd", 400,
		"a device's state is managed, quiet, silent or unmanaged, not 'odd'");
	expect_get(s, "/api/fenwatch/v1/events?host=db01", 200,
		"[{\"id\":3,\"at\":\"2023-11-14T22:13:20.000Z\",\"received\":"
		"\"2023-11-14T22:13:21.000Z\",\"host\":\"db01\",\"kind\":\"gap\",\"fields\":"
		"{\"sweeps\":\"3\"}}]");
	expect_get(s, "/api/fenwatch/v1/events?from=1700000001", 200, "\"data\":[]}");
	expect_get(s, "/api/fenwatch/v1/events?from=soon", 400, "");
	expect_get(s, "/api/fenwatch/v1/events?limit=1", 200, "\"next\":\"1700000000000-3\"}");
	expect_get(
		s, "/api/fenwatch/v1/events?before=1700000000000-3", 200, "\"data\":[{\"id\":2,");
	expect_get(s, "/api/fenwatch/v1/events?before=-5-2", 200, "\"data\":[]}");
	expect_get(s, "/api/fenwatch/v1/events?before=1700000000000", 400, "is what an answer has");
	expect_get(s, "/api/fenwatch/v1/events?before=1-0", 400, "is what an answer has");
}

static void test_devices_and_events(void **state)
{
	(void)state;
	play(1, ask_for_what_there_is);
}

static void ask_for_work(struct scene *s)
{
	expect_get(s, "/api/fenwatch/v1/worklist", 200, "\"data\":[]}");
	fakes_has_work = true;
	expect_get(s, "/api/fenwatch/v1/worklist", 200,
		"[{\"key\":\"fw1-a\",\"rule\":\"RebootRequired\",\"host\":\"web01\"");
	expect(s, "hand",
		ask(s, "POST", "/api/fenwatch/v1/worklist/fw1-a/hand", "engineer", NULL, ""), 200,
		"{\"handed\":\"fw1-a\"}");
	expect(s, "hand what is not there",
		ask(s, "POST", "/api/fenwatch/v1/worklist/x/hand", "engineer", NULL, ""), 404,
		"on the work list");
	expect(s, "hand as a viewer",
		ask(s, "POST", "/api/fenwatch/v1/worklist/fw1-a/hand", "viewer", NULL, ""), 403,
		"");
}

static void test_work_list(void **state)
{
	(void)state;
	play(1, ask_for_work);
}

static void test_replay(void **state)
{
	(void)state;
	play(1, ask_to_replay);
	play(1, ask_to_replay_built_in_rules);
}

static void test_retiring(void **state)
{
	(void)state;
	known = "hosts: [{host: web01, lifecycle: retired}]";
	play(1, ask_without_the_retired);
	known = full;
	play(1, ask_to_retire);
}

static void test_patches(void **state)
{
	(void)state;
	play(1, ask_patches);
	play(1, ask_compliance);
}

/* The form of a body of this JSON. */
static const char *import(struct scene *s, const char *role, const char *json)
{
	static char body[1024];
	snprintf(body, sizeof body, "advisories=%s", json);
	return ask(s, "POST", "/api/fenwatch/v1/advisories", role, FORM_HEADER, body);
}

static void ask_advisories(struct scene *s)
{
	static const struct {
		const char *json, *words;
	} wrong[] = {
		{"", "line 1"},
		{"{}", "a list of at most 1000"},
		{"[{\"name\":\"\"}]", "name is a text of up to 255"},
		{"[{\"name\":\"a\",\"issued\":0}]", "'issued' is a time"},
		{"[{\"name\":\"a\",\"issued\":1,\"cvss\":11}]", "'cvss' is a number"},
		{"[{\"name\":\"a\",\"issued\":1,\"fixes\":[[\"a\",\"b\"]]}]", "a fix is [PACKAGE"},
		{"[{\"name\":\"a\",\"issued\":1,\"fixes\":[[\"a\",\"b\",1]]}]",
			"version is a text"},
	};
	expect_get(s, "/api/fenwatch/v1/advisories", 200,
		"[{\"name\":\"DSA-1-1\",\"issued\":\"2023-11-14T22:13:20.000Z\",");
	expect_get(s, "/api/fenwatch/v1/advisories?package=vim&limit=3", 200, "\"data\":[]");
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		const char *answer = import(s, "admin", wrong[i].json);
		expect(s, wrong[i].json, answer, 400, wrong[i].words);
	}
	expect(s, "an engineer", import(s, "engineer", "[]"), 403, "");
	assert_string_equal(fakes_asked, "");
	expect(s, "one",
		import(s, "admin",
			"[{\"name\":\"DSA-2\",\"issued\":1700000000,\"cvss\":7.5,"
			"\"fixes\":[[\"openssl\",\"bookworm\",\"3.0.15-1\"]]}]"),
		200, "{\"imported\":1}");
	assert_string_equal(fakes_asked, "import 1 DSA-2 7.5 3.0.15-1");
}

static void test_advisories(void **state)
{
	(void)state;
	play(1, ask_advisories);
}

static void test_hosts_and_their_facts(void **state)
{
	(void)state;
	play(1, client_that_looks_at_hosts);
}

static void client_that_takes_stock(struct scene *s)
{
	expect_get(s, "/api/fenwatch/v1/inventory?host=web01", 200,
		"\"data\":{\"documents\":[{\"kind\":\"packages\",\"items\":912,");
	expect_get(s, "/api/fenwatch/v1/inventory?host=web01&kind=hardware&at=1700000000", 200,
		"\"items\":[{\"host\":\"web01\",\"kind\":\"hardware\",\"key\":\"bash:amd64\","
		"\"from\":\"2023-11-14T22:13:20.000Z\",\"to\":null,"
		"\"fields\":{\"version\":\"5.1\"}}]}");
	expect_get(s, "/api/fenwatch/v1/inventory?package=bash", 200,
		"{\"documents\":[],\"items\":[{\"host\":\"db01\",\"kind\":\"packages\",");
	expect_get(s, "/api/fenwatch/v1/inventory?package=zsh", 200, "\"items\":[]");
	expect_get(s, "/api/fenwatch/v1/inventory?host=nobody", 404, "there is no host 'nobody'");
	expect_get(s, "/api/fenwatch/v1/inventory", 400, "give a host or a package");
	expect_get(s, "/api/fenwatch/v1/inventory?host=web01&package=bash", 400,
		"give a host or a package");
	expect_get(s, "/api/fenwatch/v1/inventory?host=web01&at=soon", 400, "cannot parse");
}

static void test_inventory(void **state)
{
	(void)state;
	play(1, client_that_takes_stock);
}

static const char *ago(int64_t seconds, const char *more)
{
	static char path[128];
	snprintf(path, sizeof path, "/api/fenwatch/v1/licences?at=%lld%s",
		(long long)(fw_wall_ms() / 1000 - seconds), more);
	return path;
}

static void client_that_counts(struct scene *s)
{
	expect_get(s, "/api/fenwatch/v1/licences", 200,
		"\"hosts\":3,\"unproven\":[\"lap01\"],\"licences\":["
		"{\"name\":\"Shells\",\"packages\":[\"bash\",\"zsh\"],\"hosts\":[],"
		"\"entitled\":3,\"installed\":1,\"free\":2,\"over\":0,"
		"\"expires\":null,\"expired\":false,\"note\":null},"
		"{\"name\":\"Old shells\",\"packages\":[\"ba*\"],\"hosts\":[],"
		"\"entitled\":1,\"installed\":2,\"free\":0,\"over\":1,"
		"\"expires\":\"2023-11-30\",\"expired\":true,\"note\":\"contract 7\"}]}");
	expect_get(s, "/api/fenwatch/v1/licences?name=Shells", 200,
		"\"licences\":[{\"name\":\"Shells\",\"packages\":[\"bash\",\"zsh\"],"
		"\"hosts\":[{\"host\":\"db01\",\"package\":\"bash:amd64\","
		"\"from\":\"2023-11-14T22:13:20.000Z\",\"to\":null,"
		"\"fields\":{\"version\":\"5.2\"}}],\"entitled\":3,\"installed\":1,");
	expect_get(s, ago(7200, ""), 200, "\"hosts\":2,\"unproven\":[\"db01\"],");
	expect_get(s, ago(1800, ""), 200, "\"hosts\":3,\"unproven\":[\"db01\",\"lap01\"],");
	expect_get(s, ago(7200, "&name=Shells"), 200, "\"fields\":{\"version\":\"5.1\"}}]");
	expect_get(s, ago(-86400, "&name=Shells"), 200, "\"fields\":{\"version\":\"5.2\"}}]");
	expect_get(s, ago(401 * 86400, ""), 400, "what hosts had is known for 400 days");
	expect_get(s, "/api/fenwatch/v1/licences?name=Shell", 404,
		"the register has no licence 'Shell'; did you mean 'Shells'?");
	expect_get(s, "/api/fenwatch/v1/licences?at=soon", 400, "cannot parse");
}

static void test_licences(void **state)
{
	(void)state;
	play(1, client_that_counts);
}

static void client_without_licences(struct scene *s)
{
	expect_get(
		s, "/api/fenwatch/v1/licences", 200, "\"unproven\":[\"lap01\"],\"licences\":[]}");
	expect_get(s, "/api/fenwatch/v1/licences?name=Shells", 404,
		"the register has no licence 'Shells'\"");
}

static void client_that_counts_too_much(struct scene *s)
{
	expect_get(s, "/api/fenwatch/v1/licences", 422,
		"\"error\":\"licence 'All': more than 200000 items are called 'lib*'\"");
	expect_get(s, "/api/fenwatch/v1/inventory?package=lib*", 422, "more than 200000 items");
}

static void client_that_counts_too_much_in_all(struct scene *s)
{
	expect_get(s, "/api/fenwatch/v1/licences", 422,
		"\"error\":\"licence 'C': more than 500000 packages are called so; ask for one");
}

static void test_licences_of_other_registers(void **state)
{
	(void)state;
	known = none;
	play(1, client_without_licences);
	known = broad;
	play(1, client_that_counts_too_much);
	known = broader;
	play(1, client_that_counts_too_much_in_all);
	known = full;
}

static void client_that_looks_at_the_store(struct scene *s)
{
	static const char path[] = "/api/fenwatch/v1/store/snapshots";
	expect_get(s, "/api/fenwatch/v1/store", 200,
		"{\"tier\":\"raw\",\"bytes\":1200,\"used\":200,\"blocks\":7,\"oldest\":\"1970-01-01T00:00:01.500Z\","
		"\"newest\":\"1970-01-03T00:00:01.500Z\",\"held_days\":2,\"target_days\":30,\"bytes_a_day\":100,\"days\":12,"
		"\"undigested\":0,\"warning\":\"the raw tier holds 12.0 days at today's load, less than its 30: raise "
		"store.raw\"},{\"tier\":\"five_minute\",\"bytes\":0,\"used\":0,\"blocks\":0,\"oldest\":null");
	expect_get(s, "/api/fenwatch/v1/store", 200, "\"bytes_a_sample\":0.45");
	expect_get(s, "/api/fenwatch/v1/store", 200, "\"judged\":\"1970-01-01T00:02:00.000Z\"");
	expect_get(s, path, 200, "\"data\":null");
	expect(s, "a viewer's snapshot", ask(s, "POST", path, "viewer", FORM_HEADER, "name=monday"),
		403, "");
	expect(s, "no name", ask(s, "POST", path, "admin", FORM_HEADER, ""), 400, "is no name");
	expect(s, "known", ask(s, "POST", path, "admin", FORM_HEADER, "name=old"), 409, "already");
	expect(s, "no room", ask(s, "POST", path, "admin", FORM_HEADER, "name=big"), 507,
		"1 MiB left");
	expect(s, "snapshot", ask(s, "POST", path, "admin", FORM_HEADER, "name=monday"), 200,
		"{\"name\":\"monday\",\"state\":\"running\",\"bytes\":10,\"of_bytes\":40,\"began\":");
}

static void test_store(void **state)
{
	(void)state;
	play(1, client_that_looks_at_the_store);
}

static void client_that_changes_the_authority(struct scene *s)
{
	static const char rollover[] = "/api/fenwatch/v1/ca/rollover";
	static const char retire[] = "/api/fenwatch/v1/ca/retire";
	expect_get(s, "/api/fenwatch/v1/ca", 200,
		"\"expires\":\"1970-01-01T00:00:01.500Z\"},\"next\":null,\"agents\":4,\"left\":[]");
	expect(s, "an engineer's", ask(s, "POST", rollover, "engineer", NULL, ""), 403, "");
	expect(s, "retired too early", ask(s, "POST", retire, "admin", NULL, ""), 404,
		"there is no new one");
	expect(s, "rollover", ask(s, "POST", rollover, "admin", NULL, ""), 200,
		"\"next\":{\"fingerprint\":\"cd00");
	expect(s, "a second", ask(s, "POST", rollover, "admin", NULL, ""), 409, "already");
	expect(s, "some left", ask(s, "POST", retire, "admin", NULL, ""), 409, "not moved: web01");
	expect(s, "no force", ask(s, "POST", retire, "admin", FORM_HEADER, "force=no"), 409,
		"not moved: web01");
	expect(s, "force", ask(s, "POST", retire, "admin", FORM_HEADER, "force=true"), 200,
		"\"next\":null");
	snprintf(fakes_asked, sizeof fakes_asked, "snapshot monday");
	expect(s, "during a snapshot", ask(s, "POST", retire, "admin", FORM_HEADER, "force=true"),
		409, "wait for its end");
}

static void test_the_authority(void **state)
{
	(void)state;
	play(1, client_that_changes_the_authority);
}

/* Its body is no form, and its answer comes from a thread of the store's. */
static void client_that_writes(struct scene *s)
{
	expect(s, "write",
		ask(s, "POST", "/api/v1/write", "writer",
			"Content-Type: application/x-protobuf\r\nContent-Encoding: snappy\r\n",
			"a=b"),
		204, "X-Prometheus-Remote-Write-Samples-Written: 7");
	if (strcmp(fakes_asked, "write application/x-protobuf snappy a=b") != 0 && !s->failure[0])
		snprintf(s->failure, sizeof s->failure, "asked for: %s", fakes_asked);
}

/* What is no form goes in and out as it is. */
static void client_that_reads_and_imports(struct scene *s)
{
	expect(s, "read", ask(s, "POST", "/api/v1/read", "viewer", NULL, "abc"), 200,
		"Content-Encoding: snappy");
	expect(s, "import",
		ask(s, "POST", "/api/fenwatch/v1/import", "admin", FORM_HEADER, "text=abcd&line=5"),
		200, "{\"samples\":4}");
	expect(s, "a wrong line",
		ask(s, "POST", "/api/fenwatch/v1/import", "admin", FORM_HEADER,
			"text=wrong&line=5"),
		400, "line 5: a value was expected");
	expect_get(s, "/federate", 200, "escaping=underscores");
}

static void test_reads_and_imports(void **state)
{
	(void)state;
	play(1, client_that_reads_and_imports);
}

static void test_writes(void **state)
{
	(void)state;
	play(1, client_that_writes);
}

static void client_that_manages(struct scene *s)
{
	expect_get(s, "/api/fenwatch/v1/agents", 200,
		"{\"uuid\":\"u-1\",\"name\":\"web01\",\"state\":\"good\"");
	expect_get(s, "/api/fenwatch/v1/feeds", 200,
		"\"name\":\"desk\",\"type\":\"webhook\",\"live\":true");
	expect_get(s, "/api/fenwatch/v1/alerts", 200,
		"\"key\":\"fw1-a\",\"rule\":\"RebootRequired\",\"host\":\"web01\",\"severity\":\"warning\",\"state\":\"firing\"");
	expect(s, "new token",
		ask(s, "POST", "/api/fenwatch/v1/tokens", "admin", FORM_HEADER,
			"role=join&ttl=1h&uses=5&note=rack%203"),
		200, "{\"token\":\"fwj1-secret\",\"id\":5,\"role\":\"join\",\"note\":\"rack 3\"");
	if (strcmp(fakes_asked, "token join ttl 3600000 uses 5 note rack 3") != 0 && !s->failure[0])
		snprintf(s->failure, sizeof s->failure, "asked for: %s", fakes_asked);
	expect(s, "no role",
		ask(s, "POST", "/api/fenwatch/v1/tokens", "admin", FORM_HEADER, "role=king"), 400,
		"it is viewer, supplier, engineer, admin, writer or join");
	expect(s, "no time",
		ask(s, "POST", "/api/fenwatch/v1/tokens", "admin", FORM_HEADER,
			"role=join&ttl=soon"),
		400, "cannot parse");
	expect(s, "forget", ask(s, "DELETE", "/api/fenwatch/v1/tokens/5", "admin", NULL, NULL), 200,
		"\"revoked\":5");
	expect(s, "not there", ask(s, "DELETE", "/api/fenwatch/v1/tokens/6", "admin", NULL, NULL),
		404, "there is no token 6");
	expect(s, "no number", ask(s, "DELETE", "/api/fenwatch/v1/tokens/x", "admin", NULL, NULL),
		400, "not 'x'");
	expect(s, "revoke",
		ask(s, "POST", "/api/fenwatch/v1/agents/web01/revoke", "admin", NULL, ""), 200,
		"\"revoked\":\"web01\"");
	expect(s, "forget host",
		ask(s, "DELETE", "/api/fenwatch/v1/hosts/web01", "admin", NULL, NULL), 200,
		"{\"forgotten\":\"web01\"}");
	expect(s, "forget nobody",
		ask(s, "DELETE", "/api/fenwatch/v1/hosts/nobody", "admin", NULL, NULL), 404,
		"there is no host 'nobody'");
	expect(s, "not an engineer's",
		ask(s, "DELETE", "/api/fenwatch/v1/hosts/web01", "engineer", NULL, NULL), 403, "");
	expect(s, "go", ask(s, "POST", "/api/fenwatch/v1/feeds/desk/go", "admin", NULL, ""), 200,
		"{\"feed\":\"desk\",\"live\":true,\"told\":3}");
	expect(s, "rehearse",
		ask(s, "POST", "/api/fenwatch/v1/feeds/desk/rehearse", "admin", NULL, ""), 200,
		"{\"feed\":\"desk\",\"live\":false,\"held\":3}");
	expect(s, "not an engineer's go",
		ask(s, "POST", "/api/fenwatch/v1/feeds/desk/go", "engineer", NULL, ""), 403, "");
	expect(s, "go nowhere", ask(s, "POST", "/api/fenwatch/v1/feeds/x/go", "admin", NULL, ""),
		404, "there is no feed 'x'");
	expect(s, "test", ask(s, "POST", "/api/fenwatch/v1/feeds/desk/test", "engineer", NULL, ""),
		200, "{\"feed\":\"desk\",\"key\":\"fw1-test\"}");
	expect(s, "retry",
		ask(s, "POST", "/api/fenwatch/v1/feeds/desk/retry", "engineer", FORM_HEADER,
			"id=7"),
		200, "{\"feed\":\"desk\",\"retried\":7,\"dropped\":1}");
	expect(s, "retry what",
		ask(s, "POST", "/api/fenwatch/v1/feeds/desk/retry", "engineer", FORM_HEADER,
			"id=x"),
		400, "not 'x'");
	expect_get(s, "/api/fenwatch/v1/feeds/desk/notices?state=refused&limit=7", 200,
		"[{\"id\":7,\"notice\":\"open\",\"state\":\"refused\",\"key\":\"fw1-a\",");
	expect_get(s, "/api/fenwatch/v1/feeds/desk/notices?state=lost", 400, "not 'lost'");
	expect(s, "revoke nobody",
		ask(s, "POST", "/api/fenwatch/v1/agents/nobody/revoke", "admin", NULL, ""), 404,
		"there is no agent 'nobody'");
}

#define SHELF "/api/fenwatch/v1/pull/shelf"

static void expect_pulled(struct scene *s, const char *question, int status, const char *text)
{
	char path[128];
	snprintf(path, sizeof path, SHELF "%s", question);
	expect(s, path, ask(s, "GET", path, "reader", NULL, NULL), status, text);
}

static void client_that_fetches(struct scene *s)
{
	expect_pulled(s, "", 200,
		"{\"feed\":\"shelf\",\"notices\":[{\"id\":5,\"status\":\"firing\",\"key\":\"fw1-a\",");
	expect_pulled(s, "?after=5", 200,
		"[{\"id\":7,\"status\":\"resolved\",\"key\":\"fw1-a\",\"starts\":\"2023-11-14T22:13:20.000Z\",");
	expect_pulled(s, "?after=0&limit=1", 200, "\"next\":5,\"more\":true,\"kept_days\":30");
	expect_pulled(s, "?after=0&limit=1", 200,
		"Link: <?format=json&limit=1&after=5>; rel=\"next\"\r\n");
	expect_pulled(s, "?after=7", 200, "\"notices\":[],\"next\":7,\"more\":false");
	expect_pulled(s, "?after=8", 400, "there is no notice 8 yet");
	expect_pulled(s, "?after=x", 400, "not 'x'");
	expect_pulled(s, "?after=99999999999999999999", 400, "after is the number of a notice");
	expect_pulled(s, "?format=rss", 400, "json or atom, not 'rss'");
	expect_pulled(s, "?limit=-1", 400, "limit");
	expect(s, "another's shelf",
		ask(s, "GET", "/api/fenwatch/v1/pull/desk", "reader", NULL, NULL), 401,
		"the token of a feed of type pull");
	expect(s, "what it has",
		ask(s, "GET", SHELF, "reader", "If-None-Match: W/\"5-2-7j\"\r\n", NULL), 304,
		"ETag: W/\"5-2-7j\"");
	expect(s, "what it has not",
		ask(s, "GET", SHELF "?after=5", "reader", "If-None-Match: W/\"5-2-7j\"\r\n", NULL),
		200, "\"id\":7");
}

static void test_notices_are_fetched(void **state)
{
	(void)state;
	play(1, client_that_fetches);
	play(0, client_that_fetches);
}

static void client_of_atom(struct scene *s)
{
	static const char atom[] = "?format=atom";
	expect_pulled(s, atom, 200, "Content-Type: application/atom+xml; charset=utf-8\r\n");
	expect_pulled(s, atom, 200, "<id>urn:fenwatch:feed:e&lt;1&gt;:shelf</id>\n<title>shelf");
	expect_pulled(s, atom, 200, "<updated>2023-11-14T22:14:20.100Z</updated>\n<author>");
	expect_pulled(s, atom, 200, "href=\"?format=atom&amp;limit=100&amp;after=7\"/>");
	expect_pulled(s, atom, 200,
		"<id>urn:fenwatch:notice:fw1-a:2023-11-14T22:13:20.000Z:firing</id>\n"
		"<title>&lt;b&gt;&amp;&quot;\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd]]&gt;"
		"\xc3\xa9&lt;/feed&gt;</title>\n");
	expect_pulled(s, atom, 200, "<title>over: RebootRequired</title>");
	expect_pulled(
		s, "?format=atom&after=7", 200, "<updated>1970-01-01T00:00:00.000Z</updated>");
}

static void test_notices_are_an_atom_feed(void **state)
{
	(void)state;
	play(1, client_of_atom);
}

static void client_that_silences(struct scene *s)
{
	static const char path[] = "/api/fenwatch/v1/silences";
	expect_get(s, path, 200, "\"data\":[]");
	expect_get(s, "/api/fenwatch/v1/silences?ended=true", 200,
		"{\"id\":2,\"state\":\"ended\",\"matchers\":[\"instance=~web.*\"]");
	expect(s, "new silence",
		ask(s, "POST", path, "engineer", FORM_HEADER,
			"matcher%5B%5D=instance%3Dweb01&for=2h&comment=CHG-1"),
		200, "{\"id\":3,\"state\":\"active\",\"matchers\":[\"instance=web01\"]");
	if (strncmp(fakes_asked, "silence 1 instance=web01 for 7200000 by ", 40) != 0 &&
		!s->failure[0])
		snprintf(s->failure, sizeof s->failure, "asked for: %s", fakes_asked);
	expect(s, "of nothing", ask(s, "POST", path, "engineer", FORM_HEADER, "for=2h&comment=x"),
		400, "what is to be silenced?");
	expect(s, "over a day",
		ask(s, "POST", path, "engineer", FORM_HEADER,
			"matcher%5B%5D=a%3Db&for=1441m&comment=x"),
		403, "an admin's token");
	expect(s, "a day",
		ask(s, "POST", path, "engineer", FORM_HEADER,
			"matcher%5B%5D=a%3Db&for=1d&comment=x"),
		200, "");
	expect(s, "an admin's",
		ask(s, "POST", path, "admin", FORM_HEADER, "matcher%5B%5D=a%3Db&for=30d&comment=x"),
		200, "");
	expect(s, "without an end",
		ask(s, "POST", path, "engineer", FORM_HEADER, "matcher%5B%5D=a%3Db&comment=x"), 400,
		"\\\"end\\\"");
	expect(s, "not a viewer's",
		ask(s, "POST", path, "viewer", FORM_HEADER, "matcher%5B%5D=a%3Db&for=2h"), 403, "");
	expect(s, "end", ask(s, "DELETE", "/api/fenwatch/v1/silences/3", "engineer", NULL, NULL),
		200, "{\"ended\":3}");
	expect(s, "end of none",
		ask(s, "DELETE", "/api/fenwatch/v1/silences/4", "engineer", NULL, NULL), 404,
		"there is no silence 4");
	expect(s, "end of no number",
		ask(s, "DELETE", "/api/fenwatch/v1/silences/x", "engineer", NULL, NULL), 400,
		"not 'x'");
}

static void expect_asked(struct scene *s, const char *what)
{
	if (strcmp(fakes_asked, what) != 0 && !s->failure[0])
		snprintf(s->failure, sizeof s->failure, "asked for: %s", fakes_asked);
}

static void client_that_acknowledges(struct scene *s)
{
	static const char path[] = "/api/fenwatch/v1/alerts/fw1-a/ack";
	static const char desk[] = "/api/fenwatch/v1/feeds/desk/answer";
	expect_get(s, "/api/fenwatch/v1/alerts", 200, "\"acknowledged\":null");
	expect_get(s, "/api/fenwatch/v1/alerts?rule=NoSuchRule", 200, "\"data\":[]");
	expect(s, "ack", ask(s, "POST", path, "engineer", FORM_HEADER, "note=mine"), 200,
		"{\"alert\":\"fw1-a\"");
	expect(s, "twice", ask(s, "POST", path, "engineer", FORM_HEADER, "note=again"), 409,
		"already");
	expect(s, "none",
		ask(s, "POST", "/api/fenwatch/v1/alerts/fw1-z/ack", "engineer", FORM_HEADER, ""),
		404, "no alert");
	expect(s, "not a viewer's", ask(s, "POST", path, "viewer", FORM_HEADER, ""), 403, "");
	expect(s, "accepted",
		ask(s, "POST", desk, "engineer", FORM_HEADER, "ticket=INC1&state=accepted"), 200,
		"\"who\":\"feed desk\"");
	expect_asked(s, "answer 1 of INC1 to 'desk' by feed desk: ");
	expect(s, "resolved",
		ask(s, "POST", desk, "engineer", FORM_HEADER, "key=fw1-a&state=resolved&note=ok"),
		200, "");
	expect_asked(s, "answer 2 of fw1-a to 'desk' by feed desk: ok");
	expect(s, "no state", ask(s, "POST", desk, "engineer", FORM_HEADER, "ticket=INC1"), 400,
		"accepted or resolved");
	expect(s, "no feed",
		ask(s, "POST", "/api/fenwatch/v1/feeds/dusk/answer", "engineer", FORM_HEADER,
			"key=fw1-a&state=resolved"),
		404, "there is no feed 'dusk'");
}

/* Lists in a list: few bytes, and a hundred times as many once they are read. */
static char *ask_lists(struct scene *s, const char *path, size_t n)
{
	struct fw_buf body = {0};
	fw_buf_puts(&body, "{\"a\":[[]");
	while (--n > 0)
		fw_buf_puts(&body, ",[]");
	fw_buf_puts(&body, "]}");
	char *answer = ask(s, "POST", path, "contoso", JSON_HEADER, (const char *)body.data);
	fw_buf_done(&body);
	return answer;
}

/* Its token opens its own feed's answers, and no other door. */
static void client_that_is_a_desk(struct scene *s)
{
	static const char desk[] = "/api/fenwatch/v1/feeds/desk/answer";
	static const char accepted[] = "ticket=INC1&state=accepted";
	expect(s, "its own", ask(s, "POST", desk, "contoso", FORM_HEADER, accepted), 200,
		"\"who\":\"feed desk\"");
	expect_asked(s, "answer 1 of INC1 to 'desk' by feed desk:  (its desk)");
	expect(s, "as JSON",
		ask(s, "POST", desk, "contoso", JSON_HEADER,
			"{\"ticket\": \"INC1\", \"state\": \"accepted\", \"note\": \"J\\u00f6\","
			" \"sys\": null, \"urgent\": true, \"count\": 3, \"all\": [\"a\", 1.5]}"),
		200, "\"who\":\"feed desk\"");
	expect_asked(s, "answer 1 of INC1 to 'desk' by feed desk: J\xc3\xb6 (its desk)");
	expect(s, "a ticket within",
		ask(s, "POST", desk, "contoso", JSON_HEADER, "{\"state\": {\"is\": \"accepted\"}}"),
		400, "\"state\\\": it is no text");
	expect(s, "twice", ask(s, "POST", desk, "contoso", JSON_HEADER, "{\"a\":1,\"a\":2}"), 400,
		"a name stands twice");
	expect(s, "too much of it", ask_lists(s, desk, 4000), 400, "more than 1000 parameters");
	static const char *const broken[] = {
		"{\"state\": ", "[1]", "3", "\xff", "{\"state\": \"\\u0000\"}"};
	for (size_t i = 0; i < sizeof broken / sizeof *broken; i++)
		expect(s, broken[i], ask(s, "POST", desk, "contoso", JSON_HEADER, broken[i]), 400,
			"no JSON object");
	expect(s, "another's token", ask(s, "POST", desk, "reader", FORM_HEADER, accepted), 401,
		"not known");
	expect(s, "another's feed",
		ask(s, "POST", "/api/fenwatch/v1/feeds/shelf/answer", "contoso", FORM_HEADER,
			accepted),
		401, "not known");
	expect(s, "a viewer", ask(s, "POST", desk, "viewer", FORM_HEADER, accepted), 403,
		"it takes engineer or its desk");
	expect(s, "feeds", ask(s, "GET", "/api/fenwatch/v1/feeds", "contoso", NULL, NULL), 401, "");
	expect(s, "go", ask(s, "POST", "/api/fenwatch/v1/feeds/desk/go", "contoso", NULL, NULL),
		401, "");
	expect(s, "ack",
		ask(s, "POST", "/api/fenwatch/v1/alerts/fw1-a/ack", "contoso", FORM_HEADER, ""),
		401, "");
}

static void test_a_desk_has_a_token_of_its_own(void **state)
{
	(void)state;
	play(1, client_that_is_a_desk);
}

static void client_that_resolves(struct scene *s)
{
	static const char path[] = "/api/fenwatch/v1/alerts/fw1-a/resolve";
	expect(s, "resolve", ask(s, "POST", path, "engineer", FORM_HEADER, "note=gone"), 200,
		"{\"alert\":\"fw1-a\"");
	expect_asked(s, "answer 3 of fw1-a to '' by token 1: gone");
	expect(s, "fires", ask(s, "POST", path, "engineer", FORM_HEADER, "note=fires"), 409,
		"it is firing");
	expect(s, "no reason", ask(s, "POST", path, "engineer", FORM_HEADER, ""), 400, "say why");
	expect(s, "a viewer", ask(s, "POST", path, "viewer", FORM_HEADER, "note=gone"), 403, "");
}

static void test_an_unknown_alert_is_closed_by_hand(void **state)
{
	(void)state;
	play(1, client_that_resolves);
}

static void test_acknowledgements(void **state)
{
	(void)state;
	play(1, client_that_acknowledges);
}

static void test_silences(void **state)
{
	(void)state;
	play(1, client_that_silences);
}

static void test_agents_tokens_and_feeds(void **state)
{
	(void)state;
	play(1, client_that_manages);
}

/* A client that goes away in the middle, and a close with questions under way. */
static void client_that_leaves(struct scene *s)
{
	static const char half[] =
		"GET /api/v1/query?query=node_load1 HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer admin\r\n\r\n";
	for (int i = 0; i < 20; i++) {
		int fd = dial(s);
		ssize_t n = write(fd, half, i % 2 ? sizeof half - 1 : 20);
		(void)n;
		close(fd);
	}
	int open_fd = dial(s);
	ssize_t n = write(open_fd, half, sizeof half - 1);
	(void)n;
	expect_get(s, "/-/healthy", 200, "healthy");
	close(open_fd);
}

#define QUESTION \
	"GET /api/v1/query?query=node_load1 HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer admin\r\n\r\n"

static void await_metric(struct scene *s, const char *line)
{
	for (int tries = 0; tries < 1000; tries++) {
		if (strstr(ask(s, "GET", "/metrics", "admin", NULL, NULL), line))
			return;
		uv_sleep(10);
	}
	expect(s, line, "never", 0, "");
}

/* To a sender's route, its length said before (0: it is not) or in one chunk. */
static const char *write_long(struct scene *s, bool chunked, size_t length)
{
	struct fw_buf request = {0};
	fw_buf_puts(&request,
		"POST /api/v1/write HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
		"Authorization: Bearer writer\r\n");
	fw_buf_printf(&request,
		chunked ? "Transfer-Encoding: chunked\r\n\r\n%zx\r\n"
			: "Content-Length: %zu\r\n\r\n",
		length);
	char *body = fw_alloc(length);
	fw_buf_append(&request, body, length);
	fw_free(body);
	fw_buf_puts(&request, chunked ? "\r\n0\r\n\r\n" : "");
	const char *answer = exchange(s, (const char *)request.data, request.length);
	fw_buf_done(&request);
	return answer;
}

/* What is just as long as may be is taken, and not counted. */
static void client_of_too_long_bodies(struct scene *s)
{
	expect(s, "in a chunk", write_long(s, true, REQUEST_BODY_LIMIT), 204, "");
	expect(s, "said before", write_long(s, false, REQUEST_BODY_LIMIT), 204, "");
	await_metric(s, "fenwatch_api_too_long_total 0\n");
	expect(s, "too long a chunk", write_long(s, true, REQUEST_BODY_LIMIT + 1), 413, "16 MiB");
	await_metric(s, "fenwatch_api_too_long_total 1\n");
	expect(s, "too long", write_long(s, false, REQUEST_BODY_LIMIT + 1), 413, "16 MiB");
	await_metric(s, "fenwatch_api_too_long_total 2\n");
}

static void test_too_long_bodies_are_counted(void **state)
{
	(void)state;
	play(1, client_of_too_long_bodies);
}

/* Two are answered at once; of those who wait, one leaves. */
static void client_that_does_not_wait(struct scene *s)
{
	int fds[4];
	char answer[4096] = "";
	atomic_store(&fakes_hold, true);
	for (int i = 0; i < 4; i++) {
		fds[i] = dial(s);
		ssize_t n = write(fds[i], QUESTION, sizeof QUESTION - 1);
		(void)n;
	}
	await_metric(s, "fenwatch_api_working 4\n");
	await_metric(s, "fenwatch_api_canceled_total 0\n");
	close(fds[3]);
	await_metric(s, "fenwatch_api_canceled_total 1\n");
	atomic_store(&fakes_hold, false);
	for (int i = 0; i < 3; i++) {
		ssize_t n = read(fds[i], answer, sizeof answer - 1);
		(void)n;
		expect(s, "who has waited", answer, 200, "");
		close(fds[i]);
	}
	await_metric(s, "fenwatch_api_answered_total 4\n");
}

static void test_who_goes_away_is_not_answered(void **state)
{
	(void)state;
	play(1, client_that_does_not_wait);
}

/* Two are answered at once and a thousand wait; who comes then is told so. */
static void client_of_a_crowd(struct scene *s)
{
	static int fds[API_QUEUE + 2];
	char answer[4096] = "";
	atomic_store(&fakes_hold, true);
	for (int i = 0; i < API_QUEUE + 2; i++) {
		fds[i] = dial(s);
		ssize_t n = write(fds[i], QUESTION, sizeof QUESTION - 1);
		(void)n;
	}
	await_metric(s, "fenwatch_api_working 1002\n");
	expect_get(s, "/api/v1/query?query=node_load1", 503,
		"{\"status\":\"error\",\"errorType\":\"unavailable\",\"error\":\"1000 questions wait already");
	expect_get(s, "/-/healthy", 200, "healthy");
	atomic_store(&fakes_hold, false);
	for (int i = 0; i < API_QUEUE + 2; i++) {
		ssize_t n = read(fds[i], answer, sizeof answer - 1);
		(void)n;
		expect(s, "one of the crowd", answer, 200, "");
		close(fds[i]);
	}
}

static void test_a_crowd_waits_and_one_more_is_told_so(void **state)
{
	(void)state;
	play(1, client_of_a_crowd);
}

static void test_clients_may_leave_at_any_time(void **state)
{
	(void)state;
	play(1, client_that_leaves);
}

/* ---- maintenance ---- */

static void client_of_maintenance(struct scene *s)
{
	expect_get(s, "/api/fenwatch/v1/maintenance", 200,
		"\"data\":[{\"name\":\"Always\",\"now\":true,\"hosts\":[\"web*\"],\"sites\":[]},"
		"{\"name\":\"Long ago\",\"now\":false,\"hosts\":[],\"sites\":[\"Hall\"]}]");
}

static void test_maintenance_is_the_register_s(void **state)
{
	(void)state;
	known = "sites: [{name: Hall}]\n"
		"maintenance: [{name: Always, hours: {mon-sun: all day}, hosts: ['web*']},\n"
		"  {name: Long ago, days: {2001-01-01: all day}, sites: [Hall]}]";
	play(1, client_of_maintenance);
	known = full;
}

/* ---- tickets ---- */

static void client_of_tickets(struct scene *s)
{
	expect_get(s, "/api/fenwatch/v1/tickets?supplier=Contoso", 200,
		"\"number\":\"INC1\",\"responder\":\"\",\"target\":\"\",\"paused\":\"\","
		"\"detected\":\"1970-01-01T00:00:01.000Z\"");
	expect_get(s, "/api/fenwatch/v1/reports/sla?month=1970-01&at=2678400", 200,
		"{\"from\":null,\"until\":\"1970-02-01T00:00:00.000Z\","
		"\"at\":\"1970-02-01T00:00:00.000Z\",\"targets\":[{\"supplier\":\"Contoso\","
		"\"site\":\"\",\"priority\":\"P1\",\"tickets\":1,\"respond\":{\"met\":0,"
		"\"missed\":1,\"running\":0,\"none\":0}");
	expect_get(s, "/api/fenwatch/v1/reports/sla?month=1970-01&at=1", 200, "\"targets\":[]");
	/* What was met after the month's end was met. */
	expect_get(s, "/api/fenwatch/v1/reports/sla?month=1970-01", 200,
		"\"until\":\"1970-02-01T00:00:00.000Z\",\"at\":\"2");
	expect_get(s, "/api/fenwatch/v1/reports/tickets?month=1970-01&by=host", 200,
		"\"groups\":[{\"name\":\"db01\",\"tickets\":1,\"open\":0,\"taken_up\":0,"
		"\"again\":0,\"soon_over\":1,\"median_s\":59}");
	expect_get(s, "/api/fenwatch/v1/reports/sla?from=1000&until=999", 400,
		"the stretch begins after its end");
	expect_get(s, "/api/fenwatch/v1/reports/tickets?month=2026-13", 400, "one such as 2026-11");
	expect_get(s, "/api/fenwatch/v1/reports/tickets?by=moon", 400, "rule, host, site");
	expect_get(s, "/api/fenwatch/v1/reports/sla?at=9e9", 400, "it has not been yet");
	expect(s, "pause",
		ask(s, "POST", "/api/fenwatch/v1/tickets/fw1-web/pause?reason=user", "admin", NULL,
			""),
		200, "{\"paused\":\"fw1-web\"}");
	expect(s, "who", fakes_asked, 0, "pause fw1-web user token 1");
	expect(s, "pause", ask(s, "POST", "/api/fenwatch/v1/tickets/x/pause", "admin", NULL, ""),
		404, "there is no ticket 'x'");
	expect(s, "resume", ask(s, "POST", "/api/fenwatch/v1/tickets/x/resume", "admin", NULL, ""),
		409, "is not paused");
}

static void client_of_the_trail(struct scene *s)
{
	expect_get(s, "/api/fenwatch/v1/audit?after=2", 200,
		"\"data\":[{\"id\":3,\"at\":\"1970-01-01T00:00:01.000Z\",\"kind\":\"fired\","
		"\"subject\":\"fw1-web\",\"who\":\"\",\"detail\":{\"starts\":1000},"
		"\"hash\":\"ab00");
	expect_get(s, "/api/fenwatch/v1/audit?limit=1", 200, "\"data\":[{\"id\":1,");
	expect_get(s, "/api/fenwatch/v1/audit?after=x", 400, "after");
	expect_get(s, "/api/fenwatch/v1/audit/check", 200,
		"{\"whole\":false,\"entries\":2,\"broken\":3,\"newest\":2,");
}

static void test_tickets_and_what_became_of_them(void **state)
{
	(void)state;
	play(1, client_of_tickets);
	play(1, client_of_the_trail);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_route_has_its_role),
		cmocka_unit_test(test_notices_are_fetched),
		cmocka_unit_test(test_notices_are_an_atom_feed),
		cmocka_unit_test(test_maintenance_is_the_register_s),
		cmocka_unit_test(test_tickets_and_what_became_of_them),
		cmocka_unit_test(test_a_supplier_sees_its_own_hosts_alone),
		cmocka_unit_test(test_writes),
		cmocka_unit_test(test_reads_and_imports),
		cmocka_unit_test(test_a_token_may_come_as_a_password),
		cmocka_unit_test(test_without_tokens_only_this_machine_may_ask),
		cmocka_unit_test(test_a_page_from_elsewhere_changes_nothing),
		cmocka_unit_test(test_pages_of_other_origins),
		cmocka_unit_test(test_answers_are_packed_on_demand),
		cmocka_unit_test(test_long_answers_are_held_as_far_as_there_is_room),
		cmocka_unit_test(test_bad_framing_is_refused),
		cmocka_unit_test(test_every_answer_has_its_headers),
		cmocka_unit_test(test_queries_are_answered_as_prometheus_does),
		cmocka_unit_test(test_what_is_not_there_has_its_shape),
		cmocka_unit_test(test_rules_and_their_alerts),
		cmocka_unit_test(test_bad_questions_get_prometheus_sentences),
		cmocka_unit_test(test_hosts_and_their_facts),
		cmocka_unit_test(test_inventory),
		cmocka_unit_test(test_licences),
		cmocka_unit_test(test_licences_of_other_registers),
		cmocka_unit_test(test_patches),
		cmocka_unit_test(test_retiring),
		cmocka_unit_test(test_replay),
		cmocka_unit_test(test_devices_and_events),
		cmocka_unit_test(test_work_list),
		cmocka_unit_test(test_advisories),
		cmocka_unit_test(test_store),
		cmocka_unit_test(test_agents_tokens_and_feeds),
		cmocka_unit_test(test_silences),
		cmocka_unit_test(test_a_desk_has_a_token_of_its_own),
		cmocka_unit_test(test_acknowledgements),
		cmocka_unit_test(test_an_unknown_alert_is_closed_by_hand),
		cmocka_unit_test(test_the_authority),
		cmocka_unit_test(test_clients_may_leave_at_any_time),
		cmocka_unit_test(test_too_long_bodies_are_counted),
		cmocka_unit_test(test_who_goes_away_is_not_answered),
		cmocka_unit_test(test_a_crowd_waits_and_one_more_is_told_so),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
