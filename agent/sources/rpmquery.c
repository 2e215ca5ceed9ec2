/* SPDX-License-Identifier: Apache-2.0 */
#include "rpmquery.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <fenwatch/mem.h>

#include "../process.h"
#include "parse.h"
#include "rpmname.h"
#include "rpmrepos.h"

#define OUTPUT_LIMIT ((size_t)16 << 20)
#define ARGUMENTS 272 /* a question about some hundred files */
static const char format[] = "%{NAME}\\t%{EPOCH}\\t%{VERSION}\\t%{RELEASE}\\t%{ARCH}\\t"
			     "%{SOURCERPM}\\t%{INSTALLTIME}\\t%{VENDOR}\\n";

enum { NAME, EPOCH, VERSION, RELEASE, ARCH, SOURCE, AT, VENDOR, COLUMNS };

const char *rpmquery_database(struct machine *m, uint64_t *fingerprint)
{
	static const char *const folders[] = {"usr/lib/sysimage/rpm", "var/lib/rpm"};
	static const char *const files[] = {
		"rpmdb.sqlite", "rpmdb.sqlite-wal", "Packages.db", "Packages"};
	const char *found = NULL;
	for (size_t i = 0; i < COUNT(folders) && !found; i++)
		for (size_t k = 0; k < COUNT(files); k++) {
			char path[64];
			snprintf(path, sizeof path, "%s/%s", folders[i], files[k]);
			if (rpmrepos_mix_file(fingerprint, m, path) == 0)
				found = folders[i];
		}
	return found;
}

int rpmquery_run(
	const char *database, const char *const *arguments, struct fw_buf *out, struct fw_err *err)
{
	static const char *const paths[] = {"/usr/bin/rpm", "/bin/rpm"};
	char path[64];
	const char *argv[ARGUMENTS + 4] = {
		access(paths[0], X_OK) == 0 ? paths[0] : paths[1], "--dbpath", path};
	snprintf(path, sizeof path, "/%s", database);
	for (size_t i = 0; i < ARGUMENTS && arguments[i]; i++)
		argv[3 + i] = arguments[i];
	int rc = process_output_as_nobody(argv, OUTPUT_LIMIT, out);
	return rc < 0 ? fw_fail_sys(err, rc, "%s", argv[0]) : rc;
}

static int ask_all(const char *database, struct fw_buf *out, struct fw_err *err)
{
	static const char *const arguments[] = {"-qa", "--qf", format, NULL};
	int rc = rpmquery_run(database, arguments, out, err);
	return rc > 0 ? fw_fail(err, -EIO, "rpm -qa: it ended with %d", rc) : rc;
}

/* Cuts a line at its tabs; false where they are too few. */
static bool cut_columns(char *line, char *columns[COLUMNS])
{
	for (size_t i = 0; i < COLUMNS; i++) {
		columns[i] = line;
		char *tab = strchr(line, '\t');
		if ((tab == NULL) != (i == COLUMNS - 1))
			return false;
		if (tab) {
			*tab = '\0';
			line = tab + 1;
		}
	}
	return true;
}

static const char *unless_none(const char *text)
{
	return strcmp(text, "(none)") == 0 ? "" : text;
}

static bool take_package(
	char *line, void (*each)(const struct rpm_installed *package, void *arg), void *arg)
{
	char *columns[COLUMNS], evr[256];
	if (!cut_columns(line, columns) || !columns[NAME][0] || !columns[VERSION][0] ||
		strcmp(columns[NAME], "gpg-pubkey") == 0)
		return false;
	rpmname_write_evr(evr, sizeof evr, columns[EPOCH], columns[VERSION], columns[RELEASE]);
	struct fw_cursor at = {columns[AT], columns[AT] + strlen(columns[AT])};
	struct rpm_installed package = {.name = columns[NAME],
		.evr = evr,
		.arch = unless_none(columns[ARCH]),
		.source = unless_none(columns[SOURCE]),
		.vendor = unless_none(columns[VENDOR])};
	fw_cut_i64(&at, &package.at_s);
	if (package.source[0])
		rpmname_cut_source(columns[SOURCE]);
	each(&package, arg);
	return true;
}

unsigned rpmquery_parse(
	struct fw_cursor c, void (*each)(const struct rpm_installed *package, void *arg), void *arg)
{
	struct fw_cursor line;
	unsigned n = 0;
	while (fw_cut_line(&c, &line)) {
		char *text = fw_strndup(line.at, (size_t)(line.end - line.at));
		n += take_package(text, each, arg);
		fw_free(text);
	}
	return n;
}

int rpmquery_installed(struct machine *m, const char *database,
	void (*each)(const struct rpm_installed *package, void *arg), void *arg, struct fw_err *err)
{
	struct fw_buf text = {0};
	struct fw_cursor c;
	int rc;
	if (m->recorded) {
		rc = read_facts(m, "recorded/rpm-qa", &c, err);
	} else {
		rc = ask_all(database, &text, err);
		c.at = text.data ? (const char *)text.data : "";
		c.end = c.at + text.length;
	}
	if (rc == 0 && rpmquery_parse(c, each, arg) == 0)
		rc = fw_fail(err, -EBADMSG, "rpm -qa names no package");
	fw_buf_done(&text);
	return rc;
}
