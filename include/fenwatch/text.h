/* Reading numbers, sizes and durations from text, and spotting typing mistakes. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A place in a text that moves forward. Every reader either consumes at least
 * one byte and returns true, or leaves the cursor alone and returns false. */
struct fw_cursor {
	const char *at, *end;
};

bool fw_cut_u64(struct fw_cursor *c,
	uint64_t *value); /* decimal; leading blanks skipped; overflow: false */
bool fw_cut_i64(struct fw_cursor *c, int64_t *value);
/* "12.34" with `scale` decimals as an integer: scale 2 gives 1234. More decimals are cut off. */
bool fw_cut_decimal(struct fw_cursor *c, int scale, int64_t *value);
bool fw_cut_word(struct fw_cursor *c, const char **word, size_t *length); /* up to a blank */
bool fw_cut_line(struct fw_cursor *c, struct fw_cursor *line);            /* without its newline */
bool fw_cut_literal(struct fw_cursor *c, const char *text);
void fw_skip_blanks(struct fw_cursor *c);

int fw_parse_u64(const char *text, uint64_t *value);  /* the whole text; 0 or -EINVAL, -ERANGE */
int fw_parse_size(const char *text, uint64_t *bytes); /* "64", "32MiB", "5GiB", "10kB" */
int fw_parse_duration(const char *text, int64_t *ms); /* "15s", "1h30m", "90d", "250ms", "0" */
const char *fw_format_duration(int64_t ms, char *text, size_t size); /* "1h30m" */
const char *fw_format_size(uint64_t bytes, char *text, size_t size); /* "5.0 GiB" */

/* The candidate nearest to `word` by edit distance, or NULL when none is near. */
const char *fw_nearest(const char *word, const char *const *candidates, size_t count);

/* The end of a sentence that refuses a word: "; did you mean 'rules'?", nothing for NULL. */
struct fw_hint {
	char text[128];
};
struct fw_hint fw_did_you_mean(const char *nearest);

#define FW_DIGITS 20 /* of the largest */
/* Writes its digits in front of `end`, and returns where they begin. */
char *fw_digits(uint64_t value, char *end);

void fw_hex(const uint8_t *data, size_t length, char *out); /* 2 * length + 1 bytes */
int fw_unhex(
	const char *text, uint8_t *out, size_t length); /* exactly `length` bytes, or -EINVAL */
bool fw_utf8_valid(const char *text, size_t length);
/* At most `most` bytes of UTF-8 without control characters: it can stand on one line. */
bool fw_is_line(const char *text, size_t most);
bool fw_same_secret(const void *a, const void *b, size_t length); /* in constant time */
