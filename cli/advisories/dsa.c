/* SPDX-License-Identifier: Apache-2.0 */
/* DSA/list and DLA/list of Debian's security tracker:
 *
 *   [07 Nov 2023] DSA-5548-1 openjdk-17 - security update
 *   	{CVE-2023-22025 CVE-2023-22081}
 *   	[bookworm] - openjdk-17 17.0.9+9-1~deb12u1
 */
#include <stdio.h>
#include <string.h>

#include <fenwatch/text.h>

#include "internal.h"

#define LINE 4096 /* what is longer is cut: only lists of CVEs are */

/* False at the end. */
static bool read_line(struct input *in, char line[LINE])
{
	size_t n = 0;
	int c = input_byte(in);
	if (c < 0)
		return false;
	for (; c >= 0 && c != '\n'; c = input_byte(in))
		if (n + 1 < LINE && c != 0)
			line[n++] = (char)c;
	line[n] = '\0';
	return true;
}

/* "07 Nov 2023" */
static int64_t read_day(const char *text)
{
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	char month[4] = "", day[16];
	if (strlen(text) < strlen("07 Nov 2023") || text[2] != ' ' || text[6] != ' ')
		return 0;
	memcpy(month, text + 3, 3);
	const char *found = strstr(months, month);
	if (!found || (found - months) % 3 != 0)
		return 0;
	snprintf(day, sizeof day, "%.4s-%02d-%.2s", text + 7, (int)(found - months) / 3 + 1, text);
	return import_date(day);
}

static void read_head(struct draft *d, const char *line)
{
	const char *bracket = strchr(line, ']');
	const char *name = bracket ? bracket + 1 + strspn(bracket + 1, " ") : "";
	draft_begin(d, name, strcspn(name, " "));
	d->issued_s = read_day(line + 1);
}

/* "[bookworm] - openjdk-17 17.0.9+9-1~deb12u1"; of what is not affected or not fixed a
 * word in angles stands for the version. */
static int read_fix(struct draft *d, char *text, struct fw_err *err)
{
	char words[3][IMPORT_TEXT + 1];
	char *end = strchr(text, ']');
	if (!end)
		return 0;
	*end = '\0';
	struct fw_cursor c = {end + 1, end + 1 + strlen(end + 1)};
	for (size_t i = 0; i < 3; i++) {
		const char *word;
		size_t length;
		if (!fw_cut_word(&c, &word, &length) || length > IMPORT_TEXT)
			return 0;
		memcpy(words[i], word, length);
		words[i][length] = '\0';
	}
	if (strcmp(words[0], "-") != 0 || *words[2] == '<')
		return 0;
	return draft_fix(d, words[1], text + 1, words[2], err);
}

int dsa_read(struct input *in, struct draft *d, struct fw_err *err)
{
	char line[LINE];
	bool begun = false;
	int rc = 0;
	while (rc == 0 && read_line(in, line)) {
		char *text = line + strspn(line, " \t");
		if (*line == '[') {
			if (begun)
				rc = draft_end(d, err);
			read_head(d, line);
			begun = true;
		} else if (*text == '[' && begun) {
			rc = read_fix(d, text, err);
		}
	}
	return rc == 0 && begun ? draft_end(d, err) : rc;
}
