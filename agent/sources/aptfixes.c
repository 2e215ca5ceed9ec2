/* SPDX-License-Identifier: Apache-2.0 */
#include "aptfixes.h"

#include <string.h>

#include <fenwatch/mem.h>
#include <fenwatch/versions.h>

#include "aptrestarts.h"
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
		if (strcmp(before->origins[i].text, origin->text) == 0 &&
			strcmp(before->origins[i].arch, origin->arch) == 0)
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

static bool asks_for_reboot(const struct giving *g, const char *name)
{
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
	aptrestarts_each(m, from->replaced, on_restart, &g);
	patches_add_proof(g.out, "apt", from->why, from->fetched_s, 0);
	patches_end(g.out, m);
	fw_free(g.reboot_packages);
}
