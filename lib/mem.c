/* SPDX-License-Identifier: Apache-2.0 */
#include <fenwatch/mem.h>

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <fenwatch/fault.h>

enum {
	ARENA_ALIGN = 16,
	ARENA_FIRST_BYTES = 4096,
	ARENA_MOST_BYTES = 64 * 1024,
};

/* The newest block with room to share is first in the list, the oldest last. */
struct fw_arena_block {
	struct fw_arena_block *older;
	size_t used, capacity;
	_Alignas(ARENA_ALIGN) unsigned char data[];
};

static _Noreturn void out_of_memory(size_t bytes)
{
	fprintf(stderr, "out of memory: %zu bytes asked for\n", bytes);
	abort();
}

static void *try_resize(void *memory, size_t bytes)
{
	if (fw_fault(FW_OP_ALLOC) < 0)
		return NULL;
	return realloc(memory, bytes ? bytes : 1);
}

void *fw_try_alloc(size_t bytes)
{
	if (fw_fault(FW_OP_ALLOC) < 0)
		return NULL;
	return calloc(1, bytes ? bytes : 1);
}

void *fw_alloc(size_t bytes)
{
	void *memory = fw_try_alloc(bytes);
	if (!memory)
		out_of_memory(bytes);
	return memory;
}

void *fw_alloc_array(size_t count, size_t bytes)
{
	size_t total;
	if (__builtin_mul_overflow(count, bytes, &total))
		out_of_memory(SIZE_MAX);
	return fw_alloc(total);
}

void *fw_realloc(void *memory, size_t bytes)
{
	void *moved = try_resize(memory, bytes);
	if (!moved)
		out_of_memory(bytes);
	return moved;
}

char *fw_strdup(const char *text)
{
	return fw_strndup(text, strlen(text));
}

char *fw_strndup(const char *text, size_t length)
{
	length = strnlen(text, length);
	char *copy = fw_alloc(length + 1);
	memcpy(copy, text, length);
	return copy;
}

/* The length the text will have. A format that cannot be printed is our own mistake. */
static size_t format_length(const char *format, va_list args)
{
	va_list again;
	va_copy(again, args);
	int length = vsnprintf(NULL, 0, format, again);
	va_end(again);
	if (length < 0)
		abort();
	return (size_t)length;
}

char *fw_format(const char *format, ...)
{
	va_list args;
	va_start(args, format);
	size_t length = format_length(format, args);
	char *text = fw_alloc(length + 1);
	vsnprintf(text, length + 1, format, args);
	va_end(args);
	return text;
}

void fw_free(void *memory)
{
	free(memory);
}

static size_t next_capacity(const struct fw_arena *arena, size_t bytes)
{
	size_t capacity = ARENA_FIRST_BYTES;
	if (arena->blocks && arena->blocks->capacity >= ARENA_FIRST_BYTES)
		capacity = arena->blocks->capacity * 2;
	if (capacity > ARENA_MOST_BYTES)
		capacity = ARENA_MOST_BYTES;
	return bytes > capacity ? bytes : capacity;
}

/* A request too big to share a block gets one of its own, behind the newest,
 * so that what is left of the newest is still used. */
static struct fw_arena_block *add_block(struct fw_arena *arena, size_t bytes)
{
	size_t capacity = next_capacity(arena, bytes);
	struct fw_arena_block *block = try_resize(NULL, sizeof *block + capacity);
	if (!block)
		return NULL;
	block->used = 0;
	block->capacity = capacity;
	if (arena->blocks && bytes > ARENA_MOST_BYTES) {
		block->older = arena->blocks->older;
		arena->blocks->older = block;
	} else {
		block->older = arena->blocks;
		arena->blocks = block;
	}
	return block;
}

static void *arena_take(struct fw_arena *arena, size_t bytes)
{
	struct fw_arena_block *block = arena->blocks;
	size_t rounded = (bytes + ARENA_ALIGN - 1) & ~(size_t)(ARENA_ALIGN - 1);
	if (rounded < bytes || rounded > SIZE_MAX / 2)
		return NULL;
	if (!block || block->capacity - block->used < rounded)
		block = add_block(arena, rounded);
	if (!block)
		return NULL;
	void *memory = block->data + block->used;
	block->used += rounded;
	arena->used += rounded;
	return memory;
}

void *fw_arena_alloc(struct fw_arena *arena, size_t bytes)
{
	void *memory = arena_take(arena, bytes);
	if (!memory)
		out_of_memory(bytes);
	return memset(memory, 0, bytes);
}

void *fw_arena_room(struct fw_arena *arena, size_t bytes)
{
	if (arena->limit && (arena->used > arena->limit || bytes > arena->limit - arena->used))
		return NULL;
	return arena_take(arena, bytes);
}

void *fw_arena_try(struct fw_arena *arena, size_t bytes)
{
	void *memory = fw_arena_room(arena, bytes);
	return memory ? memset(memory, 0, bytes) : NULL;
}

char *fw_arena_strdup(struct fw_arena *arena, const char *text)
{
	return fw_arena_strndup(arena, text, strlen(text));
}

char *fw_arena_strndup(struct fw_arena *arena, const char *text, size_t length)
{
	length = strnlen(text, length);
	char *copy = fw_arena_alloc(arena, length + 1);
	memcpy(copy, text, length);
	return copy;
}

char *fw_arena_format(struct fw_arena *arena, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	size_t length = format_length(format, args);
	char *text = fw_arena_alloc(arena, length + 1);
	vsnprintf(text, length + 1, format, args);
	va_end(args);
	return text;
}

void fw_arena_reset(struct fw_arena *arena)
{
	struct fw_arena_block *block = arena->blocks;
	while (block && block->older) {
		struct fw_arena_block *older = block->older;
		free(block);
		block = older;
	}
	if (block)
		block->used = 0;
	arena->blocks = block;
	arena->used = 0;
}

void fw_arena_done(struct fw_arena *arena)
{
	fw_arena_reset(arena);
	free(arena->blocks);
	arena->blocks = NULL;
}
