/* SPDX-License-Identifier: Apache-2.0 */
#include "secret.h"

#include <string.h>

#include <openssl/evp.h>

#include <fenwatch/mem.h>

void secret_forget(char *line)
{
	if (line)
		explicit_bzero(line, strlen(line));
	fw_free(line);
}

char *secret_authorization(const struct fw_secret *secret, const char *user)
{
	if (!user)
		return fw_format("Authorization: Bearer %s", secret->text);
	char *pair = fw_format("%s:%s", user, secret->text);
	size_t length = strlen(pair);
	char *coded = fw_alloc((length + 2) / 3 * 4 + 1);
	EVP_EncodeBlock((uint8_t *)coded, (const uint8_t *)pair, (int)length);
	char *line = fw_format("Authorization: Basic %s", coded);
	secret_forget(pair);
	secret_forget(coded);
	return line;
}
