/* Modules: what is read of a device, as data.
 *
 * A YAML file that names numeric OIDs and what becomes of them. `scalars` are single
 * values; a table of `tables` has an index of one or more numbers, which become labels,
 * and columns that are looked up by the index for labels (a port's name). fenwatch-snmp.yml(5)
 * tells how to write one. Instead of metrics a module may give documents of inventory: tables
 * of texts that are made of `columns`. Either way it is a set of columns to walk.
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
#define MODULE_DOCUMENTS 16
#define MODULE_KEY 4  /* parts of the key of a document's line */
#define MODULE_PATH 4 /* columns from a row to a text */

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
	int unless;           /* stands in for this column, where that has no value; -1: for none */
	unsigned table; /* columns of one number share an index; 0: a scalar, or of documents */
	struct mib_label labels[MODULE_LABELS]; /* sorted by name */
	unsigned n_labels;
	struct mib_enum *enums;
	size_t n_enums;
};

/* Of a row, that a column has one of these numbers there, or none of them. */
struct mib_where {
	int column; /* -1: any row will do */
	bool except;
	int64_t *numbers;
	size_t n;
};

enum mib_form { FORM_TEXT, FORM_MAC, FORM_ADDRESS };

/* Where a text is from: `path` begins in the row, and the number that stands in a column is
 * the index of the next. It may begin with a part of the row's own index instead. */
struct mib_source {
	enum { SOURCE_COLUMN, SOURCE_INDEX, SOURCE_ASKED } from;
	unsigned index; /* part of it */
	bool last;      /* of its parts: all numbers that are left */
	unsigned path[MODULE_PATH], n_path;
	bool rest; /* what the index of the first row of path[0] below this row has more */
	enum mib_form form;
	struct mib_where where; /* of the row at its end */
};

/* The first source that has a text. */
struct mib_text {
	const char *name; /* of a field */
	bool needed;      /* without it there is no line */
	struct mib_source *sources;
	size_t n;
};

/* A line for each row of a column, or one line. */
struct mib_document {
	const char *kind;
	int rows; /* column; -1: one line, whose key is the kind */
	struct mib_where where;
	struct mib_text key[MODULE_KEY], *fields;
	size_t n_key, n_fields;
};

struct mib_module {
	const char *name, *help;
	struct mib_column *columns;
	unsigned n_columns;
	struct mib_document *documents; /* where there are any, no column is a metric's */
	unsigned n_documents;
};

/* Reads a module; everything lives in `arena`. */
int module_load(
	const char *path, struct fw_arena *arena, struct mib_module *out, struct fw_err *err);
int module_parse(const char *text, size_t length, struct fw_arena *arena, struct mib_module *out,
	struct fw_err *err);
