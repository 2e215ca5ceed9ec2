/* One request of SNMP and what comes of it, on the loop. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <net-snmp/net-snmp-config.h>

#include <net-snmp/net-snmp-includes.h>

#include <fenwatch/loop.h>

struct notice;

/* `why` is NULL when it was answered. */
struct snmp_exchange {
	struct fw_owner owner;
	uv_poll_t poll;
	uv_timer_t timer;
	void *session;
	unsigned n_heard;
	bool over;
	const char *why;
	uint8_t engine[USM_MAX_ID_LENGTH];
	size_t engine_length;
	void (*on_over)(struct snmp_exchange *exchange, void *arg);
	void *arg;
};

/* Once, before there are threads. */
void snmp_start_library(void);
/* Takes the PDU and sends it in a session like this one. NULL when it cannot be sent. */
struct snmp_exchange *snmp_exchange_new(uv_loop_t *loop, netsnmp_session *like, netsnmp_pdu *pdu,
	void (*on_over)(struct snmp_exchange *exchange, void *arg), void *arg);
/* NULL, too; may be called within on_over. */
void snmp_exchange_free(struct snmp_exchange *exchange);

/* A notice as FENWATCH-MIB has it, under an enterprise's number. */
netsnmp_pdu *snmp_notification(int64_t enterprise, bool inform, const struct notice *notice);
