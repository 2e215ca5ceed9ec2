/* JSON, written as it is thought of: values go straight into a buffer, commas
 * come by themselves. Bytes that are no UTF-8 become U+FFFD. Nothing here can
 * fail; the buffer says whether it overflowed. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <fenwatch/buf.h>

struct json {
	struct fw_buf *out;
	bool after_value;
};

void json_open(struct json *j, char bracket);  /* '{' or '[' */
void json_close(struct json *j, char bracket); /* '}' or ']' */
void json_key(struct json *j, const char *name);
void json_text(struct json *j, const char *text); /* NULL: null */
void json_int(struct json *j, int64_t value);
void json_number(struct json *j, double value); /* null when it is not finite */
void json_bool(struct json *j, bool value);
void json_none(struct json *j);
/* What is JSON already: numbers in a form of their own. */
void json_raw(struct json *j, const char *text);
/* A wall time as RFC 3339, null for 0. */
void json_time(struct json *j, int64_t wall_ms);
/* A wall time as Prometheus has it: 1795383727 or 1795383731.860. */
void json_seconds(struct json *j, int64_t wall_ms);
/* The same as text, without its end; returns how long it is. */
#define JSON_SECONDS_SIZE 24
size_t json_seconds_text(int64_t wall_ms, char text[JSON_SECONDS_SIZE]);
/* Key and value in one. */
void json_put_text(struct json *j, const char *name, const char *text);
void json_put_int(struct json *j, const char *name, int64_t value);
void json_put_number(struct json *j, const char *name, double value);
void json_put_bool(struct json *j, const char *name, bool value);
void json_put_time(struct json *j, const char *name, int64_t wall_ms);
