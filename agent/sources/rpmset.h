/* What yum, dnf or zypper would upgrade, worked out from files without running them.
 *
 * First what is installed, then each package of each repository, in order of priority,
 * then their advisories. As dnf does, a package is an upgrade where one of its name
 * and architecture (or without an architecture, on either side) is installed, and none
 * that is as new; the first repository that has the name decides where it comes from;
 * and one that says that it obsoletes an installed package takes its place. Under zypper's
 * rules a package of another vendor is no upgrade.
 *
 * Advisories tell what an upgrade is for: all of them count that are newer than what is
 * at work and not newer than the newest package there is, also where that one is held.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "rpmholds.h"
#include "rpmmodules.h"
#include "rpmquery.h"
#include "rpmrepos.h"
#include "rpmvendors.h"

#define RPM_PACKAGES_LIMIT 65536
#define RPM_ADVISORY_TEXT 256

/* A new feature comes as a bugfix does: no policy asks for either. */
enum rpm_class { RPM_UNKNOWN, RPM_BUGFIX, RPM_SECURITY, RPM_CLASSES };
extern const char *const rpm_classes[RPM_CLASSES];

/* "A < 2", of a package's Obsoletes. */
struct rpm_obsolete {
	const char *name, *evr; /* evr "": any */
	bool less, equal, greater;
};

/* A package as a repository lists it. */
struct rpm_listed {
	const char *name, *arch, *evr, *vendor, *source;
	const struct rpm_obsolete *obsoletes; /* of packages that are installed */
	size_t n_obsoletes;
};

struct rpm_advisory {
	const char *id, *severity; /* severity "": none is given */
	enum rpm_class class;
	int64_t issued_s;
	bool reboot; /* it suggests one */
};

/* A package that an advisory is about. */
struct rpm_fixed {
	const char *name, *arch, *evr;
};

struct rpm_fix {
	const char *name, *arch, *installed, *candidate, *source;
	const struct rpm_repo *repo;
	const char *replaces; /* NULL: it takes the place of its own former version */
	enum rpm_class class;
	const char *severity;               /* "": none */
	char advisories[RPM_ADVISORY_TEXT]; /* the most severe first */
	int64_t released_s;
	int64_t waits_s; /* a version before it was installed then and is not at work; 0: none */
	bool held, reboot;
};

/* Installed, and newer than the machine's last start: it is not at work yet. */
struct rpm_waiting {
	const char *name, *arch, *evr;
	int64_t at_s;
};

struct rpm_set;

/* `release` is the running kernel's, `booted_s` when the machine was started. */
struct rpm_set *rpmset_new(const char *release, int64_t booted_s);
void rpmset_free(struct rpm_set *set);
/* They stay the caller's. `vendors` are for zypper's rules alone; NULL: dnf's. */
void rpmset_set_rules(struct rpm_set *set, const struct rpm_holds *holds,
	const struct rpm_modules *modules, const struct rpm_vendors *vendors);
int rpmset_add_installed(struct rpm_set *set, const struct rpm_installed *package);
void rpmset_index(struct rpm_set *set); /* after the last of them */
bool rpmset_has(const struct rpm_set *set, const char *name);
/* It is installed, or would take the place of what is. */
bool rpmset_knows(const struct rpm_set *set, const char *name);
void rpmset_add_listed(
	struct rpm_set *set, const struct rpm_repo *repo, const struct rpm_listed *listed);
void rpmset_add_advisory(struct rpm_set *set, const struct rpm_advisory *advisory,
	const struct rpm_fixed *fixed, size_t n);

void rpmset_each_fix(
	const struct rpm_set *set, void (*each)(const struct rpm_fix *fix, void *arg), void *arg);
void rpmset_each_waiting(const struct rpm_set *set,
	void (*each)(const struct rpm_waiting *waiting, void *arg), void *arg);
/* Some repository, which is no medium, lists the base system; when the newest of those was
 * made (0: not known). True also where the base system is not installed. */
bool rpmset_base(const struct rpm_set *set, int64_t *dated_s);
/* What is installed of it, unless it is told of anyway, as it has a fix or waits for a start. */
bool rpmset_untold(
	const struct rpm_set *set, const char *name, const char *arch, struct rpm_waiting *out);
/* Items NAME:ARCHITECTURE with version, source and origin; of several versions the
 * newest, and `beside` with the others. */
void rpmset_inventory(const struct rpm_set *set, struct document *out);
bool rpmset_is_kernel(const char *name);
