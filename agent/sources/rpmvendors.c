/* SPDX-License-Identifier: Apache-2.0 */
#include "rpmvendors.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include <fenwatch/mem.h>

#include "ini.h"
#include "parse.h"
#include "rpmrepos.h"

#define LISTS_LIMIT 256

struct rpm_vendors {
	struct fw_arena text;
	const char *lists[LISTS_LIMIT]; /* beginnings, with commas between them */
	size_t n;
};

static void on_setting(const char *section, const char *name, const char *value, void *arg)
{
	struct rpm_vendors *v = arg;
	(void)section;
	if (strcmp(name, "vendors") == 0 && v->n < LISTS_LIMIT)
		v->lists[v->n++] = fw_arena_strdup(&v->text, value);
}

struct reading {
	struct rpm_vendors *vendors;
	uint64_t *fingerprint;
};

static int on_file(struct machine *m, const char *name, void *arg)
{
	const struct reading *r = arg;
	struct fw_cursor c;
	char path[512];
	snprintf(path, sizeof path, "etc/zypp/vendors.d/%s", name);
	if (rpmrepos_mix_file(r->fingerprint, m, path) == 0 && machine_read(m, path, &c) == 0)
		ini_read(c, on_setting, r->vendors);
	return 0;
}

struct rpm_vendors *rpmvendors_read(struct machine *m, uint64_t *fingerprint)
{
	struct rpm_vendors *v = fw_alloc(sizeof *v);
	v->lists[v->n++] = "SUSE";
	machine_list(m, "etc/zypp/vendors.d", on_file, &(struct reading){v, fingerprint});
	return v;
}

void rpmvendors_free(struct rpm_vendors *v)
{
	if (!v)
		return;
	fw_arena_done(&v->text);
	fw_free(v);
}

static bool is_in(const char *list, const char *vendor)
{
	for (const char *at = list; *at;) {
		at += strspn(at, " \t,");
		size_t length = strcspn(at, ",");
		size_t text = length;
		while (text > 0 && (at[text - 1] == ' ' || at[text - 1] == '\t'))
			text--;
		if (text > 0 && strncasecmp(vendor, at, text) == 0)
			return true;
		at += length;
	}
	return false;
}

bool rpmvendors_are_one(const struct rpm_vendors *v, const char *a, const char *b)
{
	if (strcasecmp(a, b) == 0)
		return true;
	for (size_t i = 0; i < v->n; i++)
		if (is_in(v->lists[i], a) && is_in(v->lists[i], b))
			return true;
	return false;
}
