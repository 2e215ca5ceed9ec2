/* SPDX-License-Identifier: Apache-2.0 */
#include "line.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <net-snmp/library/large_fd_set.h>

#include <fenwatch/loop.h>
#include <fenwatch/mem.h>

#define TICK_MS 50 /* how late a time-out may be noticed */

struct line {
	struct fw_owner owner;
	uv_poll_t poll;
	uv_timer_t timer;
	void *session;
	int64_t timeout_ms;
	void (*on_event)(struct line *line, const struct line_event *event, void *arg);
	void *arg;
	bool waiting, over; /* for an answer; something is to be told */
	struct line_event event;
	struct fw_arena arena; /* of the answer */
	uint8_t engine[USM_MAX_ID_LENGTH];
	uint64_t sent, retried;
};

/* ---- from the library's form into ours ---- */

static int64_t counter64(const struct counter64 *value)
{
	return (int64_t)(((uint64_t)value->high << 32 | (value->low & UINT32_MAX)) & INT64_MAX);
}

static void take_bytes(struct line *line, const netsnmp_variable_list *v, struct binding *out)
{
	uint8_t *bytes = fw_arena_alloc(&line->arena, v->val_len + 1);
	if (v->val_len > 0)
		memcpy(bytes, v->val.string, v->val_len);
	out->kind = VALUE_TEXT;
	out->bytes = bytes;
	out->length = v->val_len;
}

static void take_address(struct line *line, const netsnmp_variable_list *v, struct binding *out)
{
	const uint8_t *b = v->val.string;
	if (v->val_len != 4)
		return;
	out->kind = VALUE_TEXT;
	char *text = fw_arena_format(&line->arena, "%u.%u.%u.%u", b[0], b[1], b[2], b[3]);
	out->bytes = (const uint8_t *)text;
	out->length = strlen(text);
}

static bool take_oid(const oid *ids, size_t n, struct oid *out)
{
	if (n > OID_LIMIT)
		return false;
	out->n = (uint32_t)n;
	for (size_t i = 0; i < n; i++)
		out->ids[i] = (uint32_t)ids[i];
	return true;
}

static void take_value(struct line *line, const netsnmp_variable_list *v, struct binding *out)
{
	switch (v->type) {
	case ASN_INTEGER:
		out->kind = VALUE_INTEGER;
		out->number = (int32_t)*v->val.integer;
		break;
	case ASN_COUNTER:
		out->is_counter32 = true;
		/* fall through */
	case ASN_GAUGE:
	case ASN_TIMETICKS:
	case ASN_UINTEGER:
		out->kind = VALUE_INTEGER;
		out->number = (int64_t)(*(u_long *)v->val.integer & UINT32_MAX);
		break;
	case ASN_COUNTER64:
	case ASN_OPAQUE_COUNTER64:
	case ASN_OPAQUE_U64:
		out->kind = VALUE_INTEGER;
		out->number = counter64(v->val.counter64);
		break;
	case ASN_OPAQUE_FLOAT:
		out->kind = VALUE_DOUBLE;
		out->real = (double)*v->val.floatVal;
		break;
	case ASN_OPAQUE_DOUBLE:
		out->kind = VALUE_DOUBLE;
		out->real = *v->val.doubleVal;
		break;
	case ASN_OCTET_STR:
	case ASN_BIT_STR:
		take_bytes(line, v, out);
		break;
	case ASN_IPADDRESS:
		take_address(line, v, out);
		break;
	case ASN_OBJECT_ID:
		if (take_oid(v->val.objid, v->val_len / sizeof(oid), &out->oid))
			out->kind = VALUE_OID;
		break;
	default: /* noSuchObject and its like */
		break;
	}
}

static void take_variables(struct line *line, const netsnmp_variable_list *first)
{
	size_t n = 0, room = 0;
	for (const netsnmp_variable_list *v = first; v && room < LINE_BINDINGS;
		v = v->next_variable)
		room++;
	struct binding *bindings = fw_arena_alloc(&line->arena, (room + 1) * sizeof *bindings);
	for (const netsnmp_variable_list *v = first; n < room; v = v->next_variable) {
		struct binding *binding = &bindings[n++];
		if (take_oid(v->name, v->name_length, &binding->name))
			take_value(line, v, binding);
	}
	line->event.answer.bindings = bindings;
	line->event.answer.n = n;
}

/* What a report says is wrong (RFC 3414, usmStats). */
static const char *reported(const netsnmp_pdu *pdu)
{
	static const oid stats[] = {1, 3, 6, 1, 6, 3, 15, 1, 1};
	static const char *const reasons[] = {
		[1] = "it does not do this kind of authentication or encryption",
		[2] = "it says that our clock is wrong",
		[3] = "it does not know the user",
		[4] = "it has another engine now",
		[5] = "it does not take the password of 'auth'",
		[6] = "it does not take the password of 'priv'",
	};
	size_t n = sizeof stats / sizeof *stats;
	const netsnmp_variable_list *first = pdu->variables;
	if (!first || first->name_length <= n || memcmp(first->name, stats, sizeof stats) != 0 ||
		first->name[n] < 1 || first->name[n] > 6)
		return "it reports an error that says nothing";
	return reasons[first->name[n]];
}

