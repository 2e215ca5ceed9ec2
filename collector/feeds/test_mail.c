/* SPDX-License-Identifier: Apache-2.0 */
#include "testkit.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include <arpa/inet.h>

#include <fenwatch/buf.h>

/* A mail server of a few words. */
struct post {
	uv_tcp_t listener, peer;
	struct fw_buf in, mail;
	char space[4096];
	unsigned port;
	bool in_data;
	const char *to_recipient, *to_data; /* its answers */
	char from[300], to[600];
	unsigned mails;
};

static struct post post;

static void on_said(uv_write_t *write, int status)
{
	(void)status;
	fw_free(write);
}

static void say(const char *text)
{
	uv_write_t *write = fw_alloc(sizeof *write);
	uv_buf_t buf = uv_buf_init((char *)(uintptr_t)text, (unsigned)strlen(text));
	uv_write(write, (uv_stream_t *)&post.peer, &buf, 1, on_said);
}

static bool begins(const char *line, const char *word)
{
	return strncasecmp(line, word, strlen(word)) == 0;
}

static void take_line(const char *line)
{
	if (post.in_data && strcmp(line, ".") != 0) {
		fw_buf_printf(&post.mail, "%s\r\n", *line == '.' ? line + 1 : line);
	} else if (post.in_data) {
		post.in_data = false;
		post.mails++;
		say(post.to_data);
	} else if (begins(line, "EHLO")) {
		say("250 post.example\r\n");
	} else if (begins(line, "MAIL FROM:")) {
		snprintf(post.from, sizeof post.from, "%s", line + 10);
		say("250 yes\r\n");
	} else if (begins(line, "RCPT TO:")) {
		size_t used = strlen(post.to);
		snprintf(post.to + used, sizeof post.to - used, "%s", line + 8);
		say(post.to_recipient);
	} else if (begins(line, "DATA")) {
		post.in_data = true;
		fw_buf_reset(&post.mail);
		say("354 go on\r\n");
	} else {
		say(begins(line, "QUIT") ? "221 bye\r\n" : "502 what?\r\n");
	}
}

static void on_space(uv_handle_t *handle, size_t wanted, uv_buf_t *buf)
{
	(void)handle;
	(void)wanted;
	*buf = uv_buf_init(post.space, sizeof post.space);
}

static void on_heard(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
	if (n < 0) {
		if (!uv_is_closing((uv_handle_t *)stream))
			uv_close((uv_handle_t *)stream, NULL);
		return;
	}
	fw_buf_append(&post.in, buf->base, (size_t)n);
	for (char *end; post.in.length > 0 && (end = strstr((char *)post.in.data, "\r\n"));) {
		*end = '\0';
		take_line((char *)post.in.data);
		fw_buf_consume(&post.in, (size_t)(end + 2 - (char *)post.in.data));
	}
}

static void on_connected(uv_stream_t *listener, int status)
{
	(void)status;
	uv_tcp_init(listener->loop, &post.peer);
	uv_accept(listener, (uv_stream_t *)&post.peer);
	uv_read_start((uv_stream_t *)&post.peer, on_space, on_heard);
	*post.from = *post.to = '\0';
	fw_buf_reset(&post.in);
	say("220 post.example ESMTP\r\n");
}

static int set_up(void **arg)
{
	struct sockaddr_in address;
	struct sockaddr_storage bound;
	int length = sizeof bound;
	kit_set_up(arg);
	struct kit *kit = *arg;
	memset(&post, 0, sizeof post);
	post.to_recipient = post.to_data = "250 yes\r\n";
	uv_tcp_init(&kit->loop, &post.listener);
	uv_ip4_addr("127.0.0.1", 0, &address);
	uv_tcp_bind(&post.listener, (struct sockaddr *)&address, 0);
	uv_listen((uv_stream_t *)&post.listener, 8, on_connected);
	uv_tcp_getsockname(&post.listener, (struct sockaddr *)&bound, &length);
	post.port = ntohs(((struct sockaddr_in *)&bound)->sin_port);
	return 0;
}

static int tear_down(void **arg)
{
	uv_close((uv_handle_t *)&post.listener, NULL);
	kit_tear_down(arg);
	fw_buf_done(&post.in);
	fw_buf_done(&post.mail);
	return 0;
}

static void configure(struct kit *kit, const char *more)
{
	kit_configure(kit, "mail",
		fw_arena_format(&kit->arena,
			"server: 127.0.0.1:%u\nsecurity: none\nfrom: fenwatch@council.example\n%s",
			post.port, more));
}

/* The line of the header with this name, unfolded no further. */
static const char *header(struct kit *kit, const char *name)
{
	const char *at = (const char *)post.mail.data;
	while (at && !begins(at, name) && !begins(at, "\r\n")) {
		at = strstr(at, "\r\n");
		at = at ? at + 2 : NULL;
	}
	if (!at || begins(at, "\r\n"))
		return "none";
	return fw_arena_strndup(&kit->arena, at + strlen(name), strcspn(at, "\r\n") - strlen(name));
}

