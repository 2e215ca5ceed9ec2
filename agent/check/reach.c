/* SPDX-License-Identifier: Apache-2.0 */
#include "reach.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include <fenwatch/conn.h>
#include <fenwatch/resolve.h>

#include "metrics.h"

static void on_resolved(const struct fw_resolved *resolved, void *arg)
{
	struct reach *reach = arg;
	struct check_run *run = reach->run;
	reach->resolve = NULL;
	reach->us = check_us(run->started_ns, uv_hrtime());
	check_add(run->sweep, PROBE_DNS_LOOKUP, reach->us);
	if (resolved->n_addresses == 0) {
		reach->on_reached(reach, resolved->why);
		return;
	}
	reach->address = resolved->addresses[0];
	check_add(run->sweep, PROBE_IP_PROTOCOL, reach->address.ss_family == AF_INET6 ? 6 : 4);
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
