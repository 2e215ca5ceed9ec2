/* SPDX-License-Identifier: Apache-2.0 */
#include "explain.h"

#include <errno.h>

#include <fenwatch/clock.h>
#include <fenwatch/mem.h>
#include <fenwatch/text.h>

#include "self.h"
#include "sweep.h"

static void put_how_often(const struct source *source, unsigned every_s, struct fw_buf *out)
{
	char text[32];
	if (source->slow)
		fw_buf_printf(out, "every %s, in a process of its own",
			fw_format_duration((int64_t)every_s * 1000, text, sizeof text));
	else
		fw_buf_puts(out, "at every sweep");
	if (source->servers_only)
		fw_buf_puts(out, "; on servers alone");
	if (source->on_request)
		fw_buf_puts(out, "; on request alone");
}

/* ---- one source ---- */

static unsigned count_samples(const struct sweep *s)
{
	unsigned n = 0;
	for (uint32_t i = 0; i < sweep_schema(s)->n_columns; i++)
		n += sweep_cells(s)[i] != FW_ABSENT;
	return n;
}

static int read_once(
	const struct source *source, struct machine *m, struct sweep *s, struct fw_err *err)
{
	void *state = fw_alloc(source->state_size ? source->state_size : 1);
	m->now_ms = fw_wall_ms();
	sweep_begin(s, m->now_ms);
	int rc = source->open ? source->open(state, m, err) : 0;
	if (rc >= 0)
		rc = source->read(state, m, s, err);
	if (source->close)
		source->close(state);
	sweep_end(s);
	fw_free(state);
	return rc;
}

static void put_what_is_here(const struct source *source, struct machine *m, struct fw_buf *out)
{
	struct fw_err err = {.text = ""};
	struct sweep *s = sweep_new();
	int rc = read_once(source, m, s, &err);
	if (rc < 0)
		fw_buf_printf(out, "gives here  nothing: %s\n", err.text);
	else
		fw_buf_printf(out, "gives here  %u series\n", count_samples(s));
	sweep_free(s);
}

void explain_source(const struct source *source, const struct source_plan *plan, struct machine *m,
	struct fw_buf *out)
{
	fw_buf_printf(out, "%s: %s\n\n", source->name, source->help);
	fw_buf_printf(out, "why         %s\n", source->purpose);
	fw_buf_printf(out, "reads       %s\n", source->reads);
	fw_buf_puts(out, "how often   ");
	put_how_often(source, plan->every_s, out);
	fw_buf_printf(out, "\nneeds       %s\n",
		source->needs ? source->needs : "nothing beside the kernel");
	fw_buf_printf(out, "on here     %s: %s\n", plan->on ? "yes" : "no", plan->why);
	if (plan->on)
		put_what_is_here(source, m, out);
	for (const char *const *kind = source->documents; kind && *kind; kind++)
		fw_buf_printf(out, "inventory   %s\n", *kind);
	fw_buf_puts(out, source->n_metrics ? "\nseries\n" : "");
	for (size_t i = 0; i < source->n_metrics; i++)
		fw_buf_printf(
			out, "  %s\n      %s\n", source->metrics[i].name, source->metrics[i].help);
}

/* ---- all of them ---- */

static const char privacy_head[] =
	"# What an agent sends\n"
	"\n"
	"This page is made from the agent's own tables (`fenwatch-agent --privacy`), and a test holds\n"
	"it equal to them. What a machine sends is a part of it: `fenwatch-agent --print` shows that\n"
	"part, on the machine itself, without a collector. `fenwatch-agent --explain SOURCE` says what\n"
	"one source is good for, and `sources: {NAME: off}` in `agent.yml` turns it off.\n"
	"\n"
	"Never sent: names of users, command lines, what is in files, names of wireless networks\n"
	"(SSID), addresses of access points (BSSID), the public address, private keys. Where the\n"
	"class is `laptop`, the names of people are taken out of paths, shares and units, too.\n"
	"\n"
	"## How long it is kept\n"
	"\n"
	"- Series: until the collector's ring has turned, which its configuration sizes (`store`).\n"
	"- Inventory: while an item is there, and 400 days after it has gone.\n"
	"- `fenwatch forget HOST` removes all of it at once.\n";

static void put_cell(struct fw_buf *out, const char *text)
{
	for (; *text; text++) {
		if (*text == '|')
			fw_buf_putc(out, '\\');
		fw_buf_putc(out, *text);
	}
}

static void put_series(const struct metric *metrics, size_t n, struct fw_buf *out)
{
	if (n == 0)
		return;
	fw_buf_puts(out, "\n| series | what it says |\n|---|---|\n");
	for (size_t i = 0; i < n; i++) {
		fw_buf_printf(out, "| `%s` | ", metrics[i].name);
		put_cell(out, metrics[i].help);
		fw_buf_puts(out, " |\n");
	}
}

static void put_source(const struct source *source, struct fw_buf *out)
{
	fw_buf_printf(out, "\n## %s\n\n%s\n\n", source->name, source->help);
	fw_buf_printf(out, "- Purpose: %s\n- From: %s\n- Read: ", source->purpose, source->reads);
	put_how_often(source, source->every_s, out);
	fw_buf_puts(out, "\n");
	for (const char *const *kind = source->documents; kind && *kind; kind++)
		fw_buf_printf(
			out, "- Inventory: `%s`, kept 400 days after an item has gone\n", *kind);
	put_series(source->metrics, source->n_metrics, out);
}

void explain_privacy(struct fw_buf *out)
{
	size_t n;
	fw_buf_puts(out, privacy_head);
	for (size_t i = 0; sources[i]; i++)
		put_source(sources[i], out);
	fw_buf_puts(out,
		"\n## The agent about itself\n\n"
		"- Purpose: Whether the agent itself is well, and what it costs.\n");
	const struct metric *own = self_metrics(&n);
	put_series(own, n, out);
	own = sampler_metrics(&n);
	put_series(own, n, out);
}
