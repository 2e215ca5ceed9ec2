/* How a secret (fenwatch/secret.h) is shown to a receiver. */
#pragma once

#include <fenwatch/secret.h>

/* The header "Authorization: ..." for it: Basic with a user, Bearer without (NULL).
 * secret_forget gives it back. */
char *secret_authorization(const struct fw_secret *secret, const char *user);
void secret_forget(char *line);
