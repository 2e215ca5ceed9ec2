/* SPDX-License-Identifier: Apache-2.0 */
#include "traps.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <fcntl.h>
#include <sys/stat.h>

#include <fenwatch/clock.h>
#include <fenwatch/file.h>
#include <fenwatch/log.h>
#include <fenwatch/notify.h>

#include "addresses.h"
#include "device.h"
#include "library.h"
#include "life.h"
#include "probe.h"
#include "sandbox.h"
#include "trapears.h"
#include "trapinforms.h"
#include "trapread.h"
#include "trapwindow.h"

#define TICK_MS 1000
#define APPLICATION "fenwatch-snmp-traps"

struct receiver {
	struct trap_settings *settings;
	const char *path; /* of their file */
	char *socket;     /* of the agent; that of the start */
	struct life life;
	struct probe *probe;
	struct trap_ears *ears;
	struct trap_windows *windows;
	struct trap_informs *informs;
	struct addresses *addresses;
	struct stat addresses_seen; /* of their file */
	int64_t told_ms;            /* monotonic */
	uint64_t told_to;           /* the number of the last event */
	uint64_t lost, unanswered;
};

/* ---- whose it is ---- */

static bool is_relay(const struct receiver *r, const char *address)
{
	for (size_t i = 0; i < r->settings->relay_texts.count; i++)
		if (range_has(&r->settings->relays[i], address))
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
	return name ? device_host(r->probe, name) : NULL;
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

/* The number of the event; 0: there is no room. */
static uint64_t say(struct receiver *r, struct probe_host *host, const struct fw_label *fields,
	size_t n, int64_t at_ms)
{
	uint64_t number = probe_event(r->probe, host, "trap", fields, n, at_ms);
	if (number > 0)
		r->told_to = number;
	return number;
}

static bool tell_again(const struct trap_window *window, void *arg)
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
	return say(r, window->host, fields, n, window->last_ms) > 0;
}

/* The number of the event that tells of it; 0: there is no room. Who is to hear that an inform is
 * on the disk waits for the event that counts it, which comes with the next tick. */
static uint64_t tell(struct receiver *r, const struct trap *trap, bool is_inform)
{
	int64_t at_ms = fw_wall_ms();
	struct trap_window *window =
		trap_windows_find(r->windows, trap->digest, trap->source, is_inform, at_ms);
	if (window)
		return TRAP_UNTOLD;
	struct probe_host *host = host_of(r, trap->source);
	uint64_t number = say(r, host, trap->fields, trap->n, at_ms);
	if (number == 0) {
		r->lost++;
		return 0;
	}
	window = trap_windows_begin(
		r->windows, trap->digest, trap->fields, trap->n, at_ms, fw_mono_ms());
	if (window)
		window->host = host;
	return number;
}

/* One that its sender sends again is what it was. All that was told is durable with the last. */
static uint64_t tell_inform(struct receiver *r, const struct trap *trap)
{
	if (!trap_informs_again(r->informs, trap->key, fw_mono_ms()))
		return tell(r, trap, true);
	return trap_windows_are_due(r->windows) ? TRAP_UNTOLD : r->told_to;
}

static void end_windows(struct receiver *r, int64_t now_ms)
{
	trap_windows_end(r->windows, now_ms, tell_again, r);
	if (!trap_windows_are_due(r->windows))
		trap_informs_told(r->informs, r->told_to);
}

static void on_trap(void *ear, netsnmp_pdu *pdu, const uint8_t *data, size_t length,
	const char *from, void *arg)
{
	struct receiver *r = arg;
	const struct trap_packet packet = {
		.data = data, .length = length, .from = from, .from_relay = is_relay(r, from)};
	struct fw_arena arena = {0};
	struct trap trap;
	trap_read(pdu, &packet, &arena, &trap);
	bool is_inform = pdu->command == SNMP_MSG_INFORM;
	uint64_t number = is_inform ? tell_inform(r, &trap) : tell(r, &trap, false);
	if (number > 0 && is_inform)
		trap_informs_hold(r->informs, ear, pdu, length, trap.key, number, fw_mono_ms());
	fw_arena_done(&arena);
}

/* ---- its life ---- */

static void on_end(void *arg)
{
	struct receiver *r = arg;
	end_windows(r, INT64_MAX);
	trap_ears_close(r->ears);
	probe_close(r->probe);
	r->probe = NULL;
}

static bool is_same_list(const struct fw_text_list *a, const struct fw_text_list *b)
{
	for (size_t i = 0; i < a->count && i < b->count; i++)
		if (strcmp(a->items[i], b->items[i]) != 0)
			return false;
	return a->count == b->count;
}

/* What was settled before the rights to settle it were given up. */
static void tell_what_stays(const struct trap_settings *was, const struct trap_settings *new)
{
	const struct {
		const char *name;
		bool is_same;
	} keys[] = {{"listen", is_same_list(&was->listen, &new->listen)},
		{"mibs", is_same_list(&was->mibs, &new->mibs)},
		{"socket", strcmp(was->socket, new->socket) == 0},
		{"data", strcmp(was->data, new->data) == 0},
		{"user", strcmp(was->user, new->user) == 0}};
	for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
		if (!keys[i].is_same)
			fw_log(FW_WARNING, "SIGHUP: '%s' takes effect with the next start",
				keys[i].name);
}

