/* Texts in quotes, as Go writes them: "a\"b\n\xff". What a quoted text of the
 * language or a message of Prometheus holds is written by these. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include <fenwatch/buf.h>

void promql_quote(struct fw_buf *out, const char *text);
/* At most `limit` characters of the text. */
void promql_quote_some(struct fw_buf *out, const char *text, size_t length, size_t limit);
/* One character in single quotes, as in "unexpected character: '\n'". */
void promql_quote_char(struct fw_buf *out, uint32_t code);
/* A label's name as it stands in a list or a matcher: plain where it may, or quoted. */
void promql_put_name(struct fw_buf *out, const char *name);
