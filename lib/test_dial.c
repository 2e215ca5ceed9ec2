/* SPDX-License-Identifier: Apache-2.0 */
/* The way to a connected socket: names, addresses, proxies. The far end here is
 * a small proxy of the test's own, which answers as it is told. */
#include "link.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <fenwatch/buf.h>
#include <fenwatch/conn.h>

#define TARGET "collector.example:7443"

struct proxy {
	uv_loop_t loop;
	struct fw_listener *listener;
	struct fw_link *link;
	char address[32];
	const char *answer; /* NULL: none */
	struct fw_buf asked;
	/* what came of dialling */
	struct fw_link *dialled;
	unsigned told;
	char why[256];
};

static void on_asked(struct fw_link *link, const uint8_t *data, size_t length)
{
	struct proxy *proxy = link->arg;
	fw_buf_append(&proxy->asked, data, length);
	if (proxy->answer && strstr((const char *)proxy->asked.data, "\r\n\r\n"))
		fw_link_write(link, proxy->answer, strlen(proxy->answer));
}

static void on_link_ended(struct fw_link *link, int rc)
{
	struct proxy *proxy = link->arg;
	(void)rc;
	proxy->link = NULL;
	fw_link_close(link);
}

static void on_drained(struct fw_link *link)
{
	(void)link;
}

static const struct fw_link_events proxy_events = {
	.on_read = on_asked,
	.on_drained = on_drained,
	.on_ended = on_link_ended,
};

static void on_accepted(struct fw_listener *listener, int fd, void *arg)
{
	struct proxy *proxy = arg;
	(void)listener;
	assert_int_equal(fw_link_new(&proxy->link, &proxy->loop), 0);
	assert_int_equal(uv_tcp_open(&proxy->link->tcp, fd), 0);
	assert_int_equal(fw_link_start(proxy->link, &proxy_events, proxy), 0);
}

static void on_dialled(struct fw_link *link, const char *why, void *arg)
{
	struct proxy *proxy = arg;
	proxy->told++;
	proxy->dialled = link;
	snprintf(proxy->why, sizeof proxy->why, "%s", link ? "" : why);
}

static void proxy_open(struct proxy *proxy, const char *answer)
{
	struct fw_err err;
	unsigned port;
	memset(proxy, 0, sizeof *proxy);
	proxy->answer = answer;
	assert_int_equal(uv_loop_init(&proxy->loop), 0);
	assert_int_equal(fw_listener_open(&proxy->listener, &proxy->loop, "127.0.0.1:0", false,
				 on_accepted, proxy, &port, &err),
		0);
	snprintf(proxy->address, sizeof proxy->address, "127.0.0.1:%u", port);
}

static void proxy_done(struct proxy *proxy)
{
	fw_link_close(proxy->dialled);
	fw_link_close(proxy->link);
	fw_listener_close(proxy->listener);
	uv_run(&proxy->loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&proxy->loop), 0);
	fw_buf_done(&proxy->asked);
}

static void dial(struct proxy *proxy, const char *host_port, const char *by, int64_t deadline_ms)
{
	struct fw_dial *started;
	struct fw_err err;
	assert_int_equal(fw_dial_start(&started, &proxy->loop, host_port, by, deadline_ms,
				 on_dialled, proxy, &err),
		0);
	assert_int_equal(proxy->told, 0);
	while (proxy->told == 0)
		uv_run(&proxy->loop, UV_RUN_ONCE);
	assert_int_equal(proxy->told, 1);
}

static void a_proxy_is_asked_to_connect(void **state)
{
	struct proxy proxy;
	(void)state;
	proxy_open(&proxy, "HTTP/1.1 200 Connection established\r\nVia: x\r\n\r\n");
	dial(&proxy, TARGET, proxy.address, 5000);
	assert_non_null(proxy.dialled);
	assert_string_equal(
		proxy.asked.data, "CONNECT " TARGET " HTTP/1.1\r\nHost: " TARGET "\r\n\r\n");
	proxy_done(&proxy);
}

