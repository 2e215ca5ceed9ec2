/* SPDX-License-Identifier: Apache-2.0 */
/* What strangers send: a DNS server's answer, and a plugin's output. An even first byte is
 * followed by an answer to the question for example.gov.uk that stands here, an odd one by
 * output. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "dnsanswer.h"
#include "perfdata.h"

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
	perf_text((const char *)data + 1, size - 1, text, sizeof text);
	perf_each((const char *)data + 1, size - 1, on_value, &all);
	if (all > PERF_VALUES || strlen(text) >= sizeof text)
		abort();
	return 0;
}
