/* SPDX-License-Identifier: Apache-2.0 */
/* One notification a notice, as packaging/mibs/FENWATCH-MIB.txt describes it. Who
 * takes informs of SNMPv3 is asked for its engine's number first, as keys depend on it. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/queue.h>

#include <openssl/crypto.h>

#include <fenwatch/conn.h>
#include <fenwatch/loop.h>
#include <fenwatch/mem.h>

#include "feed.h"
#include "notice.h"
#include "secret.h"
#include "snmp_exchange.h"

#define HOST_BYTES 256
#define PEER_BYTES 300

enum { VERSION_2C, VERSION_3 };

struct snmp {
	const char *server, *community_file, *user, *auth_file, *privacy_file;
	int version;
	int64_t enterprise;
	bool inform;
};

struct call {
	LIST_ENTRY(call) link; /* among those that know their receiver's engine */
	uint8_t engine[USM_MAX_ID_LENGTH];
	size_t engine_length; /* 0: it is not known, or there is none */
	uv_getaddrinfo_t lookup;
	bool looking;
	struct delivery *delivery; /* NULL: it has finished */
	struct snmp_exchange *exchange;
	char peer[PEER_BYTES];
};

extern const struct feed feed_snmp;

LIST_HEAD(call_list, call);
static struct call_list calls;

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
	snmp_exchange_free(call->exchange);
	leave_engine(call);
	call->delivery = NULL;
	call_free_if_done(call);
	feed_finish(delivery, verdict, text);
}

static void on_answered(struct snmp_exchange *exchange, void *arg)
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
	netsnmp_pdu *pdu =
		snmp_notification(snmp->enterprise, snmp->inform, call->delivery->notice);
	struct snmp_exchange *before = call->exchange;
	call->exchange = snmp_exchange_new(call->delivery->loop, like, pdu, on_answered, call);
	snmp_exchange_free(before);
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

static void on_engine(struct snmp_exchange *exchange, void *arg)
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
	call->exchange = snmp_exchange_new(call->delivery->loop, &like, pdu, on_engine, call);
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
	snmp_start_library();
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
