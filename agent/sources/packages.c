/* SPDX-License-Identifier: Apache-2.0 */
/* Packages of dpkg and apt.
 *
 * A list of apt's that is missing, older than three days or cannot be read
 * proves nothing: then fenwatch_patch_source_ok is 0, what was counted stands as
 * the least there is, and a count of zero is not given. Working it out takes
 * reading tens of megabytes, so the outcome is kept in the agent's data folder
 * until one of the files has another size or time.
 */
#include "parse.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include <fenwatch/file.h>
#include <fenwatch/mem.h>

#include "apt.h"
#include "aptcache.h"
#include "aptfixes.h"
#include "aptrestarts.h"
#include "patches.h"

enum {
	UPGRADES,
	HELD,
	SECURITY,
	PER_ORIGIN,
	OBSOLETE,
	CACHE_TIME,
	REBOOT,
	REBOOT_SINCE,
	PENDING,
	ON_HOLD,
	SOURCE_OK,
};

static const struct metric metrics[] = {
	[UPGRADES] = {"apt_upgrades_pending", FW_GAUGE, "",
		"Apt packages pending updates by origin.", 0, 1},
	[HELD] = {"apt_upgrades_held", FW_GAUGE, "", "Apt packages pending updates but held back.",
		0, 1},
	[SECURITY] = {"apt_security_upgrades_pending", FW_GAUGE, "",
		"Apt packages pending security updates.", 0, 1},
	[PER_ORIGIN] = {"apt_packages_per_origin", FW_GAUGE, "",
		"Installed packages by where their version is from.", 0, 1},
	[OBSOLETE] = {"apt_packages_obsolete", FW_GAUGE, "",
		"Installed packages that are in no list.", 0, 1},
	[CACHE_TIME] = {"apt_package_cache_timestamp_seconds", FW_GAUGE, "seconds",
		"When apt last fetched its lists.", 3, 1},
	[REBOOT] = PATCHES_REBOOT,
	[REBOOT_SINCE] = PATCHES_REBOOT_SINCE,
	[PENDING] = PATCHES_PENDING,
	[ON_HOLD] = PATCHES_HELD,
	[SOURCE_OK] = PATCHES_SOURCE_OK,
};

#define LISTS "var/lib/apt/lists"
#define OLD_MS ((int64_t)3 * 24 * 3600 * 1000)
#define AHEAD_MS ((int64_t)24 * 3600 * 1000)
#define FILES_LIMIT 1024
#define DAY_S 86400

/* What the files say, and what it was read from. */
struct packages {
	struct fw_arena text;
	const char *lists[FILES_LIMIT], *releases[FILES_LIMIT];
	int64_t answered_ms[FILES_LIMIT]; /* the archive of a Release file; 0: nothing tells */
	uint32_t n_lists, n_releases;
	uint64_t fingerprint;
	int64_t fetched_ms, now_s;
	bool status_whole;
	bool old; /* fetched too long ago, or at a time that has not been yet */
	struct apt_outcome outcome;
	struct fw_buf
		restarts; /* files that were replaced and are still run; as restarts.h has it */
	struct facts_libraries replaced;
	const char *restarts_why;  /* that proves nothing; NULL: it does */
	struct apt_outcome before; /* of the read before, and of which files */
	uint64_t before_fingerprint;
	bool has_before;
};

static void mix(struct packages *p, const void *data, size_t length)
{
	for (size_t i = 0; i < length; i++)
		p->fingerprint = (p->fingerprint ^ ((const uint8_t *)data)[i]) * 1099511628211u;
}

static int mix_file(struct packages *p, struct machine *m, const char *path)
{
	struct machine_file file;
	int rc = machine_stat(m, path, &file);
	mix(p, path, strlen(path) + 1);
	if (rc == 0)
		mix(p, &file, sizeof file);
	return rc;
}

static bool ends_in(const char *text, const char *end)
{
	size_t length = strlen(text), tail = strlen(end);
	return length >= tail && strcmp(text + length - tail, end) == 0;
}

static bool is_old(int64_t at_ms, int64_t now_ms)
{
	return now_ms - at_ms > OLD_MS || at_ms - now_ms > AHEAD_MS;
}

