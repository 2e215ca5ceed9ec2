/* How much of each packet the kernel hands over: a program for it, that refuses no packet.
 *
 * Of Ethernet the headers of IP and TCP or UDP to the byte, and no payload but the first 16
 * bytes where these name a protocol's version (SMB, TLS handshakes, SNMP); of what it does
 * not know, and of other links, PACKET_HEADER_BYTES. Of the few protocols that are read
 * further, their wider limit. What a load finds cut short the kernel drops itself.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include <pcap/pcap.h>

#include <fenwatch/err.h>

#define WIRE_FILTER_MOST 512

struct wire_filter {
	struct bpf_insn steps[WIRE_FILTER_MOST];
	unsigned length;
};

int wire_filter_make(struct wire_filter *f, int link, bool names, struct fw_err *err);
/* What the program returns for a packet: how many bytes of it. For tests. */
unsigned wire_filter_run(const struct wire_filter *f, const unsigned char *packet, unsigned length);
