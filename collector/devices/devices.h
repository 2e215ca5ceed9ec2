/* One list of what there is: hosts with an agent, devices that a probe asks by SNMP, and what
 * switches, routers and the wire itself show of others.
 *
 * Each source tells facts: that somebody with this hardware address was at that address, or
 * hangs on that port. Facts of one hardware address are one device; a fact without one belongs to
 * the device that alone has its address, but two hosts of ours are never one by that. Nothing here knows where facts are from: whoever asks
 * collects them, and gets the devices. Pure.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <fenwatch/mem.h>

enum device_source {
	DEVICE_FROM_AGENT,     /* its own agent, of its network cards */
	DEVICE_FROM_SNMP,      /* a probe, of a device that it asks */
	DEVICE_FROM_WIRE,      /* a capture */
	DEVICE_FROM_ARP,       /* a router's table of addresses */
	DEVICE_FROM_BRIDGE,    /* a switch's table of ports */
	DEVICE_FROM_NEIGHBOUR, /* LLDP or CDP */
	DEVICE_SOURCES
};
extern const char *const device_source_names[];

struct device_fact {
	enum device_source source;
	const char *by;            /* the host that tells it; of NEIGHBOUR the switch */
	const char *host;          /* what the device is called here, or NULL */
	const char *mac, *address; /* as written by whoever told it, or NULL */
	const char *name;          /* what it calls itself, or NULL */
	const char *port;          /* of BRIDGE and NEIGHBOUR: of `by` */
	const char *speaks;        /* of WIRE: words, between spaces, or NULL */
	int64_t first_ms, last_ms; /* when it was seen; 0: nobody says */
};

enum device_state {
	DEVICE_MANAGED,   /* heard of, as it should be */
	DEVICE_QUIET,     /* its agent is not heard, but it was seen since */
	DEVICE_SILENT,    /* neither is heard nor seen */
	DEVICE_UNMANAGED, /* seen, and no host of ours */
};
extern const char *const device_state_names[];

struct device {
	enum device_state state;
	const char *mac;           /* "" where nobody has told */
	const char *host;          /* "" of an unmanaged one */
	const char *name, *speaks; /* "" where nobody has told */
	const char **addresses;    /* each once, the first 64 */
	size_t n_addresses;
	const char *switch_name, *port; /* it hangs there; "" where no switch shows it */
	const char **clones;            /* other hosts of ours with the same hardware address */
	size_t n_clones;
	unsigned sources; /* a bit each */
	int64_t first_ms, last_ms;
};

struct device_hosts {
	/* When a host of ours was last heard; 0: never. */
	int64_t (*heard_ms)(const char *host, void *arg);
	void *arg;
	int64_t now_ms;
};

/* Devices by host, then by hardware address; all in the arena, with texts of the facts. */
void devices_join(const struct device_fact *facts, size_t n, const struct device_hosts *hosts,
	struct fw_arena *arena, struct device **out, size_t *n_out);
