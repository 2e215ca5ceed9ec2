/* What the readers of this folder share. */
#pragma once

#include <stdbool.h>

#include <fenwatch/mem.h>

#include "import.h"

#define INPUT_WINDOW 65536
#define INPUT_LIMIT ((uint64_t)2 << 30) /* bytes of one file, unpacked */

/* What is read, through a window. */
struct input {
	struct import *import;
	uint8_t window[INPUT_WINDOW];
	size_t at, end;
	uint64_t total;
	int rc; /* why there is no more; 0: the end */
};

bool input_fill(struct input *in); /* false at the end: the window is empty then */
int input_byte(struct input *in);  /* -1 at the end */
int input_peek(struct input *in);
int input_skip_blanks(struct input *in); /* and peeks */
int input_fail(const struct input *in, struct fw_err *err);

/* An advisory that is being put together. Texts that are too long are no texts. */
struct draft {
	struct import *import;
	struct fw_arena arena;
	const char *name, *severity;
	int64_t issued_s;
	double cvss;
	struct import_fix fixes[IMPORT_FIXES];
	size_t n;
	bool told; /* a piece of it */
};

void draft_begin(struct draft *d, const char *name, size_t length);
/* Tells what there is, where that is full; a fix that is there already is left out. */
int draft_fix(struct draft *d, const char *package, const char *release, const char *version,
	struct fw_err *err);
int draft_end(struct draft *d, struct fw_err *err);
void draft_done(struct draft *d);

/* "2026-06-10", with or without a time behind it, or seconds; 0: none of these. */
int64_t import_date(const char *text);
/* "el9" of "47.el9_1", "fc40" of "1.fc40"; "" where there is no such mark. */
const char *import_dist(const char *release, char out[16]);

int dsa_read(struct input *in, struct draft *d, struct fw_err *err);
int usn_read(struct input *in, struct draft *d, struct fw_err *err);
int xml_read(struct input *in, struct draft *d, struct fw_err *err);
