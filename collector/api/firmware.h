/* What devices run, beside what the register wants them to run: rows for the list of patches. */
#pragma once

#include <stddef.h>

struct json;
struct request;

struct firmware {
	const char *host, *model;  /* model "": not told */
	const char *runs, *wanted; /* NULL: nobody says */
};

/* Of every device that the caller may see, and that is not retired; `name` NULL: of all. After
 * retiring_prepare(); on the workers. Negative: the request is answered. */
int firmware_read(struct request *r, const char *name, struct firmware **out, size_t *n);
/* The members of its row; their names are those of a host's. */
void firmware_write(struct json *j, const struct firmware *firmware);
