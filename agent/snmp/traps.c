/* SPDX-License-Identifier: Apache-2.0 */
#include "traps.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <netdb.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <net-snmp/net-snmp-config.h>

#include <net-snmp/library/large_fd_set.h>
#include <net-snmp/net-snmp-includes.h>

#include <openssl/crypto.h>
#include <uv.h>

#include <fenwatch/clock.h>
#include <fenwatch/file.h>
#include <fenwatch/log.h>
#include <fenwatch/loop.h>
#include <fenwatch/notify.h>

#include "addresses.h"
#include "probe.h"
#include "sandbox.h"
#include "trapinforms.h"
#include "trapread.h"
#include "trapusers.h"
#include "trapwindow.h"

#define PACKET_BYTES 65536
#define ADDRESS_BYTES 64
#define TICK_MS 1000
#define APPLICATION "fenwatch-snmp-traps"

struct receiver;

/* One address that is listened at. */
struct ear {
	struct receiver *receiver;
	uv_poll_t poll;
	void *session; /* the library's */
	int fd;
};

struct community {
	char text[CREDENTIAL_BYTES];
};

struct receiver {
	const struct trap_settings *settings;
	uv_loop_t loop;
	struct fw_owner owner;
	uv_signal_t terminate, interrupt;
	uv_timer_t tick;
	int64_t watchdog_ms, told_ms; /* monotonic */
	struct probe *probe;
	struct ear ears[TRAPS_WAYS];
	size_t n_ears;
	struct community communities[TRAPS_WAYS];
	size_t n_communities;
	struct trap_users *users;
	struct trap_windows *windows;
	struct trap_informs *informs;
	struct addresses *addresses;
	struct stat addresses_seen; /* of their file */
	/* The packet that the library reads now. */
	uint8_t bytes[PACKET_BYTES];
	size_t length;
	char from[ADDRESS_BYTES];
	bool authentic;
	uint64_t taken, refused, lost, unanswered;
};

static void answer(void *to, netsnmp_pdu *pdu)
{
	struct ear *ear = to;
	if (!snmp_sess_send(ear->session, pdu))
		snmp_free_pdu(pdu);
}

/* ---- who may say something ---- */

