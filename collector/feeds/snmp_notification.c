/* SPDX-License-Identifier: Apache-2.0 */
/* A notice as a notification, as packaging/mibs/FENWATCH-MIB.txt describes it. */
#include "snmp_exchange.h"

#include <time.h>

#include <fenwatch/buf.h>
#include <fenwatch/mem.h>

#include "feed.h"
#include "notice.h"

#define TEXT_BYTES 255 /* SnmpAdminString */

#define ROOT(enterprise) 1, 3, 6, 1, 4, 1, (oid)(enterprise), 7480
enum { FIRING = 1, RESOLVED = 2 };
enum {
	KEY = 1,
	STATE,
	SEVERITY,
	HOST,
	RULE,
	SUMMARY,
	STARTED_AT,
	LINK,
	PRIORITY,
	SITE,
	SUPPLIER,
	RING
};

/* A notification that is written, under an enterprise's number. */
struct form {
	netsnmp_pdu *pdu;
	int64_t enterprise;
};

static void put(const struct form *form, oid object, uint8_t type, const void *value, size_t length)
{
	const oid name[] = {ROOT(form->enterprise), 1, object, 0};
	snmp_pdu_add_variable(form->pdu, name, sizeof name / sizeof *name, type, value, length);
}

static void put_text(const struct form *form, oid object, const char *text)
{
	struct fw_buf line = {0};
	text_put_line(&line, text, TEXT_BYTES);
	size_t length = line.length < TEXT_BYTES ? line.length : TEXT_BYTES;
	while (length > 0 && length < line.length && (line.data[length] & 0xc0) == 0x80)
		length--;
	put(form, object, ASN_OCTET_STR, line.data, length);
	fw_buf_done(&line);
}

static void put_number(const struct form *form, oid object, long number)
{
	put(form, object, ASN_INTEGER, &number, sizeof number);
}

/* DateAndTime, in UTC (RFC 2579). */
static void put_time(const struct form *form, oid object, int64_t at_ms)
{
	struct tm at;
	time_t at_s = (time_t)(at_ms / 1000);
	gmtime_r(&at_s, &at);
	unsigned year = (unsigned)at.tm_year + 1900;
	const uint8_t text[] = {(uint8_t)(year >> 8), (uint8_t)year, (uint8_t)(at.tm_mon + 1),
		(uint8_t)at.tm_mday, (uint8_t)at.tm_hour, (uint8_t)at.tm_min, (uint8_t)at.tm_sec,
		(uint8_t)(at_ms % 1000 / 100), '+', 0, 0};
	put(form, object, ASN_OCTET_STR, text, sizeof text);
}

/* As ITU-ALARM-TC-MIB numbers them (RFC 3877). */
static long perceived(const struct notice *notice)
{
	static const long numbers[SEVERITIES] = {3, 4, 5, 6, 2};
	return notice_is_over(notice) ? 1 : numbers[notice_severity(notice)];
}

static void put_head(const struct form *form, bool over)
{
	static const oid uptime[] = {1, 3, 6, 1, 2, 1, 1, 3, 0};
	static const oid what[] = {1, 3, 6, 1, 6, 3, 1, 1, 4, 1, 0};
	const oid notification[] = {ROOT(form->enterprise), 0, over ? RESOLVED : FIRING};
	u_long hundredths = (uint32_t)(uv_hrtime() / 10000000);
	snmp_pdu_add_variable(form->pdu, uptime, sizeof uptime / sizeof *uptime, ASN_TIMETICKS,
		&hundredths, sizeof hundredths);
	snmp_pdu_add_variable(form->pdu, what, sizeof what / sizeof *what, ASN_OBJECT_ID,
		notification, sizeof notification);
}

netsnmp_pdu *snmp_notification(int64_t enterprise, bool inform, const struct notice *notice)
{
	netsnmp_pdu *pdu = snmp_pdu_create(inform ? SNMP_MSG_INFORM : SNMP_MSG_TRAP2);
	const struct form form = {pdu, enterprise};
	bool over = notice_is_over(notice);
	char *summary = notice_summary(notice);
	put_head(&form, over);
	put_text(&form, KEY, notice->key);
	put_number(&form, STATE, over ? RESOLVED : FIRING);
	put_number(&form, SEVERITY, perceived(notice));
	put_text(&form, HOST, notice_label(notice, "instance"));
	put_text(&form, RULE, notice_label(notice, "alertname"));
	put_text(&form, SUMMARY, summary);
	put_time(&form, STARTED_AT, notice->starts_ms);
	put_text(&form, LINK, notice->generator_url);
	put_text(&form, PRIORITY, notice->priority ? notice->priority : "");
	put_text(&form, SITE, notice_annotation(notice, "site"));
	put_text(&form, SUPPLIER, notice_annotation(notice, "supplier"));
	put_text(&form, RING, notice_annotation(notice, "telephone"));
	fw_free(summary);
	return pdu;
}
