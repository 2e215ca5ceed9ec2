/* Where traps come in, and who is heard there.
 *
 * The sockets are this program's to look into, and the library's to read: a packet is looked at
 * first, byte by byte, for whose keys it needs. Heard are the communities of the files, and of
 * version 3 the users, with no less than they have keys for. What is heard is told from within
 * the library, with its packet; anything else is dropped there.
 */
#pragma once

#include <stddef.h>

#include <uv.h>

#include <net-snmp/net-snmp-config.h>

#include <net-snmp/net-snmp-includes.h>

#include <fenwatch/conf.h>
#include <fenwatch/err.h>

#define TRAP_EARS 64 /* addresses to listen at, communities or users */

struct trap_ears_config {
	uv_loop_t *loop;
	const struct fw_text_list *listen, *communities, *users; /* the latter are files */
	/* `data`, `length` and `from` are of the packet that it came in; `ear` is the way back. */
	void (*on_trap)(void *ear, netsnmp_pdu *pdu, const uint8_t *data, size_t length,
		const char *from, void *arg);
	void *arg;
};

struct trap_ears;

int trap_ears_open(
	struct trap_ears **out, const struct trap_ears_config *config, struct fw_err *err);
/* Others are heard from now on; where one of their files cannot be read, who was heard still is. What
 * was heard of them before is still answered. */
int trap_ears_hear(struct trap_ears *e, const struct fw_text_list *communities,
	const struct fw_text_list *users, struct fw_err *err);
/* To whom it came from; frees the packet. */
void trap_ears_answer(void *ear, netsnmp_pdu *pdu);
/* Nothing is heard any more, and answers go all the same until it is freed, once the loop is
 * empty. NULL is well in both. */
void trap_ears_close(struct trap_ears *e);
void trap_ears_free(struct trap_ears *e);
