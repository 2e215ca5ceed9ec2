/* SPDX-License-Identifier: Apache-2.0 */
#include "apt.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <fenwatch/mem.h>
#include <fenwatch/text.h>
#include <fenwatch/versions.h>

#include "aptphase.h"
#include "aptpins.h"

enum { PRIORITY_INSTALLED = 100, PRIORITY_ARCHIVE = 500, PRIORITY_NOT_AUTOMATIC = 1 };

struct package {
	const char *name, *arch, *version;
	const char *source;    /* NULL: as the name */
	const char *best;      /* the version apt would take: the installed one, or above it */
	int16_t priority;      /* of `best` */
	uint8_t from, is_from; /* index + 1 of an origin: of `best`, and of what is installed */
	bool held, listed;
	bool phased;        /* `best` waits for this machine's turn */
	bool security;      /* an archive for security has a version above the installed one */
	const char *barred; /* by preferences for this package: such a version; NULL: none */
	uint8_t barred_from;
};

struct apt {
	struct fw_arena text;
	struct package *packages;
	uint32_t n_packages, capacity;
	uint32_t *slots; /* by name: index + 1 */
	uint32_t n_slots;
	struct apt_origin origins[APT_ORIGINS_LIMIT];
	uint32_t n_origins;
	struct aptpins pins;
	char native[32]; /* dpkg's own architecture is the machine's */
	char machine_id[40];
	bool has_vendor, has_security; /* Debian's or Ubuntu's archives, and theirs for security */
	int64_t dated_s;               /* of the newest of theirs for security, or of all */
};

struct apt *apt_new(void)
{
	return fw_alloc(sizeof(struct apt));
}

void apt_free(struct apt *a)
{
	if (!a)
		return;
	fw_arena_done(&a->text);
	fw_free(a->packages);
	fw_free(a->slots);
	aptpins_done(&a->pins);
	fw_free(a);
}

void apt_set_machine_id(struct apt *a, const char *id)
{
	snprintf(a->machine_id, sizeof a->machine_id, "%s", id);
}

static uint32_t hash_name(const char *name)
{
	uint32_t hash = 2166136261u;
	for (; *name; name++)
		hash = (hash ^ (uint8_t)*name) * 16777619u;
	return hash;
}

/* Packages of one name, one for each architecture, stand in slots behind one another. */
static void index_packages(struct apt *a)
{
	a->n_slots = 64;
	while (a->n_slots < 2 * a->n_packages)
		a->n_slots *= 2;
	a->slots = fw_alloc_array(a->n_slots, sizeof *a->slots);
	uint32_t mask = a->n_slots - 1;
	for (uint32_t i = 0; i < a->n_packages; i++) {
		uint32_t at = hash_name(a->packages[i].name) & mask;
		while (a->slots[at])
			at = (at + 1) & mask;
		a->slots[at] = i + 1;
	}
}

/* "all" is the machine's own architecture. */
static bool is_arch(const struct apt *a, const char *installed, const char *listed)
{
	const char *own = strcmp(installed, "all") == 0 ? a->native : installed;
	return strcmp(listed, "all") == 0 || strcmp(own, listed) == 0;
}

static struct package *find_package(const struct apt *a, const char *name, const char *arch)
{
	uint32_t mask = a->n_slots - 1;
	for (uint32_t at = hash_name(name) & mask; a->slots[at]; at = (at + 1) & mask) {
		struct package *p = &a->packages[a->slots[at] - 1];
		if (strcmp(p->name, name) == 0 && is_arch(a, p->arch, arch))
			return p;
	}
	return NULL;
}

static struct package *add_package(
	struct apt *a, const char *name, const char *arch, const char *version, bool held)
{
	if (a->n_packages == a->capacity) {
		a->capacity = a->capacity ? a->capacity * 2 : 512;
		a->packages = fw_realloc(a->packages, a->capacity * sizeof *a->packages);
	}
	struct package *p = &a->packages[a->n_packages];
	const struct package *before = a->n_packages ? p - 1 : NULL;
	*p = (struct package){.priority = PRIORITY_INSTALLED, .held = held};
	p->name = fw_arena_strdup(&a->text, name);
	p->arch = before && strcmp(before->arch, arch) == 0 ? before->arch
							    : fw_arena_strdup(&a->text, arch);
	p->version = p->best = fw_arena_strdup(&a->text, version);
	a->n_packages++;
	if (strcmp(name, "dpkg") == 0)
		memcpy(a->native, arch, strlen(arch) + 1);
	return p;
}

