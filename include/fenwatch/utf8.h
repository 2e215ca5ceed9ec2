/* UTF-8, one character at a time. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include <fenwatch/buf.h>

/* Bytes of the character at `text` and its code; 0 where it is not well formed:
 * cut short, overlong, a surrogate or beyond U+10FFFF. */
size_t fw_utf8_decode(const char *text, size_t length, uint32_t *code);
/* Appends the character with this code, of at most U+10FFFF. */
void fw_utf8_put(struct fw_buf *out, uint32_t code);
