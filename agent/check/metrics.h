/* The series that checks give: names, types and help in one table. */
#pragma once

#include <stdint.h>

#include "source.h"

enum check_metric {
	PROBE_SUCCESS,
	PROBE_DURATION,
	PROBE_DNS_LOOKUP,
	PROBE_IP_PROTOCOL,
	PROBE_IP_HASH,
	PROBE_ICMP_DURATION,
	PROBE_ICMP_HOP_LIMIT,
	PROBE_REGEX_FAILED,
	PROBE_CERT_EXPIRY,
	PROBE_CHAIN_EXPIRY,
	PROBE_CHAIN_INFO,
	PROBE_TLS_VERSION,
	PROBE_TLS_CIPHER,
	PROBE_TLS_VERIFIED,
	PROBE_HTTP_DURATION,
	PROBE_HTTP_STATUS,
	PROBE_HTTP_VERSION,
	PROBE_HTTP_SSL,
	PROBE_HTTP_REDIRECTS,
	PROBE_HTTP_LENGTH,
	PROBE_HTTP_BODY,
	PROBE_HTTP_MODIFIED,
	PROBE_DNS_DURATION,
	PROBE_DNS_RCODE,
	PROBE_DNS_SUCCEEDED,
	PROBE_DNS_ANSWERS,
	PROBE_DNS_AUTHORITY,
	PROBE_DNS_ADDITIONAL,
	PROBE_DNS_SERIAL,
	PLUGIN_STATUS,
	PLUGIN_VALUE,
	PLUGIN_THRESHOLD,
	CHECK_METRICS,
};

extern const struct metric check_metrics[CHECK_METRICS];

static inline void check_add(struct sweep *sweep, enum check_metric which, int64_t value)
{
	sweep_add_plain(sweep, &check_metrics[which], value);
}

/* With one label, `phase`. */
static inline void check_add_phase(
	struct sweep *sweep, enum check_metric which, const char *phase, int64_t us)
{
	sweep_add(sweep, &check_metrics[which], us, SWEEP_LABELS("phase", phase));
}
