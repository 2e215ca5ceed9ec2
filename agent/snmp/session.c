/* SPDX-License-Identifier: Apache-2.0 */
#include "session.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <net-snmp/net-snmp-config.h>

#include <net-snmp/library/lcd_time.h>
#include <net-snmp/net-snmp-includes.h>

#include <openssl/crypto.h>

#include <fenwatch/loop.h>
#include <fenwatch/mem.h>

#include "credentials.h"
#include "line.h"

#define PEER_BYTES 300

struct session {
	struct fw_owner owner;
	uv_timer_t soon; /* an answer that is due at once */
	uv_loop_t *loop;
	struct session_config config;
	struct line *line; /* to the device, with its keys; NULL: not made yet */
	struct asking asking;
	bool asked, resolving, seeking; /* seeking: its engine */
	bool was_heard, was_answered;   /* the latter: what was asked */
	char peer[PEER_BYTES], address[INET6_ADDRSTRLEN];
	uint8_t engine[USM_MAX_ID_LENGTH];
	size_t engine_length;
	char why[512];
	uint64_t sent, retried;
};

struct lookup {
	uv_getaddrinfo_t request;
	struct session *session;
};

/* ---- the end of a question ---- */

static void drop_line(struct session *s)
{
	if (!s->line)
		return;
	line_count(s->line, &s->sent, &s->retried);
	line_free(s->line);
	s->line = NULL;
}

static void answer_well(struct session *s, const struct answer *answer)
{
	s->was_heard = s->was_answered = true;
	s->asked = false;
	s->config.on_answer(answer, NULL, s->config.arg);
}

static void on_soon(uv_timer_t *timer)
{
	struct session *s = FW_CONTAINER(timer, struct session, soon);
	s->asked = false;
	s->config.on_answer(NULL, s->why, s->config.arg);
}

/* The library takes what has been started less often than it knows for an old packet, and a
 * device that was set back would never be heard again: it learns the clock with the next answer. */
static void forget_clock(const struct session *s)
{
	if (s->engine_length > 0)
		set_enginetime(s->engine, (u_int)s->engine_length, 0, 0, TRUE);
}

/* Everything is forgotten: the next question begins anew. */
static void fail(struct session *s, const char *why)
{
	if (why != s->why)
		snprintf(s->why, sizeof s->why, "%s", why);
	drop_line(s);
	forget_clock(s);
	s->seeking = false;
	s->engine_length = 0;
	uv_timer_start(&s->soon, on_soon, 0, 0);
}

/* ---- sessions of the library ---- */

static void on_line(struct line *line, const struct line_event *event, void *arg);

static void name_session(const struct session *s, netsnmp_session *like)
{
	static const long versions[] = {SNMP_VERSION_1, SNMP_VERSION_2c, SNMP_VERSION_3};
	snmp_sess_init(like);
	like->version = versions[s->config.version];
	like->peername = (char *)s->peer;
	like->timeout = (long)s->config.timeout_ms * 1000;
	like->retries = s->config.retries;
	like->flags |= SNMP_FLAGS_DONT_PROBE;
}

static netsnmp_pdu *question(const struct session *s)
{
	bool bulk = s->asking.repetitions > 0;
	netsnmp_pdu *pdu = snmp_pdu_create(bulk ? SNMP_MSG_GETBULK : SNMP_MSG_GETNEXT);
	pdu->non_repeaters = 0;
	if (bulk)
		pdu->max_repetitions = (long)s->asking.repetitions;
	for (unsigned i = 0; i < s->asking.n; i++) {
		oid name[OID_LIMIT];
		const struct oid *of = s->asking.names[i];
		for (uint32_t k = 0; k < of->n; k++)
			name[k] = of->ids[k];
		snmp_add_null_var(pdu, name, of->n);
	}
	return pdu;
}

static void open_line(struct session *s, netsnmp_session *like, netsnmp_pdu *pdu)
{
	struct fw_err err;
	if (line_open(&s->line, s->loop, like, pdu, s->config.timeout_ms, on_line, s, &err) < 0)
		fail(s, err.text);
}

static void talk_openly(struct session *s, const struct credentials *c)
{
	netsnmp_session like;
	name_session(s, &like);
	like.community = (u_char *)c->community;
	like.community_len = strlen(c->community);
	open_line(s, &like, question(s));
}

static int make_key(const oid *hash, size_t n, const char *password, u_char *key, size_t *size)
{
	return generate_Ku(hash, (u_int)n, (const u_char *)password, strlen(password), key, size);
}

