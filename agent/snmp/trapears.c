/* SPDX-License-Identifier: Apache-2.0 */
#include "trapears.h"

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include <net-snmp/library/large_fd_set.h>

#include <openssl/crypto.h>

#include <fenwatch/loop.h>
#include <fenwatch/mem.h>

#include "credentials.h"
#include "trapusers.h"

#define PACKET_BYTES 65536
#define ADDRESS_BYTES 64
#define PACKETS_IN_ONE_GO 256

/* One address that is listened at. */
struct ear {
	struct trap_ears *ears;
	struct fw_owner owner;
	uv_poll_t poll;
	void *session; /* the library's */
	int fd;
};

struct community {
	char text[CREDENTIAL_BYTES];
};

struct trap_ears {
	struct trap_ears_config config;
	struct ear ears[TRAP_EARS];
	size_t n_ears;
	struct community *communities; /* TRAP_EARS of them */
	size_t n_communities;
	struct trap_users *users;
	/* The packet that the library reads now. */
	uint8_t bytes[PACKET_BYTES];
	size_t length;
	char from[ADDRESS_BYTES];
	bool authentic;
};

void trap_ears_answer(void *ear, netsnmp_pdu *pdu)
{
	const struct ear *to = ear;
	if (!snmp_sess_send(to->session, pdu))
		snmp_free_pdu(pdu);
}

/* ---- who may say something ---- */

static bool has_community(const struct trap_ears *e, const netsnmp_pdu *pdu)
{
	bool is_one = false;
	for (size_t i = 0; i < e->n_communities; i++) {
		const char *text = e->communities[i].text;
		if (strlen(text) == pdu->community_len)
			is_one |= CRYPTO_memcmp(text, pdu->community, pdu->community_len) == 0;
	}
	return is_one;
}

/* The library is content with less than its user has keys for. */
static bool is_as_agreed(const netsnmp_pdu *pdu)
{
	const struct usmUser *user =
		usm_get_user(pdu->securityEngineID, pdu->securityEngineIDLen, pdu->securityName);
	return user &&
		pdu->securityLevel >=
		(user->privKeyLen > 0 ? SNMP_SEC_LEVEL_AUTHPRIV : SNMP_SEC_LEVEL_AUTHNOPRIV);
}

/* A packet with a wrong password comes here, too, with a command of none. */
static bool is_welcome(const struct trap_ears *e, const netsnmp_pdu *pdu)
{
	if (pdu->command != SNMP_MSG_TRAP && pdu->command != SNMP_MSG_TRAP2 &&
		pdu->command != SNMP_MSG_INFORM)
		return false;
	if (pdu->version == SNMP_VERSION_3)
		return is_as_agreed(pdu);
	return has_community(e, pdu);
}

static int on_packet(
	int operation, netsnmp_session *session, int reqid, netsnmp_pdu *pdu, void *magic)
{
	struct ear *ear = magic;
	struct trap_ears *e = ear->ears;
	(void)session, (void)reqid;
	if (operation != NETSNMP_CALLBACK_OP_RECEIVED_MESSAGE || !is_welcome(e, pdu))
		return 1;
	e->authentic = true;
	e->config.on_trap(ear, pdu, e->bytes, e->length, e->from, e->config.arg);
	return 1;
}

/* ---- packets ---- */

/* Looked at before the library reads it: whose keys it needs, and what it says, byte by byte. */
static bool peek(struct ear *ear)
{
	struct trap_ears *e = ear->ears;
	struct sockaddr_storage from;
	socklen_t size = sizeof from;
	ssize_t n = recvfrom(ear->fd, e->bytes, sizeof e->bytes, MSG_PEEK | MSG_DONTWAIT,
		(struct sockaddr *)&from, &size);
	if (n < 0)
		return false;
	e->length = (size_t)n;
	if (getnameinfo((struct sockaddr *)&from, size, e->from, sizeof e->from, NULL, 0,
		    NI_NUMERICHOST) != 0)
		e->from[0] = '\0';
	return true;
}

static void read_one(struct ear *ear)
{
	struct trap_ears *e = ear->ears;
	netsnmp_large_fd_set fds;
	netsnmp_large_fd_set_init(&fds, ear->fd + 1);
	NETSNMP_LARGE_FD_ZERO(&fds);
	NETSNMP_LARGE_FD_SET(ear->fd, &fds);
	e->authentic = false;
	trap_users_expect(e->users, e->bytes, e->length);
	snmp_sess_read2(ear->session, &fds);
	trap_users_settle(e->users, e->authentic);
	netsnmp_large_fd_set_cleanup(&fds);
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
	struct ear *ear = FW_CONTAINER(poll, struct ear, poll);
	(void)events;
	for (int i = 0; status >= 0 && i < PACKETS_IN_ONE_GO && peek(ear); i++)
		read_one(ear);
}

