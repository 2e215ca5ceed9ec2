/* SPDX-License-Identifier: Apache-2.0 */
/* A file of advisories of any form, in any pieces. What is told is within its limits. */
#include <assert.h>
#include <string.h>

#include <fenwatch/text.h>

#include "import.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct text {
	const uint8_t *at;
	size_t left;
};

static ssize_t on_read(void *from, void *data, size_t size)
{
	struct text *text = from;
	size_t n = text->left < 61 ? text->left : 61;
	assert(size >= n);
	memcpy(data, text->at, n);
	text->at += n;
	text->left -= n;
	return (ssize_t)n;
}

static void check(const char *text, size_t least)
{
	size_t length = strlen(text);
	assert(length >= least && length <= IMPORT_TEXT && fw_utf8_valid(text, length));
}

static int on_advisory(const struct import_advisory *a, void *arg, struct fw_err *err)
{
	(void)arg;
	(void)err;
	check(a->name, 1);
	assert(a->issued_s > 0 && a->cvss >= 0 && a->cvss <= 10);
	assert(a->n_fixes > 0 && a->n_fixes <= IMPORT_FIXES);
	for (size_t i = 0; i < a->n_fixes; i++) {
		check(a->fixes[i].package, 1);
		check(a->fixes[i].release, 0);
		check(a->fixes[i].version, 1);
	}
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct text text = {data, size};
	struct fw_err err;
	struct import import = {.read = on_read, .from = &text, .on_advisory = on_advisory};
	import_run(&import, &err);
	return 0;
}
