/* SPDX-License-Identifier: Apache-2.0 */
/* One notification a notice, as packaging/mibs/FENWATCH-MIB.txt describes it. Who
 * takes informs of SNMPv3 is asked for its engine's number first, as keys depend on it. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <time.h>

#include <net-snmp/net-snmp-config.h>

#include <net-snmp/net-snmp-includes.h>

#include <net-snmp/library/large_fd_set.h>
#include <openssl/crypto.h>

#include <fenwatch/conn.h>
#include <fenwatch/loop.h>
#include <fenwatch/mem.h>

#include "feed.h"
#include "notice.h"
#include "secret.h"

#define HOST_BYTES 256
#define PEER_BYTES 300
#define WAIT_US (2 * 1000 * 1000)
#define RETRIES 2
#define TICK_MS 200
#define TEXT_BYTES 255 /* SnmpAdminString */
#define ANSWERS 16     /* that are read, of one exchange: each may name another engine */

enum { VERSION_2C, VERSION_3 };

struct snmp {
	const char *server, *community_file, *user, *auth_file, *privacy_file;
	int version;
	int64_t enterprise;
	bool inform;
};

/* A request and what comes of it: `why` NULL when it was answered. */
struct exchange {
	struct fw_owner owner;
	uv_poll_t poll;
	uv_timer_t timer;
	void *session;
	unsigned n_heard;
	bool over;
	const char *why;
	uint8_t engine[USM_MAX_ID_LENGTH];
	size_t engine_length;
	void (*on_over)(struct exchange *exchange, void *arg);
	void *arg;
};

struct call {
	LIST_ENTRY(call) link; /* among those that know their receiver's engine */
	uint8_t engine[USM_MAX_ID_LENGTH];
	size_t engine_length; /* 0: it is not known, or there is none */
	uv_getaddrinfo_t lookup;
	bool looking;
	struct delivery *delivery; /* NULL: it has finished */
	struct exchange *exchange;
	char peer[PEER_BYTES];
};

extern const struct feed feed_snmp;

LIST_HEAD(call_list, call);
static struct call_list calls;

/* ---- net-snmp on the loop ---- */

/* It wants neither its files nor its MIBs. The environment is the only way to say the
 * latter; the configuration is first read before there are threads. */
static void start_library(void)
{
	static bool started;
	if (started)
		return;
	started = true;
	setenv("MIBS", "", 1);
	set_persistent_directory("/dev/null");
	netsnmp_ds_set_boolean(NETSNMP_DS_LIBRARY_ID, NETSNMP_DS_LIB_DONT_READ_CONFIGS, 1);
	netsnmp_ds_set_boolean(NETSNMP_DS_LIBRARY_ID, NETSNMP_DS_LIB_DONT_PERSIST_STATE, 1);
	snmp_disable_log();
	init_snmp("fenwatch");
	snmp_disable_log();
}

static void exchange_done(struct fw_owner *owner)
{
	fw_free(FW_CONTAINER(owner, struct exchange, owner));
}

/* The library remembers every engine that any message ever named, authentic or not. What is
 * forgotten of others that are asked meanwhile is told again by their next message. */
static void exchange_free(struct exchange *exchange)
{
	if (!exchange)
		return;
	fw_owner_close(&exchange->owner);
	snmp_sess_close(exchange->session);
	free_etimelist();
}

/* What a report says is wrong (RFC 3414, usmStats). */
static const char *reported(const netsnmp_pdu *pdu)
{
	static const oid stats[] = {1, 3, 6, 1, 6, 3, 15, 1, 1};
	static const char *const reasons[] = {
		[1] = "does not do SHA-256 with AES-128",
		[2] = "says that our clock is wrong",
		[3] = "does not know the user",
		[4] = "has another engine now",
		[5] = "does not take the password of auth_file",
		[6] = "does not take the password of privacy_file",
	};
	const netsnmp_variable_list *first = pdu->variables;
	size_t n = sizeof stats / sizeof *stats;
	if (!first || first->name_length <= n || memcmp(first->name, stats, sizeof stats) != 0)
		return "reports an error that says nothing";
	oid which = first->name[n];
	return which >= 1 && which <= 6 ? reasons[which] : "reports an unknown error";
}

