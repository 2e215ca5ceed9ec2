/* SPDX-License-Identifier: Apache-2.0 */
/* From text to steps, by recursive descent: a list of steps ends at the first
 * {{end}} or {{else}} that is not its own. */
#include <errno.h>
#include <string.h>

#include "template_parser.h"

/* What every rule's template begins with, as in Prometheus: it counts in the columns that
 * failures name. */
static const char prefix[] = "{{$labels := .Labels}}{{$externalLabels := .ExternalLabels}}"
			     "{{$externalURL := .ExternalURL}}{{$value := .Value}}";

/* How a list of steps ended. */
enum ending { AT_TEXT_END, AT_END, AT_ELSE };

static int parse_steps(struct parser *p, const struct step **out, enum ending *ending);

/* ---- tags ---- */

static int expect_end(struct parser *p, enum ending ending)
{
	if (ending == AT_TEXT_END)
		return scan_fail(p, "unexpected EOF");
	return ending == AT_ELSE ? scan_fail(p, "expected end; found {{else}}") : 0;
}

static int parse_branch(struct parser *p, struct step *step);

/* What follows {{else}}: steps, or "if ..." as the only one of them. */
static int parse_else(struct parser *p, struct step *step)
{
	enum ending ending;
	scan_space(p);
	if (scan_keyword(p, "if")) {
		struct step *inner = fw_arena_alloc(p->arena, sizeof *inner);
		inner->kind = STEP_IF;
		inner->from = scan_place(p);
		step->otherwise = inner;
		return parse_branch(p, inner);
	}
	int rc = scan_close(p);
	if (rc == 0)
		rc = parse_steps(p, &step->otherwise, &ending);
	return rc < 0 ? rc : expect_end(p, ending);
}

/* if, with and range: a pipeline, steps, perhaps others. Variables end with it. */
static int parse_branch(struct parser *p, struct step *step)
{
	size_t before = p->n_variables;
	enum ending ending = AT_TEXT_END;
	bool is_loop = step->kind == STEP_RANGE;
	if (++p->depth > TEMPLATE_DEPTH_LIMIT)
		return scan_fail(p, "nested more than %d deep", TEMPLATE_DEPTH_LIMIT);
	int rc = parse_pipe(p, false, &step->pipe);
	if (rc == 0 && step->pipe->n_variables == 2 && !is_loop)
		rc = scan_fail(p, "too many declarations");
	if (rc == 0)
		rc = scan_close(p);
	p->loops += is_loop;
	if (rc == 0)
		rc = parse_steps(p, &step->inner, &ending);
	p->loops -= is_loop;
	if (rc == 0 && ending == AT_ELSE)
		rc = parse_else(p, step);
	else if (rc == 0)
		rc = expect_end(p, ending);
	p->depth--;
	p->n_variables = before;
	return rc;
}

static int parse_loop_word(struct parser *p, struct step *step, const char *word)
{
	if (!p->loops)
		return scan_fail(p, "{{%s}} outside {{range}}", word);
	(void)step;
	return scan_close(p);
}

static int take_template_name(struct parser *p, const char **name)
{
	struct operand text = {0};
	scan_space(p);
	if (p->at >= p->end || (*p->at != '"' && *p->at != '`'))
		return scan_fail(p, "a template's name must be a quoted string");
	int rc = scan_text(p, &text);
	*name = text.text;
	scan_space(p);
	return rc;
}

static int parse_template(struct parser *p, struct step *step)
{
	int rc = take_template_name(p, &step->text);
	if (rc == 0 && !scan_at_close(p))
		rc = parse_pipe(p, false, &step->pipe);
	return rc < 0 ? rc : scan_close(p);
}

/* The steps of {{define "x"}} or {{block "x" .}}, which see no variables but "$". */
static int parse_definition(struct parser *p, const char *name)
{
	const char *kept[PARSE_VARIABLES];
	size_t n = p->n_variables;
	enum ending ending = AT_TEXT_END;
	struct defined *defined = fw_arena_alloc(p->arena, sizeof *defined);
	memcpy(kept, p->variables, n * sizeof *kept);
	p->n_variables = 1;
	if (++p->depth > TEMPLATE_DEPTH_LIMIT)
		return scan_fail(p, "nested more than %d deep", TEMPLATE_DEPTH_LIMIT);
	int rc = scan_close(p);
	if (rc == 0)
		rc = parse_steps(p, &defined->steps, &ending);
	if (rc == 0)
		rc = expect_end(p, ending);
	p->depth--;
	memcpy(p->variables, kept, n * sizeof *kept);
	p->n_variables = n;
	defined->name = name;
	defined->older = p->template->defined;
	p->template->defined = defined;
	return rc;
}

static int parse_block(struct parser *p, struct step *step)
{
	step->kind = STEP_TEMPLATE;
	int rc = take_template_name(p, &step->text);
	if (rc == 0)
		rc = parse_pipe(p, false, &step->pipe);
	return rc < 0 ? rc : parse_definition(p, step->text);
}

static int parse_action(struct parser *p, struct step *step)
{
	step->kind = STEP_ACTION;
	int rc = parse_pipe(p, false, &step->pipe);
	if (rc == 0 && step->pipe->n_variables == 2)
		rc = scan_fail(p, "too many declarations in command");
	return rc < 0 ? rc : scan_close(p);
}