/* apt sets the rights of a signed Release file anew whenever the archive has answered, also
 * that there is nothing new. Its other times are the server's, and looking in vain touches
 * folders too. */
static int64_t find_answer_ms(struct machine *m, const char *release)
{
	struct machine_file file, signature;
	char path[512];
	snprintf(path, sizeof path, LISTS "/%s.gpg", release);
	bool is_signed = ends_in(release, "_InRelease") || machine_stat(m, path, &signature) == 0;
	snprintf(path, sizeof path, LISTS "/%s", release);
	return is_signed && machine_stat(m, path, &file) == 0 ? file.touched_ms : 0;
}

static void add_release(struct packages *p, struct machine *m, const char *name)
{
	p->answered_ms[p->n_releases] = find_answer_ms(m, name);
	p->releases[p->n_releases++] = fw_arena_strdup(&p->text, name);
}

static int on_list(struct machine *m, const char *name, void *arg)
{
	struct packages *p = arg;
	char path[512];
	bool is_list = strstr(name, "_Packages") != NULL;
	bool is_release = ends_in(name, "_InRelease") || ends_in(name, "_Release");
	if (!is_list && !is_release)
		return 0;
	if (p->n_lists == FILES_LIMIT || p->n_releases == FILES_LIMIT)
		return -EFBIG;
	snprintf(path, sizeof path, LISTS "/%s", name);
	mix_file(p, m, path);
	if (is_list)
		p->lists[p->n_lists++] = fw_arena_strdup(&p->text, name);
	else
		add_release(p, m, name);
	return 0;
}

static int on_preferences(struct machine *m, const char *name, void *arg)
{
	char path[512];
	snprintf(path, sizeof path, "etc/apt/preferences.d/%s", name);
	mix_file(arg, m, path);
	return 0;
}

/* The archive that has not answered for the longest time tells how old all of it is. Where
 * none tells, what apt touches when it has fetched something. */
static int64_t find_fetch_ms(const struct packages *p, struct machine *m)
{
	static const char *const touched[] = {"var/lib/apt/periodic/update-success-stamp", LISTS};
	int64_t oldest_ms = 0, latest_ms = 0;
	struct machine_file file;
	for (uint32_t i = 0; i < p->n_releases; i++)
		if (p->answered_ms[i] && (!oldest_ms || p->answered_ms[i] < oldest_ms))
			oldest_ms = p->answered_ms[i];
	for (size_t i = 0; i < COUNT(touched) && !oldest_ms; i++)
		if (machine_stat(m, touched[i], &file) == 0 && file.mtime_ms > latest_ms)
			latest_ms = file.mtime_ms;
	return oldest_ms ? oldest_ms : latest_ms;
}

static int look_at_files(struct packages *p, struct machine *m, struct fw_err *err)
{
	static const char *const running[] = {
		"proc/sys/kernel/osrelease", "proc/sys/kernel/version"};
	const char *line;
	struct machine_file status;
	p->fingerprint = 14695981039346656037u;
	if (machine_stat(m, "var/lib/dpkg/status", &status) < 0 || status.size == 0)
		return fw_fail(err, -ENODATA, "this machine has no /var/lib/dpkg/status");
	mix_file(p, m, "var/lib/dpkg/status");
	mix_file(p, m, "run/reboot-required");
	mix_file(p, m, "run/reboot-required.pkgs");
	mix_file(p, m, "etc/apt/preferences");
	machine_list(m, "etc/apt/preferences.d", on_preferences, p);
	for (size_t i = 0; i < COUNT(running); i++)
		if (machine_read_line(m, running[i], &line) == 0)
			mix(p, line, strlen(line));
	p->restarts_why = restarts_load(m, &p->restarts, &p->replaced);
	mix(p, p->restarts.data, p->restarts.length);
	int rc = machine_list(m, LISTS, on_list, p);
	p->fetched_ms = find_fetch_ms(p, m);
	p->old = is_old(p->fetched_ms, m->now_ms);
	/* Lists that are the same were still fetched: the table tells when. */
	mix(p, &p->fetched_ms, sizeof p->fetched_ms);
	mix(p, &p->old, sizeof p->old);
	/* What was made when grows older by the day. */
	p->now_s = m->now_ms / 1000;
	int64_t day = p->now_s / DAY_S;
	mix(p, &day, sizeof day);
	return rc < 0 && rc != -ENOENT ? fw_fail_sys(err, rc, "/" LISTS) : 0;
}

