/* SPDX-License-Identifier: Apache-2.0 */
/* Tokens, agents and the certificate authority. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "render.h"

/* ---- tokens ---- */

enum status render_tokens(struct screen *s, const json_t *data)
{
	static const char *const headings[] = {">ID", "ROLE", ">MADE", ">ENDS IN", ">USES",
		"NETWORKS", "SERIALS", "SUPPLIER", "NOTE", NULL};
	struct table t;
	size_t i;
	const json_t *token;
	table_init(&t, s, headings);
	json_array_foreach(data, i, token)
	{
		table_put(&t, TONE_PLAIN, screen_number(s, token, "id"));
		table_put(&t, TONE_PLAIN, screen_member(s, token, "role"));
		table_put(&t, TONE_PLAIN, screen_age(s, token, "made"));
		table_put(&t, TONE_PLAIN, screen_age(s, token, "expires"));
		table_put(&t, TONE_PLAIN, screen_number(s, token, "uses_left"));
		table_put(&t, TONE_PLAIN, screen_member(s, token, "networks"));
		table_put(&t, TONE_PLAIN, screen_member(s, token, "serials"));
		table_put(&t, TONE_PLAIN, screen_member(s, token, "supplier"));
		table_put(&t, TONE_PLAIN, screen_member(s, token, "note"));
	}
	table_print(&t);
	return STATUS_WELL;
}

/* The token alone, so that it can be piped to where it is needed. */
enum status render_new_token(struct screen *s, const json_t *data)
{
	screen_printf(s, "%s\n", screen_member(s, data, "token"));
	return STATUS_WELL;
}

enum status command_token_new(struct cli *cli, char **args, int n_args)
{
	const struct settings *settings = &cli->settings;
	(void)args;
	(void)n_args;
	if (settings->join == (settings->role != NULL))
		return cli_fail(STATUS_USAGE,
			"say which: --join for an agent, or --role viewer|engineer|admin|supplier|writer");
	const struct parameter parameters[] = {
		{"role", settings->join ? "join" : settings->role},
		{"supplier", settings->supplier},
		{"uses", settings->uses},
		{"ttl", settings->ttl},
		{"networks", settings->networks},
		{"serials", settings->serials},
		{"note", settings->note},
		{0},
	};
	enum status status = STATUS_NO_ANSWER;
	json_t *data = client_ask(cli, "POST", "/api/fenwatch/v1/tokens", parameters, &status);
	if (!data)
		return status;
	if (isatty(STDERR_FILENO) && !settings->json)
		fprintf(stderr, "Token %s, role %s; it is shown this once and ends in: %s\n",
			screen_number(&cli->screen, data, "id"),
			screen_member(&cli->screen, data, "role"),
			screen_age(&cli->screen, data, "expires"));
	return cli_show(cli, data, render_new_token);
}

enum status command_token_list(struct cli *cli, char **args, int n_args)
{
	(void)args;
	(void)n_args;
	return cli_get(cli, "/api/fenwatch/v1/tokens", NULL, render_tokens);
}

static enum status render_revoked(struct screen *s, const json_t *data)
{
	screen_printf(s, "revoked %s\n", screen_member(s, data, "revoked"));
	return STATUS_WELL;
}

static enum status change(struct cli *cli, const char *method, const char *path)
{
	enum status status = STATUS_NO_ANSWER;
	json_t *data = client_ask(cli, method, path, NULL, &status);
	return data ? cli_show(cli, data, render_revoked) : status;
}

enum status command_token_revoke(struct cli *cli, char **args, int n_args)
{
	(void)n_args;
	return change(cli, "DELETE",
		fw_arena_format(&cli->screen.arena, "/api/fenwatch/v1/tokens/%s",
			client_escape(cli, args[0])));
}

/* ---- agents ---- */

enum status render_agents(struct screen *s, const json_t *data)
{
	static const char *const headings[] = {
		"AGENT", "STATE", ">ENROLLED", ">RENEWED", ">ENDS IN", "UUID", NULL};
	struct table t;
	size_t i;
	const json_t *agent;
	table_init(&t, s, headings);
	json_array_foreach(data, i, agent)
	{
		const char *state = screen_member(s, agent, "state");
		bool good = strcmp(state, "good") == 0;
		table_put(&t, TONE_PLAIN, screen_member(s, agent, "name"));
		table_put(&t, good ? TONE_GOOD : TONE_BAD, state);
		table_put(&t, TONE_PLAIN, screen_age(s, agent, "enrolled"));
		table_put(&t, TONE_PLAIN, screen_age(s, agent, "renewed"));
		table_put(&t, TONE_PLAIN, good ? screen_age(s, agent, "expires") : "-");
		table_put(&t, TONE_PLAIN, screen_member(s, agent, "uuid"));
	}
	if (i > 0)
		table_print(&t);
	else
		fw_buf_puts(&s->out,
			"no agents; one enrols with what 'fenwatch token new --join' prints\n");
	return STATUS_WELL;
}

enum status command_agent_list(struct cli *cli, char **args, int n_args)
{
	(void)args;
	(void)n_args;
	return cli_get(cli, "/api/fenwatch/v1/agents", NULL, render_agents);
}

