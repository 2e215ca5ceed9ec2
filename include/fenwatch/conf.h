/* Options: tables with their help in them, bound to YAML.
 *
 * A program describes each of its keys in one row; from it come parsing, range
 * checks, --help, the sample configuration and the messages, which name file,
 * line and the nearest known key. YAML is parsed by libyaml; anchors, aliases,
 * tags and second documents are refused, size (1 MiB), depth (16) and nodes
 * (100,000) limited.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <fenwatch/err.h>
#include <fenwatch/mem.h>

struct fw_yaml; /* one parsed node; lives in the arena given to fw_yaml_parse */

enum fw_option_type {
	FW_OPT_BOOL,     /* bool: true/false/on/off/yes/no */
	FW_OPT_INT,      /* int64_t, within min..max */
	FW_OPT_SIZE,     /* uint64_t bytes: "32MiB", within min..max */
	FW_OPT_DURATION, /* int64_t ms: "15s", within min..max */
	FW_OPT_TEXT,     /* const char *, in the arena */
	FW_OPT_CHOICE,   /* int: index into `choices` */
	FW_OPT_LIST,     /* struct fw_text_list */
	FW_OPT_SECTION,  /* a mapping with a table of its own, at this offset of the same struct */
	FW_OPT_CUSTOM,   /* `parse` gets the node, and says the line itself (fw_yaml_fail) */
};

struct fw_text_list {
	const char **items;
	size_t count;
};

struct fw_option {
	const char *name, *help;
	enum fw_option_type type;
	size_t offset;              /* into the config struct (for SECTION: of the inner struct) */
	const char *fallback;       /* default, as it would stand in the file; NULL: none */
	int64_t min, max;           /* both 0: no range */
	const char *const *choices; /* NULL-ended, for CHOICE */
	const struct fw_option *section; /* ended by a row without a name, for SECTION */
	int (*parse)(const struct fw_yaml *node, void *field, struct fw_arena *arena,
		struct fw_err *err);
	bool required;
};

/* Fills `config` from defaults, then from the file at `path`. Sentences read
 * "config 'agent.yml': line 4: unknown key 'interva'; did you mean 'interval'?". */
int fw_conf_load(const char *path, const struct fw_option *table, void *config,
	struct fw_arena *arena, struct fw_err *err);
/* The same from memory; `name` stands in the messages. */
int fw_conf_parse(const char *name, const char *text, size_t length, const struct fw_option *table,
	void *config, struct fw_arena *arena, struct fw_err *err);
/* A mapping inside a CUSTOM option, by a table of its own; NULL: the defaults alone. */
int fw_conf_bind(const struct fw_yaml *mapping, const struct fw_option *table, void *config,
	struct fw_arena *arena, struct fw_err *err);

/* The sample configuration: every key commented with its help, default and range. */
struct fw_buf;
void fw_conf_sample(const struct fw_option *table, struct fw_buf *out);

/* For CUSTOM options and other readers of YAML. An empty text is an empty
 * mapping; the sentences of these begin with "line N: ". */
int fw_yaml_parse(const char *text, size_t length, struct fw_arena *arena,
	const struct fw_yaml **root, struct fw_err *err);
/* The same for files in other programs' formats: anchors, aliases and "<<" are followed,
 * tags read over, and what comes after the first document is left unread. What aliases
 * unfold to counts among the nodes. */
int fw_yaml_parse_foreign(const char *text, size_t length, struct fw_arena *arena,
	const struct fw_yaml **root, struct fw_err *err);
enum fw_yaml_kind { FW_YAML_SCALAR, FW_YAML_SEQUENCE, FW_YAML_MAPPING };
enum fw_yaml_kind fw_yaml_kind(const struct fw_yaml *node);
unsigned fw_yaml_line(const struct fw_yaml *node);    /* from 1 */
const char *fw_yaml_text(const struct fw_yaml *node); /* scalars; otherwise NULL */
bool fw_yaml_is_quoted(const struct fw_yaml *node);
size_t fw_yaml_count(const struct fw_yaml *node);                         /* items or pairs */
const struct fw_yaml *fw_yaml_item(const struct fw_yaml *node, size_t i); /* i-th item or value */
const struct fw_yaml *fw_yaml_key(const struct fw_yaml *node, size_t i);  /* i-th key */
const struct fw_yaml *fw_yaml_get(const struct fw_yaml *node, const char *key); /* or NULL */
/* Writes "line N: " and the sentence; always -EINVAL: `return fw_yaml_fail(node, err, "...")`. */
int fw_yaml_fail(const struct fw_yaml *node, struct fw_err *err, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
