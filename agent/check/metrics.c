/* SPDX-License-Identifier: Apache-2.0 */
#include "metrics.h"

#define GAUGE(n, h)                                                                 \
	{                                                                           \
		.name = (n), .type = FW_GAUGE, .unit = "", .help = (h), .factor = 1 \
	}
#define SECONDS(n, h)                                                                      \
	{                                                                                  \
		.name = (n), .type = FW_GAUGE, .unit = "seconds", .help = (h), .scale = 6, \
		.factor = 1                                                                \
	}
#define REAL(n, h)                                                                            \
	{                                                                                     \
		.name = (n), .type = (enum fw_metric_type)(FW_GAUGE | FW_DOUBLE), .unit = "", \
		.help = (h), .factor = 1                                                      \
	}

const struct metric check_metrics[CHECK_METRICS] = {
	[PROBE_SUCCESS] = GAUGE("probe_success", "Whether the check went well."),
	[PROBE_DURATION] = SECONDS("probe_duration_seconds", "How long the check took."),
	[PROBE_DNS_LOOKUP] = SECONDS(
		"probe_dns_lookup_time_seconds", "How long it took to find the target's address."),
	[PROBE_IP_PROTOCOL] =
		GAUGE("probe_ip_protocol", "The target was reached by this version of IP."),
	[PROBE_IP_HASH] = GAUGE("probe_ip_addr_hash",
		"A hash of the address that was reached: it changes where the address does."),
	[PROBE_ICMP_DURATION] = SECONDS("probe_icmp_duration_seconds", "The echo, by phase."),
	[PROBE_ICMP_HOP_LIMIT] =
		GAUGE("probe_icmp_reply_hop_limit", "Hops that the answer had left."),
	[PROBE_REGEX_FAILED] =
		GAUGE("probe_failed_due_to_regex", "Whether a regular expression decided it."),
	[PROBE_CERT_EXPIRY] = GAUGE("probe_ssl_earliest_cert_expiry",
		"When the first of the certificates ends that were sent, since 1970."),
	[PROBE_CHAIN_EXPIRY] = GAUGE("probe_ssl_last_chain_expiry_timestamp_seconds",
		"When the first certificate of the verified chain ends."),
	[PROBE_CHAIN_INFO] = GAUGE("probe_ssl_last_chain_info", "The server's certificate."),
	[PROBE_TLS_VERSION] = GAUGE("probe_tls_version_info", "The version of TLS."),
	[PROBE_TLS_CIPHER] = GAUGE("probe_tls_cipher_info", "The cipher that was agreed on."),
	[PROBE_TLS_VERIFIED] = GAUGE("fenwatch_check_tls_verified",
		"Whether the chain of certificates leads to an authority that is believed."),
	[PROBE_HTTP_DURATION] = SECONDS(
		"probe_http_duration_seconds", "The request by phase, summed over redirects."),
	[PROBE_HTTP_STATUS] = GAUGE("probe_http_status_code", "The status of the answer."),
	[PROBE_HTTP_VERSION] = {.name = "probe_http_version",
		.type = FW_GAUGE,
		.unit = "",
		.help = "The version of HTTP of the answer.",
		.scale = 1,
		.factor = 1},
	[PROBE_HTTP_SSL] = GAUGE("probe_http_ssl", "Whether TLS was used after the last redirect."),
	[PROBE_HTTP_REDIRECTS] = GAUGE("probe_http_redirects", "Redirects that were followed."),
	[PROBE_HTTP_LENGTH] =
		GAUGE("probe_http_content_length", "The length as the answer says it, or -1."),
	[PROBE_HTTP_BODY] =
		GAUGE("probe_http_uncompressed_body_length", "Bytes of the body that were read."),
	[PROBE_HTTP_MODIFIED] = GAUGE("probe_http_last_modified_timestamp_seconds",
		"Last-Modified of the answer, since 1970."),
	[PROBE_DNS_DURATION] = SECONDS("probe_dns_duration_seconds", "The question by phase."),
	[PROBE_DNS_RCODE] = GAUGE("fenwatch_dns_rcode", "The code of the answer; 0: no error."),
	[PROBE_DNS_SUCCEEDED] =
		GAUGE("probe_dns_query_succeeded", "Whether there was an answer at all."),
	[PROBE_DNS_ANSWERS] = GAUGE("probe_dns_answer_rrs", "Records of the answer."),
	[PROBE_DNS_AUTHORITY] = GAUGE("probe_dns_authority_rrs", "Records of authorities."),
	[PROBE_DNS_ADDITIONAL] = GAUGE("probe_dns_additional_rrs", "Additional records."),
	[PROBE_DNS_SERIAL] = GAUGE("probe_dns_serial", "The serial number of the zone."),
	[PLUGIN_STATUS] = GAUGE("fenwatch_plugin_status",
		"What the plugin ended with: 0 ok, 1 warning, 2 critical, 3 unknown."),
	[PLUGIN_VALUE] = REAL("fenwatch_plugin_value", "A value of the plugin's performance data."),
	[PLUGIN_THRESHOLD] = REAL("fenwatch_plugin_threshold",
		"What the plugin takes for too low (lower) or too high (upper)."),
};
