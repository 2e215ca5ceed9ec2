/* SPDX-License-Identifier: Apache-2.0 */
/* updateinfo.xml of RPM repositories:
 *
 *   <update type="security"><id>RHSA-2023:1</id><issued date="2023-03-14 10:00:00"/>
 *     <severity>Important</severity><pkglist><collection>
 *       <package name="openssl" epoch="1" version="3.0.1" release="47.el9_1" .../>
 *
 * Only updates for security are advisories.
 */
#include <stdio.h>
#include <string.h>

#include "xml.h"

struct updateinfo {
	struct draft *draft;
	bool security;
	char name[IMPORT_TEXT + 1], severity[32];
	int64_t issued_s;
	struct fw_arena arena; /* of the packages, until the update is whole */
	struct package {
		const char *name, *version;
		char dist[16];
	} * packages;
	size_t n, capacity;
};

#define PACKAGES_LIMIT 65536 /* of one update */

static void *begin(struct draft *d)
{
	struct updateinfo *u = fw_alloc(sizeof *u);
	u->draft = d;
	return u;
}

static void done(void *state)
{
	struct updateinfo *u = state;
	fw_arena_done(&u->arena);
	fw_free(u->packages);
	fw_free(u);
}

static void begin_update(struct updateinfo *u, const char *const *attributes)
{
	fw_arena_reset(&u->arena);
	u->security = strcmp(xml_attribute(attributes, "type"), "security") == 0;
	u->name[0] = u->severity[0] = '\0';
	u->issued_s = 0;
	u->n = 0;
}

static void add_package(struct updateinfo *u, const char *const *attributes)
{
	const char *epoch = xml_attribute(attributes, "epoch");
	const char *release = xml_attribute(attributes, "release");
	if (!u->security || u->n == PACKAGES_LIMIT)
		return;
	if (u->n == u->capacity) {
		u->capacity = u->capacity ? 2 * u->capacity : 64;
		u->packages = fw_realloc(u->packages, u->capacity * sizeof *u->packages);
	}
	struct package *p = &u->packages[u->n++];
	*p = (struct package){
		.name = fw_arena_strdup(&u->arena, xml_attribute(attributes, "name")),
		.version = fw_arena_format(&u->arena, "%s:%s-%s", *epoch ? epoch : "0",
			xml_attribute(attributes, "version"), release),
	};
	import_dist(release, p->dist);
}

static int on_open(void *state, const char *name, const char *const *attributes, struct fw_err *err)
{
	struct updateinfo *u = state;
	(void)err;
	if (strcmp(name, "update") == 0)
		begin_update(u, attributes);
	else if (strcmp(name, "issued") == 0)
		u->issued_s = import_date(xml_attribute(attributes, "date"));
	else if (strcmp(name, "package") == 0)
		add_package(u, attributes);
	return 0;
}

static int end_update(struct updateinfo *u, struct fw_err *err)
{
	int rc = 0;
	if (!u->security)
		return 0;
	draft_begin(u->draft, u->name, strlen(u->name));
	u->draft->issued_s = u->issued_s;
	u->draft->severity = strcmp(u->severity, "None") == 0 ? "" : u->severity;
	for (size_t i = 0; rc == 0 && i < u->n; i++)
		rc = draft_fix(u->draft, u->packages[i].name, u->packages[i].dist,
			u->packages[i].version, err);
	return rc < 0 ? rc : draft_end(u->draft, err);
}

static int on_close(void *state, const char *name, const char *text, struct fw_err *err)
{
	struct updateinfo *u = state;
	if (strcmp(name, "id") == 0)
		snprintf(u->name, sizeof u->name, "%s", text);
	else if (strcmp(name, "severity") == 0)
		snprintf(u->severity, sizeof u->severity, "%s", text);
	else if (strcmp(name, "update") == 0)
		return end_update(u, err);
	return 0;
}

static int on_end(void *state, struct fw_err *err)
{
	(void)state;
	(void)err;
	return 0;
}

const struct xml_form updateinfo_form = {"updates", begin, on_open, on_close, on_end, done};