static void take_answer(struct exchange *exchange, const netsnmp_pdu *pdu)
{
	exchange->over = true;
	if (pdu->command == SNMP_MSG_REPORT)
		exchange->why = reported(pdu);
	else if (pdu->command != SNMP_MSG_RESPONSE)
		exchange->why = "answers what was not asked";
	else if (pdu->errstat != SNMP_ERR_NOERROR)
		exchange->why = "answers with an error";
	if (pdu->securityEngineIDLen > sizeof exchange->engine)
		return;
	exchange->engine_length = pdu->securityEngineIDLen;
	if (exchange->engine_length > 0)
		memcpy(exchange->engine, pdu->securityEngineID, exchange->engine_length);
}

/* From within the library, where the session must stay. */
static int on_heard(int operation, netsnmp_session *session, int id, netsnmp_pdu *pdu, void *arg)
{
	struct exchange *exchange = arg;
	(void)session;
	(void)id;
	if (exchange->over)
		return 1;
	if (operation == NETSNMP_CALLBACK_OP_RECEIVED_MESSAGE) {
		take_answer(exchange, pdu);
	} else if (operation == NETSNMP_CALLBACK_OP_TIMED_OUT ||
		operation == NETSNMP_CALLBACK_OP_SEND_FAILED) {
		exchange->over = true;
		exchange->why = "does not answer";
	}
	return 1;
}

static void tell_if_over(struct exchange *exchange)
{
	if (exchange->over && !exchange->owner.closing)
		exchange->on_over(exchange, exchange->arg);
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
	struct exchange *exchange = FW_CONTAINER(poll, struct exchange, poll);
	netsnmp_large_fd_set ready;
	int fd = snmp_sess_transport(exchange->session)->sock;
	(void)status;
	(void)events;
	netsnmp_large_fd_set_init(&ready, fd + 1);
	netsnmp_large_fd_setfd(fd, &ready);
	snmp_sess_read2(exchange->session, &ready);
	netsnmp_large_fd_set_cleanup(&ready);
	if (++exchange->n_heard == ANSWERS && !exchange->over) {
		exchange->over = true;
		exchange->why = "answers without end, and never what was asked";
	}
	tell_if_over(exchange);
}

static void on_tick(uv_timer_t *timer)
{
	struct exchange *exchange = FW_CONTAINER(timer, struct exchange, timer);
	snmp_sess_timeout(exchange->session);
	tell_if_over(exchange);
}

/* Takes the PDU. NULL, and why, when it cannot be sent. */
static struct exchange *exchange_new(uv_loop_t *loop, netsnmp_session *like, netsnmp_pdu *pdu,
	void (*on_over)(struct exchange *, void *), void *arg)
{
	struct exchange *exchange = fw_alloc(sizeof *exchange);
	exchange->on_over = on_over;
	exchange->arg = arg;
	fw_owner_init(&exchange->owner, exchange_done);
	like->timeout = WAIT_US;
	like->retries = RETRIES;
	exchange->session = snmp_sess_open(like);
	if (!exchange->session ||
		!snmp_sess_async_send(exchange->session, pdu, on_heard, exchange)) {
		snmp_free_pdu(pdu);
		snmp_sess_close(exchange->session);
		fw_free(exchange);
		return NULL;
	}
	uv_poll_init(loop, &exchange->poll, snmp_sess_transport(exchange->session)->sock);
	fw_owner_adopt(&exchange->owner, &exchange->poll);
	uv_timer_init(loop, &exchange->timer);
	fw_owner_adopt(&exchange->owner, &exchange->timer);
	uv_poll_start(&exchange->poll, UV_READABLE, on_readable);
	uv_timer_start(&exchange->timer, on_tick, TICK_MS, TICK_MS);
	return exchange;
}

/* ---- a notice as a notification ---- */

#define ROOT(enterprise) 1, 3, 6, 1, 4, 1, (oid)(enterprise), 7480
enum { FIRING = 1, RESOLVED = 2 };
enum { KEY = 1, STATE, SEVERITY, HOST, RULE, SUMMARY, STARTED_AT, LINK };

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

static netsnmp_pdu *notification(const struct snmp *snmp, const struct notice *notice)
{
	netsnmp_pdu *pdu = snmp_pdu_create(snmp->inform ? SNMP_MSG_INFORM : SNMP_MSG_TRAP2);
	const struct form form = {pdu, snmp->enterprise};
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
	fw_free(summary);
	return pdu;
}

