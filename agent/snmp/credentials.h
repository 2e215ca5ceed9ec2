/* What opens a device to us: a community, or a user with keys.
 *
 * Each lies in a file of its own that only root may write and not everybody may read: a service
 * takes none of its own user's. It is read when a session begins, so that a renewed one counts from
 * the next, and wiped at once. It stands in no series, log or sentence.
 */
#pragma once

#include <stdbool.h>

#include <fenwatch/err.h>

#define CREDENTIAL_BYTES 256

enum auth_protocol { AUTH_SHA256, AUTH_SHA512, AUTH_SHA1 };

struct credentials {
	char community[CREDENTIAL_BYTES];
	char user[33];
	char auth[CREDENTIAL_BYTES], priv[CREDENTIAL_BYTES]; /* passwords; "": none */
	enum auth_protocol protocol;
};

/* `v3`: a user is wanted, else a community. `own`: who runs this is a person, whose own file is
 * as good as root's. Wipe what it has given. */
int credentials_read(
	const char *path, bool v3, bool own, struct credentials *out, struct fw_err *err);
/* For a person, before anything is asked: whether it could be read. */
int credentials_check(const char *path, bool v3, struct fw_err *err);
/* Whether the service could, too, which reads it by its group; only root need ask. */
int credentials_check_service(const char *path, struct fw_err *err);
/* Whether it is of a user; what is wrong with it is said. */
int credentials_kind(const char *path, bool *v3, struct fw_err *err);
void credentials_wipe(struct credentials *c);
