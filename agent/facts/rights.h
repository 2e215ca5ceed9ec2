/* What the helper may do: a set of capabilities, and less for each child.
 *
 * Started by root it becomes the user it was given and keeps the capabilities; where
 * the kernel cannot hand them on to a program (before 4.3: no ambient set) it stays
 * root with these alone. Started by systemd it has both already.
 */
#pragma once

#include <stdint.h>

#include <sys/types.h>

#include <fenwatch/err.h>

#include "../source.h"

struct rights_user {
	uid_t uid;
	gid_t gid;
};

/* From /etc/passwd itself: a static program has no other name service. */
int rights_find_user(
	struct machine *m, const char *name, struct rights_user *out, struct fw_err *err);
/* `user` is NULL where nobody is to be become. */
int rights_settle(struct machine *m, const struct rights_user *user, uint64_t capabilities,
	struct fw_err *err);
/* In a child: of what it has, these alone, for it and for a program that it runs. */
int rights_keep_only(uint64_t capabilities);
