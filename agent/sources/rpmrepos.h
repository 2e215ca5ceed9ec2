/* The repositories of yum, dnf or zypper, and what was fetched of them last.
 *
 * Their definitions stand in files of /etc; what they hold lies in a cache, whose
 * index, repomd.xml, names its files. Of a repository that was fetched at several
 * places the newest counts. One that is enabled and has no cache, no readable one, or
 * one that nobody has looked at for three days, proves nothing. A medium (a CD) does
 * not age.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <fenwatch/mem.h>

#include "../source.h"

#define RPM_REPOS_LIMIT 256 /* enabled ones */
#define RPM_PRIORITY 99     /* of a repository that names none */

enum rpm_file { RPM_PRIMARY, RPM_PRIMARY_DB, RPM_UPDATEINFO, RPM_MODULES, RPM_FILES };

struct rpm_repo {
	const char *id;
	bool enabled, hotfixes, medium;
	int priority;
	const char *excludes, *includes; /* patterns with blanks between them; NULL */
	const char *cache;               /* where repomd.xml is; NULL: nothing was fetched */
	int64_t index_ms;                /* when repomd.xml was written here */
	const char *files[RPM_FILES];    /* paths; NULL: it has none */
	bool lost[RPM_FILES];            /* in the index, and not in the cache */
	int64_t fetched_s;               /* when somebody last looked for news; 0: a medium */
	int64_t date_s;                  /* of what it holds */
	const char *why;                 /* it proves nothing; NULL: it does */
};

struct rpm_repos {
	struct fw_arena text;
	struct rpm_repo repos[RPM_REPOS_LIMIT]; /* by priority, the first wins */
	size_t n;
	const char *excludes; /* of all of them; NULL */
	bool too_many;        /* enabled ones: not all are here */
	bool zypp;            /* zypper's rules: no other vendor's package */
	uint64_t fingerprint; /* of every file that was looked at */
};

struct rpm_repos *rpmrepos_read(struct machine *m);
void rpmrepos_free(struct rpm_repos *r);
/* Mixes a file's path, size and time into a fingerprint; -ENOENT and the like. */
int rpmrepos_mix_file(uint64_t *fingerprint, struct machine *m, const char *path);
void rpmrepos_mix(uint64_t *fingerprint, const void *data, size_t length);
