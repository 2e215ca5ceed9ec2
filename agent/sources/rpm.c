/* SPDX-License-Identifier: Apache-2.0 */
/* Packages of rpm, and what yum, dnf or zypper would upgrade.
 *
 * A repository that is enabled and was never fetched, cannot be read or was not looked
 * at for three days proves nothing: then fenwatch_patch_source_ok is 0, what was counted
 * stands as the least there is, and a count of zero is not given. As long as no file has
 * another size or time, the table of the read before is counted again.
 */
#include "parse.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <fenwatch/mem.h>

#include "patches.h"
#include "rpmmd.h"
#include "rpmrestarts.h"
#include "rpmset.h"

#define DAY_S INT64_C(86400)
/* Vendors of rpm's systems may have nothing for weeks. */
#define RPM_FROZEN_S (30 * DAY_S)

enum { UPGRADES, HELD, REBOOT, REBOOT_SINCE, PENDING, SOURCE_OK };

static const struct metric metrics[] = {
	[UPGRADES] = {"yum_upgrades_pending", FW_GAUGE, "",
		"Packages that yum, dnf or zypper would upgrade, by repository.", 0, 1},
	[HELD] = PATCHES_HELD,
	[REBOOT] = PATCHES_REBOOT,
	[REBOOT_SINCE] = PATCHES_REBOOT_SINCE,
	[PENDING] = PATCHES_PENDING,
	[SOURCE_OK] = PATCHES_SOURCE_OK,
};

static const char *const severities[] = {
	"", "critical", "important", "high", "moderate", "medium", "low"};

struct origin {
	char id[128];
	uint32_t n;
};

/* What the table comes to, just made or of the read before. */
struct tally {
	uint32_t pending[RPM_CLASSES][COUNT(severities)];
	struct origin origins[RPM_REPOS_LIMIT];
	size_t n_origins;
	uint32_t held;
	bool kernel_waits, package_waits;
	int64_t kernel_s, package_s; /* the earliest; 0: not known */
	bool proven;
};

struct reading {
	struct machine *m;
	struct rpm_repos *repos;
	struct rpm_holds *holds;
	struct rpm_modules *modules;
	struct rpm_vendors *vendors; /* of zypper's; NULL */
	struct rpm_set *set;
	struct patches *patches;
	struct fw_buf
		restarts; /* files that were replaced and are still run, as restarts.h has it */
	struct facts_libraries replaced;
	const char *restarts_why; /* that proves nothing; NULL: it does */
	const char *database;
	char release[256];
	int64_t booted_s;
	uint64_t fingerprint;
	struct tally tally;
	int rc;
};

/* ---- counting ---- */

static size_t index_of(const char *word, const char *const *words, size_t n)
{
	size_t i = 0;
	while (i < n && strcmp(words[i], word) != 0)
		i++;
	return i < n ? i : 0;
}

static void count_origin(struct tally *t, const char *id)
{
	size_t i = 0;
	while (i < t->n_origins && strcmp(t->origins[i].id, id) != 0)
		i++;
	if (i == RPM_REPOS_LIMIT)
		return;
	if (i == t->n_origins)
		snprintf(t->origins[t->n_origins++].id, sizeof t->origins[i].id, "%s", id);
	t->origins[i].n++;
}

static void count_waiting(struct tally *t, const char *name, int64_t at_s)
{
	bool kernel = rpmset_is_kernel(name);
	int64_t *first_s = kernel ? &t->kernel_s : &t->package_s;
	if (at_s && (!*first_s || at_s < *first_s))
		*first_s = at_s;
	t->kernel_waits = t->kernel_waits || kernel;
	t->package_waits = t->package_waits || !kernel;
}

static void count_pending(struct tally *t, const char *class, const char *severity,
	const char *origin, bool held, bool upgrade)
{
	t->held += held;
	t->pending[index_of(class, rpm_classes, RPM_CLASSES)]
		  [index_of(severity, severities, COUNT(severities))]++;
	if (upgrade)
		count_origin(t, origin);
}

