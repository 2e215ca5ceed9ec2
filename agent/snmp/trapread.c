/* SPDX-License-Identifier: Apache-2.0 */
#include "trapread.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <arpa/inet.h>

#include <fenwatch/buf.h>
#include <fenwatch/text.h>
#include <fenwatch/tls.h>
#include <fenwatch/wire.h>

#define NUMBERS 128 /* of one object identifier, as RFC 3416 has it */
#define VALUE_BYTES 512
#define RAW_BYTES 4096
#define LABEL_BYTES 12         /* around a name and a value on their way */
#define TOLD_BYTES (50u << 10) /* then no variable more begins: an event has 64 KiB */

/* ---- names ---- */

/* What nearly every trap has, so that it has a name without any MIB file. Columns and scalars
 * without their instance; of RFC 3418, 2863, 1213, 4133 and 1628. */
static const struct {
	const char *oid, *name;
} known[] = {
	{"1.3.6.1.2.1.1.1", "sysDescr"},
	{"1.3.6.1.2.1.1.5", "sysName"},
	{"1.3.6.1.2.1.1.6", "sysLocation"},
	{"1.3.6.1.2.1.2.2.1.1", "ifIndex"},
	{"1.3.6.1.2.1.2.2.1.2", "ifDescr"},
	{"1.3.6.1.2.1.2.2.1.3", "ifType"},
	{"1.3.6.1.2.1.2.2.1.7", "ifAdminStatus"},
	{"1.3.6.1.2.1.2.2.1.8", "ifOperStatus"},
	{"1.3.6.1.2.1.31.1.1.1.1", "ifName"},
	{"1.3.6.1.2.1.31.1.1.1.18", "ifAlias"},
	{"1.3.6.1.2.1.33.1.2.2", "upsSecondsOnBattery"},
	{"1.3.6.1.2.1.33.1.2.3", "upsEstimatedMinutesRemaining"},
	{"1.3.6.1.2.1.33.1.6.2.1.1", "upsAlarmId"},
	{"1.3.6.1.2.1.33.1.6.2.1.2", "upsAlarmDescr"},
	{"1.3.6.1.2.1.33.1.7.1", "upsTestId"},
	{"1.3.6.1.2.1.33.1.7.2", "upsTestSpinLock"},
	{"1.3.6.1.2.1.33.1.7.3", "upsTestResultsSummary"},
	{"1.3.6.1.2.1.33.1.7.4", "upsTestResultsDetail"},
	{"1.3.6.1.2.1.33.1.7.5", "upsTestStartTime"},
	{"1.3.6.1.2.1.33.1.7.6", "upsTestElapsedTime"},
	{"1.3.6.1.2.1.33.1.9.7", "upsConfigLowBattTime"},
	/* Each as versions 2 and 3 have it, and as RFC 3584 makes it of one of version 1. */
	{"1.3.6.1.2.1.33.2.0.1", "UPS-MIB::upsTrapOnBattery"},
	{"1.3.6.1.2.1.33.2.0.2", "UPS-MIB::upsTrapTestCompleted"},
	{"1.3.6.1.2.1.33.2.0.3", "UPS-MIB::upsTrapAlarmEntryAdded"},
	{"1.3.6.1.2.1.33.2.0.4", "UPS-MIB::upsTrapAlarmEntryRemoved"},
	{"1.3.6.1.2.1.33.2.1", "UPS-MIB::upsTrapOnBattery"},
	{"1.3.6.1.2.1.33.2.2", "UPS-MIB::upsTrapTestCompleted"},
	{"1.3.6.1.2.1.33.2.3", "UPS-MIB::upsTrapAlarmEntryAdded"},
	{"1.3.6.1.2.1.33.2.4", "UPS-MIB::upsTrapAlarmEntryRemoved"},
	{"1.3.6.1.2.1.47.1.1.1.1.7", "entPhysicalName"},
	{"1.3.6.1.6.3.1.1.5.1", "SNMPv2-MIB::coldStart"},
	{"1.3.6.1.6.3.1.1.5.2", "SNMPv2-MIB::warmStart"},
	{"1.3.6.1.6.3.1.1.5.3", "IF-MIB::linkDown"},
	{"1.3.6.1.6.3.1.1.5.4", "IF-MIB::linkUp"},
	{"1.3.6.1.6.3.1.1.5.5", "SNMPv2-MIB::authenticationFailure"},
};

