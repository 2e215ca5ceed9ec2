/* Users of version 3, whose keys are made for every engine that is heard.
 *
 * A trap comes under the engine of its sender, with keys that were made for it. What comes in is
 * looked at before the library does: who says that it is one of our users, from an engine that is
 * new, gets that user's keys for its engine, and loses them where they did not open it.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <fenwatch/conf.h>
#include <fenwatch/err.h>

#define TRAP_ENGINES 4096

struct trap_users;

struct trap_users *trap_users_new(void); /* of nobody */
/* Those of these files from now on; our own engine's keys are made at once, for informs. Where one
 * cannot be read those that were stay; where all can, nobody is believed any more by the keys that
 * he had. */
int trap_users_replace(struct trap_users *u, const struct fw_text_list *files, struct fw_err *err);
void trap_users_free(struct trap_users *u);
/* A packet that the library is to read next. */
void trap_users_expect(struct trap_users *u, const uint8_t *data, size_t length);
/* It was read: whether it was authentic. */
void trap_users_settle(struct trap_users *u, bool authentic);
