/* Who uses what, and which hosts there are: the two tables that outlive the program.
 *
 * As documents of the agent's host: `clients` has a line for each client of a service, its
 * key "SERVER:PORT/PROTOCOL CLIENT" ([SERVER] of IPv6); `wire` one for each MAC. Times and sizes are rounded
 * down, so that a line changes a few times a day and not at every packet: all that a line
 * ever was is kept for long.
 *
 * seen_save() and seen_load() keep the tables in one file, so that "since when" survives a
 * restart. What was not heard of for longer than is kept goes first.
 */
#pragma once

#include <fenwatch/buf.h>
#include <fenwatch/err.h>

#include "watch.h"

#define SEEN_CLIENT_STEP_S 86400
#define SEEN_HOST_STEP_S 14400

enum seen_kind { SEEN_CLIENTS, SEEN_WIRE, SEEN_KINDS };
extern const char *const seen_kinds[SEEN_KINDS];

#define SEEN_MAC_BYTES 18
const char *seen_mac_text(const uint8_t mac[6], char text[SEEN_MAC_BYTES]);

/* Sorted by their keys, as items.h wants it. */
void seen_write(struct fw_buf *out, enum seen_kind kind, const struct watch *w);
void seen_forget(struct watch *w, int64_t before_us);

int seen_save(const struct watch *w, const char *path, struct fw_err *err);
/* A file that is not there is well; one that is damaged, or of another version, is refused
 * and changes nothing. */
int seen_load(struct watch *w, const char *path, struct fw_err *err);
