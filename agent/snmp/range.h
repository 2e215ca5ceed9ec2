/* Ranges of addresses: one, A-B, or a network A/BITS; IPv4 or IPv6. Pure. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <netinet/in.h>

#include <fenwatch/err.h>

struct range {
	int family;
	bool is_network;
	uint8_t first[16], last[16]; /* the bytes that the family has */
};

int range_parse(const char *text, struct range *out, struct fw_err *err);
bool range_has(const struct range *range, const char *address);
/* Of a network of IPv4 without the addresses that are no host's. At most UINT32_MAX. */
uint32_t range_count(const struct range *range);
const char *range_at(const struct range *range, uint32_t i, char text[INET6_ADDRSTRLEN]);
