/* SPDX-License-Identifier: Apache-2.0 */
#include "aptrestarts.h"

#include <stdio.h>
#include <string.h>

#include "parse.h"

#define INFO "var/lib/dpkg/info"
#define NAME_LIMIT 256

struct search {
	const struct facts_libraries *replaced;
	void (*each)(const struct aptrestart *restart, void *arg);
	void *arg;
	uint8_t services[RESTARTS_BITS]; /* of the package that is looked at */
	bool any, in_init;
};

static void take_line(struct search *s, const struct fw_cursor *line)
{
	for (size_t i = 0; i < s->replaced->n; i++) {
		if (!restarts_names(s->replaced->library[i].path, line))
			continue;
		s->any = true;
		s->in_init |= s->replaced->library[i].in_init;
		for (size_t k = 0; k < RESTARTS_BITS; k++)
			s->services[k] |= s->replaced->link[i][k];
	}
}

/* "libssl3:amd64.list", "openssl.list" */
static void give(struct machine *m, const struct search *s, const char *name)
{
	char path[NAME_LIMIT + sizeof INFO + 1], package[NAME_LIMIT], services[RESTARTS_SERVICES];
	struct machine_file file;
	snprintf(path, sizeof path, INFO "/%s", name);
	snprintf(package, sizeof package, "%.*s", (int)(strrchr(name, '.') - name), name);
	restarts_name_services(s->replaced, s->services, services);
	char *colon = strchr(package, ':');
	if (colon)
		*colon = '\0';
	s->each(&(struct aptrestart){.package = package,
			.arch = colon ? colon + 1 : "",
			.services = services,
			.installed_s = machine_stat(m, path, &file) == 0 ? file.mtime_ms / 1000 : 0,
			.in_init = s->in_init},
		s->arg);
}

static int on_list(struct machine *m, const char *name, void *arg)
{
	struct search *s = arg;
	char path[NAME_LIMIT + sizeof INFO + 1];
	const char *ending = strrchr(name, '.');
	struct fw_cursor c, line;
	if (!ending || strcmp(ending, ".list") != 0 || strlen(name) >= NAME_LIMIT)
		return 0;
	snprintf(path, sizeof path, INFO "/%s", name);
	s->any = s->in_init = false;
	memset(s->services, 0, sizeof s->services);
	if (machine_read(m, path, &c) == 0)
		while (fw_cut_line(&c, &line))
			take_line(s, &line);
	if (s->any)
		give(m, s, name);
	return 0;
}

void aptrestarts_each(struct machine *m, const struct facts_libraries *replaced,
	void (*each)(const struct aptrestart *restart, void *arg), void *arg)
{
	struct search s = {.replaced = replaced, .each = each, .arg = arg};
	if (replaced->n > 0)
		machine_list(m, INFO, on_list, &s);
}
