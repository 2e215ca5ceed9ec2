/* SPDX-License-Identifier: Apache-2.0 */
/* Runs of digits and runs of letters are compared in turns; what stands between them
 * only separates. '~' is less than the end, '^' more than the end and less than
 * anything else. A number is newer than letters, and more runs are newer.
 */
#include <fenwatch/versions.h>

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

struct part {
	const char *at, *end;
};

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static void skip_separators(struct part *p)
{
	while (p->at < p->end && !is_digit(*p->at) && !is_letter(*p->at) && *p->at != '~' &&
		*p->at != '^')
		p->at++;
}

static bool is_at(const struct part *p, char c)
{
	return p->at < p->end && *p->at == c;
}

static struct part cut_run(struct part *p, bool (*belongs)(char))
{
	struct part run = {p->at, p->at};
	while (p->at < p->end && belongs(*p->at))
		p->at++;
	run.end = p->at;
	return run;
}

static size_t length_of(const struct part *p)
{
	return (size_t)(p->end - p->at);
}

static int compare_numbers(struct part a, struct part b)
{
	while (is_at(&a, '0'))
		a.at++;
	while (is_at(&b, '0'))
		b.at++;
	if (length_of(&a) != length_of(&b))
		return length_of(&a) < length_of(&b) ? -1 : 1;
	return memcmp(a.at, b.at, length_of(&a));
}

static int compare_letters(const struct part *a, const struct part *b)
{
	size_t shorter = length_of(a) < length_of(b) ? length_of(a) : length_of(b);
	int difference = memcmp(a->at, b->at, shorter);
	if (difference != 0 || length_of(a) == length_of(b))
		return difference;
	return length_of(a) < length_of(b) ? -1 : 1;
}

static int compare_runs(struct part *a, struct part *b)
{
	if (is_digit(*a->at) != is_digit(*b->at))
		return is_digit(*a->at) ? 1 : -1;
	bool (*belongs)(char) = is_digit(*a->at) ? is_digit : is_letter;
	struct part run_a = cut_run(a, belongs), run_b = cut_run(b, belongs);
	return belongs == is_digit ? compare_numbers(run_a, run_b)
				   : compare_letters(&run_a, &run_b);
}

/* Where one of them has '~' or '^': 2, where both have it and go on behind. */
static int compare_mark(struct part *a, struct part *b, char mark)
{
	bool both = is_at(a, mark) && is_at(b, mark);
	if (both) {
		a->at++;
		b->at++;
		return 2;
	}
	if (mark == '~')
		return is_at(a, mark) ? -1 : 1;
	if (is_at(a, mark))
		return b->at == b->end ? 1 : -1;
	return a->at == a->end ? -1 : 1;
}

static int compare_parts(struct part a, struct part b)
{
	for (;;) {
		skip_separators(&a);
		skip_separators(&b);
		char mark = is_at(&a, '~') || is_at(&b, '~') ? '~' : '^';
		int difference = 0;
		if (is_at(&a, mark) || is_at(&b, mark)) {
			difference = compare_mark(&a, &b, mark);
			if (difference == 2)
				continue;
		} else if (a.at == a.end || b.at == b.end) {
			return (a.at < a.end) - (b.at < b.end);
		} else {
			difference = compare_runs(&a, &b);
		}
		if (difference != 0)
			return difference;
	}
}

static const char zero[] = "0";

static void split(const char *text, struct part *epoch, struct part *version, struct part *release)
{
	const char *end = text + strlen(text), *colon = strchr(text, ':');
	const char *dash = strrchr(text, '-');
	*epoch = colon ? (struct part){text, colon} : (struct part){zero, zero + 1};
	version->at = colon ? colon + 1 : text;
	version->end = dash && dash >= version->at ? dash : end;
	*release = (struct part){version->end < end ? version->end + 1 : end, end};
}

int fw_rpmversion_compare(const char *a, const char *b)
{
	struct part epoch_a, epoch_b, version_a, version_b, release_a, release_b;
	split(a, &epoch_a, &version_a, &release_a);
	split(b, &epoch_b, &version_b, &release_b);
	int difference = compare_parts(epoch_a, epoch_b);
	if (difference == 0)
		difference = compare_parts(version_a, version_b);
	if (difference != 0 || length_of(&release_a) == 0 || length_of(&release_b) == 0)
		return difference;
	return compare_parts(release_a, release_b);
}
