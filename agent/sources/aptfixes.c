/* SPDX-License-Identifier: Apache-2.0 */
#include "aptfixes.h"

#include <stdio.h>
#include <string.h>

#include <fenwatch/mem.h>
#include <fenwatch/versions.h>

#include "aptrestarts.h"
#include "parse.h"
#include "patches.h"

struct giving {
	const struct apt *apt;
	const struct aptfixes *from;
	struct patches *out;
	char *reboot_packages; /* names of packages, line by line; Ubuntu has it */
	bool has_kernel;       /* the one that waits is told of already */
};

/* ---- what is pending ---- */

static int64_t date_before(const struct giving *g, const struct apt_origin *origin)
{
	const struct apt_summary *before = g->from->before;
	for (uint32_t i = 0; before && i < before->n_origins; i++)
		if (strcmp(before->origins[i].text, origin->text) == 0 && before->origins[i].date_s)
			return before->origins[i].date_s;
	return 0;
}

static bool is_kernel(const char *name)
{
	return strncmp(name, "linux-image", strlen("linux-image")) == 0;
}

static void on_fix(const struct apt_fix *fix, void *arg)
{
	const struct giving *g = arg;
	patches_add(g->out,
		&(struct patch){
			.name = fix->name,
			.arch = fix->arch,
			.installed = fix->installed,
			.candidate = fix->candidate,
			.source = fix->source,
			.origin = fix->origin->text,
			.class = apt_classes[fix->class],
			.needs_reboot = is_kernel(fix->name),
			.state = fix->held    ? "held"
				: fix->phased ? "phased"
					      : "pending",
			.date_before_s = date_before(g, fix->origin),
		});
}

/* ---- what is installed, and not at work ---- */

/* A flag that names nothing may be meant for anything. */
static bool asks_for_reboot(const struct giving *g, const char *name)
{
	if (!g->reboot_packages)
		return true;
	size_t length = strlen(name);
	for (const char *at = g->reboot_packages; at && *at;) {
		size_t line = strcspn(at, "\n");
		if (line == length && strncmp(at, name, length) == 0)
			return true;
		at += line + (at[line] == '\n');
	}
	return false;
}

static bool is_unfinished(const struct giving *g, const char *name)
{
	return g->from->reboot_flag && asks_for_reboot(g, name);
}

/* A kernel's metapackage stands for the kernel that it brought. */
static void carry_on(const struct patch_before *before, void *arg)
{
	struct giving *g = arg;
	const char *installed = apt_installed(g->apt, before->name, before->arch);
	if (!installed || fw_debversion_compare(installed, before->candidate) < 0)
		return;
	bool kernel = is_kernel(before->name);
	if (kernel ? g->from->kernel != NULL : is_unfinished(g, before->name)) {
		patches_add_unfinished(g->out, before->name, before->arch, installed,
			kernel ? g->from->kernel_s : 0);
		g->has_kernel = g->has_kernel || kernel;
	}
}

/* Updated before anybody saw it pending. dpkg writes its list of files when it installs. */
static void add_named(struct giving *g, struct machine *m, const char *name)
{
	char path[512];
	struct machine_file file;
	const char *arch = apt_native(g->apt), *version = apt_installed(g->apt, name, arch);
	if (!version || is_kernel(name))
		return;
	snprintf(path, sizeof path, "var/lib/dpkg/info/%s.list", name);
	int rc = machine_stat(m, path, &file);
	if (rc < 0) {
		snprintf(path, sizeof path, "var/lib/dpkg/info/%s:%s.list", name, arch);
		rc = machine_stat(m, path, &file);
	}
	patches_add_unfinished(g->out, name, arch, version, rc == 0 ? file.mtime_ms / 1000 : 0);
}

static void add_all_named(struct giving *g, struct machine *m)
{
	char name[APT_TEXT];
	if (!g->from->reboot_flag || !g->reboot_packages)
		return;
	struct fw_cursor c = {g->reboot_packages, g->reboot_packages + strlen(g->reboot_packages)};
	struct fw_cursor line;
	while (fw_cut_line(&c, &line))
		if (cut_name(&line, '\n', name, sizeof name))
			add_named(g, m, name);
}

/* dpkg names the files of most packages without an architecture. */
static void on_restart(const struct aptrestart *restart, void *arg)
{
	struct giving *g = arg;
	const char *arch = restart->arch[0] ? restart->arch : apt_native(g->apt);
	const char *version = apt_installed(g->apt, restart->package, arch);
	if (version)
		patches_add_unrestarted(g->out, restart->package, arch, version,
			restart->installed_s, restart->services);
}

void aptfixes_give(const struct apt *a, struct machine *m, const struct aptfixes *from)
{
	struct giving g = {.apt = a, .from = from, .out = patches_begin(m, from->made_from)};
	struct fw_cursor c;
	if (!g.out)
		return;
	if (machine_read(m, "run/reboot-required.pkgs", &c) == 0)
		g.reboot_packages = fw_strndup(c.at, (size_t)(c.end - c.at));
	apt_fixes(a, on_fix, &g);
	patches_each_before(g.out, carry_on, &g);
	/* Installed before the first read, so that no table tells of it. */
	if (from->kernel && !g.has_kernel)
		patches_add_unfinished(g.out, from->kernel->package, from->kernel->arch,
			from->kernel->version, from->kernel_s);
	add_all_named(&g, m);
	aptrestarts_each(m, from->replaced, on_restart, &g);
	patches_add_proof(g.out, "apt", from->why, from->fetched_s, 0);
	patches_add_proof(g.out, "restarts", from->restarts_why, 0, 0);
	if (from->oldest)
		patches_add_proof(g.out, from->oldest, "old", from->fetched_s, 0);
	patches_end(g.out, m);
	fw_free(g.reboot_packages);
}
