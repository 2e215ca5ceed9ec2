/* Small readers that most sources share. */
#pragma once

#include "source.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])
#define NAME_BYTES 64  /* room for a device's or protocol's name */
#define TEXT_BYTES 128 /* and for what a driver or firmware says of itself */

/* machine_read() with a sentence on failure. A file that is not there is
 * -ENODATA: this machine has none of it. */
int read_facts(struct machine *m, const char *path, struct fw_cursor *c, struct fw_err *err);
int read_number(struct machine *m, const char *path, int64_t *value, struct fw_err *err);
/* The first line of a small file, without the blanks around it. Empty, and false,
 * where there is none: many files of /sys exist and cannot be read. */
bool read_text(struct machine *m, const char *path, char *out, size_t size);

/* "model name	: Intel(R) Xeon(R)": the key without blanks behind it, the value. */
bool cut_pair(struct fw_cursor line, struct fw_cursor *key, struct fw_cursor *value);
bool cursor_is(const struct fw_cursor *c, const char *text); /* all that is left of it */
bool is_number(const char *text);                            /* digits, at least one */
/* The next word into `out`, up to a blank or `end`, which is consumed. False when
 * there is none or it does not fit. */
bool cut_name(struct fw_cursor *c, char end, char *out, size_t size);
bool cut_hex(struct fw_cursor *c, uint64_t *value);

/* The metric called `prefix` + key, with "_bytes" behind or not; brackets in the
 * key are not part of a name. The search begins behind `*hint`, where the last
 * one was found, since the kernel's order is ours. NULL: not one of ours. */
const struct metric *find_metric(const struct metric *metrics, size_t n, size_t *hint,
	size_t prefix, const char *key, size_t length);
