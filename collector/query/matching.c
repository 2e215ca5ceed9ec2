/* SPDX-License-Identifier: Apache-2.0 */
#include "matching.h"

#include <errno.h>
#include <string.h>

#include "shim.h"
#include "texts.h"

struct expression {
	struct shim_regex *regex;
	struct texts answers; /* by value; the mark is "matches" */
};

static bool answers_yes(struct expression *e, const char *value)
{
	struct texts_slot *slot = texts_put(&e->answers, value);
	if (!slot->text) {
		/* A copy, as the store may hand over passing texts. */
		slot->text = fw_arena_strdup(e->answers.arena, value);
		slot->mark = shim_regex_matches(e->regex, value);
	}
	return slot->mark;
}

/* ---- what the store calls ---- */

static bool accepts_equal(const struct store_matcher *m, const char *value)
{
	return strcmp(m->value, value) == 0;
}

static bool accepts_different(const struct store_matcher *m, const char *value)
{
	return strcmp(m->value, value) != 0;
}

static bool accepts_regex(const struct store_matcher *m, const char *value)
{
	struct expression *const *e = m->arg;
	return answers_yes(*e, value);
}

static bool accepts_not_regex(const struct store_matcher *m, const char *value)
{
	return !accepts_regex(m, value);
}

static bool (*const accepters[])(const struct store_matcher *, const char *) = {
	[MATCHER_EQUAL] = accepts_equal,
	[MATCHER_DIFFERENT] = accepts_different,
	[MATCHER_REGEX] = accepts_regex,
	[MATCHER_NOT_REGEX] = accepts_not_regex,
};

static int compile(const struct matcher *m, struct fw_arena *arena, struct expression **out,
	struct fw_err *err)
{
	char why[128];
	struct shim_regex *regex = shim_regex_new(m->value, why, sizeof why);
	if (!regex)
		return fw_fail(err, -EINVAL, "error parsing regexp: %s", why);
	struct expression *e = fw_arena_alloc(arena, sizeof *e);
	e->regex = regex;
	e->answers.arena = arena;
	*out = e;
	return 0;
}

int matching_init(struct matching *out, const struct matcher *matchers, size_t n,
	struct fw_arena *arena, struct fw_err *err)
{
	*out = (struct matching){
		.matchers = fw_arena_alloc(arena, n * sizeof *out->matchers),
		.n_matchers = n,
		.expressions = fw_arena_alloc(arena, n * sizeof(struct expression *)),
	};
	int rc = 0;
	for (size_t i = 0; i < n && rc == 0; i++) {
		const struct matcher *m = &matchers[i];
		out->matchers[i] = (struct store_matcher){
			m->name, accepters[m->kind], m->value, &out->expressions[i]};
		if (m->kind == MATCHER_REGEX || m->kind == MATCHER_NOT_REGEX)
			rc = compile(m, arena, &out->expressions[i], err);
	}
	if (rc < 0)
		matching_done(out);
	return rc;
}

void matching_done(struct matching *matching)
{
	for (size_t i = 0; i < matching->n_matchers; i++)
		if (matching->expressions[i])
			shim_regex_free(matching->expressions[i]->regex);
	*matching = (struct matching){0};
}
