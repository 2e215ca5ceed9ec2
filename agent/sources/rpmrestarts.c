/* SPDX-License-Identifier: Apache-2.0 */
#include "rpmrestarts.h"

#include <string.h>

#include <fenwatch/mem.h>

#include "parse.h"
#include "rpmquery.h"

#define PACKAGES_LIMIT FACTS_LIBRARIES_LIMIT

static const char format[] = "[%{=NAME}\\t%{=ARCH}\\t%{FILENAMES}\\n]";

struct found {
	char name[128], arch[32];
	uint8_t services[RESTARTS_BITS];
	bool in_init;
};

struct search {
	const struct facts_libraries *replaced;
	struct found packages[PACKAGES_LIMIT];
	size_t n;
};

/* NULL: there are too many. */
static struct found *package_of(struct search *s, const char *name, const char *arch)
{
	for (size_t i = s->n; i-- > 0;)
		if (strcmp(s->packages[i].name, name) == 0 &&
			strcmp(s->packages[i].arch, arch) == 0)
			return &s->packages[i];
	if (s->n == PACKAGES_LIMIT)
		return NULL;
	struct found *package = &s->packages[s->n++];
	memcpy(package->name, name, sizeof package->name);
	memcpy(package->arch, arch, sizeof package->arch);
	return package;
}

static void link_to(struct search *s, size_t library, const char *name, const char *arch)
{
	struct found *package = package_of(s, name, arch);
	if (!package)
		return;
	package->in_init |= s->replaced->library[library].in_init;
	for (size_t i = 0; i < RESTARTS_BITS; i++)
		package->services[i] |= s->replaced->link[library][i];
}

/* Of a path that no package has rpm says so in a sentence without tabs. */
static void take_line(struct search *s, struct fw_cursor line)
{
	char name[sizeof s->packages->name] = "", arch[sizeof s->packages->arch] = "";
	if (!cut_name(&line, '\t', name, sizeof name) || !cut_name(&line, '\t', arch, sizeof arch))
		return;
	for (size_t i = 0; i < s->replaced->n; i++)
		if (restarts_names(s->replaced->library[i].path, &line))
			link_to(s, i, name, arch);
}

static void give(const struct search *s, void (*each)(const struct rpmrestart *restart, void *arg),
	void *arg)
{
	for (size_t i = 0; i < s->n; i++) {
		const struct found *package = &s->packages[i];
		char services[RESTARTS_SERVICES];
		restarts_name_services(s->replaced, package->services, services);
		each(&(struct rpmrestart){package->name, package->arch, services, package->in_init},
			arg);
	}
}

static int ask_rpm(struct machine *m, const char *database, const struct facts_libraries *replaced,
	struct fw_buf *text, struct fw_cursor *c, struct fw_err *err)
{
	const char *arguments[FACTS_LIBRARIES_LIMIT + 4] = {"-qf", "--qf", format};
	if (m->recorded)
		return read_facts(m, "recorded/rpm-qf", c, err);
	for (size_t i = 0; i < replaced->n; i++)
		arguments[3 + i] = replaced->library[i].path;
	int rc = rpmquery_run(database, arguments, text, err);
	*c = (struct fw_cursor){(const char *)text->data, (const char *)text->data + text->length};
	return rc < 0 ? rc : 0; /* it ends with how many paths no package has */
}

int rpmrestarts_each(struct machine *m, const char *database,
	const struct facts_libraries *replaced,
	void (*each)(const struct rpmrestart *restart, void *arg), void *arg, struct fw_err *err)
{
	struct fw_buf text = {0};
	struct fw_cursor c, line;
	if (replaced->n == 0)
		return 0;
	int rc = ask_rpm(m, database, replaced, &text, &c, err);
	if (rc == 0) {
		struct search *s = fw_alloc(sizeof *s);
		s->replaced = replaced;
		while (c.at < c.end && fw_cut_line(&c, &line))
			take_line(s, line);
		give(s, each, arg);
		fw_free(s);
	}
	fw_buf_done(&text);
	return rc;
}
