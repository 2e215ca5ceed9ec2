/* SPDX-License-Identifier: Apache-2.0 */
#include "parse.h"

#include <errno.h>

static const struct metric metrics[] = {
	{"node_filefd_allocated", FW_GAUGE, "", "File descriptor statistics: allocated.", 0, 1},
	{"node_filefd_maximum", FW_GAUGE, "", "File descriptor statistics: maximum.", 0, 1},
};

static int read_descriptors(void *state, struct machine *m, struct sweep *out, struct fw_err *err)
{
	(void)state;
	struct fw_cursor c;
	int rc = read_facts(m, "proc/sys/fs/file-nr", &c, err);
	if (rc < 0)
		return rc;
	int64_t allocated, free, maximum;
	if (!fw_cut_i64(&c, &allocated) || !fw_cut_i64(&c, &free) || !fw_cut_i64(&c, &maximum))
		return fw_fail(err, -EBADMSG, "/proc/sys/fs/file-nr: three numbers expected");
	sweep_add_plain(out, &metrics[0], allocated);
	sweep_add_plain(out, &metrics[1], maximum);
	return 0;
}

const struct source source_descriptors = {
	.name = "descriptors",
	.help = "Open files of the whole machine, and the limit.",
	.purpose = "A machine without descriptors can open nothing more.",
	.reads = "/proc/sys/fs/file-nr",
	.metrics = metrics,
	.n_metrics = COUNT(metrics),
	.read = read_descriptors,
};
