/* SPDX-License-Identifier: Apache-2.0 */
/* Who uses the services of a host, as captures heard it: whom it will hurt to switch it off. */
#include <netdb.h>
#include <string.h>

#include <arpa/inet.h>

#include <fenwatch/clock.h>
#include <fenwatch/text.h>

#include "render.h"

/* The day of seconds since 1970, as they stand in the table. */
static const char *day_of(struct screen *s, const json_t *fields, const char *name)
{
	const char *text = json_string_value(json_object_get(fields, name));
	char day[64];
	uint64_t seconds;
	if (!text || fw_parse_u64(text, &seconds) < 0 || seconds >= UINT64_C(1) << 40)
		return "-";
	return screen_text(s,
		fw_arena_format(&s->arena, "%.10s",
			fw_time_format((int64_t)seconds * 1000, day, sizeof day)));
}

/* "445/tcp" of "10.9.0.3:445/tcp 10.1.0.7". */
static const char *service_of(struct screen *s, const json_t *item)
{
	const char *key = json_string_value(json_object_get(item, "key"));
	size_t length = key ? strcspn(key, " ") : 0;
	while (length > 0 && key[length - 1] != ':' && key[length - 1] != ']')
		length--;
	if (length == 0)
		return "-";
	const char *service = key + length;
	return screen_text(
		s, fw_arena_format(&s->arena, "%.*s", (int)strcspn(service, " "), service));
}

enum status render_depends(struct screen *s, const json_t *data)
{
	static const char *const headings[] = {"CLIENT", "SERVICE", "FIRST", "LAST", ">SENT",
		">RECEIVED", "OLD", "HEARD BY", NULL};
	const json_t *item, *items = json_object_get(data, "items");
	struct table t;
	size_t i;
	if (json_array_size(items) == 0) {
		fw_buf_puts(&s->out, "no capture has heard anybody use it\n");
		return STATUS_WELL;
	}
	table_init(&t, s, headings);
	json_array_foreach(items, i, item)
	{
		const json_t *fields = json_object_get(item, "fields");
		table_put(&t, TONE_PLAIN, screen_member(s, fields, "client"));
		table_put(&t, TONE_PLAIN, service_of(s, item));
		table_put(&t, TONE_PLAIN, day_of(s, fields, "first"));
		table_put(&t, TONE_PLAIN, day_of(s, fields, "last"));
		table_put(&t, TONE_PLAIN, screen_member(s, fields, "to_server"));
		table_put(&t, TONE_PLAIN, screen_member(s, fields, "to_client"));
		table_put(&t, TONE_WARNING, screen_member(s, fields, "speaks"));
		table_put(&t, TONE_PLAIN, screen_member(s, item, "host"));
	}
	table_print(&t);
	return STATUS_WELL;
}

/* As the table's keys begin: an address, in brackets where it has colons itself. A name is
 * looked up where the question is asked. */
static int find_address(const char *host, char *text, size_t size)
{
	const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
	struct addrinfo *found;
	char address[INET6_ADDRSTRLEN];
	if (getaddrinfo(host, NULL, &hints, &found) != 0)
		return -1;
	bool six = found->ai_family == AF_INET6;
	int rc = getnameinfo(found->ai_addr, found->ai_addrlen, address, sizeof address, NULL, 0,
		NI_NUMERICHOST);
	snprintf(text, size, six ? "[%s]" : "%s", address);
	freeaddrinfo(found);
	return rc;
}

enum status command_depends(struct cli *cli, char **args, int n_args)
{
	char address[INET6_ADDRSTRLEN + 2];
	(void)n_args;
	if (find_address(args[0], address, sizeof address) != 0)
		return cli_fail(STATUS_USAGE,
			"'%s' has no address that this machine knows; give the address", args[0]);
	const struct parameter parameters[] = {
		{"package", address},
		{"kind", "clients"},
		{"at", cli_time(cli, cli->settings.at)},
		{0},
	};
	return cli_get(cli, "/api/fenwatch/v1/inventory", parameters, render_depends);
}
