/* SPDX-License-Identifier: Apache-2.0 */
#include "rules.h"

#include <string.h>
#include <strings.h>

#define DAY_S INT64_C(86400)
#define CVSS_HIGH 7.0

const char *const patch_policy_names[] = {
	[PATCH_CE14] = "ce14", [PATCH_NCSC5] = "ncsc5", [PATCH_NCSC7] = "ncsc7", NULL};
const char *const patch_standing_names[] = {
	[PATCH_COMPLIANT] = "compliant",
	[PATCH_OVERDUE] = "overdue",
	[PATCH_UNPROVEN] = "unproven",
	[PATCH_UNSUPPORTED] = "unsupported",
};
const char *const patch_class_names[] = {
	[PATCH_SECURITY] = "security", [PATCH_BUGFIX] = "bugfix", [PATCH_UNKNOWN] = "unknown"};
const char *const patch_basis_names[] = {
	[PATCH_BY_VENDOR] = "vendor",
	[PATCH_BY_ADVISORY] = "advisory",
	[PATCH_BY_LIST] = "list",
	[PATCH_BY_EARLIER] = "earlier",
	[PATCH_BY_SIGHT] = "seen",
};
const char *const patch_tier_names[] = {
	[PATCH_MAINSTREAM] = "mainstream", [PATCH_EXTENDED] = "extended", [PATCH_ESU] = "esu"};

static const int64_t days[PATCH_POLICIES] = {
	[PATCH_CE14] = 14, [PATCH_NCSC5] = 5, [PATCH_NCSC7] = 7};

enum severity { NOT_SAID, LOW, MEDIUM, HIGH, CRITICAL };

static const struct {
	const char *word;
	enum severity severity;
} words[] = {
	{"critical", CRITICAL},
	{"emergency", CRITICAL},
	{"important", HIGH},
	{"high", HIGH},
	{"moderate", MEDIUM},
	{"medium", MEDIUM},
	{"low", LOW},
	{"negligible", LOW},
	{"unimportant", LOW},
};

/* A word that nobody knows says nothing. */
static enum severity severity_of(const char *text)
{
	for (size_t i = 0; i < sizeof words / sizeof *words; i++)
		if (strcasecmp(words[i].word, text) == 0)
			return words[i].severity;
	return NOT_SAID;
}

int rules_compare_severity(const char *a, const char *b)
{
	enum severity left = severity_of(a), right = severity_of(b);
	return (left > right) - (left < right);
}

/* ---- the start ---- */

static void take_earlier(
	int64_t *start_s, enum patch_basis *basis, int64_t at_s, enum patch_basis as)
{
	if (at_s <= 0 || (*start_s > 0 && *start_s <= at_s))
		return;
	*start_s = at_s;
	*basis = as;
}

int64_t rules_start(const struct rules_evidence *e, enum patch_basis *basis)
{
	int64_t start_s = 0;
	*basis = PATCH_BY_SIGHT;
	take_earlier(&start_s, basis, e->vendor_s, PATCH_BY_VENDOR);
	take_earlier(&start_s, basis, e->advisory_s, PATCH_BY_ADVISORY);
	take_earlier(&start_s, basis, e->earlier_s, PATCH_BY_EARLIER);
	/* The vendor's own date is exact; lists only come near it. */
	if (e->vendor_s <= 0)
		take_earlier(&start_s, basis, e->listed_s, PATCH_BY_LIST);
	/* What was seen was out, whatever date the metadata has. */
	take_earlier(&start_s, basis, e->seen_s, PATCH_BY_SIGHT);
	return start_s;
}

/* ---- the policies ---- */

bool rules_is_graded(const char *severity, double cvss)
{
	return severity_of(severity) != NOT_SAID || cvss > 0;
}

bool rules_is_urgent(const char *severity, double cvss)
{
	return severity_of(severity) >= HIGH || cvss >= CVSS_HIGH;
}

/* What is no security fix is asked for only where its gravity says so. */
static bool is_grave(const struct patch_fix *fix)
{
	return rules_is_urgent(fix->severity, fix->cvss) ||
		(!rules_is_graded(fix->severity, fix->cvss) && fix->class != PATCH_BUGFIX);
}

/* The vendor does not offer it to this host yet. */
static bool waits_for_vendor(const struct patch_fix *fix)
{
	return strcmp(fix->state, "phased") == 0 && fix->class == PATCH_BUGFIX;
}

bool rules_apply(enum patch_policy policy, const struct patch_fix *fix)
{
	if (waits_for_vendor(fix))
		return false;
	return policy != PATCH_CE14 || is_grave(fix);
}

void rules_date(struct patch_fix *fix, const struct rules_evidence *evidence)
{
	fix->released_s = evidence->vendor_s;
	fix->seen_s = evidence->seen_s;
	fix->start_s = rules_start(evidence, &fix->basis);
	for (int p = 0; p < PATCH_POLICIES; p++)
		fix->due_s[p] =
			rules_apply((enum patch_policy)p, fix) ? fix->start_s + days[p] * DAY_S : 0;
}

bool rules_is_overdue(const struct patch_fix *fix, enum patch_policy policy, int64_t now_s)
{
	return fix->due_s[policy] > 0 && now_s > fix->due_s[policy];
}

/* ---- the host ---- */

enum patch_standing patch_standing(const struct patch_host *host, enum patch_policy policy)
{
	if (host->os_ended)
		return PATCH_UNSUPPORTED;
	if (host->why)
		return PATCH_UNPROVEN;
	return host->overdue[policy] > 0 ? PATCH_OVERDUE : PATCH_COMPLIANT;
}
