/* SPDX-License-Identifier: Apache-2.0 */
#include "rpmset_internal.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <fenwatch/versions.h>

#include "parse.h"

/* ---- what is installed ---- */

struct rpm_set *rpmset_new(const char *release, int64_t booted_s)
{
	struct rpm_set *set = fw_alloc(sizeof *set);
	set->release = fw_arena_strdup(&set->text, release);
	set->booted_s = booted_s;
	set->native = "";
	return set;
}

void rpmset_free(struct rpm_set *set)
{
	if (!set)
		return;
	fw_arena_done(&set->text);
	fw_free(set->families);
	fw_free(set->slots);
	fw_free(set);
}

void rpmset_set_rules(struct rpm_set *set, const struct rpm_holds *holds,
	const struct rpm_modules *modules, const struct rpm_vendors *vendors)
{
	set->vendors = vendors;
	set->holds = holds;
	set->modules = modules;
}

static uint32_t hash_name(const char *name)
{
	uint32_t hash = 2166136261u;
	for (; *name; name++)
		hash = (hash ^ (uint8_t)*name) * 16777619u;
	return hash;
}

struct family *rpmset_find(const struct rpm_set *set, const char *name)
{
	if (set->n_slots == 0)
		return NULL;
	uint32_t mask = set->n_slots - 1;
	for (uint32_t at = hash_name(name) & mask; set->slots[at]; at = (at + 1) & mask)
		if (strcmp(set->families[set->slots[at] - 1].name, name) == 0)
			return &set->families[set->slots[at] - 1];
	return NULL;
}

static void rehash(struct rpm_set *set)
{
	fw_free(set->slots);
	set->n_slots = 1024;
	while (set->n_slots < 2 * set->capacity)
		set->n_slots *= 2;
	set->slots = fw_alloc_array(set->n_slots, sizeof *set->slots);
	for (uint32_t i = 0; i < set->n_families; i++) {
		uint32_t at = hash_name(set->families[i].name) & (set->n_slots - 1);
		while (set->slots[at])
			at = (at + 1) & (set->n_slots - 1);
		set->slots[at] = i + 1;
	}
}

static struct family *get_family(struct rpm_set *set, const char *name)
{
	struct family *family = rpmset_find(set, name);
	if (family)
		return family;
	if (set->n_families == set->capacity) {
		set->capacity = set->capacity ? 2 * set->capacity : 512;
		set->families = fw_realloc(set->families, set->capacity * sizeof *set->families);
		rehash(set);
	}
	family = &set->families[set->n_families++];
	*family = (struct family){.name = fw_arena_strdup(&set->text, name)};
	uint32_t at = hash_name(name) & (set->n_slots - 1);
	while (set->slots[at])
		at = (at + 1) & (set->n_slots - 1);
	set->slots[at] = set->n_families;
	return family;
}

/* Few words stand for very many packages: vendors, architectures. */
static const char *keep_again(struct rpm_set *set, const char *before, const char *text)
{
	return before && strcmp(before, text) == 0 ? before : fw_arena_strdup(&set->text, text);
}

int rpmset_add_installed(struct rpm_set *set, const struct rpm_installed *package)
{
	if (set->n_packages == RPM_PACKAGES_LIMIT)
		return -EFBIG;
	struct family *family = get_family(set, package->name);
	struct package *p = fw_arena_alloc(&set->text, sizeof *p);
	const struct package *before = set->n_packages ? set->families[0].packages : NULL;
	*p = (struct package){
		.name = family->name,
		.arch = keep_again(set, before ? before->arch : NULL, package->arch),
		.evr = fw_arena_strdup(&set->text, package->evr),
		.source = strcmp(package->source, family->name) == 0
			? family->name
			: fw_arena_strdup(&set->text, package->source),
		.vendor = keep_again(set, before ? before->vendor : NULL, package->vendor),
		.at_s = package->at_s,
	};
	struct package **at = &family->packages;
	while (*at && fw_rpmversion_compare((*at)->evr, p->evr) > 0)
		at = &(*at)->next;
	p->next = *at;
	*at = p;
	set->n_packages++;
	return 0;
}