/* ---- a delivery ---- */

/* The lookup cannot be called off. */
static void call_free_if_done(struct call *call)
{
	if (!call->delivery && !call->looking)
		fw_free(call);
}

/* The library keeps users with their keys, and a password may have changed. */
static void forget_user(uint8_t *engine, size_t length, char *name)
{
	struct usmUser *user = usm_get_user(engine, length, name);
	if (!user)
		return;
	usm_remove_user(user);
	usm_free_user(user);
}

static const char *user_of(const struct call *call)
{
	return ((const struct snmp *)call->delivery->config)->user;
}

static bool is_same_user(const struct call *a, const struct call *b)
{
	return a->engine_length == b->engine_length &&
		memcmp(a->engine, b->engine, a->engine_length) == 0 &&
		strcmp(user_of(a), user_of(b)) == 0;
}

/* A receiver may have another engine every time: users stay for those that are asked now. */
static void leave_engine(struct call *call)
{
	const struct call *other;
	if (call->engine_length == 0)
		return;
	LIST_REMOVE(call, link);
	LIST_FOREACH (other, &calls, link)
		if (is_same_user(call, other))
			return;
	char *user = fw_strdup(user_of(call));
	forget_user(call->engine, call->engine_length, user);
	fw_free(user);
}

static void finish(struct call *call, enum verdict verdict, const char *why)
{
	char text[400];
	const struct snmp *snmp = call->delivery->config;
	struct delivery *delivery = call->delivery;
	snprintf(text, sizeof text, "%s %s", snmp->server, why);
	exchange_free(call->exchange);
	leave_engine(call);
	call->delivery = NULL;
	call_free_if_done(call);
	feed_finish(delivery, verdict, text);
}

static void on_answered(struct exchange *exchange, void *arg)
{
	struct call *call = arg;
	if (exchange->why)
		finish(call, TRY_LATER, exchange->why);
	else
		finish(call, DELIVERED, "");
}

/* Sends the notification in a session like this one. */
static void notify(struct call *call, netsnmp_session *like)
{
	const struct snmp *snmp = call->delivery->config;
	netsnmp_pdu *pdu = notification(snmp, call->delivery->notice);
	struct exchange *before = call->exchange;
	call->exchange = exchange_new(call->delivery->loop, like, pdu, on_answered, call);
	exchange_free(before);
	if (!call->exchange)
		finish(call, TRY_LATER, "cannot be sent to");
	else if (!snmp->inform)
		finish(call, DELIVERED, "");
}

static void notify_v2c(struct call *call)
{
	const struct snmp *snmp = call->delivery->config;
	struct fw_secret community;
	struct fw_err err;
	netsnmp_session like;
	if (fw_secret_read(&community, snmp->community_file, &err) < 0) {
		finish(call, TRY_LATER, err.text);
		return;
	}
	snmp_sess_init(&like);
	like.version = SNMP_VERSION_2c;
	like.peername = call->peer;
	like.community = (u_char *)community.text;
	like.community_len = strlen(community.text);
	notify(call, &like);
	fw_secret_wipe(&community);
}

/* A key from the password in a file. */
static int read_key(const char *path, const oid *hash, size_t length, u_char *key, size_t *size,
	struct fw_err *err)
{
	struct fw_secret password;
	int rc = fw_secret_read(&password, path, err);
	if (rc == 0 && strlen(password.text) < USM_LENGTH_P_MIN)
		rc = fw_fail(err, -EINVAL, "'%.200s': SNMP wants 8 characters or more", path);
	if (rc == 0 &&
		generate_Ku(hash, (u_int)length, (u_char *)password.text, strlen(password.text),
			key, size) != SNMPERR_SUCCESS)
		rc = fw_fail(err, -EINVAL, "'%.200s' makes no key", path);
	fw_secret_wipe(&password);
	return rc;
}

static void name_session(netsnmp_session *like, struct call *call)
{
	snmp_sess_init(like);
	like->version = SNMP_VERSION_3;
	like->peername = call->peer;
	like->flags |= SNMP_FLAGS_DONT_PROBE;
}

