/* A machine over weeks: its files are written as package managers would, and a source is
 * read again and again, each time with the documents of the read before. */
#pragma once

#include "source.h"

struct place {
	char root[64], var[72];
	struct machine m;
	struct sweep *sweep;
	int64_t now_ms; /* files are of now */
	/* Of the last read: its series as --print has them, the items of its document
	 * "patches", and what those say of sources and of the system. */
	char *series, *table, *proof;
};

void place_init(struct place *place);
void place_done(struct place *place);
void place_put(struct place *place, const char *path, const char *text);
void place_take_away(struct place *place, const char *path);
void place_read(struct place *place, const struct source *source);
/* A document as it was kept last; the caller frees it. */
char *place_load(const struct place *place, const char *kind);
