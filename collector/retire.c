/* SPDX-License-Identifier: Apache-2.0 */
#include "retire.h"

#include <errno.h>
#include <string.h>

#include <fenwatch/log.h>
#include <fenwatch/mem.h>

#include "alert.h"
#include "enrol.h"
#include "retired.h"
#include "store.h"

static bool is_in_store(const struct retire *parts, const char *name)
{
	struct fw_arena arena = {0};
	struct store_host *hosts;
	size_t n = store_hosts(parts->store, &arena, &hosts);
	bool found = false;
	for (size_t i = 0; i < n && !found; i++)
		found = strcmp(fw_label_value(hosts[i].labels, hosts[i].n_labels, "instance"),
				name) == 0;
	fw_arena_done(&arena);
	return found;
}

/* Each step may be taken twice. */
static int take_steps(
	const struct retire *parts, const struct retirement *retirement, struct fw_err *err)
{
	char *why = fw_format("%s retired by %s%s%s", retirement->host, retirement->who,
		*retirement->reason ? ": " : "", retirement->reason);
	int rc = *retirement->agent
		? enrol_revoke(parts->enrol, retirement->agent, retirement->at_ms, err)
		: 0;
	if (rc == 0)
		rc = alert_close_host(parts->alerts, retirement->host, why, err);
	if (rc == 0)
		rc = retired_finish(parts->retired, retirement->host, err);
	if (rc == 0)
		fw_log(FW_NOTICE, "%s", why);
	fw_free(why);
	return rc;
}

int retire_host(const struct retire *parts, const struct retirement *wanted, struct fw_err *err)
{
	char agent[FW_UUID_TEXT];
	struct retirement retirement = *wanted;
	enrol_uuid_of(parts->enrol, wanted->host, agent);
	retirement.agent = agent;
	if (!*agent && !is_in_store(parts, wanted->host) &&
		!retired_find(parts->retired, wanted->host))
		return fw_fail(err, -ENOENT, "there is no host '%.200s'; see 'fenwatch hosts'",
			wanted->host);
	int rc = retired_add(parts->retired, &retirement, err);
	return rc < 0 ? rc : take_steps(parts, &retirement, err);
}

int retire_undo(const struct retire *parts, const char *name, const char *who, int64_t now_ms,
	struct fw_err *err)
{
	const struct retirement *retirement = retired_find(parts->retired, name);
	int rc = retirement && *retirement->agent
		? enrol_restore(parts->enrol, retirement->agent, err)
		: 0;
	return rc < 0 && rc != -EEXIST ? rc : retired_end(parts->retired, name, who, now_ms, err);
}

int retire_finish(const struct retire *parts, struct fw_err *err)
{
	struct fw_arena arena = {0};
	struct retirement *all;
	size_t n = retired_list(parts->retired, &arena, &all);
	int rc = 0;
	for (size_t i = 0; i < n && rc == 0; i++)
		if (!all[i].is_done)
			rc = take_steps(parts, &all[i], err);
	fw_arena_done(&arena);
	return rc;
}