/* How a test of a battery ended (RFC 1628, upsTestResultsSummary), where no MIB file says it. */
static const char *const test_results[] = {
	NULL, "donePass", "doneWarning", "doneError", "aborted", "inProgress", "noTestsInitiated"};

static const oid trap_oid[] = {1, 3, 6, 1, 6, 3, 1, 1, 4, 1, 0};
static const oid trap_address[] = {1, 3, 6, 1, 6, 3, 18, 1, 3, 0};
static const oid trap_community[] = {1, 3, 6, 1, 6, 3, 18, 1, 4, 0};
static const oid up_time[] = {1, 3, 6, 1, 2, 1, 1, 3, 0};

void trap_read_mibs(const struct fw_text_list *folders)
{
	netsnmp_init_mib();
	for (size_t i = 0; i < folders->count; i++)
		add_mibdir(folders->items[i]);
	if (folders->count > 0)
		read_all_mibs();
}

static const char *dotted(struct fw_arena *arena, const oid *ids, size_t n)
{
	struct fw_buf text = {0};
	if (n == 0)
		return ""; /* a trap need not say which it is */
	for (size_t i = 0; i < n && i < NUMBERS; i++)
		fw_buf_printf(&text, i > 0 ? ".%lu" : "%lu", (unsigned long)ids[i]);
	char *copy = fw_arena_strndup(arena, (const char *)text.data, text.length);
	fw_buf_done(&text);
	return copy;
}

/* The deepest node of the MIB on the way, and how many numbers lead to it. */
static const struct tree *node_of(const oid *ids, size_t n, size_t *used)
{
	const struct tree *node = NULL, *at = get_tree_head();
	*used = 0;
	while (at && *used < n) {
		while (at && at->subid != ids[*used])
			at = at->next_peer;
		if (!at)
			break;
		node = at;
		at = at->child_list;
		(*used)++;
	}
	return node;
}

/* Its name without the instance, which is what is left of the numbers; NULL: nobody knows it. */
static const char *known_name(const char *text, const char **rest)
{
	for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
		size_t length = strlen(known[i].oid);
		if (strncmp(text, known[i].oid, length) != 0 ||
			(text[length] != '.' && text[length] != '\0'))
			continue;
		*rest = text + length;
		return known[i].name;
	}
	return NULL;
}

static const char *variable_name(struct fw_arena *arena, const oid *ids, size_t n,
	const struct tree **node, const char **rest)
{
	size_t used;
	const char *text = dotted(arena, ids, n), *name = known_name(text, rest);
	*node = node_of(ids, n, &used);
	if (*node && ((*node)->child_list || (*node)->type == TYPE_OTHER))
		*node = NULL; /* a branch, no object */
	if (name)
		return name;
	*rest = "";
	if (!*node)
		return text;
	*rest = fw_arena_format(arena, ".%s", dotted(arena, ids + used, n - used));
	return fw_arena_strdup(arena, (*node)->label);
}

static const char *trap_name(struct fw_arena *arena, const oid *ids, size_t n)
{
	size_t used;
	const char *rest, *text = dotted(arena, ids, n), *name = known_name(text, &rest);
	const struct tree *node = node_of(ids, n, &used);
	char module[256];
	if (name && !*rest)
		return name;
	if (!node || used != n || node->child_list)
		return text;
	return fw_arena_format(arena, "%s::%s", module_name(node->modid, module), node->label);
}

/* ---- values ---- */