/* "glibc (2.36-9)": the version is there where it is another than the package's. */
static void set_source(struct apt *a, struct package *p, char *source)
{
	source[strcspn(source, " ")] = '\0';
	if (source[0] && strcmp(source, p->name) != 0)
		p->source = fw_arena_strdup(&a->text, source);
}

/* "hold ok installed": what is wanted, whether it is sound, what is. */
static bool is_there(const char *status)
{
	const char *last = strrchr(status, ' ');
	return last && strcmp(last, " not-installed") != 0 && strcmp(last, " config-files") != 0;
}

/* Of what is not there any more little may be left. */
static bool is_sound(const char *name, const char *status, const char *arch, const char *version)
{
	return name[0] && status[0] && (!is_there(status) || (arch[0] && version[0]));
}

int apt_read_status(struct apt *a, int fd, struct fw_err *err)
{
	char name[APT_TEXT], status[APT_TEXT], arch[32], version[APT_TEXT], source[APT_TEXT];
	const struct deb822_field fields[] = {
		{"Package", name, sizeof name},
		{"Source", source, sizeof source},
		{"Status", status, sizeof status},
		{"Architecture", arch, sizeof arch},
		{"Version", version, sizeof version},
	};
	struct deb822 *r = deb822_open(fd, "");
	bool whole = true;
	int rc;
	while ((rc = deb822_next(r, fields, sizeof fields / sizeof fields[0])) > 0) {
		whole = whole && is_sound(name, status, arch, version);
		if (!name[0] || !arch[0] || !version[0] || !is_there(status))
			continue;
		if (a->n_packages == APT_PACKAGES_LIMIT) {
			rc = -EFBIG;
			break;
		}
		set_source(a, add_package(a, name, arch, version, strncmp(status, "hold ", 5) == 0),
			source);
	}
	whole = whole && !deb822_is_cut(r);
	deb822_close(r);
	if (rc < 0)
		return fw_fail_sys(err, rc, "/var/lib/dpkg/status");
	if (a->n_packages == 0)
		return fw_fail(err, -EBADMSG, "/var/lib/dpkg/status: it names no package");
	index_packages(a);
	return whole ? 0 : 1;
}

/* "Sat, 21 Nov 2026 00:53:02 UTC", as in mail (RFC 5322) and always in UTC. */
static int64_t date_of(const char *text)
{
	struct tm tm = {0};
	const char *end = strptime(text, "%a, %d %b %Y %H:%M:%S", &tm);
	return end && *end == ' ' ? (int64_t)timegm(&tm) : 0;
}

/* A signed file begins with a paragraph of the signature's. */
int apt_read_release(int fd, struct apt_archive *out)
{
	char not_automatic[8], but_upgrades[8], date[64];
	const struct deb822_field fields[] = {
		{"Origin", out->origin, sizeof out->origin},
		{"Label", out->label, sizeof out->label},
		{"Suite", out->suite, sizeof out->suite},
		{"Codename", out->codename, sizeof out->codename},
		{"NotAutomatic", not_automatic, sizeof not_automatic},
		{"ButAutomaticUpgrades", but_upgrades, sizeof but_upgrades},
		{"Date", date, sizeof date},
	};
	*out = (struct apt_archive){.origin = ""};
	struct deb822 *r = deb822_open(fd, "");
	int rc, paragraphs = 0;
	do {
		rc = deb822_next(r, fields, sizeof fields / sizeof fields[0]);
	} while (rc > 0 && ++paragraphs < 3 && !out->origin[0] && !out->suite[0] &&
		!out->codename[0]);
	deb822_close(r);
	out->not_automatic = strcmp(not_automatic, "yes") == 0;
	out->but_automatic_upgrades = strcmp(but_upgrades, "yes") == 0;
	out->date_s = rc < 0 ? 0 : date_of(date);
	return rc < 0 ? rc : 0;
}

