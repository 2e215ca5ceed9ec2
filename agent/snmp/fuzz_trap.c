/* SPDX-License-Identifier: Apache-2.0 */
/* What strangers send to the port of traps: whose it says it is, of version 3, and what it
 * says. The first byte chooses version and relay, the rest is a PDU. What is told of it fits
 * into an event. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <fenwatch/wire.h>

#include "trapread.h"
#include "trapusers.h"

#define MOST_BYTES (63u << 10) /* of an event's 64 KiB */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct trap_users *start(void)
{
	const struct fw_text_list nothing = {0};
	setenv("MIBS", "", 1);
	trap_read_mibs(&nothing);
	return trap_users_new();
}

static void check(const struct trap *trap)
{
	size_t bytes = 0;
	for (size_t i = 0; i < trap->n; i++) {
		const char *name = trap->fields[i].name, *value = trap->fields[i].value;
		if (!fw_wire_text_valid(value, strlen(value)))
			abort();
		bytes += strlen(name) + strlen(value) + 12;
	}
	if (trap->n > TRAP_FIELDS || bytes > MOST_BYTES)
		abort();
}

static void read_pdu(netsnmp_pdu *pdu, const uint8_t *data, size_t size, bool from_relay)
{
	struct fw_arena arena = {0};
	struct trap trap;
	const struct trap_packet packet = {
		.data = data, .length = size, .from = "192.0.2.1", .from_relay = from_relay};
	if (pdu->command == SNMP_MSG_TRAP || pdu->command == SNMP_MSG_TRAP2 ||
		pdu->command == SNMP_MSG_INFORM) {
		trap_read(pdu, &packet, &arena, &trap);
		check(&trap);
	}
	fw_arena_done(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct trap_users *users;
	if (!users)
		users = start();
	trap_users_expect(users, data, size);
	trap_users_settle(users, false);
	if (size < 2)
		return 0;
	netsnmp_pdu *pdu = snmp_pdu_create(0);
	uint8_t *copy = malloc(size - 1); /* its end is watched */
	size_t length = size - 1;
	memcpy(copy, data + 1, length);
	pdu->version = data[0] & 1 ? SNMP_VERSION_1 : SNMP_VERSION_2c;
	if (snmp_pdu_parse(pdu, copy, &length) == 0)
		read_pdu(pdu, copy, size - 1, data[0] & 2);
	free(copy);
	snmp_free_pdu(pdu);
	return 0;
}
