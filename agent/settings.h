/* Settings from the collector: a closed list of values, and the last good set.
 *
 * New settings are kept on disk and in force at once, but on trial until the
 * agent has worked with them: two starts that do not get so far, and the ones
 * before hold again; the same version is not taken a second time. What the local
 * configuration says wins over them.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <fenwatch/err.h>

#include "fenwatch.pb-c.h"

struct settings;

/* Counts this start. Damaged or absent: there are none. */
struct settings *settings_open(const char *dir);
void settings_close(struct settings *s);
const Fenwatch__Wire__Settings *settings_now(const struct settings *s); /* NULL: none */
/* True when they are new here and in force from now on. */
bool settings_offer(struct settings *s, const Fenwatch__Wire__Settings *offered);
/* They work. */
void settings_prove(struct settings *s);
bool settings_on_trial(const struct settings *s);