/* An item of the table before, which holds as nothing has changed. */
static int on_item(const struct fw_item *item, void *arg)
{
	struct tally *t = arg;
	char name[256];
	const char *state = fw_item_value(item, "state"), *waits = fw_item_value(item, "waits");
	const char *colon = strrchr(item->key, ':');
	uint64_t at_s = 0;
	if (strcmp(item->key, "source/rpm") == 0)
		t->proven = strcmp(state, "ok") == 0;
	if (!colon || strncmp(item->key, "source/", strlen("source/")) == 0)
		return 0;
	snprintf(name, sizeof name, "%.*s", (int)(colon - item->key), item->key);
	bool unfinished = strcmp(state, "unfinished") == 0;
	if (strcmp(fw_item_value(item, "needs"), "restart") != 0 && (unfinished || waits[0]))
		count_waiting(t, name, fw_parse_u64(waits, &at_s) == 0 ? (int64_t)at_s : 0);
	if (!unfinished)
		count_pending(t, fw_item_value(item, "class"), fw_item_value(item, "severity"),
			fw_item_value(item, "origin"), strcmp(state, "held") == 0,
			strcmp(state, "pending") == 0 && !fw_item_value(item, "replaces")[0]);
	return 0;
}

/* ---- working it out ---- */

static void on_installed(const struct rpm_installed *package, void *arg)
{
	struct reading *r = arg;
	int rc = rpmset_add_installed(r->set, package);
	if (rc < 0)
		r->rc = rc;
}

static void on_fix(const struct rpm_fix *fix, void *arg)
{
	struct reading *r = arg;
	char origin[192];
	snprintf(origin, sizeof origin, "rpm/%s", fix->repo->id);
	count_pending(&r->tally, rpm_classes[fix->class], fix->severity, fix->repo->id, fix->held,
		!fix->held && !fix->replaces);
	if (fix->waits_s)
		count_waiting(&r->tally, fix->name, fix->waits_s);
	patches_add(r->patches,
		&(struct patch){
			.name = fix->name,
			.arch = fix->arch,
			.installed = fix->installed,
			.candidate = fix->candidate,
			.source = fix->source[0] ? fix->source : fix->name,
			.origin = fix->repo->id,
			.class = rpm_classes[fix->class],
			.state = fix->held ? "held" : "pending",
			.severity = fix->severity,
			.advisory = fix->advisories,
			.replaces = fix->replaces,
			.needs_reboot = fix->reboot,
			.released_s = fix->released_s,
			.date_before_s = patches_date_before(r->patches, origin),
			.waits_s = fix->waits_s,
		});
}

static void on_waiting(const struct rpm_waiting *waiting, void *arg)
{
	struct reading *r = arg;
	count_waiting(&r->tally, waiting->name, waiting->at_s);
	patches_add_unfinished(
		r->patches, waiting->name, waiting->arch, waiting->evr, waiting->at_s);
}

/* What the first process runs waits for the next start. */
static void on_restart(const struct rpmrestart *restart, void *arg)
{
	struct reading *r = arg;
	struct rpm_waiting is;
	if (!rpmset_untold(r->set, restart->package, restart->arch, &is))
		return;
	if (restart->in_init)
		on_waiting(&is, r);
	else
		patches_add_unrestarted(
			r->patches, is.name, is.arch, is.evr, is.at_s, restart->services);
}

static void read_repos(struct reading *r)
{
	for (size_t i = 0; i < r->repos->n; i++) {
		struct rpm_repo *repo = &r->repos->repos[i];
		if (!repo->lost[RPM_MODULES] &&
			rpmmd_read_modules(r->set, r->m, repo, r->modules) < 0)
			repo->why = "modules";
	}
	rpmmodules_settle(r->modules);
	for (size_t i = 0; i < r->repos->n; i++) {
		struct rpm_repo *repo = &r->repos->repos[i];
		bool has = repo->files[RPM_PRIMARY] || repo->files[RPM_PRIMARY_DB];
		if (has && rpmmd_read_packages(r->set, r->m, repo) < 0)
			repo->why = "unreadable";
	}
	for (size_t i = 0; i < r->repos->n; i++) {
		struct rpm_repo *repo = &r->repos->repos[i];
		if (rpmmd_read_advisories(r->set, r->m, repo, r->modules) < 0)
			repo->why = "unreadable";
	}
}

/* zypper's repositories stay as they were released; fixes come in others, with advisories. */
static bool has_updates(const struct reading *r, int64_t *dated_s)
{
	bool any = false;
	for (size_t i = 0; i < r->repos->n; i++) {
		const struct rpm_repo *repo = &r->repos->repos[i];
		if (repo->medium || (!repo->files[RPM_UPDATEINFO] && !repo->lost[RPM_UPDATEINFO]))
			continue;
		any = true;
		if (repo->date_s > *dated_s)
			*dated_s = repo->date_s;
	}
	return any;
}

