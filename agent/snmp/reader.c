/* SPDX-License-Identifier: Apache-2.0 */
#include "reader.h"

#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>

#include <fenwatch/clock.h>
#include <fenwatch/file.h>
#include <fenwatch/log.h>
#include <fenwatch/mem.h>
#include <fenwatch/notify.h>

#include "addresses.h"
#include "device.h"
#include "life.h"
#include "probe.h"
#include "wraps.h"

#define KEEP_MS 2000               /* between two looks whether addresses are to be kept */
#define COUNTERS_MS 300000         /* between two times that counters are */
#define COUNTERS_BYTES (64u << 20) /* of their file */

struct reader {
	struct devices *settings;
	const char *path; /* their file */
	char *socket;     /* as it was at the start */
	struct life life;
	struct probe *probe;
	struct addresses *addresses;
	int64_t counters_ms; /* when they were kept last, monotonic */
	bool has_counters;   /* there is a file of them */
	bool has_complained; /* that something cannot be kept */
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

/* ---- what is kept over a start ---- */

static void complain(struct reader *r, const char *what, const struct fw_err *err)
{
	if (!r->has_complained)
		fw_log(FW_WARNING, "%s: %s", what, err->text);
	r->has_complained = true;
}

static void save_counters(struct reader *r)
{
	struct fw_buf text = {0};
	struct fw_err err;
	r->counters_ms = fw_mono_ms();
	for (size_t i = 0; i < r->n_devices; i++)
		if (!strpbrk(device_settings(r->devices[i])->name, "\t\n"))
			wraps_write(device_wraps(r->devices[i]),
				device_settings(r->devices[i])->name, &text);
	if (text.length > 0 || r->has_counters) {
		r->has_counters = true;
		if (fw_file_replace(r->settings->counters, text.data, text.length, 0640, &err) < 0)
			complain(r, "counters that wrap would fall with the next start", &err);
	}
	fw_buf_done(&text);
}

static void save_addresses(struct reader *r)
{
	struct fw_err err;
	if (addresses_are_news(r->addresses) &&
		addresses_save(r->addresses, r->settings->addresses, &err) < 0)
		complain(r, "the receiver of traps is not told of addresses", &err);
}

static void on_end(void *arg)
{
	struct reader *r = arg;
	if (r->n_devices > 0)
		save_counters(r);
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

/* A line of theirs begins with the device's name and a tab; those of a device stand together. */
static void load_counters(struct reader *r)
{
	struct fw_buf text = {0};
	r->counters_ms = fw_mono_ms();
	r->has_counters = fw_file_read(r->settings->counters, COUNTERS_BYTES, &text, NULL) >= 0;
	struct fw_cursor rest = {(char *)text.data, (char *)text.data + text.length}, line;
	struct device *d = NULL;
	while (fw_cut_line(&rest, &line)) {
		char *tab = memchr(line.at, '\t', (size_t)(line.end - line.at));
		if (!tab)
			continue;
		*tab = '\0';
		if (!d || strcmp(device_settings(d)->name, line.at) != 0)
			d = find_device(r->devices, r->n_devices, line.at);
		line.at = tab + 1;
		if (d)
			wraps_take_line(device_wraps(d), line);
	}
	fw_buf_done(&text);
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
	save_addresses(r);
	if (fw_mono_ms() - r->counters_ms >= COUNTERS_MS)
		save_counters(r);
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
	load_counters(r);
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