/* 1: a step; 0: a definition, which is none. */
static int parse_tag(struct parser *p, struct step *step)
{
	static const struct {
		const char *word;
		enum step_kind kind;
	} branches[] = {{"if", STEP_IF}, {"with", STEP_WITH}, {"range", STEP_RANGE}};
	const char *name;
	for (size_t i = 0; i < sizeof branches / sizeof *branches; i++) {
		if (!scan_keyword(p, branches[i].word))
			continue;
		step->kind = branches[i].kind;
		int rc = parse_branch(p, step);
		return rc < 0 ? rc : 1;
	}
	int rc;
	if (scan_keyword(p, "template")) {
		step->kind = STEP_TEMPLATE;
		rc = parse_template(p, step);
	} else if (scan_keyword(p, "break")) {
		step->kind = STEP_BREAK;
		rc = parse_loop_word(p, step, "break");
	} else if (scan_keyword(p, "continue")) {
		step->kind = STEP_CONTINUE;
		rc = parse_loop_word(p, step, "continue");
	} else if (scan_keyword(p, "block")) {
		rc = parse_block(p, step);
	} else if (scan_keyword(p, "define")) {
		if (p->depth > 0)
			return scan_fail(p, "unexpected {{define}} within another tag");
		rc = take_template_name(p, &name);
		return rc < 0 ? rc : parse_definition(p, name);
	} else {
		rc = parse_action(p, step);
	}
	return rc < 0 ? rc : 1;
}

/* ---- text between tags ---- */

/* Up to the next tag, which may ask for what stands before it to be trimmed. */
static const char *take_plain(struct parser *p)
{
	if (p->trims)
		scan_space(p);
	p->trims = false;
	const char *from = p->at;
	const char *tag = memmem(from, (size_t)(p->end - from), "{{", 2);
	const char *to = tag ? tag : p->end;
	p->at = to;
	if (tag && tag + 3 < p->end && tag[2] == '-' && scan_is_space(tag[3]))
		while (to > from && scan_is_space(to[-1]))
			to--;
	return fw_arena_strndup(p->arena, from, (size_t)(to - from));
}

/* Behind "{{"; 1: it was a comment, all of it. */
static int take_comment(struct parser *p)
{
	const char *from = p->at;
	if (scan_starts(p, "-") && p->at + 1 < p->end && scan_is_space(p->at[1]))
		p->at++;
	scan_space(p);
	if (!scan_take(p, "/*")) {
		if (*from != '-')
			p->at = from;
		return 0;
	}
	const char *end = memmem(p->at, (size_t)(p->end - p->at), "*/", 2);
	if (!end)
		return scan_fail(p, "unclosed comment");
	p->at = end + 2;
	const char *close = p->at;
	int rc = scan_close(p);
	if (rc == 0 && close < p->at - 2 && !p->trims)
		rc = scan_fail(p, "comment ends before closing delimiter");
	return rc < 0 ? rc : 1;
}

static void append(const struct step ***last, struct step *step)
{
	**last = step;
	*last = &step->next;
}

static void append_text(struct parser *p, const struct step ***last)
{
	const char *text = take_plain(p);
	if (!*text)
		return;
	struct step *step = fw_arena_alloc(p->arena, sizeof *step);
	*step = (struct step){.kind = STEP_TEXT, .text = text};
	append(last, step);
}

/* Behind "{{": 0 to go on, 1 where the list has ended. */
static int parse_one(struct parser *p, const struct step ***last, enum ending *ending)
{
	int rc = take_comment(p);
	if (rc != 0)
		return rc < 0 ? rc : 0;
	scan_space(p);
	if (scan_keyword(p, "end")) {
		*ending = AT_END;
		rc = scan_close(p);
		return rc < 0 ? rc : 1;
	}
	if (scan_keyword(p, "else")) {
		*ending = AT_ELSE;
		return 1;
	}
	struct step *step = fw_arena_alloc(p->arena, sizeof *step);
	step->from = scan_place(p);
	rc = parse_tag(p, step);
	if (rc == 1)
		append(last, step);
	return rc < 0 ? rc : 0;
}

static int parse_steps(struct parser *p, const struct step **out, enum ending *ending)
{
	const struct step **last = out;
	*out = NULL;
	*ending = AT_TEXT_END;
	for (int rc = 0; rc == 0;) {
		append_text(p, &last);
		if (p->at >= p->end)
			return 0;
		p->at += 2;
		rc = parse_one(p, &last, ending);
		if (rc != 0)
			return rc < 0 ? rc : 0;
	}
	return 0;
}

int template_parse(const char *alert, const char *text, struct fw_arena *arena,
	struct template **out, struct fw_err *err)
{
	struct parser p = {.arena = arena, .err = err, .variables = {"$"}, .n_variables = 1};
	enum ending ending;
	if (strlen(text) > TEMPLATE_TEXT_LIMIT)
		return fw_fail(err, -EFBIG, "the template is longer than 256 KiB");
	struct template *template = fw_arena_alloc(arena, sizeof *template);
	template->name = fw_arena_format(arena, "__alert_%s", alert);
	template->text = fw_arena_format(arena, "%s%s", prefix, text);
	p.template = template;
	p.text = p.at = template->text;
	p.end = p.at + strlen(p.at);
	int rc = parse_steps(&p, &template->steps, &ending);
	if (rc == 0 && ending != AT_TEXT_END)
		rc = scan_fail(&p, "unexpected {{%s}}", ending == AT_END ? "end" : "else");
	if (rc == 0)
		*out = template;
	return rc;
}
