/* SPDX-License-Identifier: Apache-2.0 */
/* dns: a name server answers a question, as is wanted. By UDP it is asked again every two
 * seconds, since a lost packet is no fault of a server's; by TCP once. */
#include "check.h"

#include <errno.h>
#include <string.h>

#include <ares.h>

#include <fenwatch/loop.h>
#include <fenwatch/mem.h>
#include <fenwatch/tls.h>

#include "dnsanswer.h"
#include "metrics.h"
#include "options.h"
#include "reach.h"
#include "shim.h"

#define AGAIN_MS 2000
#define DATAGRAM 4096
#define MESSAGE (2u + 65535u) /* with its length, by TCP */
#define EDNS_BYTES 1232       /* what passes everywhere in one piece */

struct question {
	struct fw_owner owner;
	uv_udp_t udp;
	uv_tcp_t tcp;
	uv_connect_t connecting;
	uv_write_t writing;
	uv_timer_t again;
	struct check_run *run;
	struct reach reach;
	bool open;
	uint8_t *bytes; /* c-ares' */
	int length;
	uint8_t head[2];   /* that length, by TCP */
	uint64_t asked_ns; /* first */
	int64_t connect_us;
	uint8_t *room;          /* DATAGRAM or MESSAGE bytes */
	size_t heard;           /* of a message by TCP, its length in front */
	bool matched, offended; /* a record does what must, or must not, be */
};

static void question_free(struct question *q)
{
	ares_free_string(q->bytes);
	fw_free(q->room);
	fw_free(q);
}

static void on_question_closed(struct fw_owner *owner)
{
	question_free(FW_CONTAINER(owner, struct question, owner));
}

static void question_close(struct question *q)
{
	reach_cancel(&q->reach);
	q->run = NULL;
	if (q->open)
		fw_owner_close(&q->owner);
	else
		question_free(q);
}

static void question_fail(struct question *q, const char *why)
{
	struct check_run *run = q->run;
	check_add(run->sweep, PROBE_DNS_SUCCEEDED, 0);
	question_close(q);
	check_finish(run, CHECK_CRITICAL, "%s", why);
}

/* ---- the answer ---- */

static void on_record(const char *text, void *arg)
{
	struct question *q = arg;
	const struct check_spec *spec = q->run->spec;
	int span[2];
	if (spec->matches && shim_regex_search(spec->matches, text, 0, span, 1))
		q->matched = true;
	if (spec->lacks && shim_regex_search(spec->lacks, text, 0, span, 1))
		q->offended = true;
}

static void add_answer(struct question *q, const struct dns_answer *answer)
{
	struct sweep *sweep = q->run->sweep;
	check_add_phase(sweep, PROBE_DNS_DURATION, "resolve", q->reach.us);
	check_add_phase(sweep, PROBE_DNS_DURATION, "connect", q->connect_us);
	check_add_phase(sweep, PROBE_DNS_DURATION, "request", check_us(q->asked_ns, uv_hrtime()));
	check_add(sweep, PROBE_DNS_RCODE, answer->rcode);
	check_add(sweep, PROBE_DNS_SUCCEEDED, 1);
	check_add(sweep, PROBE_DNS_ANSWERS, answer->answers);
	check_add(sweep, PROBE_DNS_AUTHORITY, answer->authorities);
	check_add(sweep, PROBE_DNS_ADDITIONAL, answer->additionals);
	if (answer->has_serial)
		check_add(sweep, PROBE_DNS_SERIAL, answer->serial);
}

static void judge(struct question *q, const struct dns_answer *answer)
{
	const struct check_spec *spec = q->run->spec;
	struct check_run *run = q->run;
	bool by_regex = (spec->matches && !q->matched) || q->offended;
	bool by_code = answer->rcode != (unsigned)spec->rcode;
	add_answer(q, answer);
	if (spec->matches || spec->lacks)
		check_add(run->sweep, PROBE_REGEX_FAILED, by_regex && !by_code);
	bool offended = q->offended;
	question_close(q);
	if (by_code)
		check_finish(run, CHECK_CRITICAL, "the server answers with code %u", answer->rcode);
	else if (by_regex)
		check_finish(run, CHECK_CRITICAL, "%s",
			offended ? "a record is as none may be" : "no record is as one must be");
	else
		check_finish(run, CHECK_OK, "%s", "");
}

static void on_room(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
	struct question *q = FW_CONTAINER(handle, struct question, udp);
	(void)suggested;
	*buf = uv_buf_init((char *)q->room, DATAGRAM);
}

static int take_message(struct question *q, const uint8_t *bytes, size_t length)
{
	struct dns_answer answer;
	struct fw_err err;
	int rc = dns_answer_read(
		bytes, length, q->bytes, (size_t)q->length, &answer, on_record, q, &err);
	if (rc == 0)
		judge(q, &answer);
	else if (rc != -EAGAIN)
		question_fail(q, err.text);
	return rc;
}

static void on_datagram(uv_udp_t *udp, ssize_t length, const uv_buf_t *buf,
	const struct sockaddr *from, unsigned flags)
{
	struct question *q = FW_CONTAINER(udp, struct question, udp);
	(void)flags;
	if (!q->run || (length == 0 && !from))
		return;
	if (length < 0) {
		question_fail(q, fw_strerror((int)length));
		return;
	}
	take_message(q, (const uint8_t *)buf->base, (size_t)length);
}

/* ---- by TCP ---- */

static void on_stream_room(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
	struct question *q = FW_CONTAINER(handle, struct question, tcp);
	(void)suggested;
	*buf = uv_buf_init((char *)q->room + q->heard, (unsigned)(MESSAGE - q->heard));
}

