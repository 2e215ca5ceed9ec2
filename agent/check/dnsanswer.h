/* A DNS message that answers us: its code, how many records it has, and these as text.
 *
 * Whatever a server sends: lengths and pointers are checked, by c-ares where names are.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <fenwatch/err.h>

#define DNS_RECORD_TEXT 1024 /* bytes of a record's text, cut to fit */

struct dns_answer {
	unsigned rcode, answers, authorities, additionals;
	bool truncated;
	bool has_serial;
	uint32_t serial; /* of a SOA */
};

/* -EAGAIN: it does not answer this question (another id, another name, no answer);
 * -EBADMSG: its records cannot be read. `each` gets the text of every record of the
 * answer section, without name and time to live: "10 mail.example.gov.uk". */
int dns_answer_read(const uint8_t *data, size_t length, const uint8_t *question,
	size_t question_length, struct dns_answer *out, void (*each)(const char *text, void *arg),
	void *arg, struct fw_err *err);
