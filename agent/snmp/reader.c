/* SPDX-License-Identifier: Apache-2.0 */
#include "reader.h"

#include <signal.h>
#include <string.h>
#include <sys/prctl.h>

#include <uv.h>

#include <fenwatch/clock.h>
#include <fenwatch/log.h>
#include <fenwatch/loop.h>
#include <fenwatch/mem.h>
#include <fenwatch/notify.h>

#include "addresses.h"
#include "device.h"
#include "probe.h"

#define KEEP_MS 2000 /* between two looks whether addresses are to be kept */

struct reader {
	struct devices *settings;
	const char *path; /* their file */
	char *socket;     /* as it was at the start */
	uv_loop_t loop;
	struct fw_owner owner;
	uv_signal_t terminate, interrupt, hung_up;
	uv_timer_t watchdog, keep;
	struct probe *probe;
	struct addresses *addresses;
	bool has_complained; /* that they cannot be kept */
	struct device **devices;
	size_t n_devices;
};

static struct probe_host *host_of(const struct reader *r, const struct device *d)
{
	const struct fw_label labels[] = {{"instance", device_settings(d)->name}, {"job", "snmp"}};
	return probe_host(r->probe, labels, 2);
}

static bool on_table(struct device *d, const char *kind, const struct fw_buf *lines, void *arg)
{
	const struct reader *r = arg;
	if (strcmp(kind, "device") == 0)
		addresses_take(r->addresses, device_settings(d)->name, device_address(d), lines);
	return probe_document(r->probe, host_of(r, d), kind, lines, fw_wall_ms()) > 0;
}

static void on_read(struct device *d, struct sweep *sweep, const char *why, void *arg)
{
	struct reader *r = arg;
	const struct device_settings *settings = device_settings(d);
	if (why) {
		if (device_failures(d) == 1)
			fw_log(FW_WARNING, "%s cannot be read: %s", settings->name, why);
		return;
	}
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

static void on_signal(uv_signal_t *signal, int number)
{
	struct reader *r = signal->loop->data;
	(void)number;
	fw_notify("STOPPING=1");
	for (size_t i = 0; i < r->n_devices; i++)
		device_free(r->devices[i]);
	r->n_devices = 0;
	probe_close(r->probe);
	r->probe = NULL;
	fw_owner_close(&r->owner);
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
		r->devices[i] = device_new(&r->loop, &config);
	}
	for (size_t i = 0; i < n_before; i++)
		device_free(before[i]);
	fw_free(before);
}

/* Of a device that has gone the addresses go. */
static void replace_addresses(struct reader *r)
{
	struct fw_err err;
	if (addresses_are_news(r->addresses))
		addresses_save(r->addresses, r->settings->addresses, &err);
	addresses_load(r->addresses, r->settings->addresses, r->settings, &err);
}

static void on_hung_up(uv_signal_t *signal, int number)
{
	struct reader *r = signal->loop->data;
	struct devices was = *r->settings, new;
	struct fw_err err;
	(void)number;
	if (!r->probe)
		return;
	if (devices_read(&new, r->path, &err) < 0) {
		fw_log(FW_ERROR, "SIGHUP: %s; the devices stay as they were", err.text);
		return;
	}
	if (strcmp(new.socket, r->socket) != 0)
		fw_log(FW_WARNING, "SIGHUP: 'socket' takes effect with the next start");
	open_devices(r, &new);
	*r->settings = new;
	replace_addresses(r);
	devices_done(&was);
	fw_log(FW_NOTICE, "SIGHUP: there are %zu devices now", r->n_devices);
}

static void on_watchdog(uv_timer_t *timer)
{
	(void)timer;
	fw_notify("WATCHDOG=1");
}

static void on_keep(uv_timer_t *timer)
{
	struct reader *r = timer->loop->data;
	struct fw_err err;
	if (!addresses_are_news(r->addresses) ||
		addresses_save(r->addresses, r->settings->addresses, &err) >= 0 ||
		r->has_complained)
		return;
	fw_log(FW_WARNING, "the receiver of traps is not told of addresses: %s", err.text);
	r->has_complained = true;
}

static void on_handles_closed(struct fw_owner *owner)
{
	(void)owner;
}

static void open_handles(struct reader *r)
{
	uint64_t watchdog_ms = (uint64_t)fw_notify_watchdog_ms();
	r->loop.data = r;
	fw_owner_init(&r->owner, on_handles_closed);
	uv_signal_init(&r->loop, &r->terminate);
	fw_owner_adopt(&r->owner, &r->terminate);
	uv_signal_init(&r->loop, &r->interrupt);
	fw_owner_adopt(&r->owner, &r->interrupt);
	uv_timer_init(&r->loop, &r->watchdog);
	fw_owner_adopt(&r->owner, &r->watchdog);
	uv_timer_init(&r->loop, &r->keep);
	fw_owner_adopt(&r->owner, &r->keep);
	uv_timer_start(&r->keep, on_keep, KEEP_MS, KEEP_MS);
	uv_signal_init(&r->loop, &r->hung_up);
	fw_owner_adopt(&r->owner, &r->hung_up);
	uv_signal_start(&r->hung_up, on_hung_up, SIGHUP);
	uv_signal_start(&r->terminate, on_signal, SIGTERM);
	uv_signal_start(&r->interrupt, on_signal, SIGINT);
	if (watchdog_ms)
		uv_timer_start(&r->watchdog, on_watchdog, watchdog_ms, watchdog_ms);
}

static int run_until_told(struct reader *r, struct fw_err *err)
{
	const struct probe_config config = {
		.socket = r->settings->socket,
		.program = "fenwatch-snmp " FW_VERSION,
		.on_ready = on_ready,
		.on_lost = on_lost,
		.arg = r,
	};
	int rc = probe_open(&r->probe, &r->loop, &config, err);
	if (rc < 0)
		return rc;
	r->addresses = addresses_new();
	addresses_load(r->addresses, r->settings->addresses, r->settings, err);
	open_handles(r);
	open_devices(r, r->settings);
	fw_notify("READY=1");
	fw_log(FW_INFO, "reading %zu devices", r->n_devices);
	uv_run(&r->loop, UV_RUN_DEFAULT);
	fw_free(r->devices);
	addresses_free(r->addresses);
	return 0;
}

int reader_run(struct devices *settings, const char *path, struct fw_err *err)
{
	struct reader r = {.settings = settings, .path = path};
	prctl(PR_SET_DUMPABLE, 0);
	uv_loop_init(&r.loop);
	r.socket = fw_strdup(settings->socket);
	int rc = run_until_told(&r, err);
	fw_free(r.socket);
	int left = uv_loop_close(&r.loop);
	return rc < 0 || left == 0 ? rc : fw_fail(err, left, "the loop is not empty at the end");
}