static void read_archive(struct machine *m, const char *release, struct apt_archive *out)
{
	char path[512];
	snprintf(path, sizeof path, LISTS "/%s", release);
	*out = (struct apt_archive){.origin = ""};
	int fd = fw_openat(m->root, path, O_RDONLY | O_NONBLOCK, 0);
	if (fd < 0)
		return;
	apt_read_release(fd, out);
	fw_close(fd);
}

/* The Release file whose name, without its ending, the list's begins with. */
static void find_archive(
	const struct packages *p, struct machine *m, const char *list, struct apt_archive *out)
{
	const char *best = NULL;
	size_t longest = 0;
	for (uint32_t i = 0; i < p->n_releases; i++) {
		size_t base = (size_t)(strrchr(p->releases[i], '_') - p->releases[i]);
		if (base > longest && strncmp(list, p->releases[i], base) == 0 &&
			list[base] == '_') {
			best = p->releases[i];
			longest = base;
		}
	}
	*out = (struct apt_archive){.origin = ""};
	if (best)
		read_archive(m, best, out);
}

/* "apt/NAME" of the archive that has not answered for the longest time, where it is too long. */
static void name_oldest(const struct packages *p, struct machine *m, struct fw_buf *out)
{
	struct apt_archive archive;
	char name[APT_ORIGIN_TEXT];
	for (uint32_t i = 0; i < p->n_releases && p->old; i++) {
		if (p->answered_ms[i] != p->fetched_ms || out->length)
			continue;
		read_archive(m, p->releases[i], &archive);
		apt_name_archive(&archive, name);
		fw_buf_printf(out, "apt/%s", name);
	}
}

static int read_status(struct packages *p, struct apt *apt, struct machine *m, struct fw_err *err)
{
	int fd = fw_openat(m->root, "var/lib/dpkg/status", O_RDONLY | O_NONBLOCK, 0);
	if (fd < 0)
		return fw_fail_sys(err, fd, "/var/lib/dpkg/status");
	int rc = apt_read_status(apt, fd, err);
	fw_close(fd);
	p->status_whole = rc == 0;
	p->outcome.n_unreadable += rc > 0;
	return rc < 0 ? rc : 0;
}

static void read_preferences_file(struct apt *apt, struct machine *m, const char *path)
{
	int fd = fw_openat(m->root, path, O_RDONLY | O_NONBLOCK, 0);
	if (fd < 0)
		return;
	apt_read_preferences(apt, fd);
	fw_close(fd);
}

/* apt passes over names with an ending of another kind. */
static int on_preferences_read(struct machine *m, const char *name, void *arg)
{
	char path[512];
	snprintf(path, sizeof path, "etc/apt/preferences.d/%s", name);
	if (!strchr(name, '.') || ends_in(name, ".pref"))
		read_preferences_file(arg, m, path);
	return 0;
}

static void read_list(struct packages *p, struct apt *apt, struct machine *m, const char *name)
{
	struct apt_archive archive;
	char path[512];
	find_archive(p, m, name, &archive);
	snprintf(path, sizeof path, LISTS "/%s", name);
	int fd = fw_openat(m->root, path, O_RDONLY | O_NONBLOCK, 0);
	int rc = fd < 0 ? fd : apt_read_list(apt, fd, name, &archive, NULL);
	p->outcome.n_unreadable += rc < 0;
	if (fd >= 0)
		fw_close(fd);
}

/* NULL: what is known of updates is whole and fresh. */
static const char *why_unproven(const struct packages *p)
{
	if (p->n_lists == 0)
		return "none";
	if (p->outcome.n_unreadable)
		return "unreadable";
	if (p->outcome.summary.lacks_security)
		return "security";
	if (p->old)
		return "old";
	int64_t dated_s = p->outcome.summary.dated_s;
	return dated_s && p->now_s - dated_s > PATCHES_FROZEN_S ? "frozen" : NULL;
}