/* Of the passwords the general keys; the library makes the device's own of them. */
static bool make_keys(netsnmp_session *like, const struct credentials *c)
{
	static oid sha1[] = {1, 3, 6, 1, 6, 3, 10, 1, 1, 3},
		   sha256[] = {1, 3, 6, 1, 6, 3, 10, 1, 1, 5},
		   sha512[] = {1, 3, 6, 1, 6, 3, 10, 1, 1, 7},
		   aes[] = {1, 3, 6, 1, 6, 3, 10, 1, 2, 4};
	oid *const hashes[] = {[AUTH_SHA1] = sha1, [AUTH_SHA256] = sha256, [AUTH_SHA512] = sha512};
	like->securityLevel = !c->auth[0] ? SNMP_SEC_LEVEL_NOAUTH
		: !c->priv[0]             ? SNMP_SEC_LEVEL_AUTHNOPRIV
					  : SNMP_SEC_LEVEL_AUTHPRIV;
	like->securityAuthProto = hashes[c->protocol];
	like->securityPrivProto = aes;
	like->securityAuthProtoLen = like->securityPrivProtoLen = sizeof aes / sizeof *aes;
	like->securityAuthKeyLen = sizeof like->securityAuthKey;
	like->securityPrivKeyLen = sizeof like->securityPrivKey;
	if (c->auth[0] &&
		make_key(hashes[c->protocol], like->securityAuthProtoLen, c->auth,
			like->securityAuthKey, &like->securityAuthKeyLen) != 0)
		return false;
	return !c->priv[0] ||
		make_key(hashes[c->protocol], like->securityAuthProtoLen, c->priv,
			like->securityPrivKey, &like->securityPrivKeyLen) == 0;
}

/* The library keeps users with their keys, and a password may have changed. */
static void forget_user(struct session *s, const char *name)
{
	struct usmUser *user = usm_get_user(s->engine, s->engine_length, (char *)name);
	if (!user)
		return;
	usm_remove_user(user);
	usm_free_user(user);
}

static void talk_as_user(struct session *s, const struct credentials *c)
{
	netsnmp_session like;
	name_session(s, &like);
	like.securityName = (char *)c->user;
	like.securityNameLen = strlen(c->user);
	like.securityEngineID = like.contextEngineID = s->engine;
	like.securityEngineIDLen = like.contextEngineIDLen = s->engine_length;
	forget_user(s, c->user);
	if (make_keys(&like, c))
		open_line(s, &like, question(s));
	else
		fail(s, "no key could be made of the password");
	OPENSSL_cleanse(&like, sizeof like);
}

/* In the name of nobody, of an engine that is none: the report has the true one. */
static void seek_engine(struct session *s)
{
	static uint8_t none[] = {0x80, 0, 0x7e, 0xd9, 4, '?'};
	static char nobody[] = "nobody";
	netsnmp_session like;
	netsnmp_pdu *pdu = snmp_pdu_create(SNMP_MSG_GET);
	name_session(s, &like);
	like.securityName = nobody;
	like.securityNameLen = strlen(nobody);
	like.securityLevel = SNMP_SEC_LEVEL_NOAUTH;
	like.securityEngineID = like.contextEngineID = none;
	like.securityEngineIDLen = like.contextEngineIDLen = sizeof none;
	pdu->version = SNMP_VERSION_3;
	pdu->securityName = strdup("");
	pdu->securityLevel = SNMP_SEC_LEVEL_NOAUTH;
	pdu->securityModel = SNMP_SEC_MODEL_USM;
	s->seeking = true;
	open_line(s, &like, pdu);
}

static void talk(struct session *s)
{
	struct credentials c;
	struct fw_err err;
	bool v3 = s->config.version == SNMP_V3;
	if (v3 && s->engine_length == 0) {
		seek_engine(s);
		return;
	}
	if (credentials_read(s->config.credentials, v3, s->config.own, &c, &err) < 0) {
		fail(s, err.text);
		return;
	}
	(v3 ? talk_as_user : talk_openly)(s, &c);
	credentials_wipe(&c);
}

/* ---- what comes back ---- */

