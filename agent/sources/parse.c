/* SPDX-License-Identifier: Apache-2.0 */
#include "parse.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

int read_facts(struct machine *m, const char *path, struct fw_cursor *c, struct fw_err *err)
{
	int rc = machine_read(m, path, c);
	if (rc == -ENOENT || rc == -EOPNOTSUPP)
		return fw_fail(err, -ENODATA, "this machine has no /%s", path);
	return rc < 0 ? fw_fail_sys(err, rc, "/%s", path) : 0;
}

int read_number(struct machine *m, const char *path, int64_t *value, struct fw_err *err)
{
	int rc = machine_read_i64(m, path, value);
	if (rc == -ENOENT || rc == -EOPNOTSUPP)
		return fw_fail(err, -ENODATA, "this machine has no /%s", path);
	return rc < 0 ? fw_fail_sys(err, rc, "/%s", path) : 0;
}

bool read_text(struct machine *m, const char *path, char *out, size_t size)
{
	const char *line;
	out[0] = '\0';
	if (machine_read_line(m, path, &line) < 0)
		return false;
	while (isspace((unsigned char)*line))
		line++;
	size_t length = strlen(line);
	while (length > 0 && isspace((unsigned char)line[length - 1]))
		length--;
	length = length < size ? length : size - 1;
	memcpy(out, line, length);
	out[length] = '\0';
	return length > 0;
}

bool cut_pair(struct fw_cursor line, struct fw_cursor *key, struct fw_cursor *value)
{
	const char *colon = memchr(line.at, ':', (size_t)(line.end - line.at));
	if (!colon)
		return false;
	*key = (struct fw_cursor){line.at, colon};
	while (key->end > key->at && isspace((unsigned char)key->end[-1]))
		key->end--;
	*value = (struct fw_cursor){colon + 1, line.end};
	fw_skip_blanks(value);
	return true;
}

bool cursor_is(const struct fw_cursor *c, const char *text)
{
	size_t length = (size_t)(c->end - c->at);
	return strlen(text) == length && memcmp(c->at, text, length) == 0;
}

bool is_number(const char *text)
{
	size_t digits = strspn(text, "0123456789");
	return digits > 0 && text[digits] == '\0';
}

bool cut_name(struct fw_cursor *c, char end, char *out, size_t size)
{
	const char *from = c->at;
	while (from < c->end && (*from == ' ' || *from == '\t'))
		from++;
	const char *to = from;
	while (to < c->end && *to != end && *to != ' ' && *to != '\t' && *to != '\n')
		to++;
	size_t length = (size_t)(to - from);
	if (length == 0 || length >= size)
		return false;
	memcpy(out, from, length);
	out[length] = '\0';
	c->at = to < c->end && *to == end ? to + 1 : to;
	return true;
}

bool cut_hex(struct fw_cursor *c, uint64_t *value)
{
	const char *at = c->at;
	while (at < c->end && (*at == ' ' || *at == '\t'))
		at++;
	const char *first = at;
	uint64_t sum = 0;
	for (; at < c->end && at - first < 16; at++) {
		char low = (char)(*at | 0x20);
		unsigned digit = *at >= '0' && *at <= '9' ? (unsigned)(*at - '0')
			: low >= 'a' && low <= 'f'        ? (unsigned)(low - 'a' + 10)
							  : 16;
		if (digit == 16)
			break;
		sum = sum << 4 | digit;
	}
	if (at == first)
		return false;
	c->at = at;
	*value = sum;
	return true;
}

static bool has_key(const char *name, const char *key, size_t length)
{
	for (size_t i = 0; i < length; i++) {
		char expected = key[i] == '(' ? '_' : key[i];
		if (key[i] == ')')
			continue;
		if (*name == '\0' || *name++ != expected)
			return false;
	}
	return *name == '\0' || strcmp(name, "_bytes") == 0;
}

/* Most keys of a file are none of ours: the first letter tells. */
const struct metric *find_metric(const struct metric *metrics, size_t n, size_t *hint,
	size_t prefix, const char *key, size_t length)
{
	size_t at = *hint < n ? *hint : 0;
	for (size_t i = 0; i < n; i++, at = at + 1 < n ? at + 1 : 0) {
		const char *name = metrics[at].name + prefix;
		if (*name == *key && has_key(name, key, length)) {
			*hint = at + 1;
			return &metrics[at];
		}
	}
	return NULL;
}
