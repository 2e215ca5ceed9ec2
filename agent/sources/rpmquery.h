/* What rpm says is installed.
 *
 * `rpm -qa` runs as a process of its own, as nobody where the agent is root: so it can
 * neither write the database nor take the lock of those who do. It dies with the child
 * that asked. A recorded machine has its answer in recorded/rpm-qa, a line for each
 * package: name, epoch, version, release, architecture, source package, time of
 * installation and vendor with tabs between them.
 */
#pragma once

#include <stdint.h>

#include "../source.h"

struct rpm_installed {
	const char *name, *evr, *arch; /* evr: EPOCH:VERSION-RELEASE, without an epoch of 0 */
	const char *source;            /* the source package's name; "": none */
	const char *vendor;            /* "": none */
	int64_t at_s;
};

/* The database's folder, relative to the root; NULL: this machine has none. What it was
 * last changed by goes into the fingerprint. */
const char *rpmquery_database(struct machine *m, uint64_t *fingerprint);
int rpmquery_installed(struct machine *m, const char *database,
	void (*each)(const struct rpm_installed *package, void *arg), void *arg,
	struct fw_err *err);
/* The same of an answer that is there already; how many packages. */
unsigned rpmquery_parse(struct fw_cursor c,
	void (*each)(const struct rpm_installed *package, void *arg), void *arg);
/* rpm with these arguments, ended by NULL, and what it prints; its exit status. */
int rpmquery_run(
	const char *database, const char *const *arguments, struct fw_buf *out, struct fw_err *err);