void rpmset_index(struct rpm_set *set)
{
	static const char *const everywhere[] = {"glibc", "rpm", "bash"};
	for (size_t i = 0; i < COUNT(everywhere); i++) {
		const struct family *family = rpmset_find(set, everywhere[i]);
		for (const struct package *p = family ? family->packages : NULL; p; p = p->next)
			if (!set->native[0] || p->arch[0] != 'i')
				set->native = p->arch;
		if (set->native[0])
			return;
	}
}

bool rpmset_has(const struct rpm_set *set, const char *name)
{
	const struct family *family = rpmset_find(set, name);
	return family && family->packages;
}

bool rpmset_knows(const struct rpm_set *set, const char *name)
{
	return rpmset_find(set, name) != NULL;
}

/* ---- what there is ---- */

static bool is_noarch(const char *arch)
{
	return strcmp(arch, "noarch") == 0;
}

bool rpmset_suits(const char *installed, const char *listed)
{
	return strcmp(installed, listed) == 0 || is_noarch(installed) || is_noarch(listed);
}

/* Where no installed package of that architecture tells. */
static bool runs_here(const struct rpm_set *set, const char *arch)
{
	bool x86 = strlen(arch) == 4 && arch[0] == 'i' && arch[2] == '8' && arch[3] == '6';
	return is_noarch(arch) || strcmp(arch, set->native) == 0 || !set->native[0] ||
		(x86 && (strcmp(set->native, "x86_64") == 0 || set->native[0] == 'i'));
}

/* The newest that it would be put in the place of; NULL: there is none that is older,
 * or one that is not. */
static const struct package *base_of(const struct family *family, const char *arch, const char *evr)
{
	for (const struct package *p = family->packages; p; p = p->next)
		if (rpmset_suits(p->arch, arch))
			return fw_rpmversion_compare(p->evr, evr) < 0 ? p : NULL;
	return NULL;
}

static bool is_better(const char *evr, const char *than)
{
	return !than || fw_rpmversion_compare(evr, than) > 0;
}

static struct candidate *get_candidate(
	struct rpm_set *set, struct family *family, const char *arch, const char *replaces)
{
	for (struct candidate *c = family->candidates; c; c = c->next)
		if (strcmp(c->arch, arch) == 0)
			return c;
	struct candidate *c = fw_arena_alloc(&set->text, sizeof *c);
	c->arch = fw_arena_strdup(&set->text, arch);
	c->replaces = replaces;
	c->next = family->candidates;
	family->candidates = c;
	return c;
}

static void take_candidate(struct rpm_set *set, struct candidate *c, const struct rpm_repo *repo,
	const struct rpm_listed *listed, bool held)
{
	bool newest = is_better(listed->evr, c->newest);
	bool best = !held && is_better(listed->evr, c->evr);
	if (!newest && !best)
		return;
	const char *evr = fw_arena_strdup(&set->text, listed->evr);
	const char *source = fw_arena_strdup(&set->text, listed->source);
	if (newest) {
		c->newest = evr;
		c->newest_source = source;
		c->newest_repo = repo;
	}
	if (best) {
		c->evr = evr;
		c->source = source;
		c->repo = repo;
	}
}

static bool is_other_vendor(
	const struct rpm_set *set, const struct package *base, const struct rpm_listed *listed)
{
	return set->vendors && !rpmvendors_are_one(set->vendors, base->vendor, listed->vendor);
}

static void note_origin(
	struct family *family, const struct rpm_repo *repo, const struct rpm_listed *listed)
{
	for (struct package *p = family->packages; p; p = p->next)
		if (!p->from && strcmp(p->arch, listed->arch) == 0 &&
			fw_rpmversion_compare(p->evr, listed->evr) == 0)
			p->from = repo;
}

