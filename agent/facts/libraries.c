/* SPDX-License-Identifier: Apache-2.0 */
/* Files that have been replaced on disk while processes run the old ones.
 *
 * /proc/PID/maps says "(deleted)" behind such a file. What counts is mapped to be
 * run and lies where packages put libraries and programs. Processes of containers
 * have files of their own and are passed over.
 */
#include "perform.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <fenwatch/mem.h>

#include "../sources/parse.h"

#define PATH_LIMIT 200
#define SERVICE_LIMIT 100

struct scan {
	struct fw_arena text;
	struct facts_libraries found;
	uint8_t seen[FACTS_LIBRARIES_LIMIT]; /* by the process that is looked at */
};

static bool is_below(const char *path, const char *folder)
{
	return strncmp(path, folder, strlen(folder)) == 0;
}

/* A library anywhere, or a program where packages put them. */
static bool counts(const char *path)
{
	static const char *const folders[] = {"/bin/", "/lib", "/opt/", "/sbin/", "/usr/"};
	const char *name = strrchr(path, '/');
	if (strstr(name, ".so") && strstr(path, "/lib"))
		return true;
	for (size_t i = 0; i < COUNT(folders); i++)
		if (is_below(path, folders[i]))
			return true;
	return false;
}

/* "7f12-7f34 r-xp 0001f000 08:01 1234   /usr/lib/libz.so.1.2.13 (deleted)" */
static bool cut_deleted(struct fw_cursor line, char path[PATH_LIMIT])
{
	static const char ending[] = " (deleted)";
	size_t length = (size_t)(line.end - line.at), tail = sizeof ending - 1;
	const char *word;
	size_t word_length;
	if (length < tail || memcmp(line.end - tail, ending, tail) != 0 ||
		!fw_cut_word(&line, &word, &word_length) ||
		!fw_cut_word(&line, &word, &word_length) || word_length < 3 || word[2] != 'x')
		return false;
	const char *slash = memchr(line.at, '/', (size_t)(line.end - line.at));
	if (!slash || line.end - slash - (ptrdiff_t)tail <= 0 ||
		line.end - slash - (ptrdiff_t)tail >= PATH_LIMIT)
		return false;
	length = (size_t)(line.end - slash) - tail;
	memcpy(path, slash, length);
	path[length] = '\0';
	return !memchr(path, '\0', length) && counts(path);
}

static void note_library(struct scan *s, const char *path)
{
	struct facts_libraries *f = &s->found;
	size_t i = 0;
	while (i < f->n && strcmp(f->library[i].path, path) != 0)
		i++;
	if (i == FACTS_LIBRARIES_LIMIT) {
		f->partial = true;
		return;
	}
	if (i == f->n)
		f->library[f->n++] =
			(struct facts_library){.path = fw_arena_strdup(&s->text, path)};
	s->seen[i] = 1;
}

/* ---- whose process it is ---- */

static bool is_container(const char *group)
{
	static const char *const words[] = {
		"docker", "libpod", "kubepods", "/lxc", "/machine.slice", "containerd:"};
	for (size_t i = 0; i < COUNT(words); i++)
		if (strstr(group, words[i]))
			return true;
	return false;
}

/* systemd's own hierarchy: "0::/system.slice/ssh.service", or "1:name=systemd:/...". */
static bool read_group(struct machine *m, const char *pid, char *out, size_t size)
{
	char path[64];
	struct fw_cursor c, line;
	snprintf(path, sizeof path, "proc/%s/cgroup", pid);
	if (machine_read(m, path, &c) < 0)
		return false;
	while (fw_cut_line(&c, &line)) {
		snprintf(out, size, "%.*s", (int)(line.end - line.at), line.at);
		if (strncmp(out, "0::", 3) == 0 || strstr(out, ":name=systemd:"))
			return true;
	}
	return false;
}

/* The unit, "" for a person's session; without systemd the process' own name. */
static void name_service(
	struct machine *m, const char *pid, const char *group, char out[SERVICE_LIMIT])
{
	char path[64];
	const char *line, *last = strrchr(group, '/');
	const char *ending = last ? strrchr(last, '.') : NULL;
	out[0] = '\0';
	if (strstr(group, "/user.slice"))
		return;
	snprintf(path, sizeof path, "proc/%s/comm", pid);
	if (ending && (strcmp(ending, ".service") == 0 || strcmp(ending, ".scope") == 0))
		snprintf(out, SERVICE_LIMIT, "%s", last + 1);
	else if (machine_read_line(m, path, &line) == 0)
		snprintf(out, SERVICE_LIMIT, "%s", line);
}

static size_t find_service(struct scan *s, const char *name)
{
	struct facts_libraries *f = &s->found;
	size_t i = 0;
	while (i < f->n_services && strcmp(f->service[i], name) != 0)
		i++;
	if (i < FACTS_SERVICES_LIMIT && i == f->n_services)
		f->service[f->n_services++] = fw_arena_strdup(&s->text, name);
	return i;
}

static void link_process(struct scan *s, size_t service, bool is_init)
{
	struct facts_libraries *f = &s->found;
	for (size_t i = 0; i < f->n; i++) {
		if (!s->seen[i])
			continue;
		f->library[i].processes++;
		f->library[i].in_init |= is_init;
		if (service < FACTS_SERVICES_LIMIT)
			f->link[i][service / 8] |= (uint8_t)(1u << service % 8);
		else
			f->partial = true;
	}
}

static int on_process(struct machine *m, const char *pid, void *arg)
{
	struct scan *s = arg;
	char path[PATH_LIMIT], group[512] = "", service[SERVICE_LIMIT];
	struct fw_cursor c, line;
	bool any = false;
	if (!isdigit((unsigned char)pid[0]) || strlen(pid) > 20)
		return 0;
	snprintf(path, sizeof path, "proc/%s/maps", pid);
	int rc = machine_read(m, path, &c);
	if (rc == -EACCES || rc == -EPERM)
		s->found.partial = true;
	memset(s->seen, 0, sizeof s->seen);
	while (rc == 0 && fw_cut_line(&c, &line)) {
		if (!cut_deleted(line, path))
			continue;
		note_library(s, path);
		any = true;
	}
	if (!any || (read_group(m, pid, group, sizeof group) && is_container(group)))
		return 0;
	name_service(m, pid, group, service);
	link_process(s, find_service(s, service), strcmp(pid, "1") == 0);
	return 0;
}

/* Those that only containers run. */
static void drop_unlinked(struct facts_libraries *f)
{
	size_t n = 0;
	for (size_t i = 0; i < f->n; i++) {
		if (f->library[i].processes == 0)
			continue;
		f->library[n] = f->library[i];
		memmove(f->link[n], f->link[i], sizeof f->link[n]);
		n++;
	}
	f->n = n;
}

int libraries_find(struct machine *m, struct fw_buf *body)
{
	struct scan *s = fw_alloc(sizeof *s);
	int rc = machine_list(m, "proc", on_process, s);
	if (rc == 0) {
		drop_unlinked(&s->found);
		facts_put_libraries(&s->found, body);
	}
	fw_arena_done(&s->text);
	fw_free(s);
	return rc;
}
