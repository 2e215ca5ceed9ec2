/* What the headers of one packet say.
 *
 * packet_parse() reads from the link's header to the transport's, and of a few
 * protocols what comes behind it: ARP, DNS, DHCP, LLDP, CDP, and of others the version
 * they speak. It takes no memory and trusts no length: whatever is cut short, looped or
 * lies about its size ends the reading there, and the facts up to there stand.
 *
 * At most PACKET_HEADER_BYTES of a packet are looked at, and PACKET_WIDE_BYTES for the
 * few protocols above. Names in DNS and TLS are copied only where `names` says so.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PACKET_HEADER_BYTES 128
#define PACKET_WIDE_BYTES 768   /* DNS, DHCP, ARP, LLDP, CDP */
#define PACKET_HELLO_BYTES 1600 /* the first segment of a TLS handshake, for its name */
#define PACKET_NAME_BYTES 128

struct packet_address {
	uint8_t bytes[16]; /* IPv4 as ::ffff:a.b.c.d */
};

enum packet_app {
	PACKET_APP_NONE,
	PACKET_APP_ARP,
	PACKET_APP_DNS,
	PACKET_APP_DHCP,
	PACKET_APP_LLDP,
	PACKET_APP_CDP,
	PACKET_APP_TLS,
	PACKET_APP_SMB1,
	PACKET_APP_SMB,
	PACKET_APP_SNMP,
	PACKET_APP_NEIGHBOUR, /* of IPv6, in place of ARP */
};

enum { TCP_FIN = 1, TCP_SYN = 2, TCP_RST = 4, TCP_PUSH = 8, TCP_ACK = 16 };
enum { PROTOCOL_ICMP = 1, PROTOCOL_TCP = 6, PROTOCOL_UDP = 17, PROTOCOL_ICMP6 = 58 };

struct packet_tcp {
	uint32_t seq, ack;
	uint16_t window;
	uint8_t flags;
};

struct packet_arp {
	uint16_t operation; /* 1 request, 2 reply */
	uint8_t sender_mac[6];
	struct packet_address sender, target;
};

struct packet_dns {
	uint16_t id, type; /* type of the first question */
	uint8_t rcode;
	bool response;
};

struct packet_dhcp {
	uint32_t id;
	uint8_t type; /* 1 discover, 2 offer, 3 request, 4 decline, 5 ack, 6 nak, 7 release, 8 inform */
	uint8_t mac[6];
	bool reply;
	struct packet_address given; /* yiaddr; all zero: none */
};

struct packet_tls {
	uint8_t handshake; /* 1 client hello, 2 server hello */
	uint16_t version;  /* what the server chose, or the client offers at most: 0x0303 is 1.2 */
};

struct packet_neighbour {
	uint8_t mac[6];
	struct packet_address address;
};

struct packet {
	int64_t at_us;
	uint32_t length;  /* on the wire */
	uint32_t payload; /* bytes behind the transport's header, as the network layer counts */
	uint8_t from_mac[6], to_mac[6];
	bool has_macs, broadcast, multicast;
	bool fragment; /* not the first of a datagram: without ports */
	bool cut;      /* a header was not whole */
	uint8_t ip;    /* 4, 6, or 0 */
	uint8_t protocol;
	uint16_t vlan; /* the innermost; 0: none */
	uint16_t ether_type;
	uint16_t from_port, to_port;
	struct packet_address from, to;
	struct packet_tcp tcp;
	enum packet_app app;
	union {
		struct packet_arp arp;
		struct packet_dns dns;
		struct packet_dhcp dhcp;
		struct packet_tls tls;
		struct packet_neighbour neighbour;
		uint8_t snmp_version; /* 0 is v1, 1 is v2c, 3 is v3 */
	};
	/* Of a DNS question or a TLS hello where names may be kept; of LLDP and CDP the system
	 * and port; of DHCP the client's name. Empty otherwise. Always printable. */
	char name[PACKET_NAME_BYTES], port_name[PACKET_NAME_BYTES / 2];
};

/* Is this data link type of libpcap's one that is understood? */
bool packet_knows_link(int link);
/* What could be read stands in `out`; all else is zero. */
void packet_parse(struct packet *out, int link, const uint8_t *data, size_t captured, size_t length,
	bool names);
/* As text: 46 bytes are enough. */
const char *packet_address_text(const struct packet_address *address, char *text, size_t size);
bool packet_address_is_none(const struct packet_address *address);
