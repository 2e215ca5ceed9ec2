/* SPDX-License-Identifier: Apache-2.0 */
#include "range.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <fenwatch/text.h>

static size_t size_of(const struct range *range)
{
	return range->family == AF_INET ? 4 : 16;
}

static int parse_address(const char *text, uint8_t bytes[16])
{
	if (inet_pton(AF_INET, text, bytes) == 1)
		return AF_INET;
	return inet_pton(AF_INET6, text, bytes) == 1 ? AF_INET6 : AF_UNSPEC;
}

static int take_network(struct range *range, const char *bits, struct fw_err *err)
{
	uint64_t n;
	size_t size = size_of(range);
	if (fw_parse_u64(bits, &n) < 0 || n > 8 * size)
		return fw_fail(err, -EINVAL, "'/%s' is no size of a network", bits);
	range->is_network = true;
	for (size_t i = 0; i < size; i++) {
		size_t kept = n > 8 * i ? n - 8 * i : 0;
		uint8_t host = (uint8_t)(kept >= 8 ? 0 : 0xff >> kept);
		range->first[i] &= (uint8_t)~host;
		range->last[i] = range->first[i] | host;
	}
	return 0;
}

int range_parse(const char *text, struct range *out, struct fw_err *err)
{
	char first[INET6_ADDRSTRLEN];
	size_t length = strcspn(text, "/-");
	*out = (struct range){0};
	if (length < sizeof first) {
		snprintf(first, sizeof first, "%.*s", (int)length, text);
		out->family = parse_address(first, out->first);
	}
	memcpy(out->last, out->first, sizeof out->last);
	if (out->family == AF_UNSPEC)
		return fw_fail(
			err, -EINVAL, "'%s' is neither ADDRESS, FIRST-LAST nor NETWORK/BITS", text);
	if (text[length] == '/')
		return take_network(out, text + length + 1, err);
	if (text[length] == '-' && parse_address(text + length + 1, out->last) != out->family)
		return fw_fail(err, -EINVAL, "'%s' is no address that '%s' could end with",
			text + length + 1, text);
	if (text[length] == '-' && memcmp(out->first, out->last, size_of(out)) > 0)
		return fw_fail(err, -EINVAL, "'%s' does not end behind its beginning", text);
	return 0;
}

bool range_has(const struct range *range, const char *address)
{
	uint8_t bytes[16];
	size_t size = size_of(range);
	return parse_address(address, bytes) == range->family &&
		memcmp(bytes, range->first, size) >= 0 && memcmp(bytes, range->last, size) <= 0;
}

/* The last four bytes as a number; whether those before are the same in both is told by
 * range_count(). */
static uint32_t tail(const uint8_t *bytes, size_t size)
{
	const uint8_t *b = bytes + size - 4;
	return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
}

/* Of a network of IPv4 its own address and that of all are no host's. */
static uint32_t ends(const struct range *range)
{
	return range->is_network && range->family == AF_INET &&
		tail(range->last, 4) - tail(range->first, 4) > 1;
}

uint32_t range_count(const struct range *range)
{
	size_t size = size_of(range);
	uint32_t span = tail(range->last, size) - tail(range->first, size);
	return memcmp(range->first, range->last, size - 4) != 0 || span == UINT32_MAX
		? UINT32_MAX
		: span + 1 - 2 * ends(range);
}

const char *range_at(const struct range *range, uint32_t i, char text[INET6_ADDRSTRLEN])
{
	uint8_t bytes[16];
	size_t size = size_of(range);
	uint32_t number = tail(range->first, size) + i + ends(range);
	memcpy(bytes, range->first, sizeof bytes);
	for (size_t k = 0; k < 4; k++)
		bytes[size - 1 - k] = (uint8_t)(number >> 8 * k);
	inet_ntop(range->family, bytes, text, INET6_ADDRSTRLEN);
	return text;
}
