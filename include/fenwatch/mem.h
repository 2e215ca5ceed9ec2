/* Memory: allocations that cannot fail, some that may, and arenas.
 *
 * fw_alloc and its kin end the program when memory is gone: a supervised agent
 * with a spool restarts safely. Whatever is sized from outside meets a named
 * limit first and uses fw_try_alloc, which may return NULL. All of them go
 * through one place, where a test can fail the n-th call (fault.h).
 */
#pragma once

#include <stdarg.h>
#include <stddef.h>

void *fw_alloc(size_t bytes);                     /* zeroed */
void *fw_alloc_array(size_t count, size_t bytes); /* zeroed, checked for overflow */
void *fw_realloc(void *memory, size_t bytes);     /* what is new is not zeroed */
void *fw_try_alloc(size_t bytes);                 /* zeroed, or NULL */
char *fw_strdup(const char *text);
char *fw_strndup(const char *text, size_t length);
char *fw_format(const char *format, ...) __attribute__((format(printf, 1, 2)));
void fw_free(void *memory);

/* Memory that is given back all at once: one per query, frame or loaded
 * configuration. Zero-initialised it is empty and unlimited. With `limit` set,
 * fw_arena_try returns NULL rather than go past it. */
struct fw_arena {
	struct fw_arena_block *blocks;
	size_t used, limit; /* bytes handed out; 0: no limit */
};

void *fw_arena_alloc(struct fw_arena *arena, size_t bytes); /* zeroed, aligned to 16 */
void *fw_arena_try(struct fw_arena *arena, size_t bytes);
void *fw_arena_room(struct fw_arena *arena, size_t bytes); /* the same, not zeroed */
char *fw_arena_strdup(struct fw_arena *arena, const char *text);
char *fw_arena_strndup(struct fw_arena *arena, const char *text, size_t length);
char *fw_arena_format(struct fw_arena *arena, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
void fw_arena_reset(struct fw_arena *arena); /* empties it and keeps its first block */
void fw_arena_done(struct fw_arena *arena);
