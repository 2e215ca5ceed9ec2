/* snmp.yml: which devices are read, how and how often. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <fenwatch/conf.h>
#include <fenwatch/err.h>
#include <fenwatch/mem.h>

#include "module.h"
#include "session.h"

#define DEVICES_PATH "/etc/fenwatch/snmp.yml"
#define COUNTERS_PATH "/var/lib/fenwatch-snmp/counters"
#define DEVICES_DEVICES 4000
#define DEVICES_MODULES 32 /* of one device */

struct device_settings {
	const char *name, *host, *credentials;
	unsigned port;
	enum snmp_version version;
	const struct mib_module *modules[DEVICES_MODULES];
	unsigned n_modules;
	int64_t every_ms, inventory_ms, timeout_ms, retries;
};

struct devices {
	const char *addresses; /* a file, addresses.h */
	const char *counters;  /* a file: what has wrapped, of all */
	const char *socket;
	struct fw_text_list folders; /* of modules; what stands in a later one counts */
	struct device_settings *devices;
	size_t n_devices;
	struct mib_module **modules; /* those that a device names */
	size_t n_modules;
	const struct fw_yaml *list; /* while it is read */
	struct fw_arena arena;      /* everything above lives here */
};

extern const struct fw_option devices_table[];

int devices_read(struct devices *out, const char *path, struct fw_err *err);
void devices_done(struct devices *s);
const struct device_settings *devices_find(const struct devices *s, const char *name);
