/* SPDX-License-Identifier: Apache-2.0 */
#include <fenwatch/tls.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>
#include <openssl/rand.h>

#include <fenwatch/text.h>

void fw_random(void *out, size_t length)
{
	/* Without randomness nothing here can be trusted any more. */
	if (length > INT32_MAX || RAND_bytes(out, (int)length) != 1)
		abort();
}

void fw_sha256(const void *data, size_t length, uint8_t out[32])
{
	if (EVP_Digest(data, length, out, NULL, EVP_sha256(), NULL) != 1)
		abort();
}

void fw_uuid_text(const uint8_t bytes[16], char out[FW_UUID_TEXT])
{
	char hex[33];
	fw_hex(bytes, 16, hex);
	snprintf(out, FW_UUID_TEXT, "%.8s-%.4s-%.4s-%.4s-%.12s", hex, hex + 8, hex + 12, hex + 16,
		hex + 20);
}

void fw_uuid_new(char out[FW_UUID_TEXT])
{
	uint8_t bytes[16];
	fw_random(bytes, sizeof bytes);
	bytes[6] = (uint8_t)((bytes[6] & 0x0f) | 0x40); /* version 4, random */
	bytes[8] = (uint8_t)((bytes[8] & 0x3f) | 0x80); /* RFC 4122 */
	fw_uuid_text(bytes, out);
}

int fw_uuid_bytes(const char *text, uint8_t out[16])
{
	char hex[33];
	size_t n = 0;
	for (size_t i = 0; i < FW_UUID_TEXT - 1; i++) {
		char c = text[i];
		bool dash = i == 8 || i == 13 || i == 18 || i == 23;
		bool digit = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
		if (dash ? c != '-' : !digit)
			return -EINVAL;
		if (!dash)
			hex[n++] = c;
	}
	if (text[FW_UUID_TEXT - 1])
		return -EINVAL;
	hex[n] = 0;
	return fw_unhex(hex, out, 16);
}

bool fw_uuid_valid(const char *text)
{
	uint8_t bytes[16];
	return fw_uuid_bytes(text, bytes) == 0;
}