static void take_pdu(struct line *line, const netsnmp_pdu *pdu)
{
	line->event = (struct line_event){.engine = line->engine};
	if (pdu->securityEngineIDLen > 0 && pdu->securityEngineIDLen <= sizeof line->engine) {
		memcpy(line->engine, pdu->securityEngineID, pdu->securityEngineIDLen);
		line->event.engine_length = pdu->securityEngineIDLen;
	}
	if (pdu->command == SNMP_MSG_REPORT)
		line->event.why = reported(pdu);
	else if (pdu->command != SNMP_MSG_RESPONSE)
		line->event.why = "it answers what was not asked";
	line->event.answer.error = (unsigned)pdu->errstat;
	line->event.answer.error_index = (unsigned)pdu->errindex;
	if (!line->event.why && pdu->errstat == SNMP_ERR_NOERROR)
		take_variables(line, pdu->variables);
}

/* From within the library, where the session must stay. */
static int on_heard(int operation, netsnmp_session *session, int id, netsnmp_pdu *pdu, void *arg)
{
	struct line *line = arg;
	(void)session;
	(void)id;
	if (operation == NETSNMP_CALLBACK_OP_RESEND) {
		line->sent++;
		line->retried++;
		return 1;
	}
	if (!line->waiting)
		return 1;
	if (operation == NETSNMP_CALLBACK_OP_RECEIVED_MESSAGE)
		take_pdu(line, pdu);
	else if (operation == NETSNMP_CALLBACK_OP_TIMED_OUT)
		line->event = (struct line_event){.why = "it does not answer", .is_nobodys = true};
	else if (operation == NETSNMP_CALLBACK_OP_SEND_FAILED)
		line->event = (struct line_event){
			.why = "the question cannot be sent", .is_nobodys = true};
	else
		return 1; /* a report comes by itself after its error */
	line->waiting = false;
	line->over = true;
	return 1;
}

/* ---- on the loop ---- */

static void tell_if_over(struct line *line)
{
	struct fw_arena arena = line->arena;
	if (!line->over || line->owner.closing)
		return;
	line->over = false;
	line->arena = (struct fw_arena){0};
	uv_timer_stop(&line->timer);
	line->on_event(line, &line->event, line->arg);
	fw_arena_done(&arena);
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
	struct line *line = FW_CONTAINER(poll, struct line, poll);
	netsnmp_large_fd_set ready;
	int fd = snmp_sess_transport(line->session)->sock;
	(void)status;
	(void)events;
	netsnmp_large_fd_set_init(&ready, fd + 1);
	netsnmp_large_fd_setfd(fd, &ready);
	snmp_sess_read2(line->session, &ready);
	netsnmp_large_fd_set_cleanup(&ready);
	tell_if_over(line);
}

static void on_tick(uv_timer_t *timer)
{
	struct line *line = FW_CONTAINER(timer, struct line, timer);
	snmp_sess_timeout(line->session);
	tell_if_over(line);
}

int line_send(struct line *line, netsnmp_pdu *pdu)
{
	line->waiting = true;
	if (!snmp_sess_async_send(line->session, pdu, on_heard, line)) {
		snmp_free_pdu(pdu);
		line->waiting = false;
		return -EIO;
	}
	line->sent++;
	uv_timer_start(&line->timer, on_tick, (uint64_t)line->timeout_ms + 1, TICK_MS);
	return 0;
}

static void on_closed(struct fw_owner *owner)
{
	struct line *line = FW_CONTAINER(owner, struct line, owner);
	fw_arena_done(&line->arena);
	fw_free(line);
}

void line_free(struct line *line)
{
	if (!line)
		return;
	line->over = line->waiting = false;
	fw_owner_close(&line->owner);
	snmp_sess_close(line->session);
	line->session = NULL;
}

int line_open(struct line **out, uv_loop_t *loop, netsnmp_session *like, netsnmp_pdu *pdu,
	int64_t timeout_ms,
	void (*on_event)(struct line *line, const struct line_event *, void *arg), void *arg,
	struct fw_err *err)
{
	struct line *line = fw_alloc(sizeof *line);
	line->on_event = on_event;
	line->arg = arg;
	line->timeout_ms = timeout_ms;
	line->session = snmp_sess_open(like);
	if (!line->session) {
		snmp_free_pdu(pdu);
		fw_free(line);
		return fw_fail(err, -EIO, "no session: %s", snmp_api_errstring(like->s_snmp_errno));
	}
	fw_owner_init(&line->owner, on_closed);
	uv_poll_init(loop, &line->poll, snmp_sess_transport(line->session)->sock);
	fw_owner_adopt(&line->owner, &line->poll);
	uv_timer_init(loop, &line->timer);
	fw_owner_adopt(&line->owner, &line->timer);
	uv_poll_start(&line->poll, UV_READABLE, on_readable);
	if (line_send(line, pdu) < 0) {
		line_free(line);
		return fw_fail(err, -EIO, "the question cannot be sent");
	}
	*out = line;
	return 0;
}

void line_count(struct line *line, uint64_t *sent, uint64_t *retried)
{
	*sent += line->sent;
	*retried += line->retried;
	line->sent = line->retried = 0;
}