static void what_a_proxy_says_instead_is_told(void **state)
{
	static const struct {
		const char *answer, *said;
	} answers[] = {
		{"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n",
			"will not connect to " TARGET ": 407 Proxy Authentication Required"},
		{"SSH-2.0-OpenSSH\r\n\r\n", "it speaks no HTTP"},
		{"HTTP/1.\r\n\r\n", "will not connect"},
		/* TLS begins with us: what comes before is not the collector's. */
		{"HTTP/1.1 200 OK\r\n\r\nextra", "will not connect"},
	};
	(void)state;
	for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
		struct proxy proxy;
		proxy_open(&proxy, answers[i].answer);
		dial(&proxy, TARGET, proxy.address, 5000);
		assert_null(proxy.dialled);
		if (!strstr(proxy.why, answers[i].said))
			fail_msg("'%s' does not say '%s'", proxy.why, answers[i].said);
		proxy_done(&proxy);
	}
}

static void an_answer_without_end_is_given_up(void **state)
{
	static char endless[8192];
	struct proxy proxy;
	(void)state;
	memset(endless, 'x', sizeof endless - 1);
	proxy_open(&proxy, endless);
	dial(&proxy, TARGET, proxy.address, 5000);
	assert_non_null(strstr(proxy.why, "answers without an end"));
	proxy_done(&proxy);
}

static void a_silent_proxy_is_given_up(void **state)
{
	struct proxy proxy;
	(void)state;
	proxy_open(&proxy, NULL);
	dial(&proxy, TARGET, proxy.address, 100);
	assert_non_null(strstr(proxy.why, "does not answer"));
	proxy_done(&proxy);
}

/* Names for which nobody is asked: a bare machine has neither /etc/hosts nor a name server. */
static void a_name_is_resolved_and_a_wrong_one_told(void **state)
{
	struct proxy proxy;
	char by_name[32];
	(void)state;
	proxy_open(&proxy, NULL);
	snprintf(by_name, sizeof by_name, "localhost%s", strchr(proxy.address, ':'));
	dial(&proxy, by_name, NULL, 5000);
	assert_non_null(proxy.dialled);
	proxy_done(&proxy);
	proxy_open(&proxy, NULL);
	dial(&proxy, "no-such-name.onion:1", NULL, 5000);
	assert_non_null(strstr(proxy.why, "cannot resolve no-such-name.onion"));
	proxy_done(&proxy);
}

static void cancelling_tells_nothing(void **state)
{
	(void)state;
	for (int turns = 0; turns < 6; turns++) {
		struct proxy proxy;
		struct fw_dial *started;
		struct fw_err err;
		proxy_open(&proxy, NULL);
		assert_int_equal(fw_dial_start(&started, &proxy.loop, TARGET, proxy.address, 5000,
					 on_dialled, &proxy, &err),
			0);
		for (int i = 0; i < turns; i++)
			uv_run(&proxy.loop, UV_RUN_NOWAIT);
		fw_dial_cancel(started);
		proxy_done(&proxy);
		assert_int_equal(proxy.told, 0);
	}
}

static void an_address_that_is_none_is_refused_at_once(void **state)
{
	struct proxy proxy;
	struct fw_dial *started;
	struct fw_err err;
	(void)state;
	proxy_open(&proxy, NULL);
	assert_int_equal(fw_dial_start(&started, &proxy.loop, "nowhere", NULL, 5000, on_dialled,
				 &proxy, &err),
		-EINVAL);
	assert_int_equal(fw_dial_start(&started, &proxy.loop, TARGET, "proxy", 5000, on_dialled,
				 &proxy, &err),
		-EINVAL);
	proxy_done(&proxy);
	assert_int_equal(proxy.told, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_proxy_is_asked_to_connect),
		cmocka_unit_test(what_a_proxy_says_instead_is_told),
		cmocka_unit_test(an_answer_without_end_is_given_up),
		cmocka_unit_test(a_silent_proxy_is_given_up),
		cmocka_unit_test(a_name_is_resolved_and_a_wrong_one_told),
		cmocka_unit_test(cancelling_tells_nothing),
		cmocka_unit_test(an_address_that_is_none_is_refused_at_once),
	};
	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