/* Why all of them together prove nothing; NULL: they may. */
static const char *why_in_vain(const struct reading *r)
{
	int64_t dated_s = 0;
	if (r->repos->n == 0)
		return "none";
	if (r->repos->too_many)
		return "unreadable";
	if (!rpmset_base(r->set, &dated_s) || (r->repos->zypp && !has_updates(r, &dated_s)))
		return "base";
	return dated_s && r->m->now_ms / 1000 - dated_s > RPM_FROZEN_S ? "frozen" : NULL;
}

/* The first reason there is, and the oldest look that anybody took. */
static void give_proof(struct reading *r)
{
	const char *why = why_in_vain(r);
	int64_t fetched_s = 0;
	for (size_t i = 0; i < r->repos->n; i++) {
		const struct rpm_repo *repo = &r->repos->repos[i];
		char source[192];
		snprintf(source, sizeof source, "rpm/%s", repo->id);
		patches_add_proof(r->patches, source, repo->why, repo->fetched_s, repo->date_s);
		why = why ? why : repo->why;
		if (repo->fetched_s && (!fetched_s || repo->fetched_s < fetched_s))
			fetched_s = repo->fetched_s;
	}
	patches_add_proof(r->patches, "rpm", why, fetched_s, 0);
	patches_add_proof(r->patches, "restarts", r->restarts_why, 0, 0);
	r->tally.proven = why == NULL;
}

static int give_tables(struct reading *r, struct fw_err *err)
{
	struct document *inventory = document_begin(r->m, "packages");
	document_made_from(inventory, r->fingerprint);
	rpmset_inventory(r->set, inventory);
	r->patches = patches_begin(r->m, r->fingerprint);
	rpmset_each_fix(r->set, on_fix, r);
	rpmset_each_waiting(r->set, on_waiting, r);
	int rc = rpmrestarts_each(r->m, r->database, &r->replaced, on_restart, r, err);
	give_proof(r);
	patches_end(r->patches, r->m);
	return rc;
}

static int work_out(struct reading *r, struct fw_err *err)
{
	r->set = rpmset_new(r->release, r->booted_s);
	rpmset_set_rules(r->set, r->holds, r->modules, r->vendors);
	int rc = rpmquery_installed(r->m, r->database, on_installed, r, err);
	if (rc == 0 && r->rc < 0)
		rc = fw_fail(err, r->rc, "more packages than %d", RPM_PACKAGES_LIMIT);
	if (rc == 0) {
		rpmset_index(r->set);
		read_repos(r);
		rc = give_tables(r, err);
	}
	rpmset_free(r->set);
	return rc;
}

/* ---- reading ---- */

static void read_start(struct reading *r)
{
	struct fw_cursor c, line;
	const char *release;
	if (machine_read_line(r->m, "proc/sys/kernel/osrelease", &release) == 0)
		snprintf(r->release, sizeof r->release, "%s", release);
	if (machine_read(r->m, "proc/stat", &c) == 0)
		while (fw_cut_line(&c, &line))
			if (fw_cut_literal(&line, "btime "))
				fw_cut_i64(&line, &r->booted_s);
	rpmrepos_mix(&r->fingerprint, r->release, strlen(r->release));
	rpmrepos_mix(&r->fingerprint, &r->booted_s, sizeof r->booted_s);
	/* What was made when grows older by the day. */
	int64_t day = r->m->now_ms / (1000 * DAY_S);
	rpmrepos_mix(&r->fingerprint, &day, sizeof day);
}

static int look_at_files(struct reading *r, struct fw_err *err)
{
	struct machine_file status;
	if (machine_stat(r->m, "var/lib/dpkg/status", &status) == 0 && status.size > 0)
		return fw_fail(err, -ENODATA, "this machine's packages are dpkg's");
	r->repos = rpmrepos_read(r->m);
	r->fingerprint = r->repos->fingerprint;
	r->database = rpmquery_database(r->m, &r->fingerprint);
	if (!r->database)
		return fw_fail(err, -ENODATA, "this machine has no database of rpm's");
	r->holds = rpmholds_read(r->m, r->repos, &r->fingerprint);
	r->modules = rpmmodules_read(r->m, &r->fingerprint);
	if (r->repos->zypp)
		r->vendors = rpmvendors_read(r->m, &r->fingerprint);
	read_start(r);
	r->restarts_why = restarts_load(r->m, &r->restarts, &r->replaced);
	rpmrepos_mix(&r->fingerprint, r->restarts.data, r->restarts.length);
	return 0;
}

