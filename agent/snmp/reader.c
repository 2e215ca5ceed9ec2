/* SPDX-License-Identifier: Apache-2.0 */
#include "reader.h"

#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>

#include <fenwatch/clock.h>
#include <fenwatch/log.h>
#include <fenwatch/mem.h>
#include <fenwatch/notify.h>

#include "addresses.h"
#include "device.h"
#include "life.h"
#include "probe.h"

#define KEEP_MS 2000 /* between two looks whether addresses are to be kept */

struct reader {
	struct devices *settings;
	const char *path; /* their file */
	char *socket;     /* as it was at the start */
	struct life life;
	struct probe *probe;
	struct addresses *addresses;
	bool has_complained; /* that they cannot be kept */
	struct device **devices;
	size_t n_devices;
};

static struct probe_host *host_of(const struct reader *r, const struct device *d)
{
	return device_host(r->probe, device_settings(d)->name);
}

static bool on_table(struct device *d, const char *kind, const struct fw_buf *lines, void *arg)
{
	const struct reader *r = arg;
	if (strcmp(kind, "device") == 0)
		addresses_take(r->addresses, device_settings(d)->name, device_address(d), lines);
	return probe_document(r->probe, host_of(r, d), kind, lines, fw_wall_ms()) > 0;
}

/* Each change once: silence, another reason, a read that is not whole, the end of all that. */
static void tell(struct device *d, bool is_read, const char *why)
{
	char state[600];
	snprintf(state, sizeof state, is_read ? "is not read whole: %s" : "cannot be read: %s",
		why ? why : "");
	if (!device_is_news(d, why ? state : NULL))
		return;
	if (why)
		fw_log(FW_WARNING, "%s %s", device_settings(d)->name, state);
	else
		fw_log(FW_INFO, "%s is read again", device_settings(d)->name);
}

static void on_read(struct device *d, struct sweep *sweep, const char *why, void *arg)
{
	struct reader *r = arg;
	const struct device_settings *settings = device_settings(d);
	tell(d, sweep != NULL, why);
	if (!sweep)
		return;
	addresses_note(r->addresses, settings->name, device_address(d));
	probe_sweep(r->probe, host_of(r, d), sweep_schema(sweep), sweep_cells(sweep),
		sweep_at_ms(sweep), (uint32_t)settings->every_ms);
}

static void on_lost(const char *why, void *arg)
{
	const struct reader *r = arg;
	fw_log(FW_WARNING, "the agent at '%s' takes nothing: %s", r->socket, why);
}

static void on_ready(const char *instance, void *arg)
{
	(void)arg;
	fw_log(FW_INFO, "the agent of %s takes what is read", instance);
}

static void on_end(void *arg)
{
	struct reader *r = arg;
	for (size_t i = 0; i < r->n_devices; i++)
		device_free(r->devices[i]);
	r->n_devices = 0;
	probe_close(r->probe);
	r->probe = NULL;
}

static struct device *find_device(struct device *const *devices, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(device_settings(devices[i])->name, name) == 0)
			return devices[i];
	return NULL;
}

/* In place of those that were there: what stays is read when it was to be. */
static void open_devices(struct reader *r, const struct devices *settings)
{
	struct device **before = r->devices;
	size_t n_before = r->n_devices;
	r->devices = fw_alloc_array(settings->n_devices + 1, sizeof(struct device *));
	r->n_devices = settings->n_devices;
	for (size_t i = 0; i < settings->n_devices; i++) {
		struct device_config config = {.settings = &settings->devices[i],
			.on_read = on_read,
			.on_table = on_table,
			.arg = r};
		config.before = find_device(before, n_before, config.settings->name);
		r->devices[i] = device_new(&r->life.loop, &config);
	}
	for (size_t i = 0; i < n_before; i++)
		device_free(before[i]);
	fw_free(before);
}

static void on_hung_up(void *arg)
{
	struct reader *r = arg;
	struct devices was = *r->settings, new;
	struct fw_err err;
	if (devices_read(&new, r->path, &err) < 0) {
		fw_log(FW_ERROR, "SIGHUP: %s; the devices stay as they were", err.text);
		return;
	}
	if (strcmp(new.socket, r->socket) != 0)
		fw_log(FW_WARNING, "SIGHUP: 'socket' takes effect with the next start");
	open_devices(r, &new);
	*r->settings = new;
	addresses_keep(r->addresses, r->settings);
	devices_done(&was);
	fw_log(FW_NOTICE, "SIGHUP: there are %zu devices now", r->n_devices);
}

static void on_tick(void *arg)
{
	struct reader *r = arg;
	struct fw_err err;
	if (!addresses_are_news(r->addresses) ||
		addresses_save(r->addresses, r->settings->addresses, &err) >= 0 ||
		r->has_complained)
		return;
	fw_log(FW_WARNING, "the receiver of traps is not told of addresses: %s", err.text);
	r->has_complained = true;
}

static int open_probe(struct reader *r, struct fw_err *err)
{
	const struct probe_config config = {
		.socket = r->settings->socket,
		.program = "fenwatch-snmp " FW_VERSION,
		.on_ready = on_ready,
		.on_lost = on_lost,
		.arg = r,
	};
	return probe_open(&r->probe, &r->life.loop, &config, err);
}

static int open_all(struct reader *r, struct fw_err *err)
{
	const struct life_config life = {.on_end = on_end,
		.on_hung_up = on_hung_up,
		.on_tick = on_tick,
		.tick_ms = KEEP_MS,
		.arg = r};
	life_open(&r->life, &life);
	int rc = open_probe(r, err);
	if (rc < 0) {
		life_end(&r->life);
		return rc;
	}
	addresses_load(r->addresses, r->settings->addresses, r->settings, err);
	open_devices(r, r->settings);
	fw_notify("READY=1");
	fw_log(FW_INFO, "reading %zu devices", r->n_devices);
	return 0;
}

int reader_run(struct devices *settings, const char *path, struct fw_err *err)
{
	struct reader r = {.settings = settings, .path = path};
	prctl(PR_SET_DUMPABLE, 0);
	r.socket = fw_strdup(settings->socket);
	r.addresses = addresses_new();
	int rc = open_all(&r, err), left = life_run(&r.life, rc < 0 ? NULL : err);
	addresses_free(r.addresses);
	fw_free(r.devices);
	fw_free(r.socket);
	return rc < 0 ? rc : left;
}
