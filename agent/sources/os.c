/* SPDX-License-Identifier: Apache-2.0 */
#include "os.h"
#include "parse.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <fenwatch/clock.h>

enum { INFO, VERSION, SUPPORT_END };

static const struct metric metrics[] = {
	[INFO] = {"node_os_info", FW_GAUGE, "", "What /etc/os-release says, in labels.", 0, 1},
	[VERSION] = {"node_os_version", FW_GAUGE, "",
		"Metric containing the major.minor part of the OS version.", 4, 1},
	[SUPPORT_END] = {"node_os_support_end_timestamp_seconds", FW_GAUGE, "seconds",
		"When support ends, by what the system says itself.", 3, 1},
};

#define VALUE_BYTES OS_TEXT

enum {
	BUILD_ID,
	ID,
	ID_LIKE,
	IMAGE_ID,
	IMAGE_VERSION,
	NAME,
	PRETTY_NAME,
	VARIANT,
	VARIANT_ID,
	VERSION_TEXT,
	VERSION_CODENAME,
	VERSION_ID,
	LABELS,
};

static const char *const labels[LABELS] = {
	[BUILD_ID] = "build_id",
	[ID] = "id",
	[ID_LIKE] = "id_like",
	[IMAGE_ID] = "image_id",
	[IMAGE_VERSION] = "image_version",
	[NAME] = "name",
	[PRETTY_NAME] = "pretty_name",
	[VARIANT] = "variant",
	[VARIANT_ID] = "variant_id",
	[VERSION_TEXT] = "version",
	[VERSION_CODENAME] = "version_codename",
	[VERSION_ID] = "version_id",
};

struct os {
	char values[LABELS][VALUE_BYTES];
	char support_end[VALUE_BYTES];
};

static void copy(char *out, const char *from, size_t length)
{
	length = length < VALUE_BYTES ? length : VALUE_BYTES - 1;
	memcpy(out, from, length);
	out[length] = '\0';
}

/* A shell's assignment: in quotes or not, a backslash before what is meant as it stands. */
static void unquote(char *out, struct fw_cursor c)
{
	size_t n = 0;
	if (c.at < c.end && (*c.at == '"' || *c.at == '\'') && c.end[-1] == *c.at &&
		c.end - c.at > 1)
		c = (struct fw_cursor){c.at + 1, c.end - 1};
	for (; c.at < c.end && n < VALUE_BYTES - 1; c.at++) {
		if (*c.at == '\\' && c.at + 1 < c.end)
			c.at++;
		out[n++] = *c.at;
	}
	out[n] = '\0';
}

static char *place_of(struct os *os, const char *key)
{
	for (size_t i = 0; i < LABELS; i++)
		if (strcasecmp(key, labels[i]) == 0)
			return os->values[i];
	return strcmp(key, "SUPPORT_END") == 0 ? os->support_end : NULL;
}

static int read_os_release(struct os *os, struct machine *m)
{
	struct fw_cursor c, line;
	int rc = machine_read(m, "etc/os-release", &c);
	if (rc < 0)
		rc = machine_read(m, "usr/lib/os-release", &c);
	while (rc == 0 && fw_cut_line(&c, &line)) {
		char key[NAME_BYTES];
		if (!cut_name(&line, '=', key, sizeof key))
			continue;
		char *place = place_of(os, key);
		if (place)
			unquote(place, line);
	}
	return rc;
}

/* Before os-release: "CentOS release 6.10 (Final)". */
static int read_redhat_release(struct os *os, struct machine *m)
{
	const char *line;
	int rc = machine_read_line(m, "etc/redhat-release", &line);
	if (rc < 0)
		return rc;
	const char *release = strstr(line, " release ");
	if (!release)
		return -ENODATA;
	const char *version = release + strlen(" release ");
	copy(os->values[PRETTY_NAME], line, strlen(line));
	copy(os->values[NAME], line, (size_t)(release - line));
	copy(os->values[VERSION_TEXT], version, strlen(version));
	copy(os->values[VERSION_ID], version, strcspn(version, " "));
	const char *id = strncmp(line, "CentOS", 6) == 0 ? "centos" : "rhel";
	copy(os->values[ID], id, strlen(id));
	return 0;
}

static int read_release(struct os *os, struct machine *m)
{
	return read_os_release(os, m) < 0 && read_redhat_release(os, m) < 0 ? -ENODATA : 0;
}

int os_identify(struct machine *m, char id[OS_TEXT], char version[OS_TEXT])
{
	struct os os = {0};
	int rc = read_release(&os, m);
	memcpy(id, os.values[ID], OS_TEXT);
	memcpy(version, os.values[VERSION_ID], OS_TEXT);
	return rc;
}

static void add_info(const struct os *os, struct sweep *out)
{
	const char *pairs[2 * LABELS + 1] = {0};
	for (size_t i = 0; i < LABELS; i++) {
		pairs[2 * i] = labels[i];
		pairs[2 * i + 1] = os->values[i];
	}
	sweep_add(out, &metrics[INFO], 1, pairs);
}

static void add_numbers(const struct os *os, struct sweep *out)
{
	const char *version = os->values[VERSION_ID];
	struct fw_cursor c = {version, version + strlen(version)};
	int64_t number;
	if (fw_cut_decimal(&c, metrics[VERSION].scale, &number))
		sweep_add(out, &metrics[VERSION], number,
			SWEEP_LABELS("id", os->values[ID], "id_like", os->values[ID_LIKE], "name",
				os->values[NAME]));
	char end[VALUE_BYTES + 16];
	snprintf(end, sizeof end, "%sT00:00:00Z", os->support_end);
	if (os->support_end[0] && fw_time_parse(end, &number) == 0)
		sweep_add_plain(out, &metrics[SUPPORT_END], number);
}

static int read_os(void *state, struct machine *m, struct sweep *out, struct fw_err *err)
{
	(void)state;
	struct os os = {0};
	if (read_release(&os, m) < 0)
		return fw_fail(err, -ENODATA, "neither /etc/os-release nor /etc/redhat-release");
	add_info(&os, out);
	add_numbers(&os, out);
	return 0;
}

const struct source source_os = {
	.name = "os",
	.help = "The operating system's name and version.",
	.purpose = "Which systems are out of support.",
	.reads = "/etc/os-release, /usr/lib/os-release, /etc/redhat-release",
	.metrics = metrics,
	.n_metrics = COUNT(metrics),
	.read = read_os,
};