static const char *body(void)
{
	return strstr((char *)post.mail.data, "\r\n\r\n") + 4;
}

static void test_a_mail_has_what_the_register_says(void **arg)
{
	struct kit *kit = *arg;
	configure(kit, "to: [desk@council.example]");
	kit_judge(kit);
	assert_int_equal(kit_deliver(kit), DELIVERED);
	assert_non_null(strstr(
		body(), "users.\r\n\r\nPriority: P2\r\nTier: blue-light\r\nSite: Boston Fire\r\n"));
	assert_non_null(strstr(body(), "Ring: 01522 580397\r\n"));
}

#define KEY "fw1-0123456789abcdef0123456789abcdef"
#define OPEN_ID "<" KEY ".1795341600000.firing@council.example>"

static void test_a_mail_and_its_reply(void **arg)
{
	struct kit *kit = *arg;
	configure(kit, "to: [desk@council.example, duty@council.example]");
	assert_int_equal(kit_deliver(kit), DELIVERED);
	assert_string_equal(post.from, "<fenwatch@council.example>");
	assert_string_equal(post.to, "<desk@council.example><duty@council.example>");
	assert_string_equal(header(kit, "Message-ID: "), OPEN_ID);
	assert_string_equal(header(kit, "Date: "), "Sun, 22 Nov 2026 10:01:00 +0000");
	assert_string_equal(header(kit, "Subject: "), "[critical] web01: /srv has 4.0 % left");
	assert_string_equal(header(kit, "From: "), "Fenwatch <fenwatch@council.example>");
	assert_string_equal(header(kit, "In-Reply-To: "), "none");
	assert_string_equal(header(kit, "Auto-Submitted: "), "auto-generated");
	assert_non_null(strstr(body(), "firing since 2026-11-22T10:00:00.000Z\r\n"));
	assert_non_null(strstr(body(), "Little is left for ordinary users."));
	assert_non_null(strstr(body(), "mountpoint: /srv/\"quoted\"=20\r\n"));
	/* Sent once more it is the same mail. */
	assert_int_equal(kit_deliver(kit), DELIVERED);
	assert_string_equal(header(kit, "Message-ID: "), OPEN_ID);
	kit_resolve(kit, "");
	assert_int_equal(kit_deliver(kit), DELIVERED);
	assert_string_equal(
		header(kit, "Message-ID: "), "<" KEY ".1795341600000.resolved@council.example>");
	assert_string_equal(header(kit, "In-Reply-To: "), OPEN_ID);
	assert_string_equal(header(kit, "References: "), OPEN_ID);
	assert_string_equal(header(kit, "Subject: "), "Re: [critical] web01: /srv has 4.0 % left");
	assert_int_equal(post.mails, 3);
}

static void test_a_mail_goes_to_whom_the_notice_names(void **arg)
{
	struct kit *kit = *arg;
	static const struct notice_pair named[] = {{"contact_mail", "ann@contoso.example"}};
	static const struct notice_pair strange[] = {{"contact_mail", "a@b>\r\nRCPT TO:<evil@c"}};
	configure(kit, "to: [contact]");
	kit->notice.annotations = named;
	kit->notice.n_annotations = 1;
	assert_int_equal(kit_deliver(kit), DELIVERED);
	assert_string_equal(post.to, "<ann@contoso.example>");
	assert_string_equal(header(kit, "To: "), "ann@contoso.example");
	kit->notice.annotations = strange;
	assert_int_equal(kit_deliver(kit), REFUSED);
	kit->notice.n_annotations = 0;
	assert_int_equal(kit_deliver(kit), REFUSED);
}

static void test_no_text_of_a_host_becomes_a_header_or_ends_the_mail(void **arg)
{
	struct kit *kit = *arg;
	static const struct notice_pair annotations[] = {
		{"description", "\n.\r\n.\r\nMAIL FROM:<evil@example>"},
		{"summary", "x\r\nBcc: evil@example\r\n\r\nbody \xe2\x80\xa8 \x1b[31m"},
	};
	configure(kit, "to: [desk@council.example]");
	kit->notice.annotations = annotations;
	kit->notice.n_annotations = 2;
	assert_int_equal(kit_deliver(kit), DELIVERED);
	assert_string_equal(header(kit, "Bcc: "), "none");
	assert_string_equal(post.to, "<desk@council.example>");
	assert_string_equal(
		header(kit, "Subject: "), "[critical] x  Bcc: evil@example    body    [31m");
	assert_null(strstr((char *)post.mail.data, "\x1b"));
	assert_int_equal(post.mails, 1);
}

