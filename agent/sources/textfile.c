/* SPDX-License-Identifier: Apache-2.0 */
/* node_exporter's textfile directory: NAME.prom, each whole and written by a rename.
 *
 * A file with a mistake gives nothing, and says so; the others are not touched by it.
 * What our own sources give is refused from a file, so that each series has one
 * source, and so are series past the limits.
 */
#include "parse.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "exposition.h"
#include "mounts.h"

#define NAME_LIMIT 512
#define FILES_LIMIT 200
#define SERIES_LIMIT 2000
#define FILE_LIMIT ((ptrdiff_t)1 << 20) /* what machine_read gives at most */

enum { MTIME, SCRAPE_ERROR, REFUSED };

static const struct metric metrics[] = {
	[MTIME] = {"node_textfile_mtime_seconds", FW_GAUGE, "seconds",
		"Unixtime mtime of textfiles successfully read.", 3, 1},
	[SCRAPE_ERROR] = {"node_textfile_scrape_error", FW_GAUGE, "",
		"1 if there was an error opening or reading a file, 0 otherwise.", 0, 1},
	[REFUSED] = {"fenwatch_textfile_refused_series", FW_GAUGE, "",
		"Series of a text file that were not taken: another source gives them (ours), they "
		"have a label that belongs to the host (label), or there are too many (limit).",
		0, 1},
};

enum reason { OURS, LABEL, LIMIT, REASONS };
static const char *const reasons[REASONS] = {"ours", "label", "limit"};

struct scrape {
	struct machine *m;
	struct sweep *out;
	const char *folder;
	int64_t refused[REASONS];
	unsigned n_files, n_series;
	bool looking;      /* for mistakes; then again, to take what is there */
	struct fw_err err; /* of the file that is read */
	struct fw_err why; /* of the first file that failed; "": none did */
};

/* What the sources and the agent itself give. */
static bool is_ours(const char *name)
{
	static const char *const families[] = {
		"fenwatch_", "process_", "scrape_", "node_scrape_collector_"};
	for (size_t i = 0; i < COUNT(families); i++)
		if (strncmp(name, families[i], strlen(families[i])) == 0)
			return true;
	for (size_t i = 0; sources[i]; i++)
		for (size_t k = 0; k < sources[i]->n_metrics; k++)
			if (strcmp(sources[i]->metrics[k].name, name) == 0)
				return true;
	return strcmp(name, "up") == 0;
}

static bool has_host_label(const struct exposition_sample *sample)
{
	for (const char *const *at = sample->labels; at[0]; at += 2)
		if (strcmp(at[0], "instance") == 0 || strcmp(at[0], "job") == 0 ||
			strncmp(at[0], "__", 2) == 0)
			return true;
	return false;
}

static int on_sample(const struct exposition_sample *sample, void *arg)
{
	struct scrape *s = arg;
	if (s->looking)
		return 0;
	if (has_host_label(sample)) {
		s->refused[LABEL]++;
		return 0;
	}
	if (is_ours(sample->name)) {
		s->refused[OURS]++;
		return 0;
	}
	const struct metric *metric = s->n_series < SERIES_LIMIT
		? sweep_metric_named(s->out, sample->name, sample->type, sample->help)
		: NULL;
	if (!metric) {
		s->refused[LIMIT]++;
		return 0;
	}
	s->n_series++;
	sweep_add(s->out, metric, fw_double_cell(sample->value), sample->labels);
	return 0;
}

static int take_text(struct scrape *s, struct fw_cursor text)
{
	if (text.end - text.at >= FILE_LIMIT)
		return fw_fail(&s->err, -EFBIG, "it is larger than 1 MiB");
	s->looking = true;
	int rc = exposition_read(text, on_sample, s, &s->err);
	s->looking = false;
	return rc < 0 ? rc : exposition_read(text, on_sample, s, &s->err);
}

static void add_refused(struct scrape *s, const char *file)
{
	for (size_t i = 0; i < REASONS; i++)
		if (s->refused[i] > 0)
			sweep_add(s->out, &metrics[REFUSED], s->refused[i],
				SWEEP_LABELS("file", file, "reason", reasons[i]));
	memset(s->refused, 0, sizeof s->refused);
}

static void read_file(struct scrape *s, const char *path)
{
	struct machine_file file;
	struct fw_cursor text;
	int rc = machine_stat(s->m, path + 1, &file);
	if (rc == 0)
		rc = machine_read(s->m, path + 1, &text);
	if (rc == 0)
		rc = take_text(s, text);
	else
		fw_fail_sys(&s->err, rc, "it");
	if (rc == 0)
		sweep_add(s->out, &metrics[MTIME], file.mtime_ms, SWEEP_LABELS("file", path));
	else if (!s->why.text[0])
		fw_fail(&s->why, rc, "%s: %s", path, s->err.text);
	add_refused(s, path);
}

static int on_file(struct machine *m, const char *name, void *arg)
{
	(void)m;
	struct scrape *s = arg;
	char path[NAME_LIMIT];
	size_t length = strlen(name);
	if (length < 6 || strcmp(name + length - 5, ".prom") != 0)
		return 0;
	int n = snprintf(path, sizeof path, "/%s/%s", s->folder, name);
	if (n < 0 || (size_t)n >= sizeof path || s->n_files++ >= FILES_LIMIT)
		fw_fail(&s->why, -E2BIG, "%s: too many files, or too long a name", name);
	else
		read_file(s, path);
	return 0;
}

/* A server that does not answer would stop every source, so nothing is read from one. */
static int check_place(struct machine *m, const char *folder, struct fw_err *err)
{
	struct mount mount;
	if (mount_find(m, folder, &mount) < 0 || !mount_is_distant(&mount))
		return 0;
	return fw_fail(err, -EOPNOTSUPP,
		"%s lies on %s (%s), which may stop to answer: text files are read from local disks",
		folder, mount.mountpoint, mount.type);
}

static int read_textfile(void *state, struct machine *m, struct sweep *out, struct fw_err *err)
{
	(void)state;
	const char *folder = m->choices->textfile;
	struct scrape s = {.m = m, .out = out, .folder = folder ? machine_path(folder) : ""};
	int rc = folder ? check_place(m, folder, err) : -ENOENT;
	if (rc == -EOPNOTSUPP)
		return rc;
	if (rc == 0)
		rc = machine_list(m, s.folder, on_file, &s);
	if (rc == -ENOENT)
		return fw_fail(err, -ENODATA, "this machine has no %s",
			folder ? folder : "folder of text files");
	if (rc < 0)
		return fw_fail_sys(err, rc, "%s", folder);
	bool failed = s.why.text[0] != '\0';
	sweep_add_plain(out, &metrics[SCRAPE_ERROR], failed);
	return failed ? fw_fail(err, -EINVAL, "%s", s.why.text) : 0;
}

const struct source source_textfile = {
	.name = "textfile",
	.help = "Whatever scripts of the house write as NAME.prom into a folder, as for node_exporter: "
		"series with names of their own.",
	.purpose = "What only a script of the house knows.",
	.reads = "NAME.prom in the folder that `textfile: {dir}` names",
	.metrics = metrics,
	.n_metrics = COUNT(metrics),
	.read = read_textfile,
};
