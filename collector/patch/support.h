/* Until when operating systems are supported.
 *
 * A table of lines ID,VERSION,NAME,RELEASE,MAINSTREAM,EXTENDED,ESU: id and version as
 * os-release has them (a version without its minor part stands for all of those),
 * release as advisories call it, and the last day of each tier, or nothing. What
 * begins with # is a remark. One table is built in, from packaging/os-support.csv.
 */
#pragma once

#include "patch.h"

#define SUPPORT_FILE_LIMIT (1u << 20)

struct support_entry {
	const char *id, *version, *name, *release;
	int64_t end_s[PATCH_TIERS]; /* the first second that is no longer supported; 0: none */
};

struct support {
	struct fw_arena arena;
	struct support_entry *entries;
	size_t n;
};

/* `path` NULL: the table that is built in. */
int support_open(struct support *out, const char *path, struct fw_err *err);
int support_parse(struct support *out, const char *text, size_t length, struct fw_err *err);
void support_done(struct support *support);
/* NULL where the table does not have it. */
const struct support_entry *support_find(
	const struct support *support, const char *id, const char *version);
/* The end of all tiers, those that are paid for only where `paid`. */
int64_t support_end(const struct support_entry *entry, bool paid);
