/* What an answer says beside its values: warnings and infos, each sentence once. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include <fenwatch/mem.h>

struct node;

#define PROMQL_NOTES_LIMIT 10 /* of each kind; then "N more" as Prometheus counts them */

enum promql_note_kind { NOTE_WARNING, NOTE_INFO, NOTE_KINDS };

struct promql_notes {
	struct fw_arena *arena;
	const char *query; /* the text that places are named in: " (1:6)"; may be NULL */
	const char **texts[NOTE_KINDS];
	size_t n[NOTE_KINDS];
	size_t left_out[NOTE_KINDS];
	uint64_t *seen[NOTE_KINDS]; /* hashes of all sentences, those left out among them */
	size_t n_seen[NOTE_KINDS];
};

/* "PromQL info: metric might not be a counter, ...: "x" (1:6)": the format without its place;
 * with a node, where it stands is put behind. */
void promql_note(struct promql_notes *notes, enum promql_note_kind kind, const struct node *node,
	const char *format, ...) __attribute__((format(printf, 4, 5)));
