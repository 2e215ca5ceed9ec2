/* SPDX-License-Identifier: Apache-2.0 */
#include "dnsanswer.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include <ares.h>
#include <arpa/inet.h>

enum { HEADER = 12, FIXED = 10 }; /* bytes of a message's, and of a record behind its name */
enum { TYPE_A = 1, TYPE_NS = 2, TYPE_CNAME = 5, TYPE_SOA = 6, TYPE_PTR = 12, TYPE_MX = 15 };
enum { TYPE_TXT = 16, TYPE_AAAA = 28, TYPE_SRV = 33, TYPE_CAA = 257 };

struct message {
	const uint8_t *data;
	size_t length, at;
};

/* A record, its data not yet read. */
struct record {
	unsigned type;
	size_t at, length;
};

static unsigned two(const uint8_t *bytes)
{
	return (unsigned)bytes[0] << 8 | bytes[1];
}

/* The name at `at` as text; the bytes that it takes there, or -1. c-ares escapes in it. */
static long name_at(const struct message *m, size_t at, char *text, size_t size)
{
	char *name;
	long taken;
	if (at >= m->length ||
		ares_expand_name(m->data + at, m->data, (int)m->length, &name, &taken) !=
			ARES_SUCCESS)
		return -1;
	snprintf(text, size, "%s", name);
	ares_free_string(name);
	return taken > 0 && (size_t)taken <= m->length - at ? taken : -1;
}

/* ---- whose answer it is ---- */

/* Type and class stand behind the name; case is the server's to change. */
static bool is_same_question(const struct message *m, const struct message *asked)
{
	char is[DNS_RECORD_TEXT], was[DNS_RECORD_TEXT];
	long length = name_at(m, HEADER, is, sizeof is);
	long asked_length = name_at(asked, HEADER, was, sizeof was);
	if (length < 0 || asked_length < 0 || strcasecmp(is, was) != 0)
		return false;
	size_t end = HEADER + (size_t)length, asked_end = HEADER + (size_t)asked_length;
	return m->length - end >= 4 && asked->length - asked_end >= 4 &&
		memcmp(m->data + end, asked->data + asked_end, 4) == 0;
}

static int read_header(struct message *m, const struct message *asked, struct dns_answer *out)
{
	char name[DNS_RECORD_TEXT];
	if (m->length < HEADER || asked->length < HEADER || memcmp(m->data, asked->data, 2) != 0 ||
		!(m->data[2] & 0x80) || two(m->data + 4) != 1 || !is_same_question(m, asked))
		return -EAGAIN;
	*out = (struct dns_answer){
		.rcode = m->data[3] & 15,
		.truncated = m->data[2] & 2,
		.answers = two(m->data + 6),
		.authorities = two(m->data + 8),
		.additionals = two(m->data + 10),
	};
	m->at = HEADER + (size_t)name_at(m, HEADER, name, sizeof name) + 4;
	return 0;
}

/* ---- records as text ---- */

static bool cut_record(struct message *m, struct record *out)
{
	char name[DNS_RECORD_TEXT];
	long taken = name_at(m, m->at, name, sizeof name);
	if (taken < 0 || m->length - m->at - (size_t)taken < FIXED)
		return false;
	const uint8_t *fixed = m->data + m->at + taken;
	out->type = two(fixed);
	out->length = two(fixed + 8);
	out->at = m->at + (size_t)taken + FIXED;
	if (m->length - out->at < out->length)
		return false;
	m->at = out->at + out->length;
	return true;
}

/* Bytes that a line may hold; all others as \DDD. Strings of TXT stand one behind another. */
static void append_bytes(char *text, const uint8_t *bytes, size_t length)
{
	size_t used = strlen(text);
	for (size_t i = 0; i < length && used + 5 < DNS_RECORD_TEXT; i++)
		used += (size_t)snprintf(text + used, DNS_RECORD_TEXT - used,
			bytes[i] >= ' ' && bytes[i] < 127 ? "%c" : "\\%03u", bytes[i]);
}

