/* How `network: {council: [...]}` of the configuration is written: networks
 * ("10.20.0.0/16") and search domains of DNS ("example.gov.uk"). */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct network {
	uint8_t address[16]; /* of IPv4 as ::ffff:0:0/96 */
	unsigned bits;
};

bool network_parse(const char *text, struct network *out);
bool domain_is_valid(const char *text);
