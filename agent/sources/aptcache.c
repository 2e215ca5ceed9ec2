/* SPDX-License-Identifier: Apache-2.0 */
/* "fenwatch-packages 5 FINGERPRINT", a line of counts, and a line for each origin:
 * installed, pending, date of its Release file, architecture, name. The counts say how many origins follow. */
#include "aptcache.h"

#include <inttypes.h>
#include <string.h>

#include <fenwatch/buf.h>
#include <fenwatch/file.h>
#include <fenwatch/mem.h>

#include "parse.h"

#define MAGIC "fenwatch-packages 5 "
#define FILE_LIMIT ((size_t)256 << 10)

static char *path_in(const char *folder)
{
	return fw_format("%s/packages.cache", folder);
}

void aptcache_save(const char *folder, uint64_t fingerprint, const struct apt_outcome *outcome)
{
	const struct apt_summary *s = &outcome->summary;
	struct fw_buf text = {0};
	fw_buf_printf(&text, MAGIC "%" PRIu64 "\n", fingerprint);
	fw_buf_printf(&text, "%u %u %" PRIi64 " %u %u %u %u %u %u %u %" PRIi64 " %u\n",
		outcome->n_unreadable, outcome->newer_kernel, outcome->kernel_s,
		s->pending[APT_SECURITY], s->pending[APT_BUGFIX], s->pending[APT_UNKNOWN],
		s->security_upgrades, s->held, s->obsolete, s->lacks_security, s->dated_s,
		s->n_origins);
	for (uint32_t i = 0; i < s->n_origins; i++)
		fw_buf_printf(&text, "%u %u %" PRIi64 " %s %s\n", s->origins[i].installed,
			s->origins[i].pending, s->origins[i].date_s, s->origins[i].arch,
			s->origins[i].text);
	char *path = path_in(folder);
	fw_file_replace(path, text.data, text.length, 0600, NULL);
	fw_free(path);
	fw_buf_done(&text);
}

static bool cut_count(struct fw_cursor *c, uint32_t *count)
{
	uint64_t number;
	if (!fw_cut_u64(c, &number) || number > UINT32_MAX)
		return false;
	*count = (uint32_t)number;
	return true;
}

static bool cut_counts(struct fw_cursor *c, struct apt_outcome *out)
{
	struct apt_summary *s = &out->summary;
	uint32_t newer_kernel, lacks_security;
	if (!cut_count(c, &out->n_unreadable) || !cut_count(c, &newer_kernel) ||
		!fw_cut_i64(c, &out->kernel_s) || !cut_count(c, &s->pending[APT_SECURITY]) ||
		!cut_count(c, &s->pending[APT_BUGFIX]) || !cut_count(c, &s->pending[APT_UNKNOWN]) ||
		!cut_count(c, &s->security_upgrades) || !cut_count(c, &s->held) ||
		!cut_count(c, &s->obsolete) || !cut_count(c, &lacks_security) ||
		!fw_cut_i64(c, &s->dated_s) || !cut_count(c, &s->n_origins))
		return false;
	out->newer_kernel = newer_kernel != 0;
	s->lacks_security = lacks_security != 0;
	return s->n_origins <= APT_ORIGINS_LIMIT;
}

static bool cut_origin(struct fw_cursor *c, struct apt_origin *o)
{
	if (!cut_count(c, &o->installed) || !cut_count(c, &o->pending) ||
		!fw_cut_i64(c, &o->date_s) || !cut_name(c, ' ', o->arch, sizeof o->arch) ||
		(size_t)(c->end - c->at) >= sizeof o->text)
		return false;
	memcpy(o->text, c->at, (size_t)(c->end - c->at));
	return true;
}

static bool parse(struct fw_cursor c, uint64_t *fingerprint, struct apt_outcome *out)
{
	struct fw_cursor line;
	*out = (struct apt_outcome){.n_unreadable = 0};
	if (c.at == c.end || c.end[-1] != '\n' || !fw_cut_line(&c, &line) ||
		!fw_cut_literal(&line, MAGIC) || !fw_cut_u64(&line, fingerprint) ||
		!fw_cut_line(&c, &line) || !cut_counts(&line, out))
		return false;
	for (uint32_t i = 0; i < out->summary.n_origins; i++)
		if (!fw_cut_line(&c, &line) || !cut_origin(&line, &out->summary.origins[i]))
			return false;
	return c.at == c.end;
}

bool aptcache_load(const char *folder, uint64_t *fingerprint, struct apt_outcome *out)
{
	struct fw_buf text = {0};
	char *path = path_in(folder);
	bool sound = false;
	if (fw_file_read(path, FILE_LIMIT, &text, NULL) >= 0 && text.data) {
		const char *at = (const char *)text.data;
		sound = parse((struct fw_cursor){at, at + text.length}, fingerprint, out);
	}
	fw_free(path);
	fw_buf_done(&text);
	return sound;
}