void apt_read_preferences(struct apt *a, int fd)
{
	aptpins_read(&a->pins, fd);
}

static bool is_for_security(const struct apt_archive *archive)
{
	return strcasestr(archive->origin, "security") || strcasestr(archive->label, "security") ||
		strcasestr(archive->suite, "security") || strcasestr(archive->codename, "security");
}

static int16_t usual_priority(const struct apt_archive *archive)
{
	if (!archive->not_automatic)
		return PRIORITY_ARCHIVE;
	return archive->but_automatic_upgrades ? PRIORITY_INSTALLED : PRIORITY_NOT_AUTOMATIC;
}

void apt_name_archive(const struct apt_archive *archive, char out[APT_ORIGIN_TEXT])
{
	snprintf(out, APT_ORIGIN_TEXT, "%s:%s/%s", archive->origin, archive->codename,
		archive->suite);
}

/* The origin's index + 1; those past the limit share the last one. */
static uint8_t origin_of(struct apt *a, const struct apt_archive *archive, const char *arch)
{
	struct apt_origin origin = {
		.date_s = archive->date_s, .security = is_for_security(archive)};
	apt_name_archive(archive, origin.text);
	memcpy(origin.arch, arch, strlen(arch) + 1);
	for (uint32_t i = 0; i < a->n_origins; i++)
		if (strcmp(a->origins[i].text, origin.text) == 0 &&
			strcmp(a->origins[i].arch, arch) == 0) {
			if (a->origins[i].date_s < archive->date_s)
				a->origins[i].date_s = archive->date_s;
			return (uint8_t)(i + 1);
		}
	if (a->n_origins < APT_ORIGINS_LIMIT)
		a->origins[a->n_origins++] = origin;
	return (uint8_t)a->n_origins;
}

/* A paragraph of a list. */
struct listed {
	char name[APT_TEXT], source[2 * APT_TEXT], arch[32], version[APT_TEXT], percentage[8];
};

/* "Source: glibc (2.36-9)", or the package's own name and version. */
static bool is_phased(const struct apt *a, const struct listed *l)
{
	char source[sizeof l->source], version[sizeof l->source];
	uint64_t percentage;
	if (fw_parse_u64(l->percentage, &percentage) < 0 || percentage >= 100)
		return false;
	int n = sscanf(l->source, "%255s (%255[^)])", source, version);
	return aptphase_is_later(n > 0 ? source : l->name, n > 1 ? version : l->version,
		a->machine_id, (unsigned)percentage);
}

/* apt would take it from this archive, were it not for what is said of this very package. */
static bool is_barred(const struct apt *a, const struct package *p, const char *version,
	const struct apt_archive *archive)
{
	return fw_debversion_compare(version, p->barred ? p->barred : p->version) > 0 &&
		aptpins_priority(&a->pins, "", version, archive, usual_priority(archive)) >=
		PRIORITY_ARCHIVE;
}

static void consider(
	struct apt *a, struct package *p, const struct listed *l, const struct apt_archive *archive)
{
	const char *version = l->version, *arch = l->arch;
	p->listed = true;
	int above = fw_debversion_compare(version, p->version);
	if (above < 0)
		return;
	int16_t priority =
		aptpins_priority(&a->pins, p->name, version, archive, usual_priority(archive));
	if (above == 0 && !p->is_from)
		p->is_from = origin_of(a, archive, arch);
	if (is_for_security(archive) && is_barred(a, p, version, archive)) {
		p->barred = fw_arena_strdup(&a->text, version);
		p->barred_from = origin_of(a, archive, arch);
	}
	if (priority < 0 || (above > 0 && priority < PRIORITY_INSTALLED))
		return;
	if (above > 0 && is_for_security(archive))
		p->security = true;
	int better = fw_debversion_compare(version, p->best);
	if (priority < p->priority || (priority == p->priority && better <= 0))
		return;
	p->priority = priority;
	p->phased = above > 0 && is_phased(a, l);
	if (better != 0) {
		p->best = above ? fw_arena_strdup(&a->text, version) : p->version;
		p->from = above ? origin_of(a, archive, arch) : 0;
	}
}