static size_t length_of(const u_char *data, size_t length)
{
	while (length > 0 && data[length - 1] == '\0')
		length--;
	return length;
}

/* The beginning of what is too long, up to the end of a letter. */
static const char *octets(struct fw_arena *arena, const u_char *data, size_t length)
{
	length = length_of(data, length);
	if (length > VALUE_BYTES) {
		length = VALUE_BYTES;
		while (length > VALUE_BYTES - 3 && (data[length] & 0xc0) == 0x80)
			length--;
	}
	if (fw_wire_text_valid((const char *)data, length))
		return fw_arena_strndup(arena, (const char *)data, length);
	char *hex = fw_arena_alloc(arena, 2 * length + 1);
	fw_hex(data, length, hex);
	return hex;
}

static const char *integer(struct fw_arena *arena, long value, const struct tree *node)
{
	for (const struct enum_list *e = node ? node->enums : NULL; e; e = e->next)
		if (e->value == value)
			return fw_arena_format(arena, "%s(%ld)", e->label, value);
	return fw_arena_format(arena, "%ld", value);
}

static const char *value_of(
	struct fw_arena *arena, const netsnmp_variable_list *v, const struct tree *node)
{
	char address[INET_ADDRSTRLEN];
	switch (v->type) {
	case ASN_INTEGER:
		return integer(arena, *v->val.integer, node);
	case ASN_COUNTER:
	case ASN_GAUGE:
	case ASN_TIMETICKS:
	case ASN_UINTEGER:
		return fw_arena_format(arena, "%lu", (unsigned long)*v->val.integer & 0xffffffff);
	case ASN_COUNTER64:
		return fw_arena_format(arena, "%" PRIu64,
			(uint64_t)v->val.counter64->high << 32 |
				(v->val.counter64->low & 0xffffffff));
	case ASN_OBJECT_ID:
		return dotted(arena, v->val.objid, v->val_len / sizeof(oid));
	case ASN_IPADDRESS:
		return v->val_len == 4 && inet_ntop(AF_INET, v->val.string, address, sizeof address)
			? fw_arena_strdup(arena, address)
			: octets(arena, v->val.string, v->val_len);
	case ASN_OPAQUE_FLOAT:
		return fw_arena_format(arena, "%g", (double)*v->val.floatVal);
	case ASN_OPAQUE_DOUBLE:
		return fw_arena_format(arena, "%g", *v->val.doubleVal);
	case ASN_OCTET_STR:
	case ASN_OPAQUE:
	case ASN_BIT_STR:
		return octets(arena, v->val.string, v->val_len);
	default:
		return "";
	}
}

static bool is_cut(const netsnmp_variable_list *v)
{
	bool is_text = v->type == ASN_OCTET_STR || v->type == ASN_OPAQUE || v->type == ASN_BIT_STR;
	return is_text && length_of(v->val.string, v->val_len) > VALUE_BYTES;
}

/* ---- the whole ---- */

static void add(struct trap *trap, const char *name, const char *value)
{
	trap->fields[trap->n++] = (struct fw_label){name, value};
	trap->bytes += strlen(name) + strlen(value) + LABEL_BYTES;
}

static bool has(const struct trap *trap, const char *name)
{
	for (size_t i = 0; i < trap->n; i++)
		if (strcmp(trap->fields[i].name, name) == 0)
			return true;
	return false;
}

#define IS(v, what)                                        \
	((v)->name_length == sizeof(what) / sizeof(oid) && \
		memcmp((v)->name, what, sizeof(what)) == 0)

/* Several of one object are told apart by their instance; what has the same one, too, is counted. */
static const char *own_name(
	const struct trap *trap, struct fw_arena *arena, const char *name, const char *rest)
{
	const char *full = fw_arena_format(arena, "%s%s", name, rest), *own = full;
	if (!has(trap, name))
		return name;
	for (unsigned i = 2; has(trap, own); i++)
		own = fw_arena_format(arena, "%s_%u", full, i);
	return own;
}

