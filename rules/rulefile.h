/* Rule files as Prometheus has them, read and checked.
 *
 * A file is groups of rules; a rule records a new metric or raises alerts. What
 * is wrong with a file is said as a list of problems, each with its line; what
 * is valid is what Prometheus takes for valid. Expressions and templates are
 * parsed here, once. Everything lives in the arena that the reader is handed.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <fenwatch/conf.h>
#include <fenwatch/mem.h>

#include "problems.h"

#define RULEFILE_BYTES_LIMIT (1u << 20)

struct node;
struct template;

/* A label or annotation of a rule: of an alert's it is a template. */
struct rule_text {
	const char *name, *text;
	const struct template *template; /* NULL: as it stands */
};

struct rule_texts {
	struct rule_text *items; /* sorted by name */
	size_t n;
};

struct file_rule {
	const char *name; /* of the alert, or of the metric that is recorded */
	bool is_alert;
	const char *expr; /* as it is written */
	const struct node *node;
	int64_t for_ms, keep_firing_ms;
	struct rule_texts labels; /* those of its group that it does not have itself among them */
	struct rule_texts annotations;
	unsigned line;
};

struct file_group {
	const char *file, *name;
	int64_t interval_ms; /* 0: the usual one */
	int64_t offset_ms;   /* -1: the usual one */
	int64_t limit;       /* of alerts or series a rule; 0: none */
	struct file_rule *rules;
	size_t n_rules;
	unsigned line;
};

struct rulefile {
	const char *path;
	struct file_group *groups;
	size_t n_groups, n_rules;
};

/* Reads as much as it can; the file is sound when no errors were added to `problems`. */
void rulefile_parse(const char *path, const char *text, size_t length, struct fw_arena *arena,
	struct rulefile *out, struct problems *problems);
void rulefile_read(
	const char *path, struct fw_arena *arena, struct rulefile *out, struct problems *problems);

/* Of one kind and name, and with the same labels. */
bool rulefile_same_rule(const struct file_rule *a, const struct file_rule *b);
/* Rules that are there more than once, name, labels and all: a warning each. */
void rulefile_find_doubles(const struct rulefile *file, struct problems *problems);

/* All files that the patterns match, seen from `folder`; the first problem is the failure.
 * A pattern without "*?[" must name a file that is there. */
struct rule_set {
	struct fw_arena arena;
	struct rulefile *files;
	size_t n_files;
};
int rule_set_load(struct rule_set *set, const char *const *patterns, size_t n_patterns,
	const char *folder, struct fw_err *err);
void rule_set_done(struct rule_set *set);
