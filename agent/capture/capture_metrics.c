/* SPDX-License-Identifier: Apache-2.0 */
#include "capture_metrics.h"

#define ROW(which, kind, in, decimals, text)                                                     \
	{                                                                                        \
		.name = "fenwatch_capture_" which, .type = (kind), .unit = (in), .help = (text), \
		.scale = (decimals), .factor = 1                                                 \
	}
#define COUNT(which, text) ROW(which, FW_COUNTER, "", 0, text)
#define GAUGE(which, text) ROW(which, FW_GAUGE, "", 0, text)
#define SHARE(which, decimals, text) ROW(which, FW_GAUGE, "", decimals, text)

const struct metric capture_metrics[CAPTURE_METRICS] = {
	[CAPTURE_PACKETS] = COUNT("packets_total", "Packets heard."),
	[CAPTURE_BYTES] = ROW("bytes_total", FW_COUNTER, "bytes", 0,
		"Bytes of the packets heard, as long as they were on the wire."),
	[CAPTURE_SAMPLED_OUT_PACKETS] = COUNT(
		"sampled_out_packets_total", "Packets of conversations that are not looked into."),
	[CAPTURE_TRUNCATED_PACKETS] =
		COUNT("truncated_packets_total", "Packets whose headers were not whole."),
	[CAPTURE_UNKNOWN_PACKETS] = COUNT(
		"unknown_packets_total", "Packets neither of IP nor of another known protocol."),
	[CAPTURE_BROADCAST_PACKETS] = COUNT("broadcast_packets_total", "Packets to all."),
	[CAPTURE_MULTICAST_PACKETS] = COUNT("multicast_packets_total", "Packets to groups."),
	[CAPTURE_FRAGMENTS] = COUNT("fragments_total", "Fragments of packets but the first."),
	[CAPTURE_ARP_REQUESTS] = COUNT("arp_requests_total", "Questions of ARP."),
	[CAPTURE_ARP_REPLIES] = COUNT("arp_replies_total", "Answers of ARP."),
	[CAPTURE_ARP_STORM_SECONDS] = ROW("arp_storm_seconds_total", FW_COUNTER, "seconds", 0,
		"Seconds with more than 100 questions of ARP."),
	[CAPTURE_DUPLICATE_ADDRESSES] = COUNT("duplicate_addresses_total",
		"Claims to an address that another was heard to have less than two minutes ago."),
	[CAPTURE_ADDRESS_CONFLICTS] = COUNT("address_conflicts_total",
		"Claims to an address whose other holder said it again within two minutes."),
	[CAPTURE_KERNEL_RECEIVED_PACKETS] =
		COUNT("kernel_received_packets_total", "Packets received, as the kernel counts."),
	[CAPTURE_KERNEL_DROPPED_PACKETS] = COUNT("kernel_dropped_packets_total",
		"Packets that the kernel dropped, since they were not taken in time."),
	[CAPTURE_INTERFACE_DROPPED_PACKETS] = COUNT("interface_dropped_packets_total",
		"Packets that the interface dropped, as the kernel counts."),
	[CAPTURE_BROADCAST_PEAK_PACKETS] = GAUGE(
		"broadcast_peak_packets", "Most broadcasts in one second since it was told last."),
	[CAPTURE_CPU_SECONDS] = ROW("cpu_seconds_total", FW_COUNTER, "seconds", 6,
		"CPU time that the capture has used."),
	[CAPTURE_NAMES_ALLOWED] =
		GAUGE("names_allowed", "Whether names of DNS and TLS may be kept."),
	[CAPTURE_SAMPLED_RATIO] =
		SHARE("sampled_ratio", 6, "The share of conversations that is looked into."),
	[CAPTURE_RECENT_ADDRESS_CONFLICTS] = GAUGE(
		"recent_address_conflicts", "Addresses that two claimed in the last ten minutes."),
	[CAPTURE_RECENT_ARP_STORM_SECONDS] = ROW("recent_arp_storm_seconds", FW_GAUGE, "seconds", 0,
		"Seconds of the last ten minutes with more than 100 questions of ARP."),
	[CAPTURE_RECENT_DHCP_UNANSWERED_RATIO] = SHARE("recent_dhcp_unanswered_ratio", 4,
		"The share of DHCP's discoveries in the last ten minutes that had no offer."),
	[CAPTURE_RECENT_DNS_FAILED_RATIO] = SHARE("recent_dns_failed_ratio", 4,
		"The share of DNS queries in the last ten minutes that had no answer or an error."),
	[CAPTURE_RECENT_KERNEL_DROPPED_RATIO] = SHARE("recent_kernel_dropped_ratio", 4,
		"The share of packets that the kernel dropped in the last ten minutes."),
	[CAPTURE_RECENT_TCP_RETRANSMITTED_RATIO] = SHARE("recent_tcp_retransmitted_ratio", 4,
		"The share of TCP's segments that were sent again in the last ten minutes."),
	[CAPTURE_DHCP_MESSAGES] = COUNT("dhcp_messages_total", "Messages of DHCP, by type."),
	[CAPTURE_DHCP_UNANSWERED] =
		COUNT("dhcp_unanswered_total", "DHCP's discoveries without an offer in 10 s."),
	[CAPTURE_TABLE_DROPPED] = COUNT("table_dropped_total",
		"Entries of the capture's tables that made room for others, by table."),
	[CAPTURE_TCP_HANDSHAKES] =
		COUNT("tcp_handshakes_total", "Connections to a service that were set up."),
	[CAPTURE_TCP_HANDSHAKE_SECONDS] = ROW("tcp_handshake_seconds_total", FW_COUNTER, "seconds",
		6, "Time from the SYN to the client's acknowledgement, summed."),
	[CAPTURE_TCP_REFUSED] = COUNT(
		"tcp_refused_total", "Connections to a service that were answered with a reset."),
	[CAPTURE_TCP_UNANSWERED] = COUNT(
		"tcp_unanswered_total", "Connections to a service that were not answered in 10 s."),
	[CAPTURE_TCP_RETRANSMISSIONS] = COUNT("tcp_retransmissions_total",
		"Segments of a service's connections that were sent again."),
	[CAPTURE_TCP_OUT_OF_ORDER] = COUNT("tcp_out_of_order_total",
		"Segments of a service's connections that came late, within the time of a handshake."),
	[CAPTURE_TCP_RESETS] = COUNT("tcp_resets_total", "Resets of a service's connections."),
	[CAPTURE_TCP_ZERO_WINDOWS] = COUNT("tcp_zero_windows_total",
		"Segments of a service's connections by which a side took nothing more for a while."),
	[CAPTURE_DNS_QUERIES] = COUNT("dns_queries_total", "Questions to a name server."),
	[CAPTURE_DNS_ANSWERS] = COUNT("dns_answers_total", "Answers of a name server."),
	[CAPTURE_DNS_ANSWER_SECONDS] = ROW("dns_answer_seconds_total", FW_COUNTER, "seconds", 6,
		"Time from the question to a name server to its answer, summed."),
	[CAPTURE_DNS_FAILURES] = COUNT("dns_failures_total",
		"Answers of a name server with an error, but for names that do not exist."),
	[CAPTURE_DNS_NO_SUCH_NAME] = COUNT(
		"dns_no_such_name_total", "Answers of a name server that the name does not exist."),
	[CAPTURE_DNS_UNANSWERED] = COUNT(
		"dns_unanswered_total", "Questions to a name server without an answer in 5 s."),
	[CAPTURE_SERVICE_PACKETS] =
		COUNT("service_packets_total", "Packets of a service, both ways."),
	[CAPTURE_SERVICE_BYTES] = ROW(
		"service_bytes_total", FW_COUNTER, "bytes", 0, "Bytes of a service, both ways."),
	[CAPTURE_SERVICE_NAME] =
		GAUGE("service_name_info", "The name of a service that was last asked for by TLS."),
	[CAPTURE_OLD_PROTOCOL_CLIENTS] = GAUGE("old_protocol_clients",
		"Clients that were heard with a protocol that should be gone, by protocol."),
	[CAPTURE_CLIENTS] = GAUGE("clients", "Lines of the table of clients."),
	[CAPTURE_UNTOLD_SERVICES] = GAUGE(
		"untold_services", "Services that found no room among those with most packets."),
};
