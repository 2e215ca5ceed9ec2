/* SPDX-License-Identifier: Apache-2.0 */
/* The key remote_write of collector.yml. */
#include <string.h>

#include "choice.h"
#include "send.h"

static const char *const compressions[] = {"snappy", "zstd", NULL};

#define TLS(member) \
	(offsetof(struct send_receiver, tls.member) - offsetof(struct send_receiver, tls))
static const struct fw_option tls_table[] = {
	{
		.name = "ca",
		.help = "file with the authorities that may vouch for it, in PEM; by default the system's",
		.type = FW_OPT_TEXT,
		.offset = TLS(ca),
	},
	{
		.name = "cert",
		.help = "file with a certificate to show to it, in PEM",
		.type = FW_OPT_TEXT,
		.offset = TLS(cert),
	},
	{
		.name = "key",
		.help = "file with the certificate's key, in PEM",
		.type = FW_OPT_TEXT,
		.offset = TLS(key),
	},
	{
		.name = "server_name",
		.help = "the name in its certificate, where that is not the URL's",
		.type = FW_OPT_TEXT,
		.offset = TLS(server_name),
	},
	{0},
};

static const struct fw_option receiver_table[] = {
	{
		.name = "url",
		.help = "where to, such as https://metrics.example/api/v1/write",
		.type = FW_OPT_TEXT,
		.offset = offsetof(struct send_receiver, url),
		.required = true,
	},
	{
		.name = "name",
		.help = "what it is called here; by default its URL",
		.type = FW_OPT_TEXT,
		.offset = offsetof(struct send_receiver, name),
	},
	{
		.name = "protocol",
		.help = "remote_write 1.0 or 2.0",
		.type = FW_OPT_INT,
		.offset = offsetof(struct send_receiver, protocol),
		.fallback = "1",
		.min = 1,
		.max = 2,
	},
	{
		.name = "compression",
		.help = "zstd where the receiver takes it",
		.type = FW_OPT_CHOICE,
		.offset = offsetof(struct send_receiver, compression),
		.choices = compressions,
		.fallback = "snappy",
	},
	{
		.name = "timeout",
		.help = "how long an answer may take before it is tried again",
		.type = FW_OPT_DURATION,
		.offset = offsetof(struct send_receiver, timeout_ms),
		.fallback = "30s",
		.min = 1000,
		.max = 300000,
	},
	{
		.name = "token_file",
		.help = "file with a token, sent as Authorization: Bearer",
		.type = FW_OPT_TEXT,
		.offset = offsetof(struct send_receiver, token_file),
	},
	{
		.name = "user",
		.help = "who to say we are, with a password",
		.type = FW_OPT_TEXT,
		.offset = offsetof(struct send_receiver, user),
	},
	{
		.name = "password_file",
		.help = "file with that user's password",
		.type = FW_OPT_TEXT,
		.offset = offsetof(struct send_receiver, password_file),
	},
	{
		.name = "match",
		.help = "selectors: series that one of them takes are sent; by default all",
		.type = FW_OPT_LIST,
		.offset = offsetof(struct send_receiver, match),
	},
	{
		.name = "tls",
		.help = "who vouches for it, and for us",
		.type = FW_OPT_SECTION,
		.offset = offsetof(struct send_receiver, tls),
		.section = tls_table,
	},
	{0},
};

static int check_match(
	const struct fw_yaml *node, const struct send_receiver *receiver, struct fw_err *err)
{
	struct choice choice;
	struct fw_err why;
	int rc = choice_init(&choice, &receiver->match, &why);
	choice_done(&choice);
	return rc < 0 ? fw_yaml_fail(node, err, "%s", why.text) : 0;
}

static int check_receiver(
	const struct fw_yaml *node, const struct send_receiver *r, struct fw_err *err)
{
	bool plain = strncmp(r->url, "http://", 7) == 0;
	if (!plain && strncmp(r->url, "https://", 8) != 0)
		return fw_yaml_fail(
			node, err, "url '%.100s' begins with neither http:// nor https://", r->url);
	if (plain && (r->tls.ca || r->tls.cert || r->tls.key || r->tls.server_name))
		return fw_yaml_fail(node, err, "'tls' needs a url that begins with https://");
	if (!r->tls.cert != !r->tls.key)
		return fw_yaml_fail(node, err, "'tls' needs 'cert' and 'key', or neither");
	if (!r->user != !r->password_file)
		return fw_yaml_fail(node, err, "'user' and 'password_file' go together");
	if (r->user && r->token_file)
		return fw_yaml_fail(node, err, "either 'token_file' or 'user', not both");
	return check_match(node, r, err);
}

static int parse_receiver(const struct fw_yaml *node, struct send_receiver *out,
	struct fw_arena *arena, struct fw_err *err)
{
	if (fw_yaml_kind(node) != FW_YAML_MAPPING)
		return fw_yaml_fail(node, err, "a receiver is a mapping: {url: https://...}");
	int rc = fw_conf_bind(node, receiver_table, out, arena, err);
	if (rc < 0)
		return rc;
	if (!out->name)
		out->name = out->url;
	return check_receiver(node, out, err);
}

int send_parse(const struct fw_yaml *node, void *field, struct fw_arena *arena, struct fw_err *err)
{
	struct send_options *options = field;
	if (fw_yaml_kind(node) != FW_YAML_SEQUENCE)
		return fw_yaml_fail(node, err, "remote_write is a list: [{url: https://...}, ...]");
	options->n_receivers = fw_yaml_count(node);
	options->receivers =
		fw_arena_alloc(arena, (options->n_receivers + 1) * sizeof *options->receivers);
	for (size_t i = 0; i < options->n_receivers; i++) {
		const struct fw_yaml *item = fw_yaml_item(node, i);
		int rc = parse_receiver(item, &options->receivers[i], arena, err);
		if (rc < 0)
			return rc;
		for (size_t k = 0; k < i; k++)
			if (strcmp(options->receivers[k].name, options->receivers[i].name) == 0)
				return fw_yaml_fail(item, err, "two receivers are called '%.100s'",
					options->receivers[i].name);
	}
	return 0;
}
