/* SPDX-License-Identifier: Apache-2.0 */
#include "gone.h"

#include <string.h>

#include "alert.h"
#include "book_feeds.h"
#include "outbox.h"

struct finding {
	struct state *state;
	const struct alert_options *options;
	struct fw_arena *arena;
	struct gone_feed *items; /* on the heap */
	size_t n;
	int rc;
	struct fw_err *err;
};

static bool is_configured(const struct alert_options *options, const char *name)
{
	for (size_t i = 0; i < options->n_feeds; i++)
		if (strcmp(options->feeds[i]->name, name) == 0)
			return true;
	return false;
}

static void add(struct finding *found, const char *feed, int64_t tickets)
{
	found->items = fw_realloc(found->items, (found->n + 1) * sizeof *found->items);
	found->items[found->n++] = (struct gone_feed){
		.name = fw_arena_strdup(found->arena, feed),
		.sentence = fw_arena_format(found->arena,
			"feed '%.64s' is not configured any more, and %lld ticket%s open with it: "
			"ends wait until there is a feed of that name again",
			feed, (long long)tickets, tickets == 1 ? " is" : "s are"),
	};
}

static void on_feed(const char *feed, void *arg)
{
	struct finding *found = arg;
	int64_t tickets = 0;
	if (found->rc < 0 || is_configured(found->options, feed))
		return;
	found->rc = book_open_tickets(found->state, feed, &tickets, found->err);
	if (tickets > 0)
		add(found, feed, tickets);
}

int gone_feeds(struct state *state, const struct alert_options *options, struct fw_arena *arena,
	struct gone_feed **out, size_t *n, struct fw_err *err)
{
	struct finding found = {.state = state, .options = options, .arena = arena, .err = err};
	int rc = book_feeds_told(state, on_feed, &found, err);
	rc = rc < 0 ? rc : found.rc;
	*n = rc < 0 ? 0 : found.n;
	*out = fw_arena_alloc(arena, (*n + 1) * sizeof **out);
	if (*n > 0)
		memcpy(*out, found.items, *n * sizeof **out);
	fw_free(found.items);
	return rc;
}

void alert_doubt_gone(struct state *state, const struct alert_options *options,
	void (*on_doubt)(const char *sentence, void *arg), void *arg)
{
	struct fw_arena arena = {0};
	struct gone_feed *gone;
	size_t n;
	/* Before the first start there is nothing to read, and nobody was told. */
	if (gone_feeds(state, options, &arena, &gone, &n, NULL) == 0)
		for (size_t i = 0; i < n; i++)
			on_doubt(gone[i].sentence, arg);
	fw_arena_done(&arena);
}
