/* Alerts of rule files, in the book beside the built-in ones.
 *
 * After each evaluation of a group its report says which alerts are pending
 * and firing; it stands until the group's next one. An alert opens when a
 * report says that it fires. It ends when no group claims it any more, as
 * Prometheus would have it, except where that proves nothing: its rule could
 * not be evaluated, or not often enough since the start, or its host is not
 * heard. Then it stays open as unknown, and ends with the second report after
 * the doubt is gone. All of it is the main thread's; a report is made on any.
 */
#pragma once

#include <stdbool.h>

#include "internal.h"

struct ruled;

struct ruled *ruled_new(struct alerts *alerts);
void ruled_free(struct ruled *ruled);
/* One that fired before the start. */
void ruled_resume(struct ruled *ruled, const struct episode *episode);
/* Called by alert_free. */
void ruled_remove(struct ruled *ruled, const struct alert *alert);
void ruled_each(struct ruled *ruled, void (*each)(struct alert *alert, void *arg), void *arg);

/* What its rule says of it now, in the rule's words; kept where no report has it any more. */
const struct pairs *ruled_words(struct alert *alert);
/* Why it cannot be told whether it goes on, "" where it can. */
void ruled_doubt(struct ruled *ruled, const struct alert *alert, char *text, size_t size);
