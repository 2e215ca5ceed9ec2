/* Modules: what is read of a device, as data.
 *
 * A YAML file that names numeric OIDs and what becomes of them. `scalars` are single
 * values; a table of `tables` has an index of one or more numbers, which become labels,
 * and columns that are looked up by the index for labels (a port's name). docs/snmp.md
 * tells how to write one. A module is a set of columns to walk, those of metrics first.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <fenwatch/conf.h>
#include <fenwatch/err.h>
#include <fenwatch/mem.h>

#include "oid.h"
#include "source.h"

#define MODULE_LABELS 12 /* of one series */
#define MODULE_COLUMNS 256

enum mib_kind {
	MIB_GAUGE,
	MIB_COUNTER,
	MIB_FLOAT, /* a double, or a text that is a number */
	MIB_TEXT,  /* value 1, the text in a label of the metric's name */
	MIB_MAC,   /* likewise, bytes as 00:1B:.. */
	MIB_ENUM,  /* NAME_info with value 1, the name of the number in a label NAME */
};

struct mib_enum {
	int64_t number;
	const char *name;
};

/* Where the value of a label comes from. */
struct mib_label {
	const char *name;
	enum { LABEL_INDEX, LABEL_LOOKUP, LABEL_SELF } from;
	unsigned which; /* number in the index, or the lookup's column */
	bool rest;      /* the last of the index: all numbers that are left */
};

struct mib_column {
	struct oid base;
	bool scalar, lookup;
	enum mib_kind kind;
	struct metric metric; /* of a metric's column */
	const char *self;     /* MIB_TEXT, MIB_MAC, MIB_ENUM: the label's name */
	int unless;           /* not read where this column has rows; -1: always read */
	struct mib_label labels[MODULE_LABELS]; /* sorted by name */
	unsigned n_labels;
	struct mib_enum *enums;
	size_t n_enums;
};

struct mib_module {
	const char *name, *help;
	struct mib_column *columns;
	unsigned n_columns;
};

/* Reads a module; everything lives in `arena`. */
int module_load(
	const char *path, struct fw_arena *arena, struct mib_module *out, struct fw_err *err);
int module_parse(const char *text, size_t length, struct fw_arena *arena, struct mib_module *out,
	struct fw_err *err);
