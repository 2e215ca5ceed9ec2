/* SPDX-License-Identifier: Apache-2.0 */
#include "fakes.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "retired.h"

char fakes_asked[256];
atomic_bool fakes_hold;
bool fakes_both;
const char *fakes_silent;
int64_t fakes_retired_ms;
bool fakes_has_work;
bool fakes_checked;

void fakes_reset(void)
{
	fakes_asked[0] = '\0';
	fakes_retired_ms = INT64_MAX;
	fakes_has_work = false;
	fakes_checked = false;
}

/* ---- what the collector does with its parts ---- */

int fakes_forget(const char *name, struct fw_err *err, void *arg)
{
	(void)arg;
	if (strcmp(name, "web01") != 0)
		return fw_fail(err, -ENOENT, "there is no host '%s'", name);
	snprintf(fakes_asked, sizeof fakes_asked, "forget host %s", name);
	return 0;
}

int fakes_snapshot(const char *name, struct fw_err *err, void *arg)
{
	(void)arg;
	if (!*name)
		return fw_fail(err, -EINVAL, "'' is no name for a snapshot");
	if (strcmp(name, "old") == 0)
		return fw_fail(err, -EEXIST, "there is a snapshot 'old' already");
	if (strcmp(name, "big") == 0)
		return fw_fail(err, -ENOSPC, "the disk has 1 MiB left");
	snprintf(fakes_asked, sizeof fakes_asked, "snapshot %s", name);
	return 0;
}

void fakes_snapshot_look(struct api_snapshot *out, void *arg)
{
	(void)arg;
	*out = (struct api_snapshot){.bytes = 10, .of_bytes = 40, .began_ms = 1500};
	if (strncmp(fakes_asked, "snapshot ", 9) == 0)
		snprintf(out->name, sizeof out->name, "%.60s", fakes_asked + 9);
}

size_t retired_list(const struct retired *retired, struct fw_arena *arena, struct retirement **out)
{
	(void)retired;
	*out = fw_arena_alloc(arena, sizeof **out);
	(*out)[0] = (struct retirement){.host = "db01",
		.who = "Ann",
		.reason = "scrapped",
		.agent = "",
		.at_ms = fakes_retired_ms};
	return 1;
}

int fakes_retire(const struct retirement *wanted, struct fw_err *err, void *arg)
{
	(void)arg;
	if (strcmp(wanted->host, "db01") == 0)
		return fw_fail(err, -EALREADY, "'db01' is retired already");
	snprintf(fakes_asked, sizeof fakes_asked, "retire %s, %s, %s", wanted->host, wanted->who,
		wanted->reason);
	return 0;
}

int fakes_return(const char *name, const char *who, int64_t now_ms, struct fw_err *err, void *arg)
{
	(void)now_ms;
	(void)arg;
	if (strcmp(name, "db01") != 0)
		return fw_fail(err, -ENOENT, "no host '%s' was retired", name);
	snprintf(fakes_asked, sizeof fakes_asked, "return %s, %s", name, who);
	return 0;
}