/* Informs that wait for their answer still get it: it was authentic when it came. */
static void on_hung_up(void *arg)
{
	struct receiver *r = arg;
	struct trap_settings was = *r->settings, new;
	struct fw_err err;
	int rc = traps_read(&new, r->path, &err);
	if (rc == 0) {
		rc = trap_ears_hear(r->ears, &new.communities, &new.users, &err);
		if (rc < 0)
			traps_done(&new);
	}
	if (rc < 0) {
		fw_log(FW_ERROR, "SIGHUP: %s; who may send traps stays as it was", err.text);
		return;
	}
	tell_what_stays(&was, &new);
	*r->settings = new;
	trap_windows_set(r->windows, new.window_ms);
	r->addresses_seen = (struct stat){0};
	read_addresses(r);
	traps_done(&was);
	fw_log(FW_NOTICE, "SIGHUP: traps are taken of %zu communities and %zu users now",
		new.communities.count, new.users.count);
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

static void on_tick(void *arg)
{
	struct receiver *r = arg;
	end_windows(r, fw_mono_ms());
	trap_informs_expire(r->informs, fw_mono_ms());
	tell_losses(r);
	read_addresses(r);
}

static void on_durable(uint64_t to, void *arg)
{
	const struct receiver *r = arg;
	trap_informs_durable(r->informs, to);
}

static void on_lost(const char *why, void *arg)
{
	const struct receiver *r = arg;
	fw_log(FW_WARNING, "the agent at '%s' takes nothing: %s", r->socket, why);
}

/* ---- opening ---- */

static int make_folder(const char *path, const struct sandbox_user *user, struct fw_err *err)
{
	bool is_new = access(path, F_OK) < 0;
	int rc = fw_mkdir_all(path, 0700);
	if (rc == 0 && is_new && user->becomes && lchown(path, user->uid, user->gid) < 0)
		rc = -errno;
	return rc < 0 ? fw_fail_sys(err, rc, "cannot make the folder '%s'", path) : 0;
}

static int start_library(const struct trap_settings *settings, struct fw_err *err)
{
	if (faccessat(AT_FDCWD, settings->data, R_OK | W_OK | X_OK, AT_EACCESS) < 0)
		return fw_fail_sys(
			err, -errno, "the folder '%s' must be its user's own", settings->data);
	library_start_engine(APPLICATION, settings->data);
	trap_read_mibs(&settings->mibs);
	return 0;
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

static int open_ears(struct receiver *r, struct fw_err *err)
{
	const struct trap_ears_config config = {
		.loop = &r->life.loop,
		.listen = &r->settings->listen,
		.communities = &r->settings->communities,
		.users = &r->settings->users,
		.on_trap = on_trap,
		.arg = r,
	};
	return trap_ears_open(&r->ears, &config, err);
}

static int open_probe(struct receiver *r, struct fw_err *err)
{
	const struct probe_config config = {
		.socket = r->socket,
		.program = APPLICATION " " FW_VERSION,
		.on_durable = on_durable,
		.on_lost = on_lost,
		.arg = r,
	};
	return probe_open(&r->probe, &r->life.loop, &config, err);
}

/* Credentials and ports are root's to open, where root starts it. */
static int open_all(struct receiver *r, const struct sandbox_user *user, struct fw_err *err)
{
	int rc = start_as(user, r, err);
	if (rc == 0)
		rc = open_ears(r, err);
	if (rc == 0)
		rc = sandbox_enter(user, err);
	if (rc == 0) {
		read_addresses(r);
		rc = open_probe(r, err);
	}
	if (rc < 0)
		trap_ears_close(r->ears);
	return rc;
}

static struct receiver *receiver_new(struct trap_settings *settings, const char *path)
{
	struct receiver *r = fw_alloc(sizeof *r);
	const struct life_config life = {.on_end = on_end,
		.on_hung_up = on_hung_up,
		.on_tick = on_tick,
		.tick_ms = TICK_MS,
		.arg = r};
	r->settings = settings;
	r->path = path;
	r->socket = fw_strdup(settings->socket);
	r->windows = trap_windows_new(settings->window_ms);
	r->informs = trap_informs_new(trap_ears_answer);
	r->addresses = addresses_new();
	life_open(&r->life, &life);
	return r;
}

static void receiver_free(struct receiver *r)
{
	trap_informs_free(r->informs);
	addresses_free(r->addresses);
	trap_ears_free(r->ears);
	trap_windows_free(r->windows);
	snmp_shutdown(APPLICATION);
	fw_free(r->socket);
	fw_free(r);
}

static int cannot_start(const struct fw_err *err)
{
	fw_log(FW_ERROR, "cannot start: %s", err->text);
	return EXIT_FAILURE;
}

int traps_run(struct trap_settings *settings, const char *path)
{
	struct sandbox_user user;
	struct fw_err err;
	if (sandbox_find_user(&user, settings->user, &err) < 0)
		return cannot_start(&err);
	struct receiver *r = receiver_new(settings, path);
	int rc = open_all(r, &user, &err);
	int status = rc < 0 ? cannot_start(&err) : EXIT_SUCCESS;
	if (rc < 0) {
		life_end(&r->life);
	} else {
		fw_notify("READY=1");
		fw_log(FW_INFO, "listening for traps at %zu addresses", settings->listen.count);
	}
	life_run(&r->life, &err);
	receiver_free(r);
	return status;
}
