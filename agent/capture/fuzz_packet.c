/* SPDX-License-Identifier: Apache-2.0 */
/* A link type, whether names are kept, and the bytes of one packet. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "packet.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What is printed must be a line, whatever the wire says. */
static void check_text(const char *text, size_t size)
{
	size_t length = strnlen(text, size);
	if (length == size)
		abort();
	for (size_t i = 0; i < length; i++)
		if (text[i] < 0x20 || text[i] > 0x7e)
			abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct packet whole, again;
	if (size < 2)
		return 0;
	int link = data[0] | (data[1] & 1) << 8;
	bool names = data[1] & 2;
	/* The address lies where no byte follows, so that a read past the end is seen. */
	packet_parse(&whole, link, data + 2, size - 2, size - 2, names);
	check_text(whole.name, sizeof whole.name);
	check_text(whole.port_name, sizeof whole.port_name);
	if (!names && (whole.app == PACKET_APP_DNS || whole.app == PACKET_APP_TLS) &&
		whole.name[0] != '\0')
		abort();
	packet_parse(&again, link, data + 2, size - 2, size - 2, names);
	if (memcmp(&whole, &again, sizeof whole) != 0)
		abort();
	return 0;
}