static void add_upgrade(struct rpm_set *set, struct family *family, const struct rpm_repo *repo,
	const struct rpm_listed *listed)
{
	note_origin(family, repo, listed);
	bool held = rpmholds_holds(set->holds, repo, listed->name, listed->arch, listed->evr);
	const struct package *base = base_of(family, listed->arch, listed->evr);
	bool fits = base && runs_here(set, listed->arch) && !is_other_vendor(set, base, listed);
	/* The first repository decides that has the name; for zypper, that has it newer. */
	if (!held && family->priority == 0 && (fits || !set->vendors))
		family->priority = repo->priority;
	if (!fits || (family->priority && family->priority != repo->priority))
		return;
	take_candidate(set, get_candidate(set, family, listed->arch, NULL), repo, listed, held);
}

static bool is_obsolete(const struct package *p, const struct rpm_obsolete *o)
{
	int order = o->evr[0] ? fw_rpmversion_compare(p->evr, o->evr) : 0;
	return !o->evr[0] || (order < 0 && o->less) || (order == 0 && o->equal) ||
		(order > 0 && o->greater);
}

/* Does it take the place of a package that is here under another name? */
static void add_replacement(struct rpm_set *set, const struct rpm_repo *repo,
	const struct rpm_listed *listed, const struct rpm_obsolete *o)
{
	const struct family *old = rpmset_find(set, o->name);
	const struct package *p = old ? old->packages : NULL;
	while (p && !is_obsolete(p, o))
		p = p->next;
	if (!p || strcmp(o->name, listed->name) == 0 || is_other_vendor(set, p, listed) ||
		!runs_here(set, listed->arch))
		return;
	const char *replaces = p->name;
	struct family *family = get_family(set, listed->name);
	for (const struct package *own = family->packages; own; own = own->next)
		if (rpmset_suits(own->arch, listed->arch))
			return;
	bool held = rpmholds_holds(set->holds, repo, listed->name, listed->arch, listed->evr);
	take_candidate(set, get_candidate(set, family, listed->arch, replaces), repo, listed, held);
}

#define BASE "glibc"

static void note_base(struct rpm_set *set, const struct rpm_repo *repo)
{
	set->base_is_listed = true;
	if (repo->date_s > set->base_dated_s)
		set->base_dated_s = repo->date_s;
}

bool rpmset_base(const struct rpm_set *set, int64_t *dated_s)
{
	*dated_s = set->base_dated_s;
	return set->base_is_listed || !rpmset_has(set, BASE);
}

void rpmset_add_listed(
	struct rpm_set *set, const struct rpm_repo *repo, const struct rpm_listed *listed)
{
	if (set->modules && !repo->hotfixes &&
		rpmmodules_hides(set->modules, listed->name, listed->arch, listed->evr))
		return;
	struct family *family = rpmset_find(set, listed->name);
	if (!repo->medium && strcmp(listed->name, BASE) == 0)
		note_base(set, repo);
	if (family && family->packages)
		add_upgrade(set, family, repo, listed);
	for (size_t i = 0; i < listed->n_obsoletes; i++)
		add_replacement(set, repo, listed, &listed->obsoletes[i]);
}

/* ---- kernels, and what else is at work only after a start ---- */

/* Packages that hold a kernel; several versions of them are installed side by side. */
static const char *const kernels[] = {"kernel", "kernel-core", "kernel-64k-core", "kernel-default",
	"kernel-default-base", "kernel-azure", "kernel-rt", "kernel-rt-core", "kernel-uek",
	"kernel-uek-core", "kernel-PAE", "kernel-pae", "kernel-xen", "kernel-debug",
	"kernel-debug-core", "kernel-lt", "kernel-ml", "kernel-ml-core", "kernel-lt-core"};

/* What runs from the start on, and is replaced by nothing but another one. */
static const char *const cores[] = {"dbus", "dbus-1", "dbus-broker", "dbus-daemon", "glibc",
	"gnutls", "kernel-firmware", "libopenssl1_1", "libopenssl3", "linux-firmware",
	"microcode_ctl", "openssl", "openssl-libs", "systemd", "ucode-amd", "ucode-intel", "udev",
	"upstart"};

static bool is_one_of(const char *name, const char *const *names, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(name, names[i]) == 0)
			return true;
	return false;
}

bool rpmset_is_kernel(const char *name)
{
	return is_one_of(name, kernels, COUNT(kernels));
}

