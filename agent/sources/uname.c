/* SPDX-License-Identifier: Apache-2.0 */
#include "parse.h"

#include <errno.h>
#include <string.h>

#include <sys/utsname.h>

static const struct metric metrics[] = {
	{"node_uname_info", FW_GAUGE, "",
		"Labeled system information as provided by the uname system call.", 0, 1},
};

static void read_word(struct machine *m, const char *path, char *out, size_t size)
{
	const char *line;
	if (machine_read_line(m, path, &line) < 0)
		return;
	size_t length = strnlen(line, size - 1);
	memcpy(out, line, length);
	out[length] = '\0';
}

/* What the call would have said is in /proc as well. */
static int read_recorded(struct machine *m, struct utsname *names, struct fw_err *err)
{
	memset(names, 0, sizeof *names);
	read_word(m, "proc/sys/kernel/ostype", names->sysname, sizeof names->sysname);
	read_word(m, "proc/sys/kernel/osrelease", names->release, sizeof names->release);
	read_word(m, "proc/sys/kernel/version", names->version, sizeof names->version);
	read_word(m, "proc/sys/kernel/hostname", names->nodename, sizeof names->nodename);
	read_word(m, "proc/sys/kernel/domainname", names->domainname, sizeof names->domainname);
	read_word(m, "proc/sys/kernel/arch", names->machine, sizeof names->machine);
	if (!names->release[0])
		return fw_fail(err, -ENODATA, "this machine has no /proc/sys/kernel/osrelease");
	return 0;
}

static int read_names(struct machine *m, struct utsname *names, struct fw_err *err)
{
	if (m->recorded)
		return read_recorded(m, names, err);
	return uname(names) < 0 ? fw_fail_sys(err, -errno, "uname") : 0;
}

static int read_uname(void *state, struct machine *m, struct sweep *out, struct fw_err *err)
{
	(void)state;
	struct utsname names;
	int rc = read_names(m, &names, err);
	if (rc < 0)
		return rc;
	sweep_add(out, &metrics[0], 1,
		SWEEP_LABELS("domainname", names.domainname, "machine", names.machine, "nodename",
			names.nodename, "release", names.release, "sysname", names.sysname,
			"version", names.version));
	return 0;
}

const struct source source_uname = {
	.name = "uname",
	.help = "The kernel's name and version, and the node's name.",
	.purpose = "Which kernel runs, to tell one that is out of date.",
	.reads = "/proc/sys/kernel",
	.metrics = metrics,
	.n_metrics = COUNT(metrics),
	.read = read_uname,
};
