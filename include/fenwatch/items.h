/* Items: the table in the body of a document, whole or as a difference.
 *
 *   +KEY \t NAME=VALUE \t NAME=VALUE ... \n    an item that is new or has changed, all of it
 *   -KEY \n                                    an item that has gone
 *
 * Lines are sorted by the bytes of their keys as they stand, every key comes
 * once, and a whole document has + lines alone. In keys and values a backslash, a
 * tab and a newline stand as \\, \t and \n; both are UTF-8 without other control
 * characters. Names are a-z, 0-9 and _. A field that is empty is not there.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <fenwatch/buf.h>
#include <fenwatch/err.h>
#include <fenwatch/schema.h>

#define FW_ITEMS_RAW_LIMIT (4u << 20)      /* bytes of one document, unpacked */
#define FW_ITEMS_PACKED_LIMIT (960u << 10) /* fits a frame with all that is around it */
#define FW_ITEMS_LIMIT 65536
#define FW_ITEM_KEY_LIMIT 255 /* bytes, as it stands */
#define FW_ITEM_FIELDS 24
#define FW_ITEM_NAME_LIMIT 32
#define FW_ITEM_LINE_LIMIT 4096 /* with its newline */
#define FW_DOCUMENT_KIND_LIMIT 32
#define FW_DOCUMENTS_LIMIT 8 /* kinds of one host */

/* ---- writing ---- */

struct fw_item_writer {
	struct fw_buf text;
	size_t line; /* where the line begins that is being written */
	uint32_t n_fields;
};

/* A line: its key, its fields, its end. What may not travel is escaped as fw_escape()
 * does; what is too long is cut, and fields past the limits are left out. */
void fw_item_begin(struct fw_item_writer *w, char sign, const char *key);
void fw_item_field(struct fw_item_writer *w, const char *name, const char *value);
void fw_item_end(struct fw_item_writer *w);

/* ---- reading ---- */

struct fw_item {
	bool gone;
	const char *key;
	uint32_t n_fields;
	struct fw_label fields[FW_ITEM_FIELDS];
};

/* A text that is read once, and changed by it: texts are unescaped in place. */
struct fw_items {
	char *at, *end;
	bool whole; /* no line may begin with - */
	uint32_t n; /* lines read */
	char last[FW_ITEM_KEY_LIMIT + 1];
};

void fw_items_open(struct fw_items *items, uint8_t *text, size_t length, bool whole);
/* 1 with the next item, which points into the text; 0 at the end; -EBADMSG. */
int fw_items_next(struct fw_items *items, struct fw_item *out, struct fw_err *err);
const char *fw_item_value(const struct fw_item *item, const char *name); /* "" where it has none */

/* Orders two lines, or their rests behind the sign, by key. */
int fw_item_compare(const char *a, const char *b);

/* ---- as it travels ---- */

bool fw_document_kind_valid(const char *kind);
/* zstd; of an empty table, nothing. */
int fw_items_pack(struct fw_buf *out, const uint8_t *text, size_t length, struct fw_err *err);
/* Appends `raw_length` bytes; every number was met with its limit before memory was taken. */
int fw_items_unpack(struct fw_buf *out, const uint8_t *packed, size_t length, size_t raw_length,
	struct fw_err *err);