/* One connection has one question: what answers another is no answer. */
static void on_stream(uv_stream_t *stream, ssize_t length, const uv_buf_t *buf)
{
	struct question *q = FW_CONTAINER(stream, struct question, tcp);
	(void)buf;
	if (!q->run || length == 0)
		return;
	if (length < 0) {
		question_fail(q,
			length == UV_EOF ? "the server hung up before it had answered"
					 : fw_strerror((int)length));
		return;
	}
	q->heard += (size_t)length;
	size_t whole = q->heard < 2 ? MESSAGE : 2 + ((size_t)q->room[0] << 8 | q->room[1]);
	if (q->heard >= whole && take_message(q, q->room + 2, whole - 2) == -EAGAIN)
		question_fail(q, "the server answers another question");
}

static void on_said(uv_write_t *writing, int status)
{
	struct question *q = FW_CONTAINER(writing, struct question, writing);
	if (q->run && status < 0)
		question_fail(q, fw_strerror(status));
}

static void on_connected(uv_connect_t *connecting, int status)
{
	struct question *q = FW_CONTAINER(connecting, struct question, connecting);
	if (!q->run)
		return;
	uint64_t now_ns = uv_hrtime();
	q->connect_us = check_us(q->asked_ns, now_ns);
	q->asked_ns = now_ns;
	q->head[0] = (uint8_t)(q->length >> 8);
	q->head[1] = (uint8_t)q->length;
	const uv_buf_t bufs[2] = {uv_buf_init((char *)q->head, sizeof q->head),
		uv_buf_init((char *)q->bytes, (unsigned)q->length)};
	if (status == 0)
		status = uv_write(&q->writing, connecting->handle, bufs, 2, on_said);
	if (status == 0)
		status = uv_read_start(connecting->handle, on_stream_room, on_stream);
	if (status < 0)
		question_fail(q, fw_strerror(status));
}

/* ---- the question ---- */

static void on_again(uv_timer_t *timer)
{
	struct question *q = FW_CONTAINER(timer, struct question, again);
	uv_buf_t buf = uv_buf_init((char *)q->bytes, (unsigned)q->length);
	uv_timer_start(&q->again, on_again, AGAIN_MS, 0);
	if (!q->asked_ns)
		q->asked_ns = uv_hrtime();
	int rc = uv_udp_try_send(&q->udp, &buf, 1, NULL);
	if (rc < 0 && rc != UV_EAGAIN)
		question_fail(q, fw_strerror(rc));
}

static int ask_by_udp(struct question *q, const struct sockaddr *server)
{
	int rc = uv_udp_init(q->run->loop, &q->udp);
	if (rc < 0)
		return rc;
	fw_owner_adopt(&q->owner, &q->udp);
	q->room = fw_alloc(DATAGRAM);
	rc = uv_udp_connect(&q->udp, server);
	if (rc == 0)
		rc = uv_udp_recv_start(&q->udp, on_room, on_datagram);
	if (rc == 0)
		uv_timer_start(&q->again, on_again, 0, 0);
	return rc;
}

static int ask_by_tcp(struct question *q, const struct sockaddr *server)
{
	int rc = uv_tcp_init(q->run->loop, &q->tcp);
	if (rc < 0)
		return rc;
	fw_owner_adopt(&q->owner, &q->tcp);
	q->room = fw_alloc(MESSAGE);
	q->asked_ns = uv_hrtime();
	return uv_tcp_connect(&q->connecting, &q->tcp, server, on_connected);
}

static void on_dns_reached(struct reach *reach, const char *why)
{
	struct question *q = FW_CONTAINER(reach, struct question, reach);
	const struct sockaddr *server = (const struct sockaddr *)&reach->address;
	if (why) {
		question_fail(q, why);
		return;
	}
	q->open = true;
	fw_owner_init(&q->owner, on_question_closed);
	uv_timer_init(q->run->loop, &q->again);
	fw_owner_adopt(&q->owner, &q->again);
	int rc = q->run->spec->transport == CHECK_TCP ? ask_by_tcp(q, server)
						      : ask_by_udp(q, server);
	if (rc < 0)
		question_fail(q, fw_strerror(rc));
}

static int write_question(struct question *q, const struct check_spec *spec, struct fw_err *err)
{
	uint16_t id;
	fw_random(&id, sizeof id);
	int rc = ares_create_query(spec->query, 1, check_record_codes[spec->record], id, 1,
		&q->bytes, &q->length, EDNS_BYTES);
	return rc == ARES_SUCCESS
		? 0
		: fw_fail(err, -EINVAL, "query '%.100s': %s", spec->query, ares_strerror(rc));
}

static int start_dns(struct check_run *run, struct fw_err *err)
{
	struct question *q = fw_alloc(sizeof *q);
	q->run = run;
	int rc = write_question(q, run->spec, err);
	if (rc == 0)
		rc = reach_start(&q->reach, run, on_dns_reached, err);
	if (rc < 0)
		question_free(q);
	else
		run->state = q;
	return rc;
}

static void cancel_dns(struct check_run *run)
{
	check_add(run->sweep, PROBE_DNS_SUCCEEDED, 0);
	question_close(run->state);
}

static int prepare_dns(struct check_spec *spec, struct fw_err *err)
{
	struct question q = {0};
	int rc = write_question(&q, spec, err);
	ares_free_string(q.bytes);
	return rc < 0 ? rc : reach_split(spec, 53, err);
}

const struct check_kind check_dns = {
	.name = "dns",
	.help = "a name server answers as is wanted",
	.options = check_options_dns,
	.prepare = prepare_dns,
	.start = start_dns,
	.cancel = cancel_dns,
};
