/* SPDX-License-Identifier: Apache-2.0 */
#include "aptpins.h"

#include <string.h>

#include <fenwatch/mem.h>
#include <fenwatch/text.h>

#include "apt.h"

struct aptpin {
	char packages[512], pin[256];
	int16_t priority;
};

static bool read_priority(const char *text, int16_t *priority)
{
	struct fw_cursor c = {text, text + strlen(text)};
	int64_t number = INT16_MIN;
	if (strcmp(text, "never") != 0 &&
		(!fw_cut_i64(&c, &number) || number < INT16_MIN || number > INT16_MAX))
		return false;
	*priority = (int16_t)number;
	return true;
}

void aptpins_read(struct aptpins *pins, int fd)
{
	struct aptpin pin;
	char priority[16];
	const struct deb822_field fields[] = {
		{"Package", pin.packages, sizeof pin.packages},
		{"Pin", pin.pin, sizeof pin.pin},
		{"Pin-Priority", priority, sizeof priority},
	};
	struct deb822 *r = deb822_open(fd, "");
	while (pins->n < APTPINS_LIMIT && deb822_next(r, fields, 3) > 0) {
		if (!pin.packages[0] || !pin.pin[0] || !read_priority(priority, &pin.priority))
			continue;
		pins->pins = fw_realloc(pins->pins, (pins->n + 1) * sizeof *pins->pins);
		pins->pins[pins->n++] = pin;
	}
	deb822_close(r);
}

/* A '*' at the end stands for anything. */
static bool matches(const char *pattern, size_t length, const char *text)
{
	if (length > 0 && pattern[length - 1] == '*')
		return strncmp(pattern, text, length - 1) == 0;
	return strlen(text) == length && memcmp(pattern, text, length) == 0;
}

static bool names_package(const struct aptpin *pin, const char *package)
{
	struct fw_cursor c = {pin->packages, pin->packages + strlen(pin->packages)};
	const char *word;
	size_t length;
	while (fw_cut_word(&c, &word, &length))
		if (matches(word, length, package))
			return true;
	return false;
}

static const char *archive_field(const struct apt_archive *archive, char key)
{
	return key == 'a'    ? archive->suite
		: key == 'n' ? archive->codename
		: key == 'o' ? archive->origin
		: key == 'l' ? archive->label
			     : NULL;
}

/* "a=stable,o=Debian" */
static bool is_release(const char *conditions, const struct apt_archive *archive)
{
	while (*conditions) {
		conditions += strspn(conditions, " ,");
		size_t length = strcspn(conditions, ",");
		if (length < 2 || conditions[1] != '=')
			return false;
		const char *field = archive_field(archive, conditions[0]);
		if (!field || !matches(conditions + 2, length - 2, field))
			return false;
		conditions += length;
	}
	return true;
}

static bool is_pinned(
	const struct aptpin *pin, const char *version, const struct apt_archive *archive)
{
	if (strncmp(pin->pin, "release ", 8) == 0)
		return is_release(pin->pin + 8, archive);
	if (strncmp(pin->pin, "version ", 8) == 0)
		return matches(pin->pin + 8, strlen(pin->pin + 8), version);
	return false;
}

int16_t aptpins_priority(const struct aptpins *pins, const char *package, const char *version,
	const struct apt_archive *archive, int16_t usual)
{
	const struct aptpin *general = NULL;
	for (uint32_t i = 0; i < pins->n; i++) {
		const struct aptpin *pin = &pins->pins[i];
		if (!names_package(pin, package) || !is_pinned(pin, version, archive))
			continue;
		if (strcmp(pin->packages, "*") != 0)
			return pin->priority;
		general = general ? general : pin;
	}
	return general ? general->priority : usual;
}

void aptpins_done(struct aptpins *pins)
{
	fw_free(pins->pins);
}
