/* SPDX-License-Identifier: Apache-2.0 */
#include "parse.h"

#include <errno.h>
#include <string.h>

#define FIELD(name)                                                                                \
	{                                                                                          \
		"node_vmstat_" #name, FW_UNTYPED, "", "/proc/vmstat information field " #name ".", \
			0, 1,                                                                      \
	}

static const struct metric metrics[] = {
	FIELD(pgpgin),
	FIELD(pgpgout),
	FIELD(pswpin),
	FIELD(pswpout),
	FIELD(pgfault),
	FIELD(pgmajfault),
	FIELD(oom_kill),
};

/* The file has some 180 lines; those that begin with neither 'p' nor 'o' are passed by. */
static int read_vmstat(void *state, struct machine *m, struct sweep *out, struct fw_err *err)
{
	(void)state;
	struct fw_cursor c, line;
	int rc = read_facts(m, "proc/vmstat", &c, err);
	if (rc < 0)
		return rc;
	size_t hint = 0, found = 0;
	while (fw_cut_line(&c, &line)) {
		const char *key;
		size_t length;
		int64_t value;
		if (line.at == line.end || (*line.at != 'p' && *line.at != 'o') ||
			!fw_cut_word(&line, &key, &length) || !fw_cut_i64(&line, &value))
			continue;
		const struct metric *metric = find_metric(
			metrics, COUNT(metrics), &hint, strlen("node_vmstat_"), key, length);
		if (!metric)
			continue;
		sweep_add_plain(out, metric, value);
		found++;
	}
	return found ? 0 : fw_fail(err, -EBADMSG, "/proc/vmstat: no field is known");
}

const struct source source_vmstat = {
	.name = "vmstat",
	.help = "Paging, swapping, page faults and kills for want of memory.",
	.purpose = "Whether memory is short, and whether the kernel killed for want of it.",
	.reads = "/proc/vmstat",
	.metrics = metrics,
	.n_metrics = COUNT(metrics),
	.read = read_vmstat,
};
