/* What rpmset.c and rpmfixes.c share: families of packages of one name, each with what is
 * installed, what there is that is newer, and what advisories say of it. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <fenwatch/mem.h>

#include "rpmset.h"

struct package {
	const char *name, *arch, *evr, *source, *vendor;
	const struct rpm_repo *from; /* that lists this very version */
	int64_t at_s;
	struct package *next; /* of the same name */
};

/* A newer package of a name and architecture. */
struct candidate {
	const char *arch, *replaces;
	const char *evr, *source; /* what would be installed; NULL: all are held */
	const struct rpm_repo *repo;
	const char *newest, *newest_source; /* also of what is held */
	const struct rpm_repo *newest_repo;
	struct candidate *next;
};

/* What an advisory says of a package that is installed at an older version. */
struct hit {
	const char *arch, *evr;
	const struct rpm_advisory *advisory;
	struct hit *next;
};

struct family {
	const char *name;
	struct package *packages; /* the newest first; NULL: takes the place of another one */
	struct candidate *candidates;
	struct hit *hits;
	int priority; /* of the repository that decides; 0: none yet */
};

struct rpm_set {
	struct fw_arena text;
	const char *release; /* of the running kernel */
	int64_t booted_s;
	const struct rpm_holds *holds;
	const struct rpm_modules *modules;
	const struct rpm_vendors *vendors; /* NULL: dnf's rules */
	struct family *families;
	uint32_t n_families, capacity, n_packages, n_hits;
	uint32_t *slots; /* by name: index + 1 */
	uint32_t n_slots;
	const char *native; /* the machine's architecture */
	bool base_is_listed;
	int64_t base_dated_s;
};

struct family *rpmset_find(const struct rpm_set *set, const char *name); /* or NULL */
/* Whether a package of one architecture may take the place of one of the other. */
bool rpmset_suits(const char *installed, const char *listed);
/* A new version of it is at work only after a start: a kernel, or what runs from a start on. */
bool rpmset_wants_start(const char *name);
/* The version that is at work: of a kernel the running one, else the newest. */
const char *rpmset_at_work(
	const struct rpm_set *set, const struct family *family, const char *arch);
/* The newest, where it waits for a start; or NULL. */
const struct package *rpmset_waiting(const struct rpm_set *set, const struct family *family);
