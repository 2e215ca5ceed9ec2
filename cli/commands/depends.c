/* SPDX-License-Identifier: Apache-2.0 */
/* Who uses the services of a host, as captures heard it: whom it will hurt to switch it off. */
#include <netdb.h>
#include <string.h>

#include <netinet/in.h>

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

/* What a capture leaves out it cannot tell: an answer is only as good as who listened. */
static void tell_capture(struct screen *s, const json_t *capture)
{
	bool listens = json_is_true(json_object_get(capture, "listening"));
	screen_printf(s, "%s has listened since %s", screen_member(s, capture, "host"),
		screen_day(s, capture, "since"));
	if (!listens && json_is_string(json_object_get(capture, "heard")))
		screen_printf(s, ", and does no more: it was heard last on %s",
			screen_day(s, capture, "heard"));
	else if (!listens)
		screen_printf(s, ", and is not heard");
	if (json_is_true(json_object_get(capture, "sampled")))
		screen_printf(s, "; it looked into a share of the conversations only");
	if (json_is_true(json_object_get(capture, "made_room")))
		screen_printf(s, "; its table was full, and clients made room for others");
	fw_buf_puts(&s->out, "\n");
}

/* Whether any of them listens. */
static bool tell_captures(struct screen *s, const json_t *data)
{
	const json_t *capture, *captures = json_object_get(data, "captures");
	bool listens = false;
	size_t i;
	json_array_foreach(captures, i, capture)
	{
		tell_capture(s, capture);
		listens |= json_is_true(json_object_get(capture, "listening"));
	}
	if (json_array_size(captures) == 0)
		fw_buf_puts(&s->out, "no capture runs: nobody has listened who uses it\n");
	else if (!listens)
		fw_buf_puts(&s->out, "no capture listens now: who came since is not known\n");
	return listens;
}

static const char *list_of(struct screen *s, const json_t *texts)
{
	const char *list = "";
	const json_t *text;
	size_t i;
	json_array_foreach(texts, i, text)
	{
		list = fw_arena_format(&s->arena, "%s%s%s", list, i > 0 ? ", " : "",
			screen_text(s, json_is_string(text) ? json_string_value(text) : "-"));
	}
	return list;
}

static enum status tell_nobody(struct screen *s, const json_t *data)
{
	if (json_array_size(json_object_get(data, "captures")) > 0)
		screen_printf(s,
			"no capture has heard anybody use %s; each hears only what passes where it "
			"stands\n",
			list_of(s, json_object_get(data, "addresses")));
	return tell_captures(s, data) ? STATUS_WELL : STATUS_BAD_NEWS;
}

enum status render_depends(struct screen *s, const json_t *data)
{
	static const char *const headings[] = {"CLIENT", "SERVICE", "FIRST", "LAST", ">SENT",
		">RECEIVED", "OLD", "HEARD BY", NULL};
	const json_t *item, *items = json_object_get(data, "items");
	struct table t;
	size_t i;
	if (json_array_size(items) == 0)
		return tell_nobody(s, data);
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
	tell_captures(s, data);
	return STATUS_WELL;
}

#define ADDRESSES_MOST 32

static bool is_loopback(const struct sockaddr *address)
{
	if (address->sa_family == AF_INET6)
		return IN6_IS_ADDR_LOOPBACK(&((const struct sockaddr_in6 *)address)->sin6_addr);
	return ntohl(((const struct sockaddr_in *)address)->sin_addr.s_addr) >> 24 == 127;
}

/* What this machine knows of a name: all of it, but for what each machine calls itself. */
static size_t look_up(struct cli *cli, const char *host, struct parameter *out)
{
	const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
	struct addrinfo *found;
	char text[NI_MAXHOST];
	size_t n = 0;
	if (getaddrinfo(host, NULL, &hints, &found) != 0)
		return 0;
	for (const struct addrinfo *at = found; at && n < ADDRESSES_MOST; at = at->ai_next)
		if (!is_loopback(at->ai_addr) &&
			getnameinfo(at->ai_addr, at->ai_addrlen, text, sizeof text, NULL, 0,
				NI_NUMERICHOST) == 0)
			out[n++] = (struct parameter){
				"address", fw_arena_strdup(&cli->screen.arena, text)};
	freeaddrinfo(found);
	return n;
}

static bool has_addresses(const json_t *data)
{
	return json_array_size(json_object_get(data, "addresses")) > 0;
}

/* The collector's list of devices knows names; where it does not, this machine may. */
enum status command_depends(struct cli *cli, char **args, int n_args)
{
	static const char path[] = "/api/fenwatch/v1/depends";
	struct parameter parameters[ADDRESSES_MOST + 3] = {
		{"host", args[0]}, {"at", cli_time(cli, cli->settings.at)}};
	enum status status;
	(void)n_args;
	json_t *data = client_ask(cli, "GET", path, parameters, &status);
	if (data && !has_addresses(data) && look_up(cli, args[0], parameters + 2) > 0) {
		json_decref(data);
		data = client_ask(cli, "GET", path, parameters, &status);
	}
	if (!data)
		return status;
	if (has_addresses(data))
		return cli_show(cli, data, render_depends);
	json_decref(data);
	return cli_fail(STATUS_USAGE,
		"'%s' has no address that the list of devices or this machine knows; give the "
		"address",
		args[0]);
}
