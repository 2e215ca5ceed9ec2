/* The arithmetic of the clock: when it starts, whom it binds, when it is up. */
#pragma once

#include "patch.h"

/* All that is known of when a fix came; seconds, 0: not known. */
struct rules_evidence {
	int64_t vendor_s, advisory_s, listed_s, earlier_s, seen_s;
};

/* The start, and what it rests on; 0 where nothing at all is known. */
int64_t rules_start(const struct rules_evidence *evidence, enum patch_basis *basis);
bool rules_apply(enum patch_policy policy, const struct patch_fix *fix);
/* Fills start, basis and due dates. */
void rules_date(struct patch_fix *fix, const struct rules_evidence *evidence);
bool rules_is_overdue(const struct patch_fix *fix, enum patch_policy policy, int64_t now_s);
/* Something says how grave it is; and it is critical, high or of CVSS 7 or more. */
bool rules_is_graded(const char *severity, double cvss);
bool rules_is_urgent(const char *severity, double cvss);
/* -1 where the first is the milder one, 1 where it is graver; what is not known is the mildest. */
int rules_compare_severity(const char *a, const char *b);
