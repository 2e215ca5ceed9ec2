/* SPDX-License-Identifier: Apache-2.0 */
#include "parse.h"

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
		if (*name++ != expected)
			return false;
	}
	return *name == '\0' || strcmp(name, "_bytes") == 0;
}

const struct metric *find_metric(const struct metric *metrics, size_t n, size_t *hint,
	size_t prefix, const char *key, size_t length)
{
	for (size_t i = 0; i < n; i++) {
		size_t at = (*hint + i) % n;
		if (has_key(metrics[at].name + prefix, key, length)) {
			*hint = at + 1;
			return &metrics[at];
		}
	}
	return NULL;
}