static void test_subjects_in_other_letters_are_coded_in_whole_characters(void **arg)
{
	struct kit *kit = *arg;
	static const struct notice_pair annotations[] = {{"summary",
		"gr\xc3\xb6\xc3\x9f"
		"er \xf0\x9f\x94\xa5\xf0\x9f\x94\xa5 =?x?= end"}};
	configure(kit, "to: [desk@council.example]");
	kit->notice.annotations = annotations;
	kit->notice.n_annotations = 1;
	assert_int_equal(kit_deliver(kit), DELIVERED);
	assert_non_null(strstr((char *)post.mail.data,
		"Subject: =?UTF-8?Q?=5Bcritical=5D=20gr?=\r\n"
		" =?UTF-8?Q?=C3=B6=C3=9Fer=20=F0=9F=94=A5?=\r\n"));
	for (const char *line = (char *)post.mail.data; line; line = strstr(line, "\r\n")) {
		line += *line == '\r' ? 2 : 0;
		assert_true(strcspn(line, "\r") <= 78 || begins(line, "Message-ID"));
	}
	/* The body says it in UTF-8, coded. */
	assert_non_null(strstr(body(), "gr=C3=B6=C3=9Fer"));
}

static void test_what_an_answer_means(void **arg)
{
	static const struct {
		const char *to_recipient, *to_data;
		enum verdict verdict;
	} cases[] = {
		{"250 yes\r\n", "250 yes\r\n", DELIVERED},
		{"550 nobody of that name\r\n", "250 yes\r\n", REFUSED},
		{"450 later\r\n", "250 yes\r\n", TRY_LATER},
		{"250 yes\r\n", "554 no\r\n", REFUSED},
		{"250 yes\r\n", "452 full\r\n", TRY_LATER},
		{"530 log in first\r\n", "250 yes\r\n", TRY_LATER},
	};
	struct kit *kit = *arg;
	configure(kit, "to: [desk@council.example]");
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		post.to_recipient = cases[i].to_recipient;
		post.to_data = cases[i].to_data;
		if (kit_deliver(kit) != cases[i].verdict)
			fail_msg("case %zu: %d, '%s'", i, kit->verdict, kit->why);
	}
}

static void test_nothing_is_sent_in_the_clear_where_tls_was_asked_for(void **arg)
{
	struct kit *kit = *arg;
	kit_configure(kit, "mail",
		fw_arena_format(&kit->arena,
			"server: 127.0.0.1:%u\nfrom: a@b.example\nto: [c@d.example]", post.port));
	assert_int_equal(kit_deliver(kit), TRY_LATER);
	assert_string_equal(post.from, "");
	assert_int_equal(post.mails, 0);
}

static void test_interrupted(void **arg)
{
	struct kit *kit = *arg;
	configure(kit, "to: [desk@council.example]");
	post.to_data = ""; /* it never says how it went */
	kit_start(kit);
	while (post.mails == 0)
		uv_run(&kit->loop, UV_RUN_ONCE);
	kit->feed->cancel(&kit->delivery);
	assert_int_equal(kit->finished, 1);
	assert_int_equal(kit->verdict, TRY_LATER);
}

static void test_mistakes_are_named(void **arg)
{
	static const struct {
		const char *yaml, *word;
	} cases[] = {
		{"server: mail\nfrom: a@b\nto: [c@d]", "mail.example:587"},
		{"server: 'x:25/path'\nfrom: a@b\nto: [c@d]", "mail.example:587"},
		{"server: 'x:25'\nfrom: a\nto: [c@d]", "'a' is no mail address"},
		{"server: 'x:25'\nfrom: \"a@b>\\r\\nRCPT TO:<x@y\"\nto: [c@d]", "no mail address"},
		{"server: 'x:25'\nfrom: a@b\nto: ['Desk <c@d>']", "no mail address"},
		{"server: 'x:25'\nfrom: a@b\nto: []", "nobody"},
		{"server: 'x:25'\nfrom: a@b\nto: [c@d]\nuser: u", "belong together"},
		{"server: 'x:25'\nfrom: a@b\nto: [c@d]\nuser: u\npassword_file: p\nsecurity: none",
			"without TLS"},
	};
	struct kit *kit = *arg;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		const char *said = kit_refusal(kit, "mail", cases[i].yaml);
		if (!strstr(said, cases[i].word))
			fail_msg("%s: %s", cases[i].yaml, said);
	}
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		CASE(test_a_mail_and_its_reply),
		CASE(test_a_mail_has_what_the_register_says),
		CASE(test_a_mail_goes_to_whom_the_notice_names),
		CASE(test_no_text_of_a_host_becomes_a_header_or_ends_the_mail),
		CASE(test_subjects_in_other_letters_are_coded_in_whole_characters),
		CASE(test_what_an_answer_means),
		CASE(test_nothing_is_sent_in_the_clear_where_tls_was_asked_for),
		CASE(test_interrupted),
		CASE(test_mistakes_are_named),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