/* dpkg writes a package's list of files when it installs it. */
static int64_t find_installed_s(struct machine *m, const struct apt_kernel *kernel)
{
	struct machine_file file;
	char path[512];
	snprintf(path, sizeof path, "var/lib/dpkg/info/%s.list", kernel->package);
	return machine_stat(m, path, &file) == 0 ? file.mtime_ms / 1000 : 0;
}

static bool find_kernel(
	struct packages *p, const struct apt *apt, struct machine *m, struct apt_kernel *out)
{
	char release[APT_TEXT];
	const char *line;
	if (machine_read_line(m, "proc/sys/kernel/osrelease", &line) < 0)
		return false;
	snprintf(release, sizeof release, "%s", line);
	if (machine_read_line(m, "proc/sys/kernel/version", &line) < 0)
		line = "";
	p->outcome.newer_kernel = apt_has_newer_kernel(apt, release, line, out);
	if (p->outcome.newer_kernel)
		p->outcome.kernel_s = find_installed_s(m, out);
	return p->outcome.newer_kernel;
}

static void give_inventory(struct packages *p, const struct apt *apt, struct machine *m)
{
	struct apt_kernel kernel;
	struct machine_file file;
	struct fw_buf oldest = {0};
	bool newer = find_kernel(p, apt, m, &kernel);
	name_oldest(p, m, &oldest);
	const struct aptfixes from = {
		.before = p->has_before ? &p->before.summary : NULL,
		.made_from = p->fingerprint,
		.reboot_flag = machine_stat(m, "run/reboot-required", &file) == 0,
		.kernel = newer ? &kernel : NULL,
		.kernel_s = p->outcome.kernel_s,
		.why = why_unproven(p),
		.fetched_s = p->fetched_ms / 1000,
		.oldest = oldest.length ? (const char *)oldest.data : NULL,
		.replaced = &p->replaced,
		.restarts_why = p->restarts_why,
	};
	if (p->status_whole) {
		struct document *inventory = document_begin(m, "packages");
		document_made_from(inventory, p->fingerprint);
		apt_inventory(apt, inventory);
	}
	aptfixes_give(apt, m, &from);
	fw_buf_done(&oldest);
}

static int work_out(struct packages *p, struct machine *m, struct fw_err *err)
{
	const char *id;
	struct apt *apt = apt_new();
	int rc = read_status(p, apt, m, err);
	if (rc == 0) {
		if (machine_read_line(m, "etc/machine-id", &id) == 0)
			apt_set_machine_id(apt, id);
		read_preferences_file(apt, m, "etc/apt/preferences");
		machine_list(m, "etc/apt/preferences.d", on_preferences_read, apt);
		for (uint32_t i = 0; i < p->n_lists; i++)
			read_list(p, apt, m, p->lists[i]);
		apt_summarise(apt, &p->outcome.summary);
		give_inventory(p, apt, m);
	}
	apt_free(apt);
	return rc;
}

static void add_origins(const struct packages *p, bool proven, struct sweep *out)
{
	uint32_t pending = 0;
	for (uint32_t i = 0; i < p->outcome.summary.n_origins; i++) {
		const struct apt_origin *o = &p->outcome.summary.origins[i];
		const char *const labels[] = {"arch", o->arch, "origin", o->text, NULL};
		pending += o->pending;
		if (o->installed)
			sweep_add(out, &metrics[PER_ORIGIN], o->installed, labels);
		if (o->pending)
			sweep_add(out, &metrics[UPGRADES], o->pending, labels);
	}
	if (pending == 0 && proven)
		sweep_add_plain(out, &metrics[UPGRADES], 0);
}

static void add_unless_unproven(
	struct sweep *out, size_t metric, uint32_t count, bool proven, const char *class)
{
	if (count == 0 && !proven)
		return;
	if (class)
		sweep_add(out, &metrics[metric], count,
			SWEEP_LABELS("class", class, "source", "apt"));
	else
		sweep_add_plain(out, &metrics[metric], count);
}

static void on_restart(const struct aptrestart *restart, void *arg)
{
	int64_t *since_s = arg;
	if (restart->in_init && (*since_s == 0 || restart->installed_s < *since_s))
		*since_s = restart->installed_s;
}

/* Since when the first process runs a file that was replaced, and of whose package
 * dpkg knows when; 0: it does not. */
