/* What is wrong with a file: all of it, so that one reading of the list mends it. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <fenwatch/conf.h>
#include <fenwatch/mem.h>

struct problem {
	unsigned line; /* 0: of the whole file */
	bool is_warning;
	const char *text; /* a sentence */
};

struct problems {
	struct fw_arena *arena;
	struct problem *items;
	size_t n, capacity, n_errors;
};

void problem_add(struct problems *problems, unsigned line, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
void problem_warn(struct problems *problems, unsigned line, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* A sentence of lib's, which begins with "line N: ". */
void problem_from(struct problems *problems, const char *sentence);

/* ---- YAML as Go's libraries decode it into structs: what the readers of such files share ---- */

/* An unquoted nothing: "", "~" or "null". */
bool yaml_is_null(const struct fw_yaml *node);

struct yaml_field {
	const char *name;
	void (*read)(const struct fw_yaml *node, void *field, struct problems *problems);
	size_t offset;
};
/* Reads a mapping by its table, which ends with a row without a name; says what is unknown. */
void yaml_read_struct(const struct fw_yaml *node, const char *what, const struct yaml_field *fields,
	void *out, struct problems *problems);
/* The items of a sequence; 0 for nothing, or what is none, after a sentence. */
size_t yaml_items(const struct fw_yaml *node, const char *what, struct problems *problems);

/* What stands there, "null" too: Prometheus reads names and expressions so. */
void yaml_read_raw(const struct fw_yaml *node, void *field, struct problems *problems);
void yaml_read_text(const struct fw_yaml *node, void *field, struct problems *problems);
void yaml_read_int(const struct fw_yaml *node, void *field, struct problems *problems);
void yaml_read_double(const struct fw_yaml *node, void *field, struct problems *problems);
void yaml_read_bool(const struct fw_yaml *node, void *field, struct problems *problems);
void yaml_read_duration(const struct fw_yaml *node, void *field, struct problems *problems);
/* Texts by name, sorted: a struct label_set. */
void yaml_read_texts(const struct fw_yaml *node, void *field, struct problems *problems);
