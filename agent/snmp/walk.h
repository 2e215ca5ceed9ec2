/* Walking a module's columns: what to ask next, and what an answer adds.
 *
 * Some columns go side by side in one request, a few rows of each at a time. A column
 * ends where its subtree does, or with a reason: its OIDs do not ascend, it has more rows
 * than are allowed, all rows take more memory than is allowed, the device refuses it. Every answer ends a column, adds a row or
 * makes the requests smaller, so a walk always ends. No network, no clock.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <fenwatch/mem.h>

#include "module.h"
#include "oid.h"

#define WALK_ROWS 4096        /* of one column */
#define WALK_TABLE_ROWS 16384 /* of one that documents are made of */
#define WALK_BYTES (8u << 20) /* that the names and texts of all its rows take */
#define WALK_GROUP 20         /* columns in one request */
#define WALK_TEXT 255         /* bytes of a text that are kept */

enum value_kind { VALUE_NONE, VALUE_INTEGER, VALUE_DOUBLE, VALUE_TEXT, VALUE_OID };

/* One name and value of an answer, as it came. */
struct binding {
	struct oid name;
	enum value_kind kind; /* NONE: there is no such thing, or it is of no kind that is known */
	bool is_counter32;
	int64_t number;
	double real;
	const uint8_t *bytes; /* VALUE_TEXT */
	size_t length;
	struct oid oid;
};

/* error-status of an answer. */
enum { ANSWER_WELL, ANSWER_TOO_BIG, ANSWER_NO_SUCH_NAME };

struct answer {
	const struct binding *bindings;
	size_t n;
	unsigned error, error_index; /* the latter from 1 */
};

struct asking {
	const struct oid *names[WALK_GROUP];
	unsigned n, repetitions;
};

struct row {
	const uint32_t *index; /* what stands behind the column's OID */
	uint32_t n;
	enum value_kind kind;
	bool is_counter32;
	int64_t number;
	double real;
	const char *text; /* VALUE_TEXT, VALUE_OID; ended by NUL, which may stand in it before */
	size_t length;
};

struct walked {
	struct row *rows; /* ascending by index */
	size_t n, room;
	struct oid last;
	bool done;
	const char *ended; /* before its end, because */
};

struct walk {
	const struct mib_module *module;
	struct walked *columns; /* as the module's */
	struct fw_arena arena;
	bool bulk;
	unsigned bindings_most; /* in one answer; less after one was too big */
	unsigned group[WALK_GROUP], n_group;
	struct asking asking;
};

void walk_open(struct walk *w, const struct mib_module *module, bool bulk);
void walk_done(struct walk *w);
/* What to ask next, or NULL: everything is there. */
const struct asking *walk_next(struct walk *w);
void walk_take(struct walk *w, const struct answer *answer);
/* Why a column ended early, of the first that did; NULL: none. */
const char *walk_ended(const struct walk *w);
