/* SPDX-License-Identifier: Apache-2.0 */
#include "forget.h"

#include <errno.h>
#include <string.h>

#include <fenwatch/log.h>
#include <fenwatch/mem.h>

#include "alert.h"
#include "enrol.h"
#include "events.h"
#include "inventory.h"
#include "outlook.h"
#include "patch.h"
#include "presence.h"
#include "retired.h"
#include "store.h"

static bool is_named(const struct store_host *host, const char *name)
{
	for (size_t i = 0; i < host->n_labels; i++)
		if (strcmp(host->labels[i].name, "instance") == 0)
			return strcmp(host->labels[i].value, name) == 0;
	return false;
}

/* What is kept under a number of the store's; the number itself goes last, since the
 * rest is found by it. */
static int forget_number(
	const struct forget *parts, uint32_t id, const char *name, struct fw_err *err)
{
	int rc = inventory_forget(parts->inventory, id, err);
	if (rc == 0)
		rc = presence_forget(parts->presence, id, err);
	if (rc == 0)
		rc = patch_forget(parts->patch, id, err);
	if (rc == 0)
		rc = outlook_forget(parts->outlook, id, err);
	if (rc == 0)
		rc = events_forget(parts->events, id, name, err);
	return rc < 0 ? rc : store_host_forget(parts->store, id, err);
}

/* One name may speak for several jobs. */
static int forget_numbers(const struct forget *parts, const char *name, struct fw_err *err)
{
	struct fw_arena arena = {0};
	struct store_host *hosts;
	size_t n = store_hosts(parts->store, &arena, &hosts);
	int found = 0, rc = 0;
	for (size_t i = 0; i < n && rc >= 0; i++) {
		if (!is_named(&hosts[i], name))
			continue;
		rc = forget_number(parts, hosts[i].id, name, err);
		found++;
	}
	fw_arena_done(&arena);
	return rc < 0 ? rc : found;
}

int forget_host(const struct forget *parts, const char *name, struct fw_err *err)
{
	int agents = enrol_forget(parts->enrol, name, err);
	int numbers = agents < 0 ? agents : forget_numbers(parts, name, err);
	if (numbers < 0)
		return numbers;
	int rc = alert_forget(parts->alerts, name, err);
	if (rc == 0)
		rc = retired_forget(parts->retired, name, err);
	if (rc < 0)
		return rc;
	if (agents == 0 && numbers == 0)
		return fw_fail(
			err, -ENOENT, "there is no host '%.200s'; see 'fenwatch hosts'", name);
	fw_log(FW_NOTICE, "%s is forgotten: its enrolment, samples, inventory and alerts", name);
	return 0;
}
