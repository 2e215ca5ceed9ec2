/* What is given up once the capture, or the sockets for traps, are open: root's own name, every
 * capability, new programs, and every socket but those to the agent. Nothing of it comes back.
 */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include <fenwatch/err.h>

/* Whom it becomes. Who is not root stays who he is. */
struct sandbox_user {
	uid_t uid;
	gid_t gid;
	bool becomes;
};

#define SANDBOX_USER "fenwatch-capture"

/* Looked for before anything is opened; without one it stays who it is. */
int sandbox_find_user(struct sandbox_user *out, const char *name, struct fw_err *err);
/* What is made before that for its own folder is made as it, and never by root: there root would
 * follow its links. */
int sandbox_act_as(const struct sandbox_user *who, struct fw_err *err);
int sandbox_act_as_root(const struct sandbox_user *who, struct fw_err *err);
int sandbox_enter(const struct sandbox_user *who, struct fw_err *err);
