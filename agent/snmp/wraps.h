/* Counters of 32 bits of one device, carried on as ones of 64.
 *
 * One that goes back has wrapped where its device has run on since, its row was not set back, and
 * it went over the end by less than half of all that it can count. Else it was set back itself, and
 * begins anew. Kept are those in their upper half and those that have wrapped: of counters of
 * errors, of which there are many, hardly any. What has wrapped can be written down, since who
 * forgets it lets the counter fall. No clock.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <fenwatch/buf.h>
#include <fenwatch/text.h>

struct wraps;

struct wraps *wraps_new(void);
struct wraps *wraps_copy(const struct wraps *of);
void wraps_free(struct wraps *w); /* NULL, too */

/* A read begins. */
void wraps_begin(struct wraps *w);
/* When the device was started, of our clock; in a read that does not tell, nothing wraps. */
void wraps_started(struct wraps *w, int64_t at_ms);
/* Its value, as it goes on. `name` is the OID; `set_back` when its row was, 0 where the read lacks
 * that or it never was. */
int64_t wraps_carry(struct wraps *w, const char *name, uint32_t raw, int64_t set_back);
/* Whether it can be told without its name: it has not wrapped, and will not at once. */
bool wraps_is_low(const struct wraps *w, uint32_t raw);

/* A line for each that has wrapped, with `prefix` and a tab before it. */
void wraps_write(const struct wraps *w, const char *prefix, struct fw_buf *out);
/* Such a line, behind its prefix; what is none is passed over. */
void wraps_take_line(struct wraps *w, struct fw_cursor line);
