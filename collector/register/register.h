/* The register: what people know of the estate and no agent can say.
 *
 * Every *.yml and *.csv of one folder, in the order of their names, is part of it: a key
 * may stand in several files, what it lists adds up, and no name comes twice. It is read
 * and checked as a whole; one mistake, and there is no register but a sentence with file
 * and line. What it holds never changes and may be read on any thread; it lives while
 * somebody holds it, and who reads the folder again has a new one. (`register` is a word
 * of C's.)
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <fenwatch/conf.h>
#include <fenwatch/err.h>
#include <fenwatch/mem.h>
#include <fenwatch/schema.h>

#include "calendar.h"

struct registry;

/* What every entry begins with. */
struct register_entry {
	const char *name; /* no other of its kind has it */
	const char *file; /* where it stands, without its folder */
	unsigned line;
};

struct register_day {
	const char *day; /* "2027-03-31"; NULL: none is said */
	int64_t end_ms;  /* of that day, in UTC */
};

/* ---- sites ---- */

enum register_tier { TIER_STANDARD, TIER_BLUE_LIGHT, TIER_VIP };
extern const char *const register_tier_names[]; /* "standard" .., NULL-ended */

/* A tree: of tier and calendar a site has its parent's where it says none of its own. */
struct register_site {
	struct register_entry entry;
	const struct register_site *parent; /* NULL: it is at the top */
	enum register_tier tier;
	struct calendar calendar;  /* with the days of the site itself */
	struct fw_text_list links; /* hosts: while none is heard, nothing behind them can be */
	const char *supplier; /* of its line: its own, that of its links or its parent's; or NULL */
	const char *address, *telephone; /* or NULL */
};
const struct register_site *register_site(const struct registry *registry, const char *name);
struct fw_text_list register_site_names(const struct registry *registry, struct fw_arena *arena);

/* ---- suppliers ---- */

struct register_contact {
	const char *name, *telephone, *mail; /* or NULL */
};
struct register_supplier {
	struct register_entry entry;
	struct fw_text_list towers;              /* what it runs: "servers", "storage" */
	const struct register_contact *contacts; /* in the order in which they are asked */
	size_t n_contacts;
	struct calendar calendar; /* when it works */
	struct register_rota {
		struct register_day from; /* begins on it, on England's clock; day NULL: none */
		int64_t turn_days;        /* after which the first contact moves to the end */
	} rota;
};
/* NULL where it only stands in rows of hosts. */
const struct register_supplier *register_supplier(
	const struct registry *registry, const char *name);

/* Those that are listed; where none is, those that rows of hosts name, who may come twice. */
struct fw_text_list register_supplier_names(
	const struct registry *registry, struct fw_arena *arena);

/* -EINVAL, with the nearest name, where suppliers are listed and this is none of them. */
int register_check_supplier(const struct registry *registry, const char *name, struct fw_err *err);

/* Who of its contacts is asked as the `place`-th (from 1) at this moment; NULL: there are
 * not so many, or there is no such supplier. */
const struct register_contact *register_contact(
	const struct registry *registry, const char *supplier, size_t place, int64_t at_ms);

/* ---- hosts ---- */

enum register_text {
	HOST_SUPPLIER,
	HOST_OWNER,
	HOST_CLASS,
	HOST_SERVICE,
	HOST_PURPOSE,
	HOST_CONTRACT,
	HOST_TELEPHONE,
	HOST_START,
	HOST_STOP,
	HOST_RACK,
	HOST_SERIAL,
	HOST_FIRMWARE, /* that is wanted; * for anything */
	HOST_TEXTS
};
extern const char *const register_text_names[HOST_TEXTS]; /* "supplier" .. */

enum register_lifecycle { LIFE_PLANNED, LIFE_LIVE, LIFE_RETIRING, LIFE_RETIRED };
extern const char *const register_lifecycle_names[]; /* "planned" .., NULL-ended */

