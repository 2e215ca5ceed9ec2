/* SPDX-License-Identifier: Apache-2.0 */
/* What strangers send: a DNS server's answer, a plugin's output, and what a server says to a
 * list of steps. An even first byte is followed by an answer to the question for
 * example.gov.uk that stands here, 255 by what a server says in pieces of as many bytes as
 * the byte in front of each, another odd one by output. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "dialog.h"
#include "dnsanswer.h"
#include "perfdata.h"
#include "shim.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Id 7, one question: example.gov.uk MX. */
static const uint8_t question[] = "\0\7\1\0\0\1\0\0\0\0\0\0\7example\3gov\2uk\0\0\17\0\1";

static void on_text(const char *text, void *arg)
{
	size_t *all = arg;
	if (strlen(text) >= DNS_RECORD_TEXT)
		abort();
	*all += 1;
}

static void on_value(const struct perf_value *value, void *arg)
{
	size_t *all = arg;
	if (!value->label[0] || strlen(value->label) >= PERF_LABEL ||
		strlen(value->unit) >= PERF_UNIT || !isfinite(value->value))
		abort();
	*all += 1;
}

static const struct dialog_step *steps_of_mail(void)
{
	static struct dialog_step steps[] = {
		{.send = "EHLO ${1} $$ $ ${x} ${99}"}, {.send = "STARTTLS", .starttls = true}, {0}};
	char why[64];
	if (!steps[0].expect) {
		steps[0].expect = shim_regex_search_new("^220 ([^ ]*)( x)?", why, sizeof why);
		steps[1].expect = shim_regex_search_new("^250-STARTTLS$", why, sizeof why);
		steps[2].expect = shim_regex_search_new("(?i)^bye", why, sizeof why);
	}
	return steps;
}

/* One piece is heard; false: there is none. */
static bool hear_piece(struct dialog *d, const uint8_t **at, const uint8_t *end)
{
	size_t room, length = *at < end ? *(*at)++ : 0;
	char *line = dialog_room(d, &room);
	length = length < (size_t)(end - *at) ? length : (size_t)(end - *at);
	length = length < room ? length : room;
	memcpy(line, *at, length);
	*at += length;
	dialog_heard(d, length);
	return length > 0;
}

static void listen_to(const uint8_t *at, const uint8_t *end)
{
	static struct dialog d;
	enum dialog_wants wants;
	dialog_init(&d, steps_of_mail(), 3);
	while ((wants = dialog_next(&d)) != DIALOG_DONE && wants != DIALOG_FAILED) {
		if (wants == DIALOG_HEAR && !hear_piece(&d, &at, end) && at < end)
			break;
		if (wants == DIALOG_SAY)
			dialog_sent(&d);
		if (wants == DIALOG_TLS)
			dialog_shaken(&d);
		if (d.length > DIALOG_LINE || d.heard > DIALOG_BYTES + DIALOG_LINE)
			abort();
	}
	if (wants == DIALOG_FAILED && !d.why)
		abort();
	dialog_done(&d);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char text[64];
	size_t all = 0;
	struct dns_answer answer;
	if (size == 0)
		return 0;
	if (data[0] % 2 == 0) {
		int rc = dns_answer_read(data + 1, size - 1, question, sizeof question - 1, &answer,
			on_text, &all, NULL);
		if (rc == 0 && !answer.truncated && all != answer.answers)
			abort();
		return 0;
	}
	if (data[0] == 255) {
		listen_to(data + 1, data + size);
		return 0;
	}
	perf_text((const char *)data + 1, size - 1, text, sizeof text);
	perf_each((const char *)data + 1, size - 1, on_value, &all);
	if (all > PERF_VALUES || strlen(text) >= sizeof text)
		abort();
	return 0;
}
