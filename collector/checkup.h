/* Whether the collector does its work, for who is told as long as it does.
 *
 * That the process lives is not enough: the store must be written to, and rules
 * evaluated. What is wrong is a sentence, NULL where nothing is.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct schedule_group;

#define CHECKUP_STORE_MS (3 * 60 * 1000) /* every host that is known has samples once a minute */
#define CHECKUP_RULES_MS (60 * 1000)     /* beyond three intervals of a group */

/* `idle_ms`: since when the store has written nothing. */
const char *checkup_store(uint64_t hosts, int64_t idle_ms);
/* `loaded_ms`: since when there are these groups. */
const char *checkup_rules(
	const struct schedule_group *groups, size_t n, int64_t loaded_ms, int64_t now_ms);