/* ---- opening ---- */

static void on_ear_closed(struct fw_owner *owner)
{
	(void)owner;
}

static int open_session(struct ear *ear, const char *address, struct fw_err *err)
{
	char name[128];
	netsnmp_session like;
	snprintf(name, sizeof name, "%s:%.110s", *address == '[' ? "udp6" : "udp", address);
	netsnmp_transport *transport = netsnmp_tdomain_transport(name, 1, "udp");
	if (!transport)
		return fw_fail(err, -EADDRNOTAVAIL,
			"cannot listen at '%s': it is in use, no address of this machine, or its port "
			"needs a right that is missing",
			address);
	snmp_sess_init(&like);
	like.peername = SNMP_DEFAULT_PEERNAME;
	like.version = SNMP_DEFAULT_VERSION;
	like.community_len = SNMP_DEFAULT_COMMUNITY_LEN;
	like.callback = on_packet;
	like.callback_magic = ear;
	like.isAuthoritative = SNMP_SESS_UNKNOWNAUTH;
	ear->fd = transport->sock;
	ear->session = snmp_sess_add(&like, transport, NULL, NULL);
	return ear->session ? 0 : fw_fail(err, -EINVAL, "cannot listen at '%s'", address);
}

static int open_ear(struct trap_ears *e, const char *address, struct fw_err *err)
{
	struct ear *ear = &e->ears[e->n_ears];
	ear->ears = e;
	int rc = open_session(ear, address, err);
	if (rc < 0)
		return rc;
	e->n_ears++;
	fw_owner_init(&ear->owner, on_ear_closed);
	uv_poll_init(e->config.loop, &ear->poll, ear->fd);
	fw_owner_adopt(&ear->owner, &ear->poll);
	uv_poll_start(&ear->poll, UV_READABLE, on_readable);
	return 0;
}

static void wipe_communities(struct community *list)
{
	OPENSSL_cleanse(list, TRAP_EARS * sizeof *list);
	fw_free(list);
}

static int read_communities(
	struct community *list, const struct fw_text_list *files, struct fw_err *err)
{
	for (size_t i = 0; i < files->count; i++) {
		struct credentials c;
		int rc = credentials_read(files->items[i], false, false, &c, err);
		if (rc < 0)
			return rc;
		snprintf(list[i].text, sizeof list[i].text, "%s", c.community);
		credentials_wipe(&c);
	}
	return 0;
}

/* Users last: their keys are the library's as soon as they are read. */
int trap_ears_hear(struct trap_ears *e, const struct fw_text_list *communities,
	const struct fw_text_list *users, struct fw_err *err)
{
	struct community *was = e->communities, *new = fw_alloc_array(TRAP_EARS, sizeof *new);
	int rc = read_communities(new, communities, err);
	if (rc == 0)
		rc = trap_users_replace(e->users, users, err);
	if (rc < 0) {
		wipe_communities(new);
		return rc;
	}
	e->communities = new;
	e->n_communities = communities->count;
	wipe_communities(was);
	return 0;
}

int trap_ears_open(
	struct trap_ears **out, const struct trap_ears_config *config, struct fw_err *err)
{
	struct trap_ears *e = *out = fw_alloc(sizeof *e);
	e->config = *config;
	e->communities = fw_alloc_array(TRAP_EARS, sizeof *e->communities);
	e->users = trap_users_new();
	int rc = trap_ears_hear(e, config->communities, config->users, err);
	for (size_t i = 0; i < config->listen->count && rc == 0; i++)
		rc = open_ear(e, config->listen->items[i], err);
	if (rc < 0)
		trap_ears_close(e);
	return rc;
}

void trap_ears_close(struct trap_ears *e)
{
	for (size_t i = 0; e && i < e->n_ears; i++)
		fw_owner_close(&e->ears[i].owner);
}

void trap_ears_free(struct trap_ears *e)
{
	if (!e)
		return;
	for (size_t i = 0; i < e->n_ears; i++)
		snmp_sess_close(e->ears[i].session);
	trap_users_free(e->users);
	wipe_communities(e->communities);
	fw_free(e);
}
