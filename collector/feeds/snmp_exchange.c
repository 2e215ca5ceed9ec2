/* SPDX-License-Identifier: Apache-2.0 */
/* net-snmp on the loop. */
#include "snmp_exchange.h"

#include <stdlib.h>
#include <string.h>

#include <net-snmp/library/large_fd_set.h>

#include <fenwatch/mem.h>

#define WAIT_US (2 * 1000 * 1000)
#define RETRIES 2
#define TICK_MS 200
#define ANSWERS 16 /* that are read, of one exchange: each may name another engine */

/* It wants neither its files nor its MIBs. The environment is the only way to say the
 * latter; the configuration is first read before there are threads. */
void snmp_start_library(void)
{
	static bool started;
	if (started)
		return;
	started = true;
	setenv("MIBS", "", 1);
	set_persistent_directory("/dev/null");
	netsnmp_ds_set_boolean(NETSNMP_DS_LIBRARY_ID, NETSNMP_DS_LIB_DONT_READ_CONFIGS, 1);
	netsnmp_ds_set_boolean(NETSNMP_DS_LIBRARY_ID, NETSNMP_DS_LIB_DONT_PERSIST_STATE, 1);
	snmp_disable_log();
	init_snmp("fenwatch");
	snmp_disable_log();
}

static void exchange_done(struct fw_owner *owner)
{
	fw_free(FW_CONTAINER(owner, struct snmp_exchange, owner));
}

/* The library remembers every engine that any message ever named, authentic or not. What is
 * forgotten of others that are asked meanwhile is told again by their next message. */
void snmp_exchange_free(struct snmp_exchange *exchange)
{
	if (!exchange)
		return;
	fw_owner_close(&exchange->owner);
	snmp_sess_close(exchange->session);
	free_etimelist();
}

/* What a report says is wrong (RFC 3414, usmStats). */
static const char *reported(const netsnmp_pdu *pdu)
{
	static const oid stats[] = {1, 3, 6, 1, 6, 3, 15, 1, 1};
	static const char *const reasons[] = {
		[1] = "does not do SHA-256 with AES-128",
		[2] = "says that our clock is wrong",
		[3] = "does not know the user",
		[4] = "has another engine now",
		[5] = "does not take the password of auth_file",
		[6] = "does not take the password of privacy_file",
	};
	const netsnmp_variable_list *first = pdu->variables;
	size_t n = sizeof stats / sizeof *stats;
	if (!first || first->name_length <= n || memcmp(first->name, stats, sizeof stats) != 0)
		return "reports an error that says nothing";
	oid which = first->name[n];
	return which >= 1 && which <= 6 ? reasons[which] : "reports an unknown error";
}

static void take_answer(struct snmp_exchange *exchange, const netsnmp_pdu *pdu)
{
	exchange->over = true;
	if (pdu->command == SNMP_MSG_REPORT)
		exchange->why = reported(pdu);
	else if (pdu->command != SNMP_MSG_RESPONSE)
		exchange->why = "answers what was not asked";
	else if (pdu->errstat != SNMP_ERR_NOERROR)
		exchange->why = "answers with an error";
	if (pdu->securityEngineIDLen > sizeof exchange->engine)
		return;
	exchange->engine_length = pdu->securityEngineIDLen;
	if (exchange->engine_length > 0)
		memcpy(exchange->engine, pdu->securityEngineID, exchange->engine_length);
}

/* From within the library, where the session must stay. */
static int on_heard(int operation, netsnmp_session *session, int id, netsnmp_pdu *pdu, void *arg)
{
	struct snmp_exchange *exchange = arg;
	(void)session;
	(void)id;
	if (exchange->over)
		return 1;
	if (operation == NETSNMP_CALLBACK_OP_RECEIVED_MESSAGE) {
		take_answer(exchange, pdu);
	} else if (operation == NETSNMP_CALLBACK_OP_TIMED_OUT ||
		operation == NETSNMP_CALLBACK_OP_SEND_FAILED) {
		exchange->over = true;
		exchange->why = "does not answer";
	}
	return 1;
}

static void tell_if_over(struct snmp_exchange *exchange)
{
	if (exchange->over && !exchange->owner.closing)
		exchange->on_over(exchange, exchange->arg);
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
	struct snmp_exchange *exchange = FW_CONTAINER(poll, struct snmp_exchange, poll);
	netsnmp_large_fd_set ready;
	int fd = snmp_sess_transport(exchange->session)->sock;
	(void)status;
	(void)events;
	netsnmp_large_fd_set_init(&ready, fd + 1);
	netsnmp_large_fd_setfd(fd, &ready);
	snmp_sess_read2(exchange->session, &ready);
	netsnmp_large_fd_set_cleanup(&ready);
	if (++exchange->n_heard == ANSWERS && !exchange->over) {
		exchange->over = true;
		exchange->why = "answers without end, and never what was asked";
	}
	tell_if_over(exchange);
}

static void on_tick(uv_timer_t *timer)
{
	struct snmp_exchange *exchange = FW_CONTAINER(timer, struct snmp_exchange, timer);
	snmp_sess_timeout(exchange->session);
	tell_if_over(exchange);
}

struct snmp_exchange *snmp_exchange_new(uv_loop_t *loop, netsnmp_session *like, netsnmp_pdu *pdu,
	void (*on_over)(struct snmp_exchange *, void *), void *arg)
{
	struct snmp_exchange *exchange = fw_alloc(sizeof *exchange);
	exchange->on_over = on_over;
	exchange->arg = arg;
	fw_owner_init(&exchange->owner, exchange_done);
	like->timeout = WAIT_US;
	like->retries = RETRIES;
	exchange->session = snmp_sess_open(like);
	if (!exchange->session ||
		!snmp_sess_async_send(exchange->session, pdu, on_heard, exchange)) {
		snmp_free_pdu(pdu);
		snmp_sess_close(exchange->session);
		fw_free(exchange);
		return NULL;
	}
	uv_poll_init(loop, &exchange->poll, snmp_sess_transport(exchange->session)->sock);
	fw_owner_adopt(&exchange->owner, &exchange->poll);
	uv_timer_init(loop, &exchange->timer);
	fw_owner_adopt(&exchange->owner, &exchange->timer);
	uv_poll_start(&exchange->poll, UV_READABLE, on_readable);
	uv_timer_start(&exchange->timer, on_tick, TICK_MS, TICK_MS);
	return exchange;
}
