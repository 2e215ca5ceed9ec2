/* What a trap says, in fields. Knows the library's packets, but no socket. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include <net-snmp/net-snmp-config.h>

#include <net-snmp/net-snmp-includes.h>

#include <fenwatch/conf.h>
#include <fenwatch/mem.h>
#include <fenwatch/schema.h>

#define TRAP_VARIABLES 64 /* that are told at most; of more it says how many */
#define TRAP_FIELDS (TRAP_VARIABLES + 14)

struct trap_packet {
	const uint8_t *data;
	size_t length;
	const char *from; /* the address that it came from */
	bool from_relay;  /* which is believed about whose it is */
};

struct trap {
	const char *source; /* whose it is */
	struct fw_label fields[TRAP_FIELDS];
	size_t n, bytes;
	uint8_t digest[32]; /* of what it says, but for when */
	uint64_t key; /* of that, when, and its request's number: the same when it is sent again */
};

/* MIB files of these folders give names from now on; what is wrong with them is nobody's matter. */
void trap_read_mibs(const struct fw_text_list *folders);
/* Its texts are the arena's. */
void trap_read(const netsnmp_pdu *pdu, const struct trap_packet *packet, struct fw_arena *arena,
	struct trap *out);