static bool has_community(const struct receiver *r, const netsnmp_pdu *pdu)
{
	bool is_one = false;
	for (size_t i = 0; i < r->n_communities; i++) {
		const char *text = r->communities[i].text;
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
static bool is_welcome(const struct receiver *r, const netsnmp_pdu *pdu)
{
	if (pdu->command != SNMP_MSG_TRAP && pdu->command != SNMP_MSG_TRAP2 &&
		pdu->command != SNMP_MSG_INFORM)
		return false;
	if (pdu->version == SNMP_VERSION_3)
		return is_as_agreed(pdu);
	return has_community(r, pdu);
}

static bool is_relay(const struct receiver *r)
{
	for (size_t i = 0; i < r->settings->relay_texts.count; i++)
		if (range_has(&r->settings->relays[i], r->from))
			return true;
	return false;
}

/* A device that is asked by this address has a name, and so has who was found to have it; of
 * others the agent's own host tells. */
static const char *name_of(const struct receiver *r, const char *address)
{
	const struct devices *devices = &r->settings->devices;
	for (size_t i = 0; i < devices->n_devices; i++)
		if (strcmp(devices->devices[i].host, address) == 0)
			return devices->devices[i].name;
	return addresses_find(r->addresses, address);
}

static struct probe_host *host_of(struct receiver *r, const char *address)
{
	const char *name = name_of(r, address);
	const struct fw_label labels[] = {{"instance", name}, {"job", "snmp"}};
	return name ? probe_host(r->probe, labels, 2) : NULL;
}

/* The reader replaces the file as a whole. */
static void read_addresses(struct receiver *r)
{
	struct stat now;
	struct fw_err err;
	bool is_same = stat(r->settings->addresses, &now) < 0 ||
		(now.st_ino == r->addresses_seen.st_ino &&
			now.st_mtim.tv_sec == r->addresses_seen.st_mtim.tv_sec &&
			now.st_mtim.tv_nsec == r->addresses_seen.st_mtim.tv_nsec);
	if (is_same)
		return;
	r->addresses_seen = now;
	if (addresses_load(r->addresses, r->settings->addresses, &r->settings->devices, &err) < 0)
		fw_log(FW_WARNING, "addresses of devices stay as they were: %s", err.text);
}

/* ---- one trap ---- */

static void tell_again(const struct trap_window *window, void *arg)
{
	struct receiver *r = arg;
	char count[24], first[32], last[32];
	struct fw_label fields[TRAP_FIELDS + 3];
	size_t n = window->n_fields;
	memcpy(fields, window->fields, n * sizeof *fields);
	snprintf(count, sizeof count, "%llu", (unsigned long long)window->count);
	fields[n++] = (struct fw_label){"count", count};
	fields[n++] =
		(struct fw_label){"first", fw_time_format(window->first_ms, first, sizeof first)};
	fields[n++] = (struct fw_label){"last", fw_time_format(window->last_ms, last, sizeof last)};
	if (probe_event(r->probe, window->host, "trap", fields, n, window->last_ms) == 0)
		r->lost++;
}

/* The number of the event that tells of it; 0: there is no room. */
static uint64_t tell(struct receiver *r, const struct trap *trap)
{
	int64_t now_ms = fw_wall_ms();
	struct trap_window *window = trap_windows_find(r->windows, trap->digest, now_ms);
	if (window)
		return window->number;
	struct probe_host *host = host_of(r, trap->source);
	uint64_t number = probe_event(r->probe, host, "trap", trap->fields, trap->n, now_ms);
	if (number == 0) {
		r->lost++;
		return 0;
	}
	window = trap_windows_begin(r->windows, trap->digest, trap->fields, trap->n, now_ms);
	if (window) {
		window->number = number;
		window->host = host;
	}
	return number;
}

static void take(struct ear *ear, netsnmp_pdu *pdu)
{
	struct receiver *r = ear->receiver;
	const struct trap_packet packet = {
		.data = r->bytes, .length = r->length, .from = r->from, .from_relay = is_relay(r)};
	struct fw_arena arena = {0};
	struct trap trap;
	trap_read(pdu, &packet, &arena, &trap);
	uint64_t number = tell(r, &trap);
	r->taken++;
	if (number > 0 && pdu->command == SNMP_MSG_INFORM)
		trap_informs_hold(r->informs, ear, pdu, r->length, number, fw_mono_ms());
	fw_arena_done(&arena);
}

static int on_packet(
	int operation, netsnmp_session *session, int reqid, netsnmp_pdu *pdu, void *magic)
{
	struct ear *ear = magic;
	(void)session, (void)reqid;
	if (operation != NETSNMP_CALLBACK_OP_RECEIVED_MESSAGE)
		return 1;
	if (!is_welcome(ear->receiver, pdu)) {
		ear->receiver->refused++;
		return 1;
	}
	ear->receiver->authentic = true;
	take(ear, pdu);
	return 1;
}

/* ---- packets ---- */

/* Looked at before the library reads it: whose keys it needs, and what it says, byte by byte. */
static bool peek(struct ear *ear)
{
	struct receiver *r = ear->receiver;
	struct sockaddr_storage from;
	socklen_t size = sizeof from;
	ssize_t n = recvfrom(ear->fd, r->bytes, sizeof r->bytes, MSG_PEEK | MSG_DONTWAIT,
		(struct sockaddr *)&from, &size);
	if (n < 0)
		return false;
	r->length = (size_t)n;
	if (getnameinfo((struct sockaddr *)&from, size, r->from, sizeof r->from, NULL, 0,
		    NI_NUMERICHOST) != 0)
		r->from[0] = '\0';
	return true;
}

static void read_one(struct ear *ear)
{
	struct receiver *r = ear->receiver;
	netsnmp_large_fd_set fds;
	netsnmp_large_fd_set_init(&fds, ear->fd + 1);
	NETSNMP_LARGE_FD_ZERO(&fds);
	NETSNMP_LARGE_FD_SET(ear->fd, &fds);
	r->authentic = false;
	trap_users_expect(r->users, r->bytes, r->length);
	snmp_sess_read2(ear->session, &fds);
	trap_users_settle(r->users, r->authentic);
	netsnmp_large_fd_set_cleanup(&fds);
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
	struct ear *ear = FW_CONTAINER(poll, struct ear, poll);
	(void)events;
	for (int i = 0; status >= 0 && i < 256 && peek(ear); i++)
		read_one(ear);
}

/* ---- opening ---- */

static int open_ear(struct receiver *r, const char *address, struct fw_err *err)
{
	char name[128];
	netsnmp_session like;
	struct ear *ear = &r->ears[r->n_ears];
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
	*ear = (struct ear){.receiver = r, .fd = transport->sock};
	ear->session = snmp_sess_add(&like, transport, NULL, NULL);
	if (!ear->session)
		return fw_fail(err, -EINVAL, "cannot listen at '%s'", address);
	r->n_ears++;
	uv_poll_init(&r->loop, &ear->poll, ear->fd);
	fw_owner_adopt(&r->owner, &ear->poll);
	uv_poll_start(&ear->poll, UV_READABLE, on_readable);
	return 0;
}

static int open_ears(struct receiver *r, struct fw_err *err)
{
	int rc = 0;
	for (size_t i = 0; i < r->settings->listen.count && rc == 0; i++)
		rc = open_ear(r, r->settings->listen.items[i], err);
	return rc;
}

static int read_communities(struct receiver *r, struct fw_err *err)
{
	for (size_t i = 0; i < r->settings->communities.count; i++) {
		struct credentials c;
		int rc = credentials_read(r->settings->communities.items[i], false, false, &c, err);
		if (rc < 0)
			return rc;
		snprintf(r->communities[i].text, sizeof r->communities[i].text, "%s", c.community);
		credentials_wipe(&c);
		r->n_communities++;
	}
	return 0;
}

static int make_folder(const char *path, const struct sandbox_user *user, struct fw_err *err)
{
	bool is_new = access(path, F_OK) < 0;
	int rc = fw_mkdir_all(path, 0700);
	if (rc == 0 && is_new && user->becomes && lchown(path, user->uid, user->gid) < 0)
		rc = -errno;
	return rc < 0 ? fw_fail_sys(err, rc, "cannot make the folder '%s'", path) : 0;
}

/* How often our engine was started is what version 3 goes by; it is written down at once. */
static int start_library(const struct trap_settings *settings, struct fw_err *err)
{
	if (faccessat(AT_FDCWD, settings->data, R_OK | W_OK | X_OK, AT_EACCESS) < 0)
		return fw_fail_sys(
			err, -errno, "the folder '%s' must be its user's own", settings->data);
	setenv("MIBS", "", 1);
	setenv("SNMPCONFPATH", settings->data, 1);
	set_persistent_directory(settings->data);
	snmp_disable_log();
	init_snmp(APPLICATION);
	snmp_disable_log();
	snmp_store(APPLICATION);
	trap_read_mibs(&settings->mibs);
	return 0;
}

/* ---- its life ---- */

static void on_handles_closed(struct fw_owner *owner)
{
	(void)owner;
}

static void on_signal(uv_signal_t *signal, int number)
{
	struct receiver *r = signal->loop->data;
	(void)number;
	fw_notify("STOPPING=1");
	trap_windows_end(r->windows, INT64_MAX, tell_again, r);
	probe_close(r->probe);
	r->probe = NULL;
	fw_owner_close(&r->owner);
}

static void tell_losses(struct receiver *r)
{
	r->unanswered += trap_informs_unanswered(r->informs);
	if ((r->lost == 0 && r->unanswered == 0) || fw_mono_ms() - r->told_ms < 60000)
		return;
	if (r->lost > 0)
		fw_log(FW_WARNING,
			"%llu traps were not taken: the agent takes nothing and there is no room",
			(unsigned long long)r->lost);
	if (r->unanswered > 0)
		fw_log(FW_WARNING,
			"%llu informs were not answered: the agent did not have them on its disk "
			"in time",
			(unsigned long long)r->unanswered);
	r->lost = r->unanswered = 0;
	r->told_ms = fw_mono_ms();
}

static void on_tick(uv_timer_t *timer)
{
	struct receiver *r = FW_CONTAINER(timer, struct receiver, tick);
	trap_windows_end(r->windows, fw_wall_ms(), tell_again, r);
	trap_informs_expire(r->informs, fw_mono_ms());
	tell_losses(r);
	read_addresses(r);
	if (r->watchdog_ms > 0)
		fw_notify("WATCHDOG=1");
}

static void on_durable(uint64_t to, void *arg)
{
	const struct receiver *r = arg;
	trap_informs_durable(r->informs, to);
}

static void on_lost(const char *why, void *arg)
{
	const struct receiver *r = arg;
	fw_log(FW_WARNING, "the agent at '%s' takes nothing: %s", r->settings->socket, why);
}

static void open_handles(struct receiver *r)
{
	uv_loop_init(&r->loop);
	r->loop.data = r;
	fw_owner_init(&r->owner, on_handles_closed);
	uv_signal_init(&r->loop, &r->terminate);
	fw_owner_adopt(&r->owner, &r->terminate);
	uv_signal_init(&r->loop, &r->interrupt);
	fw_owner_adopt(&r->owner, &r->interrupt);
	uv_timer_init(&r->loop, &r->tick);
	fw_owner_adopt(&r->owner, &r->tick);
	uv_signal_start(&r->terminate, on_signal, SIGTERM);
	uv_signal_start(&r->interrupt, on_signal, SIGINT);
	uv_timer_start(&r->tick, on_tick, TICK_MS, TICK_MS);
	r->watchdog_ms = fw_notify_watchdog_ms();
}

static int open_probe(struct receiver *r, struct fw_err *err)
{
	const struct probe_config config = {
		.socket = r->settings->socket,
		.program = APPLICATION " " FW_VERSION,
		.on_durable = on_durable,
		.on_lost = on_lost,
		.arg = r,
	};
	return probe_open(&r->probe, &r->loop, &config, err);
}

static void close_all(struct receiver *r)
{
	trap_informs_free(r->informs);
	addresses_free(r->addresses);
	for (size_t i = 0; i < r->n_ears; i++)
		snmp_sess_close(r->ears[i].session);
	trap_windows_free(r->windows);
	trap_users_close(r->users);
	OPENSSL_cleanse(r->communities, sizeof r->communities);
	snmp_shutdown(APPLICATION);
	fw_free(r);
}

static int start_as(const struct sandbox_user *user, const struct receiver *r, struct fw_err *err)
{
	int rc = make_folder(r->settings->data, user, err);
	if (rc == 0)
		rc = sandbox_act_as(user, err);
	if (rc == 0)
		rc = start_library(r->settings, err);
	return rc == 0 ? sandbox_act_as_root(user, err) : rc;
}

/* Credentials and ports are root's to open, where root starts it. */
static int open_all(struct receiver *r, const struct sandbox_user *user, struct fw_err *err)
{
	int rc = start_as(user, r, err);
	if (rc == 0)
		rc = read_communities(r, err);
	if (rc == 0)
		rc = trap_users_open(&r->users, &r->settings->users, err);
	if (rc == 0)
		rc = open_ears(r, err);
	if (rc == 0)
		rc = sandbox_enter(user, err);
	if (rc < 0)
		return rc;
	read_addresses(r);
	return open_probe(r, err);
}

static int end_early(const struct fw_err *err)
{
	fw_log(FW_ERROR, "cannot start: %s", err->text);
	return EXIT_FAILURE;
}

int traps_run(const struct trap_settings *settings)
{
	struct sandbox_user user;
	struct fw_err err;
	if (sandbox_find_user(&user, settings->user, &err) < 0)
		return end_early(&err);
	struct receiver *r = fw_alloc(sizeof *r);
	r->settings = settings;
	r->windows = trap_windows_new(settings->window_ms);
	r->informs = trap_informs_new(answer);
	r->addresses = addresses_new();
	open_handles(r);
	int rc = open_all(r, &user, &err);
	if (rc < 0) {
		end_early(&err);
		fw_owner_close(&r->owner);
	} else {
		fw_notify("READY=1");
		fw_log(FW_INFO, "listening for traps at %zu addresses", r->n_ears);
	}
	uv_run(&r->loop, UV_RUN_DEFAULT);
	uv_loop_close(&r->loop);
	close_all(r);
	return rc < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