struct register_life {
	enum register_lifecycle is;
	struct register_day retires;
};

/* Each key is of the first row that says it: the host's own before rows that match, and
 * those in the order of files and lines. */
struct register_host {
	const char *texts[HOST_TEXTS];    /* NULL: nothing is said */
	const struct register_site *site; /* or NULL */
	enum register_tier tier;          /* its own, or its site's */
	bool vip;
	struct register_life life;
	struct register_day contract_ends;
};
/* Of the host with these labels. */
void register_host(const struct registry *registry, const struct fw_label *labels, size_t n,
	struct register_host *out);
/* Every name that has a row of its own, in the order of names. */
void register_each_named(
	const struct registry *registry, void (*each)(const char *name, void *arg), void *arg);
/* Its lifecycle alone. */
void register_host_life(const struct registry *registry, const struct fw_label *labels, size_t n,
	struct register_life *out);
/* At that moment: who retires on a day does so at its end, and who is retired since a day was
 * retiring before it. */
enum register_lifecycle register_lifecycle_at(const struct register_life *life, int64_t at_ms);
/* Whether a host is expected at this point of its life, and is to be told of. */
bool register_is_in_service(enum register_lifecycle lifecycle);
/* Its supplier alone; NULL: it is nobody's. */
const char *register_host_supplier(
	const struct registry *registry, const struct fw_label *labels, size_t n);

/* How soon a fault of it must be met: 1 to 5, by its tier, class and VIP mark, and the
 * severity of the alert ("critical", "warning", "info"). */
int register_priority(
	const struct registry *registry, const struct register_host *host, const char *severity);

extern const char *const register_priority_names[]; /* "P1" .., NULL-ended */

/* ---- targets ---- */

/* What is asked of: texts as an alert carries them, "" for none. */
struct register_fault {
	const char *supplier, *site, *tier, *priority;
};
/* Time counts while the calendar is open. */
struct register_target {
	const char *file; /* where it stands */
	unsigned line;
	int64_t respond_ms, resolve_ms; /* 0: none is set */
	const struct calendar *calendar;
};
/* The first target that fits, in the order of files and lines; false: none was agreed. */
bool register_target(const struct registry *registry, const struct register_fault *fault,
	struct register_target *out);

/* ---- maintenance ---- */

struct register_maintenance {
	struct register_entry entry;
	struct fw_text_list hosts; /* names, or patterns as of files */
	struct fw_text_list sites; /* with all below them */
};
/* Whether somebody works at this host, or at its site or one above (`site` may be NULL). */
const struct register_maintenance *register_in_maintenance(const struct registry *registry,
	const char *host, const struct register_site *site, int64_t at_ms);

struct register_maintenance_now {
	const struct register_maintenance *window;
	bool goes_on;
};
/* All of it, in the order of files and lines. */
size_t register_maintenance_at(const struct registry *registry, int64_t at_ms,
	struct fw_arena *arena, struct register_maintenance_now **out);

/* ---- licences ---- */

/* One licence a host on which any of the packages is. */
struct register_licence {
	struct register_entry entry;
	struct fw_text_list
		packages; /* names, or NAME* for all that begin so; none covers another */
	int64_t entitled; /* hosts */
	struct register_day expires; /* the last day on which it holds */
	const char *note;            /* or NULL */
};
const struct register_licence *register_licences(const struct registry *registry, size_t *count);

/* ---- what is hardly meant ---- */

/* A sentence of each thing that may be said and yet has no effect. */
void register_doubts(const struct registry *registry, int64_t now_ms,
	void (*on_doubt)(const char *sentence, void *arg), void *arg);

/* ---- all of it ---- */

/* `folder` NULL: a register that holds nothing. The caller holds it. */
int register_load(struct registry **out, const char *folder, struct fw_err *err);
struct registry *register_hold(struct registry *registry);
void register_drop(struct registry *registry); /* NULL, too */
