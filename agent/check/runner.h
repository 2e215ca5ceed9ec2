/* The process that runs plugins, at the far end of a connection (SOCK_SEQPACKET).
 *
 * It has a user of its own where it can: its unit gives it one, or root forks it and it becomes
 * one. So a plugin can neither read what is fenwatch-check's, nor signal or trace it, nor write to
 * the agent. A request names a check, and brings the descriptor that the plugin's output goes to;
 * what is run for it stands in the root-owned file, never in the request. When the connection
 * ends, so does whatever still runs, and then the runner. Plugins share its user: they can disturb
 * each other and it, not who asked.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include <fenwatch/err.h>

#include "options.h"

#define RUNNER_NAME 132     /* bytes of a check's name, with its end */
#define RUNNER_ARGUMENTS 64 /* of a plugin, its path among them */

enum runner_code { RUNNER_BEGIN = 1, RUNNER_KILL };
enum { RUNNER_NOT_RUN = 127 }; /* the exit status of a program that there is not */

struct runner_request {
	uint32_t code, id; /* an id that is not 0; the asker's */
	char name[RUNNER_NAME];
};

/* One of each that was begun, at its end. */
struct runner_answer {
	uint32_t id;
	int32_t status; /* as wait(2) has it; negative: why it did not begin, -ENOENT: no such check */
};

/* Whom it becomes. Who is not root stays who he is. */
struct runner_user {
	uid_t uid;
	gid_t gid;
	bool becomes;
};

/* A failure is a sentence on why plugins run as who this is already. */
int runner_find_user(struct runner_user *out, const char *name, struct fw_err *err);
/* `apart`: the user is nobody else's, so that how many processes it has can be limited. */
int runner_become(const struct runner_user *user, struct fw_err *err);
/* Until the other end has gone. */
void runner_serve(int connection, const struct check_config *config, bool apart);
