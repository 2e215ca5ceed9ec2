/* The layers among themselves: each reads its own header and calls the next. */
#pragma once

#include "packet.h"
#include "span.h"

struct reading {
	struct packet *out;
	struct span s;
	bool names;
	unsigned depth; /* layers so far: stacks of tags and tunnels end somewhere */
};

#define READING_MOST_LAYERS 16

enum {
	ETHER_IP4 = 0x0800,
	ETHER_ARP = 0x0806,
	ETHER_VLAN = 0x8100,
	ETHER_IP6 = 0x86dd,
	ETHER_MPLS = 0x8847,
	ETHER_MPLS_MULTICAST = 0x8848,
	ETHER_PPPOE = 0x8864,
	ETHER_QINQ = 0x88a8,
	ETHER_LLDP = 0x88cc,
	ETHER_QINQ_OLD = 0x9100,
	ETHER_FEWEST = 0x0600, /* below: a length, and LLC follows */
};

bool read_ethernet(struct reading *r);
bool read_ether_type(struct reading *r, uint16_t type);
bool read_llc(struct reading *r);
bool read_ppp(struct reading *r);
bool read_wireless(struct reading *r);
bool read_radiotap(struct reading *r);
bool read_internet(struct reading *r); /* by the version in its first bits */
bool read_internet4(struct reading *r);
bool read_internet6(struct reading *r);
bool read_transport(struct reading *r, uint8_t protocol, size_t length);
bool read_arp(struct reading *r);
bool read_dns(struct reading *r);
bool read_dhcp(struct reading *r);
bool read_lldp(struct reading *r);
bool read_cdp(struct reading *r);
bool read_tls(struct reading *r);
void read_stream_start(struct reading *r); /* what a TCP segment's first bytes tell */
void read_snmp(struct reading *r);

/* An IPv4 address from four bytes. */
void packet_put_address4(struct packet_address *out, const uint8_t bytes[4]);
/* Text from the wire, with '?' for quotes and what is not printable ASCII. */
void packet_put_text(char *out, size_t size, const uint8_t *text, size_t length);
