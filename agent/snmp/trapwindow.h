/* The same trap from the same source, within a while, is one. No clock, no loop.
 *
 * The first of them is told at once. The others are counted, and told as one when the window
 * that the first began is over. 4,096 windows at once and 8 MiB of fields have a place; what
 * comes beyond that is told one by one.
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
	void *host;      /* the caller's */
	uint64_t number; /* of the first's event; the caller's */
	int64_t first_ms, last_ms;
	uint64_t count;
};

struct trap_windows *trap_windows_new(int64_t length_ms);
void trap_windows_free(struct trap_windows *w);
void trap_windows_set(struct trap_windows *w, int64_t length_ms); /* of those that are open, too */
/* The window that it falls into, with it counted, or NULL: it is the first. */
struct trap_window *trap_windows_find(
	struct trap_windows *w, const uint8_t digest[32], int64_t now_ms);
/* A window begins with it; NULL: there is no room, or no length. */
struct trap_window *trap_windows_begin(struct trap_windows *w, const uint8_t digest[32],
	const struct fw_label *fields, size_t n_fields, int64_t now_ms);
/* Calls `each` for windows that are over and count more than one; they are gone then. */
void trap_windows_end(struct trap_windows *w, int64_t now_ms,
	void (*each)(const struct trap_window *window, void *arg), void *arg);