static int64_t find_init_s(const struct packages *p, struct machine *m)
{
	int64_t since_s = 0;
	bool any = false;
	for (size_t i = 0; i < p->replaced.n; i++)
		any |= p->replaced.library[i].in_init;
	if (any)
		aptrestarts_each(m, &p->replaced, on_restart, &since_s);
	return since_s;
}

static void add_reboot(const struct packages *p, struct machine *m, struct sweep *out)
{
	struct machine_file file;
	int64_t init_s = find_init_s(p, m);
	bool flag = machine_stat(m, "run/reboot-required", &file) == 0 ||
		machine_stat(m, "var/run/reboot-required", &file) == 0;
	sweep_add_plain(out, &metrics[REBOOT], flag || p->outcome.newer_kernel || init_s);
	if (flag)
		sweep_add(out, &metrics[REBOOT_SINCE], file.mtime_ms,
			SWEEP_LABELS("detector", "flag"));
	if (p->outcome.newer_kernel && p->outcome.kernel_s)
		sweep_add(out, &metrics[REBOOT_SINCE], p->outcome.kernel_s * 1000,
			SWEEP_LABELS("detector", "kernel"));
	if (init_s)
		sweep_add(out, &metrics[REBOOT_SINCE], init_s * 1000,
			SWEEP_LABELS("detector", "libraries"));
}

static void add_all(const struct packages *p, struct machine *m, struct sweep *out)
{
	const struct apt_summary *s = &p->outcome.summary;
	bool whole = p->n_lists > 0 && p->outcome.n_unreadable == 0;
	bool proven = !why_unproven(p);
	add_origins(p, proven, out);
	add_unless_unproven(out, HELD, s->held, proven, NULL);
	add_unless_unproven(out, SECURITY, s->security_upgrades, proven, NULL);
	if (s->held || proven)
		sweep_add(out, &metrics[ON_HOLD], s->held, SWEEP_LABELS("source", "apt"));
	for (size_t i = 0; i < APT_CLASSES; i++)
		add_unless_unproven(out, PENDING, s->pending[i], proven, apt_classes[i]);
	if (whole)
		sweep_add_plain(out, &metrics[OBSOLETE], s->obsolete);
	if (p->fetched_ms)
		sweep_add_plain(out, &metrics[CACHE_TIME], p->fetched_ms);
	add_reboot(p, m, out);
	sweep_add(out, &metrics[SOURCE_OK], proven, SWEEP_LABELS("source", "apt"));
}

/* Worked out before of the same files, and the inventory given. */
static bool is_known(struct packages *p, struct machine *m)
{
	p->has_before = m->var && aptcache_load(m->var, &p->before_fingerprint, &p->before);
	if (!p->has_before || p->before_fingerprint != p->fingerprint ||
		!document_is_kept(m, "packages", p->fingerprint) ||
		!document_is_kept(m, "patches", p->fingerprint))
		return false;
	p->outcome = p->before;
	return true;
}

static int read_packages(void *state, struct machine *m, struct sweep *out, struct fw_err *err)
{
	(void)state;
	struct packages *p = fw_alloc(sizeof *p);
	int rc = look_at_files(p, m, err);
	if (rc == 0 && !is_known(p, m)) {
		rc = work_out(p, m, err);
		if (rc == 0 && m->var)
			aptcache_save(m->var, p->fingerprint, &p->outcome);
	}
	if (rc == 0)
		add_all(p, m, out);
	fw_buf_done(&p->restarts);
	fw_arena_done(&p->text);
	fw_free(p);
	return rc;
}

static const char *const documents[] = {"packages", "patches", NULL};

const struct source source_packages = {
	.name = "packages",
	.help = "Updates that dpkg and apt know of, security among them, and whether to reboot.",
	.purpose =
		"Whether security updates are installed in time, which Cyber Essentials asks for.",
	.needs = "dpkg and apt",
	.reads = "/var/lib/dpkg/status, /var/lib/apt, /etc/apt, /run/reboot-required",
	.slow = true,
	.every_s = 300,
	.timeout_s = 120,
	.metrics = metrics,
	.n_metrics = COUNT(metrics),
	.documents = documents,
	.read = read_packages,
};
