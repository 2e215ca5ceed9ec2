/* SPDX-License-Identifier: Apache-2.0 */
#include "every_option.h"

static const struct fw_option feed_options[] = {
	{.name = "name",
		.help = "What people call it.",
		.type = FW_OPT_TEXT,
		.offset = offsetof(struct every_feed, name),
		.required = true},
	{.name = "live",
		.help = "False: rehearse only.",
		.type = FW_OPT_BOOL,
		.offset = offsetof(struct every_feed, live),
		.fallback = "no"},
	{0},
};

static int parse_feed(
	const struct fw_yaml *node, void *field, struct fw_arena *arena, struct fw_err *err)
{
	return fw_conf_bind(node, feed_options, field, arena, err);
}

#define API(member) (offsetof(struct every_config, api.member) - offsetof(struct every_config, api))

static const struct fw_option tls_options[] = {
	{.name = "cert", .help = "Certificate file.", .type = FW_OPT_TEXT},
	{0},
};

static const struct fw_option api_options[] = {
	{.name = "listen",
		.help = "Address and port.",
		.type = FW_OPT_TEXT,
		.offset = API(listen),
		.fallback = "127.0.0.1:7480"},
	{.name = "tls",
		.help = "How it is secured.",
		.type = FW_OPT_SECTION,
		.offset = API(tls),
		.section = tls_options},
	{0},
};

static const char *const classes[] = {"server", "laptop", NULL};

const struct fw_option every_option[] = {
	{.name = "swap",
		.help = "Whether swap is read.",
		.type = FW_OPT_BOOL,
		.offset = offsetof(struct every_config, swap),
		.fallback = "true"},
	{.name = "workers",
		.help = "Threads; 0 means one for each core, which suits every machine that "
			"has nothing else to do than this.",
		.type = FW_OPT_INT,
		.offset = offsetof(struct every_config, workers),
		.fallback = "0",
		.min = 0,
		.max = 64},
	{.name = "spool",
		.help = "Room on disk.",
		.type = FW_OPT_SIZE,
		.offset = offsetof(struct every_config, spool_bytes),
		.fallback = "32MiB",
		.min = 1 << 20,
		.max = 1 << 30},
	{.name = "interval",
		.help = "Between two readings.",
		.type = FW_OPT_DURATION,
		.offset = offsetof(struct every_config, interval_ms),
		.fallback = "15s",
		.min = 1000,
		.max = 3600000},
	{.name = "name",
		.help = "What this host is called.",
		.type = FW_OPT_TEXT,
		.offset = offsetof(struct every_config, name)},
	{.name = "class",
		.help = "What it is.",
		.type = FW_OPT_CHOICE,
		.offset = offsetof(struct every_config, class),
		.fallback = "server",
		.choices = classes},
	{.name = "collectors",
		.help = "Where to send.",
		.type = FW_OPT_LIST,
		.offset = offsetof(struct every_config, collectors),
		.fallback = "[one:7443, two:7443]"},
	{.name = "api",
		.help = "The HTTP side.",
		.type = FW_OPT_SECTION,
		.offset = offsetof(struct every_config, api),
		.section = api_options},
	{.name = "feed",
		.help = "Who is told.",
		.type = FW_OPT_CUSTOM,
		.offset = offsetof(struct every_config, feed),
		.parse = parse_feed},
	{0},
};
