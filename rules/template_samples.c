/* SPDX-License-Identifier: Apache-2.0 */
/* Prometheus' functions that ask, take apart what was answered, and hand on arguments. */
#include <stdlib.h>
#include <string.h>

#include "template_tree.h"

static int call_query(struct run *run, const struct operand *args, size_t n, struct operand *out)
{
	struct template_sample *samples = NULL;
	struct fw_err err;
	(void)n;
	if (!run->data->ask)
		return run_fail(run, "there is nothing to ask");
	*out = (struct operand){.kind = IS_SAMPLES};
	if (run->data->ask(run->data->arg, args->text, run->arena, &samples, &out->n, &err) < 0)
		return run_fail(run, "%s", err.text);
	out->samples = samples;
	return 0;
}

static int call_first(struct run *run, const struct operand *args, size_t n, struct operand *out)
{
	(void)n;
	if (args->n == 0)
		return run_fail(run, "first() called on vector with no elements");
	*out = (struct operand){.kind = IS_SAMPLE, .samples = args->samples};
	return 0;
}

static int call_label(struct run *run, const struct operand *args, size_t n, struct operand *out)
{
	(void)run;
	(void)n;
	*out = (struct operand){
		.kind = IS_TEXT,
		.text = label_set_get(&args[1].samples->labels, args[0].text),
	};
	return 0;
}

static int call_strvalue(struct run *run, const struct operand *args, size_t n, struct operand *out)
{
	(void)run;
	(void)n;
	*out = (struct operand){
		.kind = IS_TEXT,
		.text = label_set_get(&args->samples->labels, "__value__"),
	};
	return 0;
}

static int call_value(struct run *run, const struct operand *args, size_t n, struct operand *out)
{
	(void)run;
	(void)n;
	*out = (struct operand){.kind = IS_FLOAT, .value = args->samples->value};
	return 0;
}

struct keyed {
	const char *key;
	const struct template_sample *sample;
};

static int by_key(const void *a, const void *b)
{
	const struct keyed *x = a, *y = b;
	int order = strcmp(x->key, y->key);
	return order ? order : (x->sample > y->sample) - (x->sample < y->sample);
}

static int call_sort_by_label(
	struct run *run, const struct operand *args, size_t n, struct operand *out)
{
	size_t count = args[1].n;
	struct keyed *keyed = fw_arena_alloc(run->arena, (count + 1) * sizeof *keyed);
	struct template_sample *sorted = fw_arena_alloc(run->arena, (count + 1) * sizeof *sorted);
	(void)n;
	for (size_t i = 0; i < count; i++)
		keyed[i] = (struct keyed){label_set_get(&args[1].samples[i].labels, args[0].text),
			&args[1].samples[i]};
	qsort(keyed, count, sizeof *keyed, by_key);
	for (size_t i = 0; i < count; i++)
		sorted[i] = *keyed[i].sample;
	*out = (struct operand){.kind = IS_SAMPLES, .n = count, .samples = sorted};
	return 0;
}

static int call_args(struct run *run, const struct operand *args, size_t n, struct operand *out)
{
	struct operand *copy = fw_arena_alloc(run->arena, (n + 1) * sizeof *copy);
	for (size_t i = 0; i < n; i++)
		copy[i] = args[i];
	*out = (struct operand){.kind = IS_ARGS, .n = n, .args = copy};
	return 0;
}

const struct template_function template_samples[] = {
	{"args", ".", 0, -1, call_args},
	{"first", "q", 1, 1, call_first},
	{"label", "sp", 2, 2, call_label},
	{"query", "s", 1, 1, call_query},
	{"sortByLabel", "sq", 2, 2, call_sort_by_label},
	{"strvalue", "p", 1, 1, call_strvalue},
	{"value", "p", 1, 1, call_value},
	{0},
};