static const char *test_result(const char *name, const netsnmp_variable_list *v)
{
	static const long n = sizeof test_results / sizeof *test_results;
	return strcmp(name, "upsTestResultsSummary") == 0 && v->type == ASN_INTEGER &&
			*v->val.integer > 0 && *v->val.integer < n
		? test_results[*v->val.integer]
		: NULL;
}

static void add_variable(struct trap *trap, struct fw_arena *arena, const netsnmp_variable_list *v)
{
	const struct tree *node;
	const char *rest, *name = variable_name(arena, v->name, v->name_length, &node, &rest);
	const char *result = node ? NULL : test_result(name, v);
	const char *value = result ? fw_arena_format(arena, "%s(%ld)", result, *v->val.integer)
				   : value_of(arena, v, node);
	add(trap, own_name(trap, arena, name, rest), value);
}

/* Those that say when, whose and what it is have fields of their own, or none. */
static void add_variables(struct trap *trap, struct fw_arena *arena, const netsnmp_pdu *pdu)
{
	size_t n = 0, left = 0, cut = 0;
	for (const netsnmp_variable_list *v = pdu->variables; v; v = v->next_variable) {
		if (IS(v, trap_oid) || IS(v, trap_address) || IS(v, trap_community) ||
			IS(v, up_time))
			continue;
		if (n == TRAP_VARIABLES || trap->bytes > TOLD_BYTES) {
			left++;
			continue;
		}
		add_variable(trap, arena, v);
		cut += is_cut(v);
		n++;
	}
	if (left > 0)
		add(trap, "cut", fw_arena_format(arena, "%zu variables", left));
	if (cut > 0)
		add(trap, "cut_values",
			fw_arena_format(arena, "%zu after %d bytes", cut, VALUE_BYTES));
}

/* Of version 1 as RFC 3584 makes it one of version 2. */
static const char *oid_of(struct fw_arena *arena, const netsnmp_pdu *pdu, const char **name)
{
	oid ids[NUMBERS + 2] = {1, 3, 6, 1, 6, 3, 1, 1, 5, (oid)pdu->trap_type + 1};
	size_t n = 10;
	const netsnmp_variable_list *v = pdu->variables;
	if (pdu->command == SNMP_MSG_TRAP && pdu->trap_type == SNMP_TRAP_ENTERPRISESPECIFIC) {
		n = pdu->enterprise_length < NUMBERS ? pdu->enterprise_length : NUMBERS;
		memcpy(ids, pdu->enterprise, n * sizeof *ids);
		ids[n++] = 0;
		ids[n++] = (oid)pdu->specific_type;
	} else if (pdu->command != SNMP_MSG_TRAP) {
		while (v && !(IS(v, trap_oid) && v->type == ASN_OBJECT_ID))
			v = v->next_variable;
		n = v ? v->val_len / sizeof(oid) : 0;
		n = n < NUMBERS ? n : NUMBERS;
		if (v)
			memcpy(ids, v->val.objid, n * sizeof *ids);
	}
	*name = trap_name(arena, ids, n);
	return dotted(arena, ids, n);
}

static const char *address_within(struct fw_arena *arena, const netsnmp_pdu *pdu)
{
	char address[INET_ADDRSTRLEN];
	static const u_char nobody[4];
	if (pdu->command == SNMP_MSG_TRAP)
		return memcmp(pdu->agent_addr, nobody, 4) != 0 &&
				inet_ntop(AF_INET, pdu->agent_addr, address, sizeof address)
			? fw_arena_strdup(arena, address)
			: NULL;
	for (const netsnmp_variable_list *v = pdu->variables; v; v = v->next_variable)
		if (IS(v, trap_address) && v->type == ASN_IPADDRESS)
			return value_of(arena, v, NULL);
	return NULL;
}

