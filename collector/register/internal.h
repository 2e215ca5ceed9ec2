/* What the files of this folder share: a kind of entry is a file with one of these. */
#pragma once

#include <stdatomic.h>

#include "register.h"

/* Items begin with a struct register_entry; they lie one behind the other, and stay where
 * they are once every file is read. */
struct entries {
	void *items;
	size_t count, capacity;
	const struct register_entry **by_name; /* once every file is read */
};

struct kind {
	const char *one, *example; /* "site", and a list of one */
	size_t size, limit;
	const struct fw_option *table;
	int (*check)(const struct fw_yaml *node, void *item, struct fw_err *err); /* or NULL */
};

/* Rows of hosts: of one by name, and of all that match. */
struct host_rows {
	struct entries named, matching;
};

enum { LEVELS = 3 }; /* high, medium, low */
enum { IMPACT_BLUE_LIGHT, IMPACT_VIP, IMPACT_STANDARD, IMPACT_LAPTOP, IMPACTS };
enum { URGENCY_CRITICAL, URGENCY_WARNING, URGENCY_INFO, URGENCIES };
struct priorities {
	int matrix[LEVELS][LEVELS];              /* 1..5, by impact and urgency */
	int impact[IMPACTS], urgency[URGENCIES]; /* levels */
	unsigned line;                           /* 0: as usual */
};

struct registry {
	atomic_uint holders;
	struct fw_arena arena;
	struct entries calendars, sites, suppliers, targets, maintenance, licences;
	struct host_rows hosts;
	struct priorities priorities;
	struct fw_text_list passed_over; /* files that look like parts of it and are none */
};

/* ---- entries.c ---- */

#define NAME_LIMIT 255  /* bytes */
#define LINE_LIMIT 1000 /* of a text that people read */

/* An option's parse: adds what one file lists. */
int entries_read(struct entries *entries, const struct kind *kind, const struct fw_yaml *node,
	struct fw_arena *arena, struct fw_err *err);
int entries_read_one(struct entries *entries, const struct kind *kind, const struct fw_yaml *node,
	struct fw_arena *arena, struct fw_err *err);
/* Entries that no file was named for yet are of this one. */
void entries_place(struct entries *entries, const struct kind *kind, const char *file);
/* Once every file is read: no name may come twice. */
int entries_check(struct entries *entries, const struct kind *kind, struct fw_err *err);
const void *entries_find(const struct entries *entries, const char *name); /* or NULL */
void entries_done(struct entries *entries);
/* All of them, in the arena. */
struct fw_text_list entries_names(const struct entries *entries, struct fw_arena *arena);
/* The name that `name` may have been meant for, or NULL. */
const char *entries_nearest(const struct entries *among, const char *name);
/* -EINVAL, with where `entry` stands: "sites.yml, line 3: there is no site 'x'; ...". */
int entry_unknown(const struct register_entry *entry, const char *what, const char *name,
	const struct entries *among, struct fw_err *err);

/* 1 to `limit` bytes that can stand on one line. */
bool register_is_line(const char *text, size_t limit);
/* Every text of the table that is set must be a line of its option's `max` bytes, or
 * NAME_LIMIT. */
int register_check_lines(const struct fw_yaml *node, const struct fw_option *table,
	const void *item, struct fw_err *err);
/* The number of one of these names, and one more: 0 is left for what is not said. */
int register_parse_one_of(
	const struct fw_yaml *node, const char *const *names, int *out, struct fw_err *err);
/* FW_OPT_CUSTOM: a struct register_day. */
int register_parse_day(
	const struct fw_yaml *node, void *field, struct fw_arena *arena, struct fw_err *err);

/* ---- the kinds ---- */

extern const struct kind calendar_kind, site_kind, supplier_kind, target_kind, maintenance_kind,
	licence_kind;
/* FW_OPT_CUSTOM: the week of a struct calendar. */
int register_parse_week(
	const struct fw_yaml *node, void *field, struct fw_arena *arena, struct fw_err *err);
/* Whether there is a weekday or a day on which it is open. */
bool register_is_ever_open(const struct calendar *calendar);
/* FW_OPT_CUSTOM: the days of a struct calendar's own. */
int register_parse_days(
	const struct fw_yaml *node, void *field, struct fw_arena *arena, struct fw_err *err);
/* FW_OPT_CUSTOM: an int, as register_parse_one_of has it. */
int register_parse_tier(
	const struct fw_yaml *node, void *field, struct fw_arena *arena, struct fw_err *err);
/* The built-in ones, or of this register; NULL: there is none. */
const struct calendar *calendar_named(const struct registry *registry, const char *name);
/* What names others is joined to them. */
int register_join_sites(struct registry *registry, struct fw_err *err);
int register_join_suppliers(struct registry *registry, struct fw_err *err);
int register_join_maintenance(struct registry *registry, struct fw_err *err);
int register_join_targets(struct registry *registry, struct fw_err *err);
int register_join_hosts(struct registry *registry, struct fw_err *err);
/* Once hosts and suppliers are there: whose the lines of sites are. */
int register_join_lines(struct registry *registry, struct fw_err *err);

int register_parse_hosts(
	const struct fw_yaml *node, void *field, struct fw_arena *arena, struct fw_err *err);
void register_place_hosts(struct host_rows *rows, const char *file);
void register_done_hosts(struct host_rows *rows);
/* Each as often as a row says it. */
struct fw_text_list register_suppliers_of_rows(
	const struct host_rows *rows, struct fw_arena *arena);

/* FW_OPT_CUSTOM; `node` NULL: the usual ones. */
int register_parse_priorities(
	const struct fw_yaml *node, void *field, struct fw_arena *arena, struct fw_err *err);

/* ---- doubts.c ---- */

struct doubts {
	int64_t now_ms;
	void (*on_doubt)(const char *sentence, void *arg);
	void *arg;
};
/* "register: 'sites.yml', line 3: ..." */
void register_doubt(const struct doubts *doubts, const struct register_entry *entry,
	const char *format, ...) __attribute__((format(printf, 3, 4)));
void register_doubt_hosts(const struct registry *registry, const struct doubts *doubts);
void register_doubt_links(const struct registry *registry, const struct doubts *doubts);
void register_doubt_maintenance(const struct registry *registry, const struct doubts *doubts);
/* Whether a row of its own or one that matches speaks of a host of this name. */
bool register_speaks_of(const struct registry *registry, const char *instance);

/* ---- csv.c ---- */

/* Rows of hosts under a line of keys (RFC 4180), as the same list in YAML, line by line. */
struct fw_buf;
int register_csv_to_yaml(const char *text, size_t length, struct fw_buf *out, struct fw_err *err);
