/* SPDX-License-Identifier: Apache-2.0 */
#include "dialog.h"

#include <errno.h>
#include <string.h>

#include <fenwatch/text.h>

#include "options.h"
#include "shim.h"

#define GROUPS 16

void dialog_init(struct dialog *d, const struct dialog_step *steps, size_t n_steps)
{
	*d = (struct dialog){.steps = steps, .n_steps = n_steps};
}

void dialog_done(struct dialog *d)
{
	fw_buf_done(&d->said);
}

/* ---- what is said ---- */

/* "${1}" and "$1" of a group, "$$" of a dollar; a group that took no part is empty. */
static const char *append_group(
	struct fw_buf *out, const char *at, const char *line, const int *spans)
{
	bool braced = *at == '{';
	const char *digit = at + braced;
	if (*at == '$') {
		fw_buf_append(out, "$", 1);
		return at + 1;
	}
	if (*digit < '0' || *digit > '9' || (braced && digit[1] != '}')) {
		fw_buf_append(out, "$", 1);
		return at;
	}
	const int *span = &spans[(*digit - '0') * 2];
	if (span[0] >= 0)
		fw_buf_append(out, line + span[0], (size_t)(span[1] - span[0]));
	return digit + 1 + braced;
}

/* A line feed ends it: who wants a carriage return says so. */
static void compose(struct dialog *d, const char *send, const char *line, const int *spans)
{
	fw_buf_done(&d->said);
	for (const char *at = send; *at;) {
		size_t plain = strcspn(at, "$");
		fw_buf_append(&d->said, at, plain);
		at += plain;
		if (*at == '$')
			at = append_group(&d->said, at + 1, line, spans);
	}
	fw_buf_append(&d->said, "\n", 1);
}

/* ---- what is heard ---- */

static void no_groups(int *spans)
{
	for (size_t i = 0; i < 2 * GROUPS; i++)
		spans[i] = -1;
}

/* What was expected has come, or nothing was: on to what the step says. */
static void begin_saying(struct dialog *d, const char *line, const int *spans)
{
	const struct dialog_step *step = &d->steps[d->step];
	if (step->send)
		compose(d, step->send, line, spans);
	d->part = step->send ? DIALOG_SENDS : DIALOG_SHAKES;
}

static void fail_dialog(struct dialog *d, const char *why, bool by_regex)
{
	d->why = why;
	d->by_regex = by_regex;
}

/* Looks at one line; false: no whole one is there. */
static bool take_line(struct dialog *d)
{
	int spans[2 * GROUPS];
	char *end = memchr(d->line, '\n', d->length);
	if (!end && !(d->ended && d->length > 0))
		return false;
	size_t length = end ? (size_t)(end - d->line) : d->length;
	size_t taken = end ? length + 1 : length;
	if (length > 0 && d->line[length - 1] == '\r')
		length--;
	d->line[length] = '\0';
	no_groups(spans);
	if (shim_regex_search(d->steps[d->step].expect, d->line, 0, spans, GROUPS))
		begin_saying(d, d->line, spans);
	d->length -= taken;
	memmove(d->line, d->line + taken, d->length);
	return true;
}

static void expect_line(struct dialog *d)
{
	int spans[2 * GROUPS];
	if (!d->steps[d->step].expect) {
		no_groups(spans);
		begin_saying(d, "", spans);
		return;
	}
	while (d->part == DIALOG_EXPECTS && take_line(d))
		;
	if (d->part != DIALOG_EXPECTS)
		return;
	if (d->ended)
		fail_dialog(d, "the server hung up before it said what it must", true);
	else if (d->length == DIALOG_LINE)
		fail_dialog(d, "the server sends a line of more than 4096 bytes", true);
	else if (d->heard >= DIALOG_BYTES)
		fail_dialog(d, "in 64 KiB the server does not say what it must", true);
}