static void add_source(struct trap *trap, struct fw_arena *arena, const netsnmp_pdu *pdu,
	const struct trap_packet *packet)
{
	const char *within = packet->from_relay ? address_within(arena, pdu) : NULL;
	trap->source = within ? within : packet->from;
	add(trap, "source", trap->source);
	if (within && strcmp(within, packet->from) != 0)
		add(trap, "relay", packet->from);
}

static const char *uptime_of(struct fw_arena *arena, const netsnmp_pdu *pdu)
{
	if (pdu->command == SNMP_MSG_TRAP)
		return fw_arena_format(arena, "%lu", (unsigned long)pdu->time & 0xffffffff);
	for (const netsnmp_variable_list *v = pdu->variables; v; v = v->next_variable)
		if (IS(v, up_time))
			return value_of(arena, v, NULL);
	return NULL;
}

static void take_digest(struct trap *trap)
{
	struct fw_buf text = {0};
	for (size_t i = 0; i < trap->n; i++) {
		fw_buf_append(&text, trap->fields[i].name, strlen(trap->fields[i].name) + 1);
		fw_buf_append(&text, trap->fields[i].value, strlen(trap->fields[i].value) + 1);
	}
	fw_sha256(text.data, text.length, trap->digest);
	fw_buf_done(&text);
}

static uint64_t key_of(const struct trap *trap, const char *uptime, long request)
{
	struct fw_buf text = {0};
	uint8_t digest[32];
	uint64_t key;
	fw_buf_append(&text, trap->digest, sizeof trap->digest);
	fw_buf_printf(&text, "%ld %s", request, uptime ? uptime : "");
	fw_sha256(text.data, text.length, digest);
	fw_buf_done(&text);
	memcpy(&key, digest, sizeof key);
	return key;
}

static void blank(uint8_t *packet, size_t length, const u_char *secret, size_t n)
{
	uint8_t *at = packet, *end = packet + length;
	while (n > 0 && (at = memmem(at, (size_t)(end - at), secret, n))) {
		memset(at, 0, n);
		at += n;
	}
}

/* A community stands in the packet of versions 1 and 2c, and that of the origin in a variable
 * of what a relay passes on. They are blanked wherever the same bytes stand. */
static const char *raw_of(
	struct fw_arena *arena, const netsnmp_pdu *pdu, const struct trap_packet *packet)
{
	size_t length = packet->length < RAW_BYTES ? packet->length : RAW_BYTES;
	uint8_t *copy = fw_arena_alloc(arena, packet->length + 1);
	char *hex = fw_arena_alloc(arena, 2 * length + 1);
	memcpy(copy, packet->data, packet->length);
	blank(copy, packet->length, pdu->community, pdu->community_len);
	for (const netsnmp_variable_list *v = pdu->variables; v; v = v->next_variable)
		if (IS(v, trap_community) && v->type == ASN_OCTET_STR)
			blank(copy, packet->length, v->val.string, v->val_len);
	fw_hex(copy, length, hex);
	return hex;
}

void trap_read(const netsnmp_pdu *pdu, const struct trap_packet *packet, struct fw_arena *arena,
	struct trap *out)
{
	const char *name, *number = oid_of(arena, pdu, &name);
	*out = (struct trap){0};
	add(out, "trap", name);
	add(out, "oid", number);
	add_source(out, arena, pdu, packet);
	add(out, "version",
		pdu->version == SNMP_VERSION_1            ? "1"
			: pdu->version == SNMP_VERSION_2c ? "2c"
							  : "3");
	add_variables(out, arena, pdu);
	take_digest(out);
	const char *uptime = uptime_of(arena, pdu);
	if (uptime)
		add(out, "uptime", uptime);
	out->key = key_of(out, uptime, pdu->reqid);
	if (packet->length > RAW_BYTES)
		add(out, "cut_raw",
			fw_arena_format(arena, "after %d of %zu bytes", RAW_BYTES, packet->length));
	add(out, "raw", raw_of(arena, pdu, packet));
}