static bool is_known(struct reading *r)
{
	return document_is_kept(r->m, "packages", r->fingerprint) &&
		document_is_kept(r->m, "patches", r->fingerprint) &&
		document_before(r->m, "patches", on_item, &r->tally) == 0;
}

static void add_class(struct sweep *out, size_t kind, const char *severity, uint32_t n)
{
	if (severity[0])
		sweep_add(out, &metrics[PENDING], n,
			SWEEP_LABELS(
				"class", rpm_classes[kind], "severity", severity, "source", "rpm"));
	else
		sweep_add(out, &metrics[PENDING], n,
			SWEEP_LABELS("class", rpm_classes[kind], "source", "rpm"));
}

static void add_pending(const struct tally *t, struct sweep *out)
{
	for (size_t kind = 0; kind < RPM_CLASSES; kind++) {
		uint32_t all = 0;
		for (size_t i = 0; i < COUNT(severities); i++) {
			all += t->pending[kind][i];
			if (t->pending[kind][i])
				add_class(out, kind, severities[i], t->pending[kind][i]);
		}
		if (all == 0 && t->proven)
			add_class(out, kind, "", 0);
	}
}

static void add_upgrades(const struct tally *t, struct sweep *out)
{
	for (size_t i = 0; i < t->n_origins; i++)
		sweep_add(out, &metrics[UPGRADES], t->origins[i].n,
			SWEEP_LABELS("origin", t->origins[i].id));
	if (t->n_origins == 0 && t->proven)
		sweep_add_plain(out, &metrics[UPGRADES], 0);
}

/* SUSE's, and one that administrators' own scripts write. */
static int64_t find_flag_ms(struct machine *m)
{
	static const char *const flags[] = {"run/reboot-needed", "var/run/reboot-needed",
		"run/reboot-required", "var/run/reboot-required"};
	struct machine_file file;
	for (size_t i = 0; i < COUNT(flags); i++)
		if (machine_stat(m, flags[i], &file) == 0)
			return file.mtime_ms;
	return 0;
}

static void add_since(struct sweep *out, const char *detector, int64_t at_ms)
{
	if (at_ms)
		sweep_add(out, &metrics[REBOOT_SINCE], at_ms, SWEEP_LABELS("detector", detector));
}

static void add_all(const struct tally *t, struct machine *m, struct sweep *out)
{
	int64_t flag_ms = find_flag_ms(m);
	add_upgrades(t, out);
	add_pending(t, out);
	if (t->held || t->proven)
		sweep_add(out, &metrics[HELD], t->held, SWEEP_LABELS("source", "rpm"));
	sweep_add_plain(out, &metrics[REBOOT], flag_ms != 0 || t->kernel_waits || t->package_waits);
	add_since(out, "flag", flag_ms);
	add_since(out, "kernel", t->kernel_s * 1000);
	add_since(out, "package", t->package_s * 1000);
	sweep_add(out, &metrics[SOURCE_OK], t->proven, SWEEP_LABELS("source", "rpm"));
}

static int read_rpm(void *state, struct machine *m, struct sweep *out, struct fw_err *err)
{
	(void)state;
	struct reading *r = fw_alloc(sizeof *r);
	r->m = m;
	int rc = look_at_files(r, err);
	if (rc == 0 && !is_known(r)) {
		r->tally = (struct tally){.proven = false};
		rc = work_out(r, err);
	}
	if (rc == 0)
		add_all(&r->tally, m, out);
	fw_buf_done(&r->restarts);
	rpmvendors_free(r->vendors);
	rpmmodules_free(r->modules);
	rpmholds_free(r->holds);
	rpmrepos_free(r->repos);
	fw_free(r);
	return rc;
}

static const char *const documents[] = {"packages", "patches", NULL};

const struct source source_rpm = {
	.name = "rpm",
	.help = "Updates that yum, dnf or zypper know of, security among them, and whether to "
		"reboot.",
	.purpose =
		"Whether security updates are installed in time, which Cyber Essentials asks for.",
	.reads =
		"rpm -qa, rpm -qf, /etc/yum.repos.d, /etc/dnf, /etc/zypp, /var/cache/dnf, /var/cache/yum, "
		"/var/cache/zypp, /run/reboot-needed",
	.needs = "rpm, and yum, dnf or zypper",
	.slow = true,
	.every_s = 300,
	.timeout_s = 120,
	.metrics = metrics,
	.n_metrics = COUNT(metrics),
	.documents = documents,
	.read = read_rpm,
};