bool rpmset_wants_start(const char *name)
{
	return rpmset_is_kernel(name) || is_one_of(name, cores, COUNT(cores));
}

/* "5.14.0-427.el9.x86_64" runs the package 5.14.0-427.el9; SUSE's "6.4.0-150600.23.7-default"
 * is of 6.4.0-150600.23.7.3, whose last number counts the builds. */
static bool is_running(const struct rpm_set *set, const char *evr)
{
	const char *colon = strchr(evr, ':'), *release = set->release;
	const char *own = colon ? colon + 1 : evr;
	size_t length = strlen(own), running = strlen(release);
	if (strncmp(release, own, length) == 0 && strchr(".-+", release[length]) != NULL)
		return true;
	const char *flavour = strrchr(release, '-');
	running = flavour ? (size_t)(flavour - release) : running;
	return strncmp(own, release, running) == 0 && own[running] == '.' &&
		!strchr(own + running + 1, '.');
}

static const struct package *running_of(const struct rpm_set *set, const struct family *family)
{
	for (const struct package *p = family->packages; p; p = p->next)
		if (is_running(set, p->evr))
			return p;
	return NULL;
}

const char *rpmset_at_work(const struct rpm_set *set, const struct family *family, const char *arch)
{
	const struct package *running =
		rpmset_is_kernel(family->name) ? running_of(set, family) : NULL;
	if (running)
		return running->evr;
	for (const struct package *p = family->packages; p; p = p->next)
		if (rpmset_suits(p->arch, arch))
			return p->evr;
	return NULL;
}

const struct package *rpmset_waiting(const struct rpm_set *set, const struct family *family)
{
	const struct package *newest = family->packages;
	if (newest && rpmset_is_kernel(family->name)) {
		const struct package *running = running_of(set, family);
		return running && running != newest ? newest : NULL;
	}
	bool core = newest && is_one_of(family->name, cores, COUNT(cores));
	return core && set->booted_s && newest->at_s > set->booted_s ? newest : NULL;
}

void rpmset_each_waiting(const struct rpm_set *set,
	void (*each)(const struct rpm_waiting *waiting, void *arg), void *arg)
{
	for (uint32_t i = 0; i < set->n_families; i++) {
		const struct package *p = rpmset_waiting(set, &set->families[i]);
		if (p)
			each(&(struct rpm_waiting){p->name, p->arch, p->evr, p->at_s}, arg);
	}
}

bool rpmset_untold(
	const struct rpm_set *set, const char *name, const char *arch, struct rpm_waiting *out)
{
	const struct family *family = rpmset_find(set, name);
	if (!family || family->candidates || rpmset_waiting(set, family))
		return false;
	for (const struct package *p = family->packages; p; p = p->next) {
		if (strcmp(p->arch, arch) != 0)
			continue;
		*out = (struct rpm_waiting){p->name, p->arch, p->evr, p->at_s};
		return true;
	}
	return false;
}

/* ---- as inventory ---- */

/* The others of its architecture, which are older. */
static void give_others(const struct package *newest, struct document *out)
{
	char text[512] = "";
	size_t length = 0;
	for (const struct package *p = newest->next; p; p = p->next) {
		size_t more = strlen(p->evr) + (length > 0);
		if (strcmp(p->arch, newest->arch) != 0 || length + more >= sizeof text)
			continue;
		snprintf(text + length, sizeof text - length, "%s%s", length ? " " : "", p->evr);
		length += more;
	}
	document_field(out, "beside", text);
}

void rpmset_inventory(const struct rpm_set *set, struct document *out)
{
	for (uint32_t i = 0; i < set->n_families; i++)
		for (const struct package *p = set->families[i].packages; p; p = p->next) {
			char *key = fw_format("%s:%s", p->name, p->arch);
			document_item(out, key);
			fw_free(key);
			document_field(out, "version", p->evr);
			document_field(
				out, "source", strcmp(p->source, p->name) == 0 ? "" : p->source);
			document_field(out, "origin", p->from ? p->from->id : "");
			give_others(p, out);
		}
}
