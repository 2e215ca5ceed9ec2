/* What the packets of a wire add up to: services, who uses them, hosts, and counts.
 *
 * watch_packet() takes the facts of one packet into tables of fixed size, of which each
 * counts what it had to drop. Time is the packet's own. Once a turn, watch_turn() closes
 * what was never answered.
 *
 * Of a conversation the server is who was asked: who a SYN went to, else the lower port.
 * Where both ports are ephemeral and no SYN was seen the service's port is 0.
 *
 * While `shift` is over 0 only one conversation of 2^shift is looked into: chosen by its
 * addresses and ports, so that what is kept is kept whole. Hosts, ARP and DHCP are always
 * looked at.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "packet.h"
#include "slots.h"

#define WATCH_FLOWS 32768
#define WATCH_LOOKUPS 4096
#define WATCH_SERVICES 1024
#define WATCH_PEERS 8192
#define WATCH_HOSTS 4096
#define WATCH_STORM 100             /* ARP requests in a second */
#define WATCH_CONFLICT_US 120000000 /* two holders of an address within this are two */
#define WATCH_TELL_AGAIN_US 3600000000
#define WATCH_CONFLICTS 16
#define WATCH_DHCP_TYPES 9

struct service_key {
	struct packet_address server;
	uint16_t port;
	uint8_t protocol, pad[5];
};

struct service {
	struct slot slot;
	struct service_key key;
	uint64_t packets, bytes;
	uint64_t handshakes, handshake_us, refused, unanswered;
	uint64_t retransmissions, out_of_order, resets, zero_windows;
	uint64_t queries, answers, answer_us, failures, no_names, no_answers; /* of DNS */
	char name[PACKET_NAME_BYTES]; /* from TLS, only where names may be kept */
};

/* Protocols that should be gone. */
enum {
	OLD_SMB1 = 1,
	OLD_TLS10 = 2, /* or SSL */
	OLD_TLS11 = 4,
	OLD_TELNET = 8,
	OLD_SNMP1 = 16,
	OLD_SNMP2C = 32,
	OLD_KINDS = 6,
};
extern const char *const watch_old_names[OLD_KINDS];

struct peer_key {
	struct packet_address client;
	struct service_key service;
};

struct peer {
	struct slot slot;
	struct peer_key key;
	int64_t first_us;
	uint64_t to_server, to_client; /* bytes on the wire */
	uint64_t connections;
	uint32_t old; /* OLD_* */
};

struct wire_host_key {
	uint8_t mac[6], pad[2];
};

struct wire_host {
	struct slot slot;
	struct wire_host_key key;
	struct packet_address address4, address6; /* all zero: not told yet */
	int64_t first_us;
	uint64_t packets, bytes;
	uint32_t old; /* what it speaks itself: OLD_* */
	uint16_t vlan;
	bool announces; /* LLDP or CDP */
	char name[PACKET_NAME_BYTES], port_name[PACKET_NAME_BYTES / 2];
};

struct watch_counts {
	uint64_t packets, bytes, sampled_out, cut, unknown;
	uint64_t broadcasts, multicasts, fragments;
	uint64_t arp_requests, arp_replies, arp_storm_seconds, duplicate_addresses;
	uint64_t address_conflicts; /* who had an address said so again after another had */
	uint64_t dhcp[WATCH_DHCP_TYPES], dhcp_unanswered;
	uint64_t dns_queries, dns_failed, tcp_segments, retransmissions; /* of all services */
	uint64_t broadcast_peak; /* most in one second of this turn */
};

struct watch_second {
	int64_t at;
	uint64_t arp_requests, broadcasts;
};

/* Two say that they have one address. Told of once in WATCH_TELL_AGAIN_US. */
struct watch_conflict {
	struct packet_address address;
	uint8_t holder[6], claimant[6];
};

struct watch {
	struct slots flows, lookups, leases, addresses, services, peers, hosts;
	struct watch_counts counts;
	struct watch_second second;
	struct watch_conflict conflicts[WATCH_CONFLICTS]; /* of this turn, for who takes them */
	size_t n_conflicts;
	unsigned shift;
};

/* For its parts: what a packet belongs to. */
struct conversation {
	struct service_key service;
	struct packet_address client;
	bool to_server;
};

/* Its tables are of the sizes above, or 2^smaller times smaller. */
void watch_init(struct watch *w, uint64_t seed, unsigned smaller);
void watch_done(struct watch *w);
void watch_packet(struct watch *w, const struct packet *p);
void watch_turn(struct watch *w, int64_t now_us);
/* The names of services that were kept while they might be. */
void watch_forget_names(struct watch *w);

uint32_t watch_old(const struct packet *p); /* OLD_* of what this packet shows */

/* The parts, which watch.c calls. */
struct service *watch_service(struct watch *w, const struct service_key *key, int64_t now_us);
void watch_flow(struct watch *w, const struct packet *p, struct conversation *c);
void watch_flow_unanswered(struct watch *w, int64_t now_us);
void watch_dns(struct watch *w, const struct packet *p, const struct conversation *c);
void watch_dhcp(struct watch *w, const struct packet *p);
void watch_lookups_turn(struct watch *w, int64_t now_us);
void watch_link(struct watch *w, const struct packet *p);
size_t watch_flow_bytes(void);
size_t watch_flow_key_bytes(void);
size_t watch_lookup_bytes(void);
size_t watch_lookup_key_bytes(void);
size_t watch_address_bytes(void);
