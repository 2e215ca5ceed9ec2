/* What goes along with an alert beside its own words: whose the host is, how soon the
 * fault must be met and whom to ring, as the register has it when the alert is told. */
#pragma once

#include <stdbool.h>

#include "pairs.h"

struct registry;

#define CONTEXT_MOST 16

/* Annotations of an alert with these labels; their texts are the register's. `class` is the
 * agent's word, "" for none. `registry` NULL: no annotations. */
size_t context_of(const struct registry *registry, const struct pairs *labels, const char *severity,
	const char *class, struct notice_pair out[CONTEXT_MOST]);

/* Whether an annotation of this name is the register's. */
bool context_is_of_register(const char *name);

/* What routes and silences compare: what the register says counts before a label of that
 * name, which a host gives itself; any other label before an annotation. "": neither. */
const char *context_value(
	const struct pairs *labels, const struct pairs *annotations, const char *name);