enum dialog_wants dialog_next(struct dialog *d)
{
	while (!d->why && d->step < d->n_steps) {
		if (d->part == DIALOG_EXPECTS) {
			expect_line(d);
			if (!d->why && d->part == DIALOG_EXPECTS)
				return DIALOG_HEAR;
		} else if (d->part == DIALOG_SENDS) {
			return DIALOG_SAY;
		} else if (!d->steps[d->step].starttls) {
			dialog_shaken(d);
		} else if (d->length > 0) {
			fail_dialog(d, "the server says more before TLS begins", false);
		} else {
			return DIALOG_TLS;
		}
	}
	return d->why ? DIALOG_FAILED : DIALOG_DONE;
}

char *dialog_room(struct dialog *d, size_t *size)
{
	*size = DIALOG_LINE - d->length;
	return d->line + d->length;
}

/* A text ends at a NUL, so those of the peer become blanks. */
void dialog_heard(struct dialog *d, size_t length)
{
	for (size_t i = 0; i < length; i++)
		if (d->line[d->length + i] == '\0')
			d->line[d->length + i] = ' ';
	d->ended = length == 0;
	d->length += length;
	d->heard += length;
}

void dialog_sent(struct dialog *d)
{
	d->part = DIALOG_SHAKES;
}

void dialog_shaken(struct dialog *d)
{
	d->part = DIALOG_EXPECTS;
	d->step++;
}

/* ---- the option ---- */

static const struct fw_option step_table[] = {
	{.name = "expect",
		.help = "regular expression (RE2) of a line that is waited for",
		.type = FW_OPT_CUSTOM,
		.offset = offsetof(struct dialog_step, expect),
		.parse = check_parse_regex},
	{.name = "send",
		.help = "a line that is said then; ${1} is what a group has matched",
		.type = FW_OPT_TEXT,
		.offset = offsetof(struct dialog_step, send)},
	{.name = "starttls",
		.help = "on: TLS begins then",
		.type = FW_OPT_BOOL,
		.offset = offsetof(struct dialog_step, starttls),
		.fallback = "off"},
	{0},
};

static int parse_step(const struct fw_yaml *node, struct dialog_step *step, struct fw_arena *arena,
	struct fw_err *err)
{
	if (fw_yaml_kind(node) != FW_YAML_MAPPING)
		return fw_yaml_fail(node, err, "a step is {expect: ..., send: ...}");
	int rc = fw_conf_bind(node, step_table, step, arena, err);
	if (rc == 0 && !step->expect && !step->send && !step->starttls)
		return fw_yaml_fail(node, err, "a step has expect, send or starttls");
	if (rc == 0 && step->send && strlen(step->send) > 1024)
		return fw_yaml_fail(node, err, "'send' is one line of at most 1024 bytes");
	return rc;
}

int dialog_parse(
	const struct fw_yaml *node, void *field, struct fw_arena *arena, struct fw_err *err)
{
	struct dialog_script *script = field;
	if (fw_yaml_kind(node) != FW_YAML_SEQUENCE)
		return fw_yaml_fail(node, err, "'query_response' must be a list of steps");
	size_t n = fw_yaml_count(node), tls = 0;
	if (n > DIALOG_STEPS)
		return fw_yaml_fail(node, err, "there are more than %d steps", DIALOG_STEPS);
	script->steps = fw_arena_alloc(arena, (n + 1) * sizeof *script->steps);
	for (size_t i = 0; i < n; i++) {
		struct dialog_step *step = &script->steps[script->n_steps++];
		int rc = parse_step(fw_yaml_item(node, i), step, arena, err);
		if (rc < 0)
			return rc;
		tls += step->starttls;
	}
	return tls > 1 ? fw_yaml_fail(node, err, "TLS begins once") : 0;
}

void dialog_free(struct dialog_script *script)
{
	for (size_t i = 0; i < script->n_steps; i++)
		shim_regex_free(script->steps[i].expect);
}
