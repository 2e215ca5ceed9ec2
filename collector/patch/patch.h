/* The patch clock: every fix that a host has not got, and by when it must have it.
 *
 * What is pending comes from the hosts' inventory of kind "patches". When a fix was
 * released is worked out from all that is known of it: the date in the vendor's
 * metadata, advisories that were imported, the newest list held by any host that did
 * not have it yet. From then on policies count (docs/patch-rules.md). A fix is done
 * when its host no longer lists it, which includes the restart that it needs.
 *
 * A host is compliant only where that is proven: it speaks, its lists are fresh, its
 * operating system is supported. Everything is judged from SQLite, for now or for any
 * date, on a thread of the pool with a connection that only reads; the main thread
 * keeps what came of it, and writes it into the store as series of the host. A host
 * costs what it has fixes, whatever the others have.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <uv.h>

#include <fenwatch/conf.h>
#include <fenwatch/err.h>
#include <fenwatch/mem.h>

struct inventory;
struct patch;
struct state;
struct store;

enum patch_policy { PATCH_CE14, PATCH_NCSC5, PATCH_NCSC7, PATCH_POLICIES };
extern const char *const patch_policy_names[PATCH_POLICIES + 1]; /* ended by NULL */

/* Where a host stands under a policy, best first. */
enum patch_standing { PATCH_COMPLIANT, PATCH_OVERDUE, PATCH_UNPROVEN, PATCH_UNSUPPORTED };
extern const char *const patch_standing_names[];

enum patch_class { PATCH_SECURITY, PATCH_BUGFIX, PATCH_UNKNOWN, PATCH_CLASSES };
extern const char *const patch_class_names[PATCH_CLASSES];

/* What the start of a fix's clock rests on. */
enum patch_basis {
	PATCH_BY_VENDOR,   /* the date in the vendor's metadata */
	PATCH_BY_ADVISORY, /* an advisory that was imported */
	PATCH_BY_LIST,     /* the newest list that did not have it yet */
	PATCH_BY_EARLIER,  /* the same of an earlier fix, never installed */
	PATCH_BY_SIGHT,    /* when it was first seen, for want of anything older */
	PATCH_BASES
};
extern const char *const patch_basis_names[PATCH_BASES];

enum patch_tier { PATCH_MAINSTREAM, PATCH_EXTENDED, PATCH_ESU, PATCH_TIERS };
extern const char *const patch_tier_names[PATCH_TIERS];

/* Times are seconds since 1970; 0: not known, or none. */
struct patch_fix {
	const char *key; /* NAME:ARCHITECTURE */
	const char *installed, *candidate, *source, *origin;
	const char *severity; /* as the vendor says it; "": not said */
	const char *advisory; /* the earliest that it closes; "" */
	const char *state;    /* pending, held, phased or unfinished */
	const char *needs;    /* reboot, restart or "" */
	enum patch_class class;
	double cvss; /* 0: not known */
	int64_t released_s, seen_s, start_s;
	enum patch_basis basis;
	int64_t due_s[PATCH_POLICIES]; /* 0: this policy does not ask for it */
};

struct patch_host {
	uint32_t host;
	const char *name;         /* `instance` */
	const char *os;           /* "Debian 12", or id and version; "" */
	const char *why;          /* what is not proven; NULL: all is */
	bool os_listed, os_ended; /* in the table of support; past it */
	int64_t support_end_s[PATCH_TIERS];
	int64_t heard_s, fetched_s;
	uint32_t pending, security, held, unfinished;
	uint32_t overdue[PATCH_POLICIES];
	int64_t oldest_s[PATCH_CLASSES]; /* start of the oldest clock */
	int64_t next_s;                  /* when any of it may change by itself */
	size_t n_fixes;
	struct patch_fix *fixes; /* by key; of patch_list() none */
};

enum patch_standing patch_standing(const struct patch_host *host, enum patch_policy policy);

/* What collector.yml says, `patches:`. */
struct patch_options {
	const char *support;              /* a table in place of the one that is built in */
	struct fw_text_list paid_support; /* patterns of host names that have ESM, ELS or ESU */
};
extern const struct fw_option patch_option_table[];

struct patch_config {
	uv_loop_t *loop;
	const char *dir; /* of state.db */
	struct state *state;
	struct inventory *inventory;
	struct store *store;
	const struct patch_options *options;
	/* The first series of this host that are made here can be read; may be NULL. */
	void (*on_series)(uint32_t host, void *arg);
	void *arg;
};

int patch_open(struct patch **out, const struct patch_config *config, struct fw_err *err);
void patch_close(struct patch *patch, void (*on_closed)(void *arg), void *arg);

/* ---- main thread ---- */

/* The patches of a host are not what they were. */
void patch_changed(struct patch *patch, uint32_t host);
int patch_forget(struct patch *patch, uint32_t host, struct fw_err *err);
/* Every host as it was judged last, without its fixes, by name; in the arena. */
void patch_list(struct patch *patch, struct fw_arena *arena, struct patch_host **out, size_t *n);
/* What an alert under one of these rules may say of a host: "openssl (DSA-5532-1), curl"
 * of PatchOverdue, the reason of PatchSourceUnproven, the system of
 * OperatingSystemUnsupported; "" of others. */
const char *patch_detail(const struct patch *patch, const char *rule, const char *name);

/* ---- any thread; everything in the arena ---- */

/* Who is asked about. */
struct patch_asked {
	uint32_t host;
	const char *name;
	int64_t heard_s; /* last; of no meaning for a date in the past */
};
/* The hosts that agents speak for, by name; `name` NULL: all. */
size_t patch_hosts(const struct patch *patch, const char *name, struct fw_arena *arena,
	struct patch_asked **out);
struct patch_question {
	const struct patch_asked *asked;
	size_t n;
	int64_t now_ms;
	int64_t at_ms; /* as it was then, of those that were known then; 0: now */
	bool with_fixes;
};
int patch_judge(const struct patch *patch, const struct patch_question *question,
	struct fw_arena *arena, struct patch_host **out, size_t *n, struct fw_err *err);

/* ---- advisories; main thread ---- */

#define PATCH_ADVISORY_FIXES 4096 /* of one advisory */
#define PATCH_ADVISORY_TEXT 255   /* bytes of a name, package, version or release */

struct patch_advisory_fix {
	const char *package; /* a source's or a package's name */
	const char *release; /* "bookworm", "jammy", "el9"; "": any */
	const char *version; /* the first that has it fixed */
};
struct patch_advisory {
	const char *name; /* "DSA-5532-1" */
	int64_t issued_s;
	const char *severity; /* "" */
	double cvss;          /* 0: not known */
	size_t n_fixes;
	const struct patch_advisory_fix *fixes; /* of patch_advisories() none */
};
/* All of them or none; one that is known already is replaced. */
int patch_import(struct patch *patch, const struct patch_advisory *advisories, size_t n,
	int64_t now_ms, struct fw_err *err);
/* The newest first, at most `limit`; `package` NULL: of any. */
int patch_advisories(const struct patch *patch, const char *package, size_t limit,
	struct fw_arena *arena, struct patch_advisory **out, size_t *n, struct fw_err *err);
struct patch_evidence_stat {
	int64_t advisories, newest_s; /* issued */
};
int patch_evidence_stat(
	const struct patch *patch, struct patch_evidence_stat *out, struct fw_err *err);
