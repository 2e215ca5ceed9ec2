/* A machine whose files the test writes, and what one source makes of it, as the text
 * of --print. */
#pragma once

#include "source.h"

void test_open(const struct source *source);
int test_close(void **state); /* as cmocka calls it after a test */
void test_keep_data(void);    /* from now on the machine has a folder for what the agent keeps */

void test_file(const char *path, const char *text);
void test_bytes(const char *path, const void *data, size_t size);
void test_no_file(const char *path);

/* What the configuration says; kept, not copied. */
void test_choices(const struct choices *choices);
/* Reads the source again; its rc. */
int test_read(int64_t now_ms);
/* The sentence of the read that failed last. */
const char *test_sentence(void);
/* The value behind "NAME{LABELS}" in what was read last, as text; fails without the series. */
const char *test_value(const char *series);
void test_expect(const char *series, const char *value);
bool test_has(const char *series);
/* How many series the name has. */
unsigned test_count(const char *name);