static int make_keys(netsnmp_session *like, const struct snmp *snmp, struct fw_err *err)
{
	static oid sha256[] = {1, 3, 6, 1, 6, 3, 10, 1, 1, 5},
		   aes[] = {1, 3, 6, 1, 6, 3, 10, 1, 2, 4};
	like->securityAuthProto = sha256;
	like->securityPrivProto = aes;
	like->securityAuthProtoLen = like->securityPrivProtoLen = sizeof aes / sizeof *aes;
	like->securityAuthKeyLen = sizeof like->securityAuthKey;
	like->securityPrivKeyLen = sizeof like->securityPrivKey;
	int rc = read_key(snmp->auth_file, sha256, like->securityAuthProtoLen,
		like->securityAuthKey, &like->securityAuthKeyLen, err);
	if (rc == 0)
		rc = read_key(snmp->privacy_file, sha256, like->securityAuthProtoLen,
			like->securityPrivKey, &like->securityPrivKeyLen, err);
	return rc;
}

static void notify_v3(struct call *call, const uint8_t *engine, size_t length)
{
	const struct snmp *snmp = call->delivery->config;
	char *user = fw_strdup(snmp->user);
	netsnmp_session like;
	struct fw_err err;
	memcpy(call->engine, engine, length);
	call->engine_length = length;
	LIST_INSERT_HEAD(&calls, call, link);
	name_session(&like, call);
	like.securityName = user;
	like.securityNameLen = strlen(user);
	like.securityLevel = SNMP_SEC_LEVEL_AUTHPRIV;
	like.securityEngineID = like.contextEngineID = call->engine;
	like.securityEngineIDLen = like.contextEngineIDLen = length;
	forget_user(call->engine, length, user);
	if (make_keys(&like, snmp, &err) < 0)
		finish(call, TRY_LATER, err.text);
	else
		notify(call, &like);
	OPENSSL_cleanse(&like, sizeof like);
	fw_free(user);
}

static void on_engine(struct exchange *exchange, void *arg)
{
	struct call *call = arg;
	if (exchange->engine_length == 0)
		finish(call, TRY_LATER, exchange->why ? exchange->why : "does not say who it is");
	else
		notify_v3(call, exchange->engine, exchange->engine_length);
}

/* Asks in the name of nobody and for an engine that is none; the report has the true one. */
static void ask_engine(struct call *call)
{
	static uint8_t none[] = {0x80, 0, 0x7e, 0xd9, 4, '?'};
	static char nobody[] = "nobody";
	netsnmp_session like;
	netsnmp_pdu *pdu = snmp_pdu_create(SNMP_MSG_GET);
	name_session(&like, call);
	like.securityName = nobody;
	like.securityNameLen = strlen(nobody);
	like.securityLevel = SNMP_SEC_LEVEL_NOAUTH;
	like.securityEngineID = like.contextEngineID = none;
	like.securityEngineIDLen = like.contextEngineIDLen = sizeof none;
	pdu->version = SNMP_VERSION_3;
	pdu->securityName = strdup("");
	pdu->securityLevel = SNMP_SEC_LEVEL_NOAUTH;
	pdu->securityModel = SNMP_SEC_MODEL_USM;
	call->exchange = exchange_new(call->delivery->loop, &like, pdu, on_engine, call);
	if (!call->exchange)
		finish(call, TRY_LATER, "cannot be sent to");
}

static void name_peer(struct call *call, const struct sockaddr *address, unsigned port)
{
	char text[INET6_ADDRSTRLEN];
	uv_ip_name(address, text, sizeof text);
	snprintf(call->peer, sizeof call->peer,
		address->sa_family == AF_INET6 ? "udp6:[%s]:%u" : "udp:%s:%u", text, port);
}

static void on_resolved(uv_getaddrinfo_t *lookup, int status, struct addrinfo *found)
{
	struct call *call = FW_CONTAINER(lookup, struct call, lookup);
	call->looking = false;
	if (!call->delivery) {
		call_free_if_done(call);
	} else if (status < 0) {
		finish(call, TRY_LATER, uv_strerror(status));
	} else {
		const struct snmp *snmp = call->delivery->config;
		char host[HOST_BYTES];
		unsigned port;
		fw_split_host_port(snmp->server, host, sizeof host, &port);
		name_peer(call, found->ai_addr, port);
		(snmp->version == VERSION_3 ? ask_engine : notify_v2c)(call);
	}
	uv_freeaddrinfo(found);
}

