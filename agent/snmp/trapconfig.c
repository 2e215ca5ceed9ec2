/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include <fenwatch/conn.h>

#include "addresses.h"
#include "probe.h"
#include "trapears.h"
#include "traps.h"

const struct fw_option traps_table[] = {
	{
		.name = "socket",
		.help = "of the agent that takes events; `probe` in its configuration",
		.type = FW_OPT_TEXT,
		.offset = offsetof(struct trap_settings, socket),
		.fallback = PROBE_SOCKET,
	},
	{
		.name = "data",
		.help = "a folder of its own, for what version 3 must know of its last start",
		.type = FW_OPT_TEXT,
		.offset = offsetof(struct trap_settings, data),
		.fallback = "/var/lib/fenwatch-snmp-traps",
	},
	{
		.name = "user",
		.help = "whom it becomes once it listens, where root starts it",
		.type = FW_OPT_TEXT,
		.offset = offsetof(struct trap_settings, user),
		.fallback = "fenwatch-snmp",
	},
	{
		.name = "listen",
		.help = "addresses and ports, of UDP",
		.type = FW_OPT_LIST,
		.offset = offsetof(struct trap_settings, listen),
		.fallback = "['0.0.0.0:162', '[::]:162']",
	},
	{
		.name = "communities",
		.help = "files with a community each, of which versions 1 and 2c are taken",
		.type = FW_OPT_LIST,
		.offset = offsetof(struct trap_settings, communities),
	},
	{
		.name = "users",
		.help = "files with a user and its passwords each, of version 3",
		.type = FW_OPT_LIST,
		.offset = offsetof(struct trap_settings, users),
	},
	{
		.name = "relays",
		.help = "addresses, or networks, of relays, which are believed about whose a trap is",
		.type = FW_OPT_LIST,
		.offset = offsetof(struct trap_settings, relay_texts),
	},
	{
		.name = "mibs",
		.help = "folders of MIB files, by which traps and variables get their names",
		.type = FW_OPT_LIST,
		.offset = offsetof(struct trap_settings, mibs),
		.fallback = "[/usr/share/snmp/mibs, /etc/fenwatch/mibs]",
	},
	{
		.name = "window",
		.help = "in which the same from the same source is one event",
		.type = FW_OPT_DURATION,
		.offset = offsetof(struct trap_settings, window_ms),
		.fallback = "10s",
		.min = 0,
		.max = 3600000,
	},
	{
		.name = "addresses",
		.help = "the file by which any other address of a device gets its name, as "
			"fenwatch-snmp keeps it",
		.type = FW_OPT_TEXT,
		.offset = offsetof(struct trap_settings, addresses),
		.fallback = ADDRESSES_PATH,
	},
	{
		.name = "devices",
		.help = "the file by which a device's address gets its name",
		.type = FW_OPT_TEXT,
		.offset = offsetof(struct trap_settings, devices_path),
		.fallback = DEVICES_PATH,
	},
	{0},
};

static int take_relays(struct trap_settings *s, struct fw_err *err)
{
	size_t n = s->relay_texts.count;
	s->relays = fw_arena_alloc(&s->arena, (n + 1) * sizeof *s->relays);
	for (size_t i = 0; i < n; i++) {
		int rc = range_parse(s->relay_texts.items[i], &s->relays[i], err);
		if (rc < 0)
			return fw_fail_in(err, rc, "'relays'");
	}
	return 0;
}

static int check_listen(const struct fw_text_list *listen, struct fw_err *err)
{
	char host[256];
	unsigned port;
	for (size_t i = 0; i < listen->count; i++)
		if (fw_split_host_port(listen->items[i], host, sizeof host, &port) < 0 || port == 0)
			return fw_fail(err, -EINVAL,
				"'listen' must have HOST:PORT or [IPV6]:PORT, not '%.60s'",
				listen->items[i]);
	return 0;
}

static int check(struct trap_settings *s, struct fw_err *err)
{
	if (s->listen.count == 0 || s->listen.count > TRAP_EARS)
		return fw_fail(err, -EINVAL, "'listen' has 1 to %d addresses", TRAP_EARS);
	if (s->communities.count > TRAP_EARS || s->users.count > TRAP_EARS)
		return fw_fail(err, -EINVAL, "more than %d communities or users", TRAP_EARS);
	if (s->communities.count + s->users.count == 0)
		return fw_fail(err, -EINVAL,
			"nothing would be taken: name files with 'communities' or 'users'");
	int rc = check_listen(&s->listen, err);
	return rc < 0 ? rc : take_relays(s, err);
}

int traps_read(struct trap_settings *out, const char *path, struct fw_err *err)
{
	struct fw_err why;
	*out = (struct trap_settings){0};
	int rc = fw_conf_load(path, traps_table, out, &out->arena, err);
	if (rc >= 0 && check(out, &why) < 0)
		rc = fw_fail(err, -EINVAL, "config '%s': %s", path, why.text);
	if (rc >= 0 && access(out->devices_path, F_OK) == 0)
		rc = devices_read(&out->devices, out->devices_path, err);
	if (rc < 0)
		traps_done(out);
	return rc;
}

void traps_done(struct trap_settings *s)
{
	devices_done(&s->devices);
	fw_arena_done(&s->arena);
}
