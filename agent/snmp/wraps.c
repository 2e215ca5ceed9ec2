/* SPDX-License-Identifier: Apache-2.0 */
#include "wraps.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <fenwatch/array.h>
#include <fenwatch/mem.h>

#include "oid.h"

#define HALF (UINT32_C(1) << 31)
#define WRAPS_MOST (1 << 20) /* of one counter: all that fits into 52 bits */
#define COUNTERS_MOST 5000
#define PATIENCE 40         /* reads without it, after which one is forgotten */
#define SAME_START_MS 60000 /* clocks drift, and answers take their time */

struct counter {
	char *name; /* first, as fw_array_place() wants it */
	uint32_t raw, wraps;
	int64_t set_back;
	int64_t started_ms; /* of its device when it was read; 0: nobody has told */
	unsigned missed;    /* reads */
	bool was_written;   /* and not read since: it may have counted for long */
};

struct wraps {
	struct counter *counters; /* by name */
	size_t n, room;
	int64_t started_ms; /* 0: nobody has told yet */
	bool is_told;       /* in this read */
};

struct wraps *wraps_new(void)
{
	return fw_alloc(sizeof(struct wraps));
}

void wraps_free(struct wraps *w)
{
	for (size_t i = 0; w && i < w->n; i++)
		fw_free(w->counters[i].name);
	if (w)
		fw_free(w->counters);
	fw_free(w);
}

struct wraps *wraps_copy(const struct wraps *of)
{
	struct wraps *w = wraps_new();
	*w = *of;
	w->room = of->n;
	w->counters = fw_alloc_array(of->n + 1, sizeof *w->counters);
	for (size_t i = 0; i < of->n; i++) {
		w->counters[i] = of->counters[i];
		w->counters[i].name = fw_strdup(of->counters[i].name);
	}
	return w;
}

/* ---- in order ---- */

/* The first that is not before it. */
static size_t place_of(const struct wraps *w, const char *name)
{
	return fw_array_place(w->counters, w->n, sizeof *w->counters, name);
}

static struct counter *find(const struct wraps *w, const char *name)
{
	size_t at = place_of(w, name);
	return at < w->n && strcmp(w->counters[at].name, name) == 0 ? &w->counters[at] : NULL;
}

static struct counter *add(struct wraps *w, const char *name)
{
	size_t at = place_of(w, name);
	if (w->n == COUNTERS_MOST)
		return NULL;
	if (w->n >= w->room) {
		w->room = w->room ? 2 * w->room : 8;
		w->counters = fw_realloc(w->counters, w->room * sizeof *w->counters);
	}
	memmove(w->counters + at + 1, w->counters + at, (w->n++ - at) * sizeof *w->counters);
	w->counters[at] = (struct counter){.name = fw_strdup(name)};
	return &w->counters[at];
}

/* ---- one read after another ---- */

void wraps_begin(struct wraps *w)
{
	size_t to = 0;
	w->is_told = false;
	for (size_t i = 0; i < w->n; i++) {
		struct counter *c = &w->counters[i];
		bool is_low = c->wraps == 0 && c->raw < HALF;
		if (is_low || ++c->missed > PATIENCE)
			fw_free(c->name);
		else
			w->counters[to++] = *c;
	}
	w->n = to;
}

void wraps_started(struct wraps *w, int64_t at_ms)
{
	w->is_told = true;
	w->started_ms = at_ms;
}

bool wraps_is_low(const struct wraps *w, uint32_t raw)
{
	return w->n == 0 && raw < HALF;
}

/* A read may have told of a start, and not have come to the counter. */
static bool has_run_on(const struct wraps *w, const struct counter *c)
{
	return w->is_told && c->started_ms != 0 &&
		llabs(w->started_ms - c->started_ms) < SAME_START_MS;
}

static bool has_wrapped(const struct wraps *w, const struct counter *c, uint32_t raw)
{
	return has_run_on(w, c) && c->wraps < WRAPS_MOST &&
		(c->was_written || raw - c->raw < HALF); /* modulo 2^32 */
}

int64_t wraps_carry(struct wraps *w, const char *name, uint32_t raw, int64_t set_back)
{
	struct counter *c = find(w, name);
	if (!c && raw >= HALF)
		c = add(w, name);
	else if (c && set_back != 0 && c->set_back != set_back)
		c->wraps = 0;
	else if (c && raw < c->raw)
		c->wraps = has_wrapped(w, c, raw) ? c->wraps + 1 : 0;
	if (!c)
		return raw;
	c->raw = raw;
	if (set_back != 0 || !has_run_on(w, c)) /* a read that lacks it says nothing of it */
		c->set_back = set_back;
	c->started_ms = w->started_ms;
	c->missed = 0;
	c->was_written = false;
	return (int64_t)c->wraps << 32 | raw;
}

/* ---- written down ---- */

void wraps_write(const struct wraps *w, const char *prefix, struct fw_buf *out)
{
	for (size_t i = 0; i < w->n; i++) {
		const struct counter *c = &w->counters[i];
		if (c->wraps > 0)
			fw_buf_printf(out, "%s\t%s %u %u %lld %lld\n", prefix, c->name, c->wraps,
				c->raw, (long long)c->set_back, (long long)c->started_ms);
	}
}

static bool cut_number(struct fw_cursor *line, int64_t most, int64_t *out)
{
	return fw_cut_literal(line, " ") && fw_cut_i64(line, out) && *out >= 0 && *out <= most;
}

void wraps_take_line(struct wraps *w, struct fw_cursor line)
{
	char name[OID_TEXT];
	int64_t wraps, raw, set_back, started_ms;
	const char *end = memchr(line.at, ' ', (size_t)(line.end - line.at));
	if (!end || end == line.at || end - line.at >= OID_TEXT)
		return;
	snprintf(name, sizeof name, "%.*s", (int)(end - line.at), line.at);
	line.at = end;
	if (!cut_number(&line, WRAPS_MOST, &wraps) || !cut_number(&line, UINT32_MAX, &raw) ||
		!cut_number(&line, UINT32_MAX, &set_back) ||
		!cut_number(&line, INT64_MAX / 2, &started_ms) || find(w, name))
		return;
	struct counter *c = add(w, name);
	if (!c)
		return;
	c->wraps = (uint32_t)wraps;
	c->raw = (uint32_t)raw;
	c->set_back = set_back;
	c->was_written = true;
	c->started_ms = started_ms;
}
