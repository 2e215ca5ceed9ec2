/* Advisories that were imported: which version of a package has what fixed, since when.
 *
 * A pending fix closes those that were fixed in a version above the installed one, up
 * to the candidate's.
 */
#pragma once

#include "patch.h"

int advisories_open(struct state *state, struct fw_err *err);

struct advisories_match {
	const char *packages[3];    /* names of the source and of the package; NULL: no more */
	const char *release, *also; /* what the host's system is called; may be NULL */
	const char *installed;      /* NULL: only what is fixed in the candidate itself counts */
	const char *candidate;
	int (*compare)(const char *a, const char *b);
	/* out; texts in the arena */
	struct fw_arena *arena;
	int64_t issued_s;     /* of the earliest; 0: none fits */
	const char *advisory; /* its name */
	const char *severity; /* the gravest */
	double cvss;          /* the highest */
	bool ungraded;        /* one of them has neither */
};
int advisories_match(struct state *state, struct advisories_match *match, struct fw_err *err);
