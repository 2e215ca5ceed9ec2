/* Files of advisories, read piece by piece on the machine that asks.
 *
 * Four forms, known by how they begin: Debian's DSA/list and DLA/list, Ubuntu's
 * database.json of USNs, OVAL definitions, and updateinfo.xml of RPM repositories.
 * What a file holds is told advisory by advisory; one may come in several pieces.
 * Every size has a limit, and what cannot be used (no date, no fixed version) is
 * passed over and counted.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <fenwatch/err.h>

#define IMPORT_FIXES 4096 /* of one piece */
#define IMPORT_TEXT 255   /* bytes of a name, package, version or release */

struct import_fix {
	const char *package, *release, *version; /* release "": any */
};

struct import_advisory {
	const char *name;
	int64_t issued_s;
	const char *severity; /* "" */
	double cvss;          /* 0: not known */
	const struct import_fix *fixes;
	size_t n_fixes;
};

struct import {
	/* Bytes got, 0 at the end, or a negative errno. */
	ssize_t (*read)(void *from, void *data, size_t size);
	void *from;
	/* Negative ends it. */
	int (*on_advisory)(const struct import_advisory *advisory, void *arg, struct fw_err *err);
	void *arg;
	size_t n, n_passed; /* told, and passed over */
};

int import_run(struct import *import, struct fw_err *err);