enum status command_agent_revoke(struct cli *cli, char **args, int n_args)
{
	(void)n_args;
	return change(cli, "POST",
		fw_arena_format(&cli->screen.arena, "/api/fenwatch/v1/agents/%s/revoke",
			client_escape(cli, args[0])));
}

/* ---- the certificate authority ---- */

static void print_authority(struct screen *s, const char *heading, const json_t *authority)
{
	screen_printf(s, "%-9s %s, ends in %s\n", heading,
		screen_member(s, authority, "fingerprint"), screen_age(s, authority, "expires"));
}

enum status render_ca(struct screen *s, const json_t *data)
{
	const json_t *next = json_object_get(data, "next"), *left = json_object_get(data, "left");
	const json_t *name;
	size_t i;
	print_authority(s, "authority", json_object_get(data, "now"));
	if (!json_is_object(next))
		return STATUS_WELL;
	print_authority(s, "new one", next);
	screen_printf(s, "%zu of %s agents have not moved to the new one%s\n",
		json_array_size(left), screen_number(s, data, "agents"),
		json_array_size(left) > 0 ? ":" : "; 'fenwatch ca retire' ends the old one");
	json_array_foreach(left, i, name)
	{
		screen_printf(s, "  %s\n", screen_text(s, json_string_value(name)));
	}
	return STATUS_WELL;
}

enum status command_ca_show(struct cli *cli, char **args, int n_args)
{
	(void)args;
	(void)n_args;
	return cli_get(cli, "/api/fenwatch/v1/ca", NULL, render_ca);
}

static enum status change_ca(struct cli *cli, const char *path, const struct parameter *parameters)
{
	enum status status = STATUS_NO_ANSWER;
	json_t *data = client_ask(cli, "POST", path, parameters, &status);
	return data ? cli_show(cli, data, render_ca) : status;
}

enum status command_ca_rollover(struct cli *cli, char **args, int n_args)
{
	(void)args;
	(void)n_args;
	return change_ca(cli, "/api/fenwatch/v1/ca/rollover", NULL);
}

enum status command_ca_retire(struct cli *cli, char **args, int n_args)
{
	const struct parameter parameters[] = {
		{"force", cli->settings.force ? "true" : NULL},
		{0},
	};
	(void)args;
	(void)n_args;
	return change_ca(cli, "/api/fenwatch/v1/ca/retire", parameters);
}

/* ---- hosts ---- */

static enum status render_forgotten(struct screen *s, const json_t *data)
{
	screen_printf(s, "forgot %s\n", screen_member(s, data, "forgotten"));
	return STATUS_WELL;
}

enum status command_forget(struct cli *cli, char **args, int n_args)
{
	(void)n_args;
	enum status status = STATUS_NO_ANSWER;
	const char *path = fw_arena_format(
		&cli->screen.arena, "/api/fenwatch/v1/hosts/%s", client_escape(cli, args[0]));
	json_t *data = client_ask(cli, "DELETE", path, NULL, &status);
	return data ? cli_show(cli, data, render_forgotten) : status;
}

static enum status render_retired(struct screen *s, const json_t *data)
{
	static const char *const headings[] = {"HOST", ">SINCE", "BY", "REASON", NULL};
	struct table t;
	size_t i;
	const json_t *host;
	table_init(&t, s, headings);
	json_array_foreach(data, i, host)
	{
		table_put(&t, TONE_PLAIN, screen_member(s, host, "host"));
		table_put(&t, TONE_PLAIN, screen_age(s, host, "at"));
		table_put(&t, TONE_PLAIN, screen_member(s, host, "who"));
		table_put(&t, TONE_PLAIN, screen_member(s, host, "reason"));
	}
	if (i > 0)
		table_print(&t);
	else
		fw_buf_puts(&s->out, "no host was retired\n");
	return STATUS_WELL;
}

static enum status render_retirement(struct screen *s, const json_t *data)
{
	bool is_back = json_object_get(data, "returned");
	screen_printf(s, "%s is %s\n", screen_member(s, data, is_back ? "returned" : "retired"),
		is_back ? "in service again" : "retired");
	return STATUS_WELL;
}

enum status command_retire(struct cli *cli, char **args, int n_args)
{
	const struct settings *settings = &cli->settings;
	const struct parameter parameters[] = {{"reason", settings->reason}, {0}};
	enum status status = STATUS_NO_ANSWER;
	if (settings->undo && settings->reason)
		return cli_fail(STATUS_USAGE, "--undo takes no --reason");
	if (n_args == 0 && (settings->undo || settings->reason))
		return cli_fail(STATUS_USAGE, "which host?");
	if (n_args == 0)
		return cli_get(cli, "/api/fenwatch/v1/retired", NULL, render_retired);
	const char *path = fw_arena_format(&cli->screen.arena, "/api/fenwatch/v1/hosts/%s/retire",
		client_escape(cli, args[0]));
	json_t *data =
		client_ask(cli, settings->undo ? "DELETE" : "POST", path, parameters, &status);
	return data ? cli_show(cli, data, render_retirement) : status;
}
