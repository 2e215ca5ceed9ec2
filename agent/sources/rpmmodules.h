/* Modules: several streams of one program in one repository, of which one counts.
 *
 * A repository's modules.yaml says which packages belong to which stream, and which
 * stream of a module is the default one; /etc/dnf/modules.d says which are enabled or
 * disabled here. As in dnf, packages of streams that are not active are not there, and
 * beside those of an active stream no other package of the same name is.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "../source.h"
#include <fenwatch/unpack.h>

struct rpm_modules;

struct rpm_modules *rpmmodules_read(struct machine *m, uint64_t *fingerprint);
void rpmmodules_free(struct rpm_modules *mods);
/* Takes in a modules.yaml; `wants` tells which names of packages count at all. */
int rpmmodules_add(struct rpm_modules *mods, struct fw_unpack *u,
	bool (*wants)(const char *name, const void *arg), const void *arg);
/* After the last one was added. */
void rpmmodules_settle(struct rpm_modules *mods);
bool rpmmodules_hides(
	const struct rpm_modules *mods, const char *name, const char *arch, const char *evr);
bool rpmmodules_is_active(const struct rpm_modules *mods, const char *module, const char *stream);