static void deliver(struct delivery *delivery)
{
	const struct snmp *snmp = delivery->config;
	const struct addrinfo udp = {.ai_socktype = SOCK_DGRAM};
	struct call *call = fw_alloc(sizeof *call);
	char host[HOST_BYTES];
	unsigned port;
	delivery->state = call;
	call->delivery = delivery;
	fw_split_host_port(snmp->server, host, sizeof host, &port);
	int rc = uv_getaddrinfo(delivery->loop, &call->lookup, on_resolved, host, NULL, &udp);
	call->looking = rc == 0;
	if (rc < 0)
		finish(call, TRY_LATER, uv_strerror(rc));
}

static void cancel(struct delivery *delivery)
{
	finish(delivery->state, TRY_LATER, "was not waited for");
}

/* ---- the configuration ---- */

static int check(const void *config, struct fw_err *err)
{
	const struct snmp *snmp = config;
	char host[HOST_BYTES];
	unsigned port;
	if (fw_split_host_port(snmp->server, host, sizeof host, &port) < 0)
		return fw_fail(err, -EINVAL, "server: write it like nms.example:162, not '%.60s'",
			snmp->server);
	if (snmp->version == VERSION_2C && !snmp->community_file)
		return fw_fail(err, -EINVAL, "version 2c wants a community_file");
	if (snmp->version == VERSION_3 && (!snmp->user || !snmp->auth_file || !snmp->privacy_file))
		return fw_fail(err, -EINVAL, "version 3 wants user, auth_file and privacy_file");
	if (snmp->version == VERSION_3 && strlen(snmp->user) > 32)
		return fw_fail(err, -EINVAL, "user: SNMP's have at most 32 characters");
	if (snmp->version == VERSION_3 && !snmp->inform)
		return fw_fail(err, -EINVAL, "version 3 is always sent as informs");
	start_library();
	return 0;
}

static const char *const versions[] = {"2c", "3", NULL};

static const struct fw_option options[] = {
	{
		.name = "server",
		.help = "Who takes notifications, HOST:PORT, by UDP.",
		.type = FW_OPT_TEXT,
		.offset = offsetof(struct snmp, server),
		.required = true,
	},
	{
		.name = "version",
		.help = "SNMP's version; 3 is authenticated by SHA-256 and encrypted by AES-128.",
		.type = FW_OPT_CHOICE,
		.choices = versions,
		.offset = offsetof(struct snmp, version),
		.fallback = "3",
	},
	{
		.name = "enterprise",
		.help = "Under whose number of IANA's the MIB stands, once it stands elsewhere than at "
			"the one for examples.",
		.type = FW_OPT_INT,
		.offset = offsetof(struct snmp, enterprise),
		.fallback = "32473",
		.min = 1,
		.max = INT32_MAX,
	},
	{
		.name = "inform",
		.help = "Whether an answer is asked for; without one nothing is known, and nothing repeated.",
		.type = FW_OPT_BOOL,
		.offset = offsetof(struct snmp, inform),
		.fallback = "true",
	},
	{
		.name = "community_file",
		.help = "A file with the community, of 2c.",
		.type = FW_OPT_TEXT,
		.offset = offsetof(struct snmp, community_file),
	},
	{
		.name = "user",
		.help = "Whom to be known as, of 3.",
		.type = FW_OPT_TEXT,
		.offset = offsetof(struct snmp, user),
	},
	{
		.name = "auth_file",
		.help = "A file with the password for authentication.",
		.type = FW_OPT_TEXT,
		.offset = offsetof(struct snmp, auth_file),
	},
	{
		.name = "privacy_file",
		.help = "A file with the password for encryption.",
		.type = FW_OPT_TEXT,
		.offset = offsetof(struct snmp, privacy_file),
	},
	{0},
};

const struct feed feed_snmp = {
	.name = "snmp",
	.help = "an SNMP notification a notice, by FENWATCH-MIB",
	.options = options,
	.config_size = sizeof(struct snmp),
	.check = check,
	.deliver = deliver,
	.cancel = cancel,
};