static void take_engine(struct session *s, const struct line_event *event)
{
	bool good = event->engine_length > 0 && event->engine_length <= sizeof s->engine;
	s->seeking = false;
	if (!good) {
		fail(s, event->why ? event->why : "it does not say what its engine is");
		return;
	}
	s->was_heard = true;
	memcpy(s->engine, event->engine, event->engine_length);
	s->engine_length = event->engine_length;
	drop_line(s);
	talk(s);
}

/* Silence has a reason that may be guessed, as long as nothing was ever answered. */
static const char *reason(struct session *s, const struct line_event *event)
{
	if (!event->is_nobodys)
		s->was_heard = true;
	else if (!s->was_answered && s->config.version != SNMP_V3)
		return "it does not answer; nor would it where the community is wrong";
	else if (!s->was_answered)
		return "it does not answer this user; many do not where the password of 'priv' is "
		       "wrong";
	return event->why;
}

static void on_line(struct line *line, const struct line_event *event, void *arg)
{
	struct session *s = arg;
	(void)line;
	if (s->seeking)
		take_engine(s, event);
	else if (event->why)
		fail(s, reason(s, event));
	else
		answer_well(s, &event->answer);
}

/* ---- where it is ---- */

static void found_at(struct session *s, const struct sockaddr *address)
{
	uv_ip_name(address, s->address, sizeof s->address);
	snprintf(s->peer, sizeof s->peer,
		address->sa_family == AF_INET6 ? "udp6:[%s]:%u" : "udp:%s:%u", s->address,
		s->config.port);
	talk(s);
}

/* Of an address nobody is asked, so that it does not wait behind names that nobody answers for. */
static bool is_address(struct session *s)
{
	struct sockaddr_storage address;
	if (uv_ip4_addr(s->config.host, 0, (struct sockaddr_in *)&address) < 0 &&
		uv_ip6_addr(s->config.host, 0, (struct sockaddr_in6 *)&address) < 0)
		return false;
	found_at(s, (struct sockaddr *)&address);
	return true;
}

static void fail_to_resolve(struct session *s, int status)
{
	snprintf(s->why, sizeof s->why, "'%.255s' has no address: %s", s->config.host,
		uv_strerror(status));
	fail(s, s->why);
}

static void on_resolved(uv_getaddrinfo_t *request, int status, struct addrinfo *found)
{
	struct lookup *lookup = FW_CONTAINER(request, struct lookup, request);
	struct session *s = lookup->session;
	s->resolving = false;
	if (!s->owner.closing && status < 0)
		fail_to_resolve(s, status);
	else if (!s->owner.closing)
		found_at(s, found->ai_addr);
	uv_freeaddrinfo(found);
	fw_owner_drop(&s->owner);
	fw_free(lookup);
}

static void resolve(struct session *s)
{
	const struct addrinfo udp = {.ai_socktype = SOCK_DGRAM};
	struct lookup *lookup = fw_alloc(sizeof *lookup);
	lookup->session = s;
	int rc = uv_getaddrinfo(s->loop, &lookup->request, on_resolved, s->config.host, NULL, &udp);
	if (rc < 0) {
		fw_free(lookup);
		fail_to_resolve(s, rc);
		return;
	}
	s->resolving = true;
	fw_owner_hold(&s->owner);
}

void session_ask(struct session *s, const struct asking *asking)
{
	assert(!s->asked);
	s->asked = true;
	s->asking = *asking;
	if (s->line && line_send(s->line, question(s)) < 0)
		fail(s, "the question cannot be sent");
	else if (!s->line && !is_address(s))
		resolve(s);
}

bool session_was_heard(const struct session *s)
{
	return s->was_heard;
}

const char *session_address(const struct session *s)
{
	return s->address;
}

void session_count(struct session *s, uint64_t *sent, uint64_t *retried)
{
	if (s->line)
		line_count(s->line, &s->sent, &s->retried);
	*sent = s->sent;
	*retried = s->retried;
	s->sent = s->retried = 0;
}

/* ---- life ---- */

static void on_closed(struct fw_owner *owner)
{
	fw_free(FW_CONTAINER(owner, struct session, owner));
}

struct session *session_new(uv_loop_t *loop, const struct session_config *config)
{
	struct session *s = fw_alloc(sizeof *s);
	s->loop = loop;
	s->config = *config;
	fw_owner_init(&s->owner, on_closed);
	uv_timer_init(loop, &s->soon);
	fw_owner_adopt(&s->owner, &s->soon);
	return s;
}

void session_free(struct session *s)
{
	if (!s)
		return;
	drop_line(s);
	fw_owner_close(&s->owner);
}
