/* SPDX-License-Identifier: Apache-2.0 */
#include "feed.h"

#include <errno.h>

#include <fenwatch/text.h>

#include "feed_list.h"
#include "secret.h"

#define DECLARE(name) extern const struct feed feed_##name;
#define ENTRY(name) &feed_##name,
FEEDS(DECLARE)

const struct feed *const feeds[] = {FEEDS(ENTRY) NULL};

void feed_finish(struct delivery *delivery, enum verdict verdict, const char *why)
{
	delivery->on_finished(delivery, verdict, why);
}

int feed_admit(const char *token_file, const char *token, struct fw_err *err)
{
	struct fw_secret own;
	size_t length = strlen(token);
	int rc = fw_secret_read(&own, token_file, err);
	if (rc == 0 && (length != strlen(own.text) || !fw_same_secret(token, own.text, length)))
		rc = fw_fail(err, -EACCES, "this is not the token of the feed");
	fw_secret_wipe(&own);
	return rc;
}
