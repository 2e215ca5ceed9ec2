/* Hosts as people see them: one by name, however many jobs report for it. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "store.h"

struct request;

/* The worst of what its alerts say, or silent, or away; docs/http-api.md has the rules. */
enum host_state {
	HOST_OK,
	HOST_WARNING,
	HOST_CRITICAL,
	HOST_SILENT,
	HOST_UNOBSERVED,
	HOST_AWAY,
	HOST_RETIRED
};
extern const char *const host_state_names[];

struct host {
	const char *name;
	const struct store_host *store; /* of its jobs, the one heard last */
	const char *site, *class;
	enum host_state state;
	int64_t since_ms; /* of that state; 0: not known */
	size_t n_alerts;
};

/* The name of the host that a job reports for. */
const char *hosts_instance(const struct store_host *host);
/* What a check finds is said of what it tries: it does not speak for the host of that name. */
bool hosts_is_check(const struct store_host *host);
/* Sorted by name. 0, or the request is answered with what went wrong. */
int hosts_read(struct request *r, struct host **out, size_t *n_out);
