/* SPDX-License-Identifier: Apache-2.0 */
#include "source.h"

#include "source_list.h"

#define DECLARE(name) extern const struct source source_##name;
#define ENTRY(name) &source_##name,

SOURCES(DECLARE)

const struct source *const sources[] = {SOURCES(ENTRY) NULL};