static bool text_of_strings(const uint8_t *bytes, size_t length, char *text)
{
	for (size_t at = 0; at < length; at += 1 + (size_t)bytes[at]) {
		if (length - at < 1 + (size_t)bytes[at])
			return false;
		append_bytes(text, bytes + at + 1, bytes[at]);
	}
	return true;
}

/* Numbers of 16 bits in front of a name: none, MX has one, SRV three. */
static bool text_of_name(
	const struct message *m, const struct record *r, size_t numbers, char *text)
{
	size_t used = 0;
	if (r->length < 2 * numbers)
		return false;
	for (size_t i = 0; i < numbers; i++)
		used += (size_t)snprintf(
			text + used, DNS_RECORD_TEXT - used, "%u ", two(m->data + r->at + 2 * i));
	return name_at(m, r->at + 2 * numbers, text + used, DNS_RECORD_TEXT - used) >= 0;
}

static bool text_of_caa(const uint8_t *bytes, size_t length, char *text)
{
	if (length < 2 || length - 2 < bytes[1])
		return false;
	snprintf(text, DNS_RECORD_TEXT, "%u ", bytes[0]);
	append_bytes(text, bytes + 2, bytes[1]);
	append_bytes(text, (const uint8_t *)" ", 1);
	append_bytes(text, bytes + 2 + bytes[1], length - 2 - bytes[1]);
	return true;
}

/* The primary server, and the serial number behind the two names. */
static bool text_of_soa(
	const struct message *m, const struct record *r, char *text, struct dns_answer *out)
{
	char mailbox[DNS_RECORD_TEXT];
	long first = name_at(m, r->at, text, DNS_RECORD_TEXT - 16);
	long second = first < 0 ? -1 : name_at(m, r->at + (size_t)first, mailbox, sizeof mailbox);
	if (second < 0 || r->length < (size_t)first + (size_t)second + 20)
		return false;
	const uint8_t *numbers = m->data + r->at + first + second;
	out->has_serial = true;
	out->serial = (uint32_t)two(numbers) << 16 | two(numbers + 2);
	size_t used = strlen(text);
	snprintf(text + used, DNS_RECORD_TEXT - used, " %u", out->serial);
	return true;
}

static bool text_of_address(const uint8_t *bytes, size_t length, int family, char *text)
{
	return length == (family == AF_INET ? 4 : 16) &&
		inet_ntop(family, bytes, text, INET6_ADDRSTRLEN);
}

static bool text_of(
	const struct message *m, const struct record *r, char *text, struct dns_answer *out)
{
	const uint8_t *bytes = m->data + r->at;
	text[0] = '\0';
	switch (r->type) {
	case TYPE_A:
		return text_of_address(bytes, r->length, AF_INET, text);
	case TYPE_AAAA:
		return text_of_address(bytes, r->length, AF_INET6, text);
	case TYPE_NS:
	case TYPE_CNAME:
	case TYPE_PTR:
		return text_of_name(m, r, 0, text);
	case TYPE_MX:
		return text_of_name(m, r, 1, text);
	case TYPE_SRV:
		return text_of_name(m, r, 3, text);
	case TYPE_SOA:
		return text_of_soa(m, r, text, out);
	case TYPE_TXT:
		return text_of_strings(bytes, r->length, text);
	case TYPE_CAA:
		return text_of_caa(bytes, r->length, text);
	default: /* signatures and the like */
		append_bytes(text, bytes, r->length);
		return true;
	}
}

int dns_answer_read(const uint8_t *data, size_t length, const uint8_t *question,
	size_t question_length, struct dns_answer *out, void (*each)(const char *text, void *arg),
	void *arg, struct fw_err *err)
{
	struct message m = {data, length, 0};
	const struct message asked = {question, question_length, 0};
	char text[DNS_RECORD_TEXT];
	struct record record;
	int rc = read_header(&m, &asked, out);
	if (rc < 0)
		return fw_fail(err, rc, "this answers another question");
	for (unsigned i = 0; i < out->answers; i++) {
		/* One that was cut off may end anywhere. */
		if (!cut_record(&m, &record) || !text_of(&m, &record, text, out))
			return out->truncated
				? 0
				: fw_fail(err, -EBADMSG, "record %u of the answer cannot be read",
					  i + 1);
		each(text, arg);
	}
	return 0;
}