static bool is_vendors(const struct apt_archive *archive)
{
	return strcmp(archive->origin, "Debian") == 0 || strcmp(archive->origin, "Ubuntu") == 0;
}

/* "buster-lts": what is paid for after the vendor's own has ended. */
static bool is_extended(const struct apt_archive *archive)
{
	const char *dash = strrchr(archive->codename, '-');
	return dash && strcmp(dash, "-lts") == 0;
}

/* Whether the vendor's fixes for security are among the lists, and of when. Others call
 * an archive of theirs by that name, too. */
static void note_vendor(struct apt *a, const struct apt_archive *archive)
{
	bool security = is_extended(archive) || (is_vendors(archive) && is_for_security(archive));
	if ((security && !a->has_security) ||
		(security == a->has_security && archive->date_s > a->dated_s))
		a->dated_s = archive->date_s;
	a->has_security = a->has_security || security;
	a->has_vendor = a->has_vendor || is_vendors(archive);
}

int apt_read_list(struct apt *a, int fd, const char *packed_as, const struct apt_archive *archive,
	struct fw_err *err)
{
	struct listed l;
	const struct deb822_field fields[] = {
		{"Package", l.name, sizeof l.name},
		{"Source", l.source, sizeof l.source},
		{"Architecture", l.arch, sizeof l.arch},
		{"Version", l.version, sizeof l.version},
		{"Phased-Update-Percentage", l.percentage, sizeof l.percentage},
	};
	struct deb822 *r = deb822_open(fd, packed_as);
	int rc;
	/* Its date counts also where nothing in it does. */
	origin_of(a, archive, a->native);
	note_vendor(a, archive);
	while ((rc = deb822_next(r, fields, sizeof fields / sizeof fields[0])) > 0) {
		bool is_whole = l.name[0] && l.arch[0] && l.version[0];
		struct package *p = is_whole ? find_package(a, l.name, l.arch) : NULL;
		if (p)
			consider(a, p, &l, archive);
	}
	deb822_close(r);
	return rc < 0 ? fw_fail_sys(err, rc, "a list of apt's") : 0;
}

static bool is_pending(const struct package *p)
{
	return fw_debversion_compare(p->best, p->version) > 0;
}

/* A fix for security that preferences keep away. */
static bool is_withheld(const struct package *p)
{
	return p->barred && fw_debversion_compare(p->best, p->barred) < 0;
}

/* What is for security is for all at once. */
static bool waits_its_turn(const struct package *p)
{
	return p->phased && !p->security;
}

const char *const apt_classes[APT_CLASSES] = {
	[APT_SECURITY] = "security", [APT_BUGFIX] = "bugfix", [APT_UNKNOWN] = "unknown"};

/* "Debian:bookworm/stable" and "Debian:bookworm-security/stable-security". */
static bool is_same_vendor(const struct apt_origin *a, const struct apt_origin *b)
{
	size_t length = strcspn(a->text, ":");
	return length > 0 && strncmp(a->text, b->text, length + 1) == 0;
}

static enum apt_class class_of(const struct apt *a, const struct package *p)
{
	if (p->security)
		return APT_SECURITY;
	const struct apt_origin *from = &a->origins[p->from - 1];
	for (uint32_t i = 0; i < a->n_origins; i++)
		if (a->origins[i].security && is_same_vendor(from, &a->origins[i]))
			return APT_BUGFIX;
	return APT_UNKNOWN;
}

static void summarise_package(const struct apt *a, const struct package *p, struct apt_summary *out)
{
	if (p->is_from)
		out->origins[p->is_from - 1].installed++;
	if (!p->listed)
		out->obsolete++;
	out->pending[APT_SECURITY] += is_withheld(p);
	if (!is_pending(p))
		return;
	out->pending[class_of(a, p)] += !is_withheld(p);
	out->held += p->held;
	if (p->held || waits_its_turn(p))
		return;
	out->security_upgrades += p->security;
	out->origins[p->from - 1].pending++;
}

