/* A schema: the ordered list of columns that all sweeps of one kind share.
 *
 * A cell is an int64 mantissa; its value is mantissa * factor / 10^scale, so
 * facts stay the kernel's integers from /proc to disk. FW_DOUBLE columns hold
 * the bits of an IEEE double instead. Schemas are known by the first 16 bytes
 * of SHA-256 over their canonical form, and never change.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <fenwatch/buf.h>
#include <fenwatch/err.h>
#include <fenwatch/mem.h>

#define FW_SCHEMA_HASH 16
#define FW_COLUMNS_LIMIT 16384 /* columns of one schema */
#define FW_LABELS_LIMIT 32     /* labels of one column */
#define FW_SYMBOL_LIMIT 1024   /* bytes of one name or value */
#define FW_SCALE_LIMIT 18

enum fw_metric_type { FW_GAUGE, FW_COUNTER, FW_UNTYPED };
enum { FW_TYPE_MASK = 3, FW_DOUBLE = 4 }; /* a column's `type`: a metric type, and FW_DOUBLE */

struct fw_label {
	const char *name, *value;
};

/* "" where there is none of this name. */
static inline const char *fw_label_value(const struct fw_label *labels, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(labels[i].name, name) == 0)
			return labels[i].value;
	return "";
}

struct fw_column {
	const char *name;
	const struct fw_label *labels; /* sorted by name; without the host's own */
	uint16_t n_labels;
	int8_t scale;
	uint8_t type;
	uint32_t factor; /* at least 1 */
};

struct fw_schema {
	uint8_t hash[FW_SCHEMA_HASH];
	uint32_t n_columns;
	const struct fw_column *columns;
};

/* Fills `hash` from the columns. */
void fw_schema_seal(struct fw_schema *schema);
bool fw_column_same(const struct fw_column *a, const struct fw_column *b);
bool fw_column_same_labels(const struct fw_column *a, const struct fw_column *b);
double fw_column_value(
	const struct fw_column *column, int64_t mantissa); /* absent: the stale NaN */
#define FW_STALE_NAN_BITS 0x7ff0000000000002ull

/* A cell of an FW_DOUBLE column: the double's bits. Those of -0.0 mean in a cell that there
 * is no value, and the stale NaN says just that: so the two stand for each other. */
static inline int64_t fw_bits_exchanged(int64_t bits)
{
	if (bits == INT64_MIN)
		return (int64_t)FW_STALE_NAN_BITS;
	return bits == (int64_t)FW_STALE_NAN_BITS ? INT64_MIN : bits;
}

static inline int64_t fw_double_cell(double value)
{
	int64_t bits;
	memcpy(&bits, &value, sizeof bits);
	return fw_bits_exchanged(bits);
}

static inline double fw_cell_double(int64_t cell)
{
	double value;
	int64_t bits = fw_bits_exchanged(cell);
	memcpy(&value, &bits, sizeof value);
	return value;
}

/* The Schema message with short name `id`. With `base`, only what differs goes,
 * where that is shorter. */
void fw_schema_encode(const struct fw_schema *schema, uint32_t id, const struct fw_schema *base,
	struct fw_buf *out);
/* Reads a Schema message into `arena`; names and labels are checked (UTF-8,
 * non-empty, sorted, unique within a schema), the hash is computed anew and
 * compared. `find_base` gives the schema of a hash or NULL: then -ENOENT. */
int fw_schema_decode(const uint8_t *data, size_t length, struct fw_arena *arena,
	const struct fw_schema *(*find_base)(const uint8_t *hash, void *arg), void *arg,
	uint32_t *id, struct fw_schema *out, struct fw_err *err);
