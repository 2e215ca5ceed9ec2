/* SPDX-License-Identifier: Apache-2.0 */
/* [EPOCH:]UPSTREAM[-REVISION], after deb-version(7).
 *
 * Epochs are numbers. Upstream and revision are compared in turns: a run without
 * digits, letter by letter, where '~' is less than the end, the end less than a
 * letter and a letter less than anything else; then a run of digits as a number.
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

/* The weight of what stands next in a run without digits. */
static int weigh(const struct part *p)
{
	if (p->at == p->end || is_digit(*p->at))
		return 0;
	if (*p->at == '~')
		return -1;
	return is_letter(*p->at) ? *p->at : (unsigned char)*p->at + 256;
}

static bool at_digit(const struct part *p)
{
	return p->at < p->end && is_digit(*p->at);
}

static int compare_text(struct part *a, struct part *b)
{
	while ((a->at < a->end && !is_digit(*a->at)) || (b->at < b->end && !is_digit(*b->at))) {
		int difference = weigh(a) - weigh(b);
		if (difference != 0)
			return difference;
		a->at++;
		b->at++;
	}
	return 0;
}

static size_t cut_number(struct part *p, const char **digits)
{
	while (p->at < p->end && *p->at == '0')
		p->at++;
	*digits = p->at;
	while (at_digit(p))
		p->at++;
	return (size_t)(p->at - *digits);
}

/* As numbers of any length. */
static int compare_numbers(struct part *a, struct part *b)
{
	const char *digits_a, *digits_b;
	size_t length_a = cut_number(a, &digits_a), length_b = cut_number(b, &digits_b);
	if (length_a != length_b)
		return length_a < length_b ? -1 : 1;
	return memcmp(digits_a, digits_b, length_a);
}

static int compare_parts(struct part a, struct part b)
{
	while (a.at < a.end || b.at < b.end) {
		int difference = compare_text(&a, &b);
		if (difference == 0)
			difference = compare_numbers(&a, &b);
		if (difference != 0)
			return difference;
	}
	return 0;
}

static void split(
	const char *version, struct part *epoch, struct part *upstream, struct part *revision)
{
	const char *end = version + strlen(version);
	const char *colon = strchr(version, ':'), *dash = strrchr(version, '-');
	*epoch = (struct part){version, colon ? colon : version};
	upstream->at = colon ? colon + 1 : version;
	upstream->end = dash && dash >= upstream->at ? dash : end;
	*revision = (struct part){upstream->end < end ? upstream->end + 1 : end, end};
}

int fw_debversion_compare(const char *a, const char *b)
{
	struct part epoch_a, epoch_b, upstream_a, upstream_b, revision_a, revision_b;
	split(a, &epoch_a, &upstream_a, &revision_a);
	split(b, &epoch_b, &upstream_b, &revision_b);
	int difference = compare_parts(epoch_a, epoch_b);
	if (difference == 0)
		difference = compare_parts(upstream_a, upstream_b);
	return difference ? difference : compare_parts(revision_a, revision_b);
}
