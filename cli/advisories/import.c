/* SPDX-License-Identifier: Apache-2.0 */
#include "import.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <fenwatch/clock.h>
#include <fenwatch/text.h>

#include "internal.h"

/* ---- input ---- */

bool input_fill(struct input *in)
{
	if (in->rc < 0)
		return false;
	ssize_t n = in->import->read(in->import->from, in->window, sizeof in->window);
	in->at = 0;
	in->end = n > 0 ? (size_t)n : 0;
	in->total += in->end;
	if (n < 0)
		in->rc = (int)n;
	else if (in->total > INPUT_LIMIT)
		in->rc = -EFBIG;
	if (in->rc < 0)
		in->end = 0;
	return in->end > 0;
}

int input_peek(struct input *in)
{
	return in->at < in->end || input_fill(in) ? in->window[in->at] : -1;
}

int input_byte(struct input *in)
{
	int c = input_peek(in);
	in->at += c >= 0;
	return c;
}

int input_skip_blanks(struct input *in)
{
	int c;
	while ((c = input_peek(in)) == ' ' || c == '\t' || c == '\r' || c == '\n')
		in->at++;
	return c;
}

int input_fail(const struct input *in, struct fw_err *err)
{
	if (in->rc == -EFBIG)
		return fw_fail(err, in->rc,
			"it is longer than %llu GiB, or takes too much memory to unpack",
			(unsigned long long)(INPUT_LIMIT >> 30));
	if (in->rc == -EBADMSG)
		return fw_fail(
			err, in->rc, "it is damaged or cut off, or not packed as its name says");
	return in->rc < 0 ? fw_fail_sys(err, in->rc, "it cannot be read") : 0;
}

/* ---- a draft ---- */

static bool is_text(const char *text)
{
	size_t length = strlen(text);
	return length > 0 && length <= IMPORT_TEXT && fw_utf8_valid(text, length);
}

void draft_begin(struct draft *d, const char *name, size_t length)
{
	fw_arena_reset(&d->arena);
	d->name = fw_arena_strndup(&d->arena, name, length);
	d->severity = "";
	d->issued_s = 0;
	d->cvss = 0;
	d->n = 0;
	d->told = false;
}

static int tell(struct draft *d, struct fw_err *err)
{
	const struct import_advisory advisory = {
		d->name, d->issued_s, d->severity, d->cvss, d->fixes, d->n};
	d->told = true;
	d->n = 0;
	return d->import->on_advisory(&advisory, d->import->arg, err);
}

static bool is_there(const struct draft *d, const struct import_fix *fix)
{
	for (size_t i = d->n; i > 0; i--)
		if (strcmp(d->fixes[i - 1].package, fix->package) == 0 &&
			strcmp(d->fixes[i - 1].version, fix->version) == 0 &&
			strcmp(d->fixes[i - 1].release, fix->release) == 0)
			return true;
	return false;
}

static bool is_usable(const struct draft *d)
{
	return is_text(d->name) && d->issued_s > 0;
}

int draft_fix(struct draft *d, const char *package, const char *release, const char *version,
	struct fw_err *err)
{
	struct import_fix fix = {package, release, version};
	if (!is_text(package) || !is_text(version) || (*release && !is_text(release)) ||
		is_there(d, &fix))
		return 0;
	if (d->n == IMPORT_FIXES) {
		int rc = is_usable(d) ? tell(d, err) : 0;
		d->n = 0;
		if (rc < 0)
			return rc;
	}
	fix.package = fw_arena_strdup(&d->arena, package);
	fix.release = fw_arena_strdup(&d->arena, release);
	fix.version = fw_arena_strdup(&d->arena, version);
	d->fixes[d->n++] = fix;
	return 0;
}

int draft_end(struct draft *d, struct fw_err *err)
{
	int rc = 0;
	if (is_usable(d) && d->n > 0)
		rc = tell(d, err);
	d->import->n += d->told;
	d->import->n_passed += !d->told;
	return rc;
}

void draft_done(struct draft *d)
{
	fw_arena_done(&d->arena);
}

/* ---- texts ---- */

int64_t import_date(const char *text)
{
	char moment[40];
	int64_t at_ms;
	uint64_t seconds;
	if (fw_parse_u64(text, &seconds) == 0)
		return seconds <= UINT32_MAX ? (int64_t)seconds : 0;
	snprintf(moment, sizeof moment, "%.10sT00:00:00Z", text);
	return strlen(text) >= strlen("2026-06-10") && fw_time_parse(moment, &at_ms) == 0 &&
			at_ms > 0
		? at_ms / 1000
		: 0;
}

const char *import_dist(const char *release, char out[16])
{
	for (const char *dot = strchr(release, '.'); dot; dot = strchr(dot + 1, '.')) {
		size_t digits = strlen(dot) > 3 ? strspn(dot + 3, "0123456789") : 0;
		if ((strncmp(dot, ".el", 3) == 0 || strncmp(dot, ".fc", 3) == 0) && digits > 0 &&
			digits < 10) {
			snprintf(out, 16, "%.*s", (int)(digits + 2), dot + 1);
			return out;
		}
	}
	return "";
}

/* ---- running ---- */

static int read_any(struct input *in, struct draft *d, struct fw_err *err)
{
	int first = input_skip_blanks(in);
	if (first == '[')
		return dsa_read(in, d, err);
	if (first == '{')
		return usn_read(in, d, err);
	if (first == '<')
		return xml_read(in, d, err);
	if (first < 0)
		return in->rc < 0 ? input_fail(in, err) : fw_fail(err, -EBADMSG, "it is empty");
	return fw_fail(err, -EBADMSG,
		"it is none of: DSA/list, a database of USNs, OVAL, updateinfo.xml; what is packed goes "
		"through zcat or xzcat and 'advisories import -'");
}

int import_run(struct import *import, struct fw_err *err)
{
	struct input *in = fw_alloc(sizeof *in);
	struct draft *d = fw_alloc(sizeof *d);
	in->import = d->import = import;
	import->n = import->n_passed = 0;
	int rc = read_any(in, d, err);
	if (rc == 0)
		rc = input_fail(in, err);
	draft_done(d);
	fw_free(d);
	fw_free(in);
	return rc;
}
