/* The inventory of kind "patches", whoever's packages they are.
 *
 * An item NAME:ARCHITECTURE for each package that is not at the version its archives
 * have for it, and for each whose fix is installed but not at work before a restart:
 *
 *   installed, candidate   versions
 *   source, origin         of the candidate
 *   class                  security, bugfix (as well: a feature) or unknown
 *   needs                  reboot, or restart of what runs it, where the fix is not done
 *                          without
 *   services               those to restart: units, "sessions" of people
 *   state                  pending, held, phased, or unfinished: installed, and the
 *                          reboot or restart that it needs has not happened
 *   listed                 date (Unix seconds) of the newest index of its origin known
 *                          here that did not yet list the candidate; missing where the
 *                          first one read had it already
 *   since                  the same of an earlier candidate that was never installed,
 *                          where it was for security or may have been
 *   waits                  of what is unfinished: when it was installed, where that is
 *                          known (Unix seconds); of what is pending: when the version
 *                          was that is installed and not at work
 *
 * Where the archive has advisories (rpm):
 *
 *   severity               of the most severe one, in the vendor's word
 *   advisory               their names, the most severe first
 *   released               when the earliest one that counts was issued (Unix seconds):
 *                          of those critical, important or without a severity, else of all
 *   replaces               the package that is installed, where the candidate takes the
 *                          place of another one
 *
 * And what tells how far this can be believed:
 *
 *   source/NAME            apt or rpm: state ok or unproven, why: old, unreadable, none,
 *                          security (no list of an archive for it), base (no repository of
 *                          the base system), frozen (made too long ago, however fresh the
 *                          copy) or modules; fetched, in Unix seconds
 *   source/restarts        whether it is known which replaced files are still run; why:
 *                          partial (processes of other users could not be looked into)
 *   source/NAME/ORIGIN     the same of one repository, with the date of its index (rpm: of
 *                          each; apt: of the one that makes its lists old)
 *   os                     id and version of the operating system
 *
 * `listed` is kept from the table of the read before, and for what is new since then
 * it is the date that the origin's index had at that read.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "../source.h"

/* NULL or 0: not known. */
struct patch {
	const char *name, *arch, *installed, *candidate, *source, *origin, *class, *state;
	const char *severity, *advisory, *replaces;
	bool needs_reboot;
	int64_t released_s;
	int64_t date_before_s; /* of its origin's index at the read before */
	int64_t waits_s;       /* a version before it was installed then and is not at work */
};

/* An item of the table before that is no more among what is pending. */
struct patch_before {
	const char *name, *arch, *candidate;
};

/* Series that every source of packages gives. */
#define PATCHES_REBOOT                                                        \
	{                                                                     \
		"node_reboot_required", FW_GAUGE, "",                         \
			"Node reboot is required for software updates.", 0, 1 \
	}
#define PATCHES_REBOOT_SINCE                                                                          \
	{                                                                                             \
		"fenwatch_reboot_required_since_timestamp_seconds", FW_GAUGE, "seconds",              \
			"Since when a reboot is required, by what tells so: flag (a file in /run), "  \
			"kernel (a newer one is installed than runs), package (a part of the system " \
			"was installed after the last start) or libraries (the first process runs "   \
			"files that were replaced).",                                                 \
			3, 1                                                                          \
	}
#define PATCHES_PENDING                                                             \
	{                                                                           \
		"fenwatch_patch_pending", FW_GAUGE, "",                             \
			"Updates that are not installed, held ones included.", 0, 1 \
	}
#define PATCHES_HELD                                                                    \
	{                                                                               \
		"fenwatch_patch_held", FW_GAUGE, "",                                    \
			"Updates that are not installed, as somebody holds them.", 0, 1 \
	}
#define PATCHES_SOURCE_OK                                                                        \
	{                                                                                        \
		"fenwatch_patch_source_ok", FW_GAUGE, "",                                        \
			"Whether what is known of updates is whole and at most three days old.", \
			0, 1                                                                     \
	}

/* A list that was made so long ago cannot tell of a fix that may be overdue by now. */
#define PATCHES_FROZEN_S (INT64_C(14) * 86400)

struct patches;

/* NULL where nobody wants the table: the calls below then do nothing. */
struct patches *patches_begin(struct machine *m, uint64_t made_from);
void patches_add(struct patches *t, const struct patch *patch);
/* Installed, and not at work since `waits_s` (0: not known). What else is known of it
 * stands in the table before, unless a newer candidate is pending. True: it was given. */
bool patches_add_unfinished(struct patches *t, const char *name, const char *arch,
	const char *version, int64_t waits_s);
/* The same of what waits for a restart of services alone. */
bool patches_add_unrestarted(struct patches *t, const char *name, const char *arch,
	const char *version, int64_t waits_s, const char *services);
/* After all that is pending has been added. */
void patches_each_before(
	struct patches *t, void (*each)(const struct patch_before *before, void *arg), void *arg);
/* How far a source can be believed; `why` is NULL where it can. `date_s`: of its index. */
void patches_add_proof(
	struct patches *t, const char *source, const char *why, int64_t fetched_s, int64_t date_s);
/* The date that patches_add_proof() was given of this source at the read before; 0: none. */
int64_t patches_date_before(const struct patches *t, const char *source);
/* Says which operating system this is, and ends the table. */
void patches_end(struct patches *t, struct machine *m);
