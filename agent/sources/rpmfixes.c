/* SPDX-License-Identifier: Apache-2.0 */
/* From upgrades and advisories to fixes: what each is for, and since when there is one. */
#include "rpmset_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <fenwatch/versions.h>

#include "parse.h"

#define HITS_LIMIT 65536

const char *const rpm_classes[RPM_CLASSES] = {
	[RPM_UNKNOWN] = "unknown",
	[RPM_BUGFIX] = "bugfix",
	[RPM_SECURITY] = "security",
};

/* ---- advisories ---- */

static const struct rpm_advisory *keep_advisory(
	struct rpm_set *set, const struct rpm_advisory *advisory)
{
	struct rpm_advisory *kept = fw_arena_alloc(&set->text, sizeof *kept);
	*kept = *advisory;
	kept->id = fw_arena_strdup(&set->text, advisory->id);
	kept->severity = fw_arena_strdup(&set->text, advisory->severity);
	return kept;
}

void rpmset_add_advisory(struct rpm_set *set, const struct rpm_advisory *advisory,
	const struct rpm_fixed *fixed, size_t n)
{
	const struct rpm_advisory *kept = NULL;
	for (size_t i = 0; i < n && set->n_hits < HITS_LIMIT; i++) {
		struct family *family = rpmset_find(set, fixed[i].name);
		if (!family)
			continue;
		const char *base = rpmset_at_work(set, family, fixed[i].arch);
		if (family->packages ? !base || fw_rpmversion_compare(fixed[i].evr, base) <= 0
				     : !family->candidates)
			continue;
		kept = kept ? kept : keep_advisory(set, advisory);
		struct hit *hit = fw_arena_alloc(&set->text, sizeof *hit);
		*hit = (struct hit){fw_arena_strdup(&set->text, fixed[i].arch),
			fw_arena_strdup(&set->text, fixed[i].evr), kept, family->hits};
		family->hits = hit;
		set->n_hits++;
	}
}

/* One without a severity is taken as urgent. */
static int rank_of(const struct rpm_advisory *a)
{
	static const char *const words[] = {
		"low", "moderate", "medium", "", "high", "important", "critical"};
	for (int i = 0; i < (int)COUNT(words); i++)
		if (strcmp(a->severity, words[i]) == 0)
			return i;
	return 3;
}

static bool is_urgent(const struct rpm_advisory *a)
{
	return (a->class == RPM_SECURITY || a->class == RPM_UNKNOWN) && rank_of(a) >= 3;
}

static int by_weight(const void *a, const void *b)
{
	const struct rpm_advisory *x = *(const struct rpm_advisory *const *)a;
	const struct rpm_advisory *y = *(const struct rpm_advisory *const *)b;
	if (x->class != y->class)
		return x->class > y->class ? -1 : 1;
	if (rank_of(x) != rank_of(y))
		return rank_of(x) > rank_of(y) ? -1 : 1;
	if (x->issued_s != y->issued_s)
		return x->issued_s > y->issued_s ? -1 : 1;
	return strcmp(x->id, y->id);
}

static void name_advisories(
	struct rpm_fix *fix, const struct rpm_advisory *const *advisories, size_t n)
{
	size_t length = 0;
	for (size_t i = 0; i < n; i++) {
		const char *id = advisories[i]->id;
		size_t more = strlen(id) + (length > 0);
		if (length + more >= sizeof fix->advisories ||
			(i > 0 && strcmp(id, advisories[i - 1]->id) == 0))
			continue;
		snprintf(fix->advisories + length, sizeof fix->advisories - length, "%s%s",
			length ? " " : "", id);
		length += more;
	}
}

/* 0: none of them says when. */
static int64_t earliest(const struct rpm_advisory *const *advisories, size_t n, bool only_urgent)
{
	int64_t first_s = 0;
	for (size_t i = 0; i < n; i++) {
		const struct rpm_advisory *a = advisories[i];
		if (a->issued_s && (!first_s || a->issued_s < first_s) &&
			(!only_urgent || is_urgent(a)))
			first_s = a->issued_s;
	}
	return first_s;
}

static void tell_advisories(struct rpm_fix *fix, const struct rpm_advisory **advisories, size_t n)
{
	qsort(advisories, n, sizeof *advisories, by_weight);
	fix->class = advisories[0]->class;
	if (fix->class == RPM_SECURITY)
		fix->severity = advisories[0]->severity;
	name_advisories(fix, advisories, n);
	fix->released_s = earliest(advisories, n, true);
	if (!fix->released_s)
		fix->released_s = earliest(advisories, n, false);
	for (size_t i = 0; i < n; i++)
		fix->reboot = fix->reboot || advisories[i]->reboot;
}

#define TOLD_LIMIT 512 /* advisories of one fix */

static void find_advisories(const struct family *family, const char *newest, struct rpm_fix *fix)
{
	const struct rpm_advisory *told[TOLD_LIMIT];
	size_t n = 0;
	for (const struct hit *hit = family->hits; hit && n < TOLD_LIMIT; hit = hit->next) {
		if (!rpmset_suits(fix->arch, hit->arch) ||
			fw_rpmversion_compare(hit->evr, newest) > 0)
			continue;
		size_t i = 0;
		while (i < n && told[i] != hit->advisory)
			i++;
		if (i == n)
			told[n++] = hit->advisory;
	}
	if (n)
		tell_advisories(fix, told, n);
}

/* ---- fixes ---- */

static void give_fix(const struct rpm_set *set, const struct family *family,
	const struct candidate *c, void (*each)(const struct rpm_fix *fix, void *arg), void *arg)
{
	const struct family *old = c->replaces ? rpmset_find(set, c->replaces) : family;
	const struct package *base = old->packages;
	while (base->next && !c->replaces && !rpmset_suits(base->arch, c->arch))
		base = base->next;
	struct rpm_fix fix = {
		.name = family->name,
		.arch = c->arch,
		.installed = base->evr,
		.candidate = c->evr ? c->evr : c->newest,
		.source = c->evr ? c->source : c->newest_source,
		.repo = c->evr ? c->repo : c->newest_repo,
		.replaces = c->replaces,
		.severity = "",
		.held = !c->evr,
		.reboot = rpmset_wants_start(family->name),
	};
	const struct package *waiting = rpmset_waiting(set, family);
	fix.waits_s = waiting ? waiting->at_s : 0;
	find_advisories(family, c->newest, &fix);
	each(&fix, arg);
}

void rpmset_each_fix(
	const struct rpm_set *set, void (*each)(const struct rpm_fix *fix, void *arg), void *arg)
{
	for (uint32_t i = 0; i < set->n_families; i++)
		for (const struct candidate *c = set->families[i].candidates; c; c = c->next)
			give_fix(set, &set->families[i], c, each, arg);
}
