/* SPDX-License-Identifier: Apache-2.0 */
/* Files that were replaced while processes run the old ones: fixes that are installed
 * and not at work. Those of other users' processes are seen through the helper. What
 * was found is kept for the source packages, which knows whose fixes they are.
 */
#include "restarts.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <fenwatch/mem.h>

#include "parse.h"

enum { PROCESSES, SERVICES, SESSIONS, SERVICE, PARTIAL };

static const struct metric metrics[] = {
	[PROCESSES] = {"node_processes_linking_deleted_libraries", FW_GAUGE, "",
		"Count of running processes that link a deleted library.", 0, 1},
	[SERVICES] = {"needrestart_services_total", FW_GAUGE, "",
		"Services that run files which have been replaced.", 0, 1},
	[SESSIONS] = {"needrestart_sessions_total", FW_GAUGE, "",
		"1 where people's sessions run files which have been replaced.", 0, 1},
	[SERVICE] = {"fenwatch_service_restart_required", FW_GAUGE, "",
		"A service that runs files which have been replaced.", 0, 1},
	[PARTIAL] = {"fenwatch_deleted_libraries_partial", FW_GAUGE, "",
		"1 where not all processes could be looked into: there may be more.", 0, 1},
};

#define SERVICES_TOLD 64

static bool is_library(const char *path)
{
	return strstr(strrchr(path, '/'), ".so") != NULL;
}

static void add_libraries(const struct facts_libraries *found, struct sweep *out)
{
	for (size_t i = 0; i < found->n; i++) {
		const struct facts_library *library = &found->library[i];
		const char *slash = strrchr(library->path, '/');
		char folder[FW_SYMBOL_LIMIT];
		snprintf(
			folder, sizeof folder, "%.*s", (int)(slash - library->path), library->path);
		if (is_library(library->path))
			sweep_add(out, &metrics[PROCESSES], library->processes,
				SWEEP_LABELS("library_name", slash + 1, "library_path", folder));
	}
}

static void add_services(const struct facts_libraries *found, struct sweep *out)
{
	int64_t services = 0, sessions = 0;
	for (size_t i = 0; i < found->n_services; i++) {
		if (found->service[i][0] == '\0') {
			sessions = 1;
			continue;
		}
		if (services++ < SERVICES_TOLD)
			sweep_add(
				out, &metrics[SERVICE], 1, SWEEP_LABELS("name", found->service[i]));
	}
	sweep_add_plain(out, &metrics[SERVICES], services);
	sweep_add_plain(out, &metrics[SESSIONS], sessions);
}

static int read_libraries(void *state, struct machine *m, struct sweep *out, struct fw_err *err)
{
	(void)state;
	struct machine_file file;
	struct fw_buf body = {0};
	struct facts_libraries *found = fw_alloc(sizeof *found);
	if (machine_stat(m, "proc/1/maps", &file) < 0) {
		fw_free(found);
		return fw_fail(err, -ENODATA, "this machine has no /proc/PID/maps");
	}
	int rc = restarts_find(m, &body, found, err);
	if (rc == 0) {
		add_libraries(found, out);
		add_services(found, out);
		sweep_add_plain(out, &metrics[PARTIAL], found->partial);
		restarts_keep(m, &body);
	}
	fw_buf_done(&body);
	fw_free(found);
	return rc;
}

const struct source source_libraries = {
	.name = "libraries",
	.help = "Libraries and programs that were replaced and are still run.",
	.purpose = "A fix is at work only when the services that run the old files were restarted.",
	.reads = "/proc/PID/maps and /proc/PID/cgroup, through the helper fenwatch-facts where "
		 "they are of other users",
	.needs = "the helper fenwatch-facts, for the processes of other users",
	.slow = true,
	.every_s = 900,
	.timeout_s = 90,
	.metrics = metrics,
	.n_metrics = COUNT(metrics),
	.read = read_libraries,
};
