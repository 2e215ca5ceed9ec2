/* SPDX-License-Identifier: Apache-2.0 */
#include "reach.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include <fenwatch/conn.h>
#include <fenwatch/resolve.h>

#include "metrics.h"

/* FNV-1a of 32 bits. */
static uint32_t hash_of(const uint8_t *bytes, size_t length)
{
	uint32_t hash = 2166136261u;
	for (size_t i = 0; i < length; i++)
		hash = (hash ^ bytes[i]) * 16777619u;
	return hash;
}

void reach_tell(struct sweep *sweep, const struct sockaddr_storage *address)
{
	const struct sockaddr_in *v4 = (const struct sockaddr_in *)address;
	const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)address;
	bool six = address->ss_family == AF_INET6;
	check_add(sweep, PROBE_IP_PROTOCOL, six ? 6 : 4);
	check_add(sweep, PROBE_IP_HASH,
		six ? hash_of(v6->sin6_addr.s6_addr, 16)
		    : hash_of((const uint8_t *)&v4->sin_addr, 4));
}

/* NULL: there is none that this check may take. */
static const struct sockaddr_storage *choose(
	const struct fw_resolved *resolved, const struct check_spec *spec)
{
	int wanted = spec->prefer == CHECK_IP6 ? AF_INET6 : AF_INET;
	for (unsigned i = 0; spec->prefer != CHECK_ANY_IP && i < resolved->n_addresses; i++)
		if (resolved->addresses[i].ss_family == wanted)
			return &resolved->addresses[i];
	bool any = spec->prefer == CHECK_ANY_IP || spec->fallback;
	return any && resolved->n_addresses > 0 ? &resolved->addresses[0] : NULL;
}

static void on_resolved(const struct fw_resolved *resolved, void *arg)
{
	struct reach *reach = arg;
	struct check_run *run = reach->run;
	reach->resolve = NULL;
	reach->us = check_us(run->started_ns, uv_hrtime());
	check_add(run->sweep, PROBE_DNS_LOOKUP, reach->us);
	const struct sockaddr_storage *address = choose(resolved, run->spec);
	if (!address) {
		reach->on_reached(reach,
			resolved->n_addresses == 0               ? resolved->why
				: run->spec->prefer == CHECK_IP4 ? "no address of IPv4"
								 : "no address of IPv6");
		return;
	}
	reach->address = *address;
	reach_tell(run->sweep, address);
	reach->on_reached(reach, NULL);
}

int reach_start(struct reach *reach, struct check_run *run,
	void (*on_reached)(struct reach *reach, const char *why), struct fw_err *err)
{
	const struct check_spec *spec = run->spec;
	*reach = (struct reach){.run = run, .on_reached = on_reached};
	return fw_resolve_start(
		&reach->resolve, run->loop, spec->host, spec->port, on_resolved, reach, err);
}

void reach_cancel(struct reach *reach)
{
	if (reach->resolve)
		fw_resolve_cancel(reach->resolve);
	reach->resolve = NULL;
}

socklen_t reach_length(const struct reach *reach)
{
	return reach->address.ss_family == AF_INET6 ? sizeof(struct sockaddr_in6)
						    : sizeof(struct sockaddr_in);
}

static bool is_plain_host(const char *target)
{
	const char *colon = strchr(target, ':');
	return !colon || (strchr(colon + 1, ':') && target[0] != '[');
}

int reach_split(struct check_spec *spec, unsigned port, struct fw_err *err)
{
	size_t length = strlen(spec->target);
	if (is_plain_host(spec->target)) {
		if (port == 0)
			return fw_fail(err, -EINVAL, "target must be HOST:PORT, not '%.100s'",
				spec->target);
		if (length == 0 || length > 253)
			return fw_fail(err, -EINVAL, "target must be a name or an address");
		memcpy(spec->host, spec->target, length + 1);
		spec->port = port;
		return 0;
	}
	if (fw_split_host_port(spec->target, spec->host, sizeof spec->host, &spec->port) < 0 ||
		spec->port == 0)
		return fw_fail(err, -EINVAL,
			"target must be HOST:PORT or [ADDRESS]:PORT, not '%.100s'", spec->target);
	return 0;
}