/* Where the base system is Debian's or Ubuntu's own, or from no list at all. */
static bool lacks_security(const struct apt *a)
{
	const struct package *base = find_package(a, "dpkg", a->native);
	return !a->has_security && (a->has_vendor || !base || !base->listed);
}

void apt_summarise(const struct apt *a, struct apt_summary *out)
{
	*out = (struct apt_summary){.n_origins = a->n_origins,
		.lacks_security = lacks_security(a),
		.dated_s = a->dated_s};
	memcpy(out->origins, a->origins, sizeof out->origins);
	for (uint32_t i = 0; i < a->n_packages; i++)
		summarise_package(a, &a->packages[i], out);
}

void apt_inventory(const struct apt *a, struct document *out)
{
	char key[APT_TEXT + 32];
	for (uint32_t i = 0; i < a->n_packages; i++) {
		const struct package *p = &a->packages[i];
		snprintf(key, sizeof key, "%s:%s", p->name, p->arch);
		document_item(out, key);
		document_field(out, "version", p->version);
		document_field(out, "source", p->source ? p->source : "");
		if (p->is_from)
			document_field(out, "origin", a->origins[p->is_from - 1].text);
	}
}

void apt_fixes(const struct apt *a, void (*each)(const struct apt_fix *fix, void *arg), void *arg)
{
	for (uint32_t i = 0; i < a->n_packages; i++) {
		const struct package *p = &a->packages[i];
		bool withheld = is_withheld(p);
		if (!is_pending(p) && !withheld)
			continue;
		const struct apt_fix fix = {
			.name = p->name,
			.arch = p->arch,
			.source = p->source ? p->source : p->name,
			.installed = p->version,
			.candidate = withheld ? p->barred : p->best,
			.origin = &a->origins[(withheld ? p->barred_from : p->from) - 1],
			.class = withheld ? APT_SECURITY : class_of(a, p),
			.held = p->held || withheld,
			.phased = !withheld && waits_its_turn(p),
		};
		each(&fix, arg);
	}
}

const char *apt_native(const struct apt *a)
{
	return a->native;
}

const char *apt_installed(const struct apt *a, const char *name, const char *arch)
{
	const struct package *p = find_package(a, name, arch);
	return p ? p->version : NULL;
}

#define KERNEL "linux-image-"

/* What follows the version: "-amd64", "-generic". */
static const char *flavour_of(const char *release)
{
	const char *dash = strrchr(release, '-');
	return dash ? dash : "";
}

static bool is_kernel(const struct package *p, const char *flavour)
{
	const char *release = p->name + strlen(KERNEL);
	return strncmp(p->name, KERNEL, strlen(KERNEL)) == 0 && release[0] >= '0' &&
		release[0] <= '9' && strcmp(flavour_of(release), flavour) == 0;
}

/* "#1 SMP PREEMPT_DYNAMIC Debian 6.1.159-1 (2025-12-30)": the package that was built. */
static bool is_older_build(const char *build, const char *installed)
{
	char version[APT_TEXT];
	const char *at = strstr(build, " Debian ");
	return at && sscanf(at, " Debian %127s", version) == 1 &&
		fw_debversion_compare(version, installed) < 0;
}

bool apt_has_newer_kernel(
	const struct apt *a, const char *release, const char *build, struct apt_kernel *out)
{
	const char *flavour = flavour_of(release);
	const struct package *newest = NULL, *running = NULL;
	for (uint32_t i = 0; i < a->n_packages; i++) {
		const struct package *p = &a->packages[i];
		if (!is_kernel(p, flavour))
			continue;
		int order = fw_debversion_compare(p->name + strlen(KERNEL), release);
		if (order == 0)
			running = p;
		if (order > 0 && (!newest || fw_debversion_compare(p->name, newest->name) > 0))
			newest = p;
	}
	if (running && !newest && is_older_build(build, running->version))
		newest = running;
	if (!running || !newest)
		return false;
	*out = (struct apt_kernel){newest->name, newest->arch, newest->version};
	return true;
}
