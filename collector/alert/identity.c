/* SPDX-License-Identifier: Apache-2.0 */
#include "identity.h"

#include <stdio.h>
#include <string.h>

#include <fenwatch/buf.h>
#include <fenwatch/crc.h>
#include <fenwatch/text.h>
#include <fenwatch/tls.h>

static void put(struct fw_buf *buf, const char *text)
{
	size_t length = strlen(text);
	for (int shift = 0; shift < 32; shift += 8)
		fw_buf_putc(buf, (char)(length >> shift & 0xff));
	fw_buf_append(buf, text, length);
}

void identity_key(const char *estate, const char *host, const char *rule,
	const struct notice_pair *labels, size_t n_labels, char key[IDENTITY_KEY])
{
	struct fw_buf buf = {0};
	uint8_t hash[32];
	put(&buf, estate);
	put(&buf, host);
	put(&buf, rule);
	for (size_t i = 0; i < n_labels; i++) {
		put(&buf, labels[i].name);
		put(&buf, labels[i].value);
	}
	fw_sha256(buf.data, buf.length, hash);
	fw_buf_done(&buf);
	snprintf(key, 5, "fw1-");
	fw_hex(hash, 16, key + 4);
}

uint32_t identity_hash(const char *key)
{
	return fw_crc32c(0, key, strlen(key));
}
