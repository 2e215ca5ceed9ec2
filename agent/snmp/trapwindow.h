/* The same trap from the same source, within a while, is one. No clock, no loop.
 *
 * The first of them is told at once. The others are counted, and told as one when the window
 * that the first began is over. It is over at once, with the next trap_windows_end(), when
 * somebody waits for it, or when it came again after another trap of its source: that one may
 * say the contrary, and what was said last must be told. Such windows are told in the order in
 * which their traps came. 4,096 windows at once and 8 MiB of fields have a place; what comes
 * beyond that is told one by one.
 *
 * `at_ms` is a moment for people, `now_ms` one that no step of a clock moves.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <fenwatch/schema.h>

#define TRAP_WINDOWS 4096
#define TRAP_WINDOW_BYTES (8u << 20)

struct trap_windows;

struct trap_window {
	struct fw_label *fields; /* of the first; the window's own */
	size_t n_fields;
	void *host; /* the caller's */
	int64_t first_ms, last_ms;
	uint64_t count;
};

struct trap_windows *trap_windows_new(int64_t length_ms);
void trap_windows_free(struct trap_windows *w);
void trap_windows_set(struct trap_windows *w, int64_t length_ms); /* of those that are open, too */
/* The window that it falls into, with it counted, or NULL: it is the first. `is_awaited`: somebody
 * waits for it to be told. */
struct trap_window *trap_windows_find(struct trap_windows *w, const uint8_t digest[32],
	const char *source, bool is_awaited, int64_t at_ms);
/* A window begins with what was not found just now; NULL: there is no room, or no length. */
struct trap_window *trap_windows_begin(struct trap_windows *w, const uint8_t digest[32],
	const struct fw_label *fields, size_t n_fields, int64_t at_ms, int64_t now_ms);
/* Whether one is to be told with the next trap_windows_end(). */
bool trap_windows_are_due(const struct trap_windows *w);
/* Calls `each` for windows that are over and count more than one; they are gone then. Where it
 * could not be told the window stays, and so do those behind it. */
void trap_windows_end(struct trap_windows *w, int64_t now_ms,
	bool (*each)(const struct trap_window *window, void *arg), void *arg);
