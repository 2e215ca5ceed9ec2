/* Inventory documents, on their way from a slow source's child into the spool.
 *
 * In the child a source gives its tables through the calls of source.h. When it
 * has read, documents_finish() sorts each table, compares it with the one of the
 * read before, DATA/documents/KIND, and where they differ puts the new one beside
 * it as KIND.new and hands on what differs, numbered as the next revision. The
 * whole table goes at first, where a whole one was asked for (KIND.whole), and
 * where the difference would be larger than half of it.
 *
 * The agent spools that as a Document, makes it durable and then lets KIND.new
 * take its place with documents_keep(). Killed in between, the next read gives
 * the same revision again, and the collector, which has one of that number, asks
 * for the whole. A number that is missing makes it ask, too, and so no loss on
 * the way lasts longer than a read.
 *
 * A file is a line "fenwatch-items 1 REVISION MADE_FROM" and a whole document's
 * lines (items.h). Revisions begin at the time of the first one, so that those of a
 * data folder made anew never seem to follow the old ones.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <fenwatch/buf.h>
#include <fenwatch/err.h>

#include "source.h"

/* ---- in the child ---- */

/* `folder`: the agent's data; NULL keeps nothing, and every table is new. */
struct documents *documents_new(const char *folder, const struct source *source);
void documents_free(struct documents *d);
/* Appends what has changed to what the child hands back; a failure goes with it. */
void documents_finish(struct documents *d, int64_t now_ms, struct fw_buf *out);
/* Instead: appends the tables for a person to read, as comments, item by item or
 * (`brief`) as how many there are. */
void documents_print(struct documents *d, bool brief, struct fw_buf *out);

/* ---- in the agent ---- */

struct document_news {
	const char *kind;
	uint64_t revision;
	bool whole;
	uint32_t raw_length;
	const uint8_t *body; /* zstd */
	size_t length;
};

/* Looks at every byte that a child of `source` has handed back, and gives what
 * documents_finish() failed with. */
int documents_check(
	const struct source *source, const uint8_t *data, size_t length, struct fw_err *err);
/* Calls `each` for every document in bytes that have been checked. */
void documents_each(const struct source *source, const uint8_t *data, size_t length,
	void (*each)(const struct document_news *news, void *arg), void *arg);
/* The document is durable in the spool: its table is the one to compare with. */
int documents_keep(const char *folder, const struct document_news *news, struct fw_err *err);
/* The next read gives the whole table of this kind; NULL: of every kind. -ENOENT:
 * no source of this agent gives such a kind. */
int documents_want_whole(const char *folder, const char *kind, struct fw_err *err);
