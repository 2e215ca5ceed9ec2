/* SPDX-License-Identifier: Apache-2.0 */
/* The list of hosts. */
#include <string.h>

#include "render.h"

static enum tone tone_of_state(const char *state)
{
	if (strcmp(state, "ok") == 0)
		return TONE_GOOD;
	if (strcmp(state, "away") == 0 || strcmp(state, "unobserved") == 0 ||
		strcmp(state, "retired") == 0)
		return TONE_PLAIN;
	return strcmp(state, "warning") == 0 ? TONE_WARNING : TONE_BAD;
}

enum status render_hosts(struct screen *s, const json_t *data)
{
	static const char *const headings[] = {
		"HOST", "STATE", ">FOR", ">HEARD", ">ALERTS", "SITE", "CLASS", NULL};
	struct table t;
	size_t i;
	const json_t *host;
	table_init(&t, s, headings);
	json_array_foreach(data, i, host)
	{
		const char *state = screen_member(s, host, "state");
		table_put(&t, TONE_PLAIN, screen_member(s, host, "name"));
		table_put(&t, tone_of_state(state), state);
		table_put(&t, TONE_PLAIN, screen_age(s, host, "since"));
		table_put(&t, TONE_PLAIN, screen_age(s, host, "last_seen"));
		table_put(&t, TONE_PLAIN, screen_number(s, host, "alerts"));
		table_put(&t, TONE_PLAIN, screen_member(s, host, "site"));
		table_put(&t, TONE_PLAIN, screen_member(s, host, "class"));
	}
	if (i > 0)
		table_print(&t);
	else
		fw_buf_puts(&s->out,
			"no hosts; an agent enrols with what 'fenwatch token new --join' prints\n");
	return STATUS_WELL;
}

enum status command_hosts(struct cli *cli, char **args, int n_args)
{
	(void)args;
	(void)n_args;
	return cli_get(cli, "/api/fenwatch/v1/hosts", NULL, render_hosts);
}
