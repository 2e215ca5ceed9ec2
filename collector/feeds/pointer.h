/* Where a JSON answer has what we need, said by a JSON pointer (RFC 6901). */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* The text or whole number there, into `out` of `size` bytes; "" where there is none, where it
 * is too long, or where it has control characters. */
void pointer_text(const char *json, size_t length, const char *pointer, char *out, size_t size);
/* Whether a list is there, be it empty. */
bool pointer_is_list(const char *json, size_t length, const char *pointer);
