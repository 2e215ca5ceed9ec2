/* SPDX-License-Identifier: Apache-2.0 */
/* Nobody is told: who has the token reads the notices, when it likes. One is
 * delivered as soon as it can be read. */
#include <stddef.h>

#include "feed.h"
#include "secret.h"

struct pull {
	const char *token_file;
};

extern const struct feed feed_pull;

static int admit(const void *config, const char *token, struct fw_err *err)
{
	const struct pull *pull = config;
	return feed_admit(pull->token_file, token, err);
}

/* As long as its reader cannot be known nobody can read it. */
static void deliver(struct delivery *delivery)
{
	const struct pull *pull = delivery->config;
	struct fw_secret own;
	struct fw_err err = {""};
	int rc = fw_secret_read(&own, pull->token_file, &err);
	fw_secret_wipe(&own);
	feed_finish(delivery, rc < 0 ? TRY_LATER : DELIVERED, err.text);
}

static void cancel(struct delivery *delivery)
{
	feed_finish(delivery, TRY_LATER, "the collector ends");
}

static const struct fw_option options[] = {
	{
		.name = "token_file",
		.help = "A file with the token that its reader sends.",
		.type = FW_OPT_TEXT,
		.offset = offsetof(struct pull, token_file),
		.required = true,
	},
	{0},
};

const struct feed feed_pull = {
	.name = "pull",
	.help = "tells nobody: a reader fetches notices, as JSON or Atom",
	.options = options,
	.config_size = sizeof(struct pull),
	.deliver = deliver,
	.cancel = cancel,
	.admit = admit,
};
