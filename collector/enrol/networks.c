/* SPDX-License-Identifier: Apache-2.0 */
#include "internal.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

/* IPv4 is kept as IPv6 with the mapped prefix, so that an agent reached through
 * a socket for both is in the same network either way. */
struct network {
	uint8_t address[16];
	unsigned bits;
};

static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

static bool read_address(const char *text, uint8_t address[16], bool *v4)
{
	*v4 = inet_pton(AF_INET, text, address + 12) == 1;
	if (!*v4)
		return inet_pton(AF_INET6, text, address) == 1;
	memcpy(address, mapped, sizeof mapped);
	return true;
}

static bool read_network(const char *text, size_t length, struct network *out)
{
	char copy[64];
	if (length >= sizeof copy)
		return false;
	memcpy(copy, text, length);
	copy[length] = '\0';
	char *slash = strchr(copy, '/');
	if (slash)
		*slash++ = '\0';
	bool v4;
	uint64_t bits;
	if (!read_address(copy, out->address, &v4))
		return false;
	if (!slash)
		bits = v4 ? 32 : 128;
	else if (fw_parse_u64(slash, &bits) < 0 || bits > (v4 ? 32 : 128))
		return false;
	out->bits = (unsigned)bits + (v4 ? 96 : 0);
	return true;
}

static bool lies_in(const struct network *network, const uint8_t address[16])
{
	unsigned whole = network->bits / 8, rest = network->bits % 8;
	if (memcmp(network->address, address, whole) != 0)
		return false;
	uint8_t mask = (uint8_t)(0xff00u >> rest);
	return rest == 0 || ((network->address[whole] ^ address[whole]) & mask) == 0;
}

/* The address of "host:port" without its port. */
static bool read_peer(const char *peer, uint8_t address[16])
{
	char copy[80];
	const char *colon = strrchr(peer, ':');
	size_t length = strlen(peer);
	if (*peer == '[') {
		peer++;
		length = strcspn(peer, "]");
	} else if (colon && colon == strchr(peer, ':')) {
		length = (size_t)(colon - peer);
	}
	if (length >= sizeof copy)
		return false;
	memcpy(copy, peer, length);
	copy[length] = '\0';
	bool v4;
	return read_address(copy, address, &v4);
}

/* 0.0.0.0/0 and ::/0: a token that is bound to them is bound to nothing. */
static bool is_everything(const struct network *network)
{
	return network->bits == 0 ||
		(network->bits == 8 * sizeof mapped &&
			memcmp(network->address, mapped, sizeof mapped) == 0);
}

int networks_check(const char *networks, struct fw_err *err)
{
	for (const char *at = networks; *at;) {
		size_t length = strcspn(at, ",");
		struct network network;
		if (!read_network(at, length, &network))
			return fw_fail(err, -EINVAL,
				"'%.*s' is no network; write it like 10.1.0.0/16",
				(int)(length < 64 ? length : 64), at);
		if (is_everything(&network))
			return fw_fail(
				err, -EINVAL, "'%.*s' is every network there is", (int)length, at);
		at += length;
		if (*at == ',')
			at++;
	}
	return 0;
}

bool networks_contain(const char *networks, const char *peer)
{
	uint8_t address[16];
	if (!read_peer(peer, address))
		return false;
	for (const char *at = networks; *at;) {
		size_t length = strcspn(at, ",");
		struct network network;
		if (read_network(at, length, &network) && lies_in(&network, address))
			return true;
		at += length;
		if (*at == ',')
			at++;
	}
	return false;
}
