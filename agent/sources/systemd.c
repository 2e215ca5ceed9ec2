/* SPDX-License-Identifier: Apache-2.0 */
#include "parse.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "people.h"
#include "systemctl.h"

enum {
	RUNNING,
	VERSION,
	UNIT_STATE,
	RESTARTS,
	LAST_TRIGGER,
	START_TIME,
	ACCEPTED,
	CONNECTIONS,
	REFUSED,
	UNITS,
};

static const struct metric metrics[] = {
	[RUNNING] = {"node_systemd_system_running", FW_GAUGE, "",
		"Whether the system is operational (see 'systemctl is-system-running').", 0, 1},
	[VERSION] = {"node_systemd_version", FW_GAUGE, "", "Detected systemd version.", 0, 1},
	[UNIT_STATE] = {"node_systemd_unit_state", FW_GAUGE, "", "Systemd unit.", 0, 1},
	[RESTARTS] = {"node_systemd_service_restart_total", FW_COUNTER, "",
		"Service unit count of Restart triggers.", 0, 1},
	[LAST_TRIGGER] = {"node_systemd_timer_last_trigger_seconds", FW_GAUGE, "seconds",
		"Seconds since epoch of last trigger.", 3, 1},
	[START_TIME] = {"node_systemd_unit_start_time_seconds", FW_GAUGE, "seconds",
		"Start time of the unit since unix epoch in seconds.", 3, 1},
	[ACCEPTED] = {"node_systemd_socket_accepted_connections_total", FW_COUNTER, "",
		"Total number of accepted socket connections.", 0, 1},
	[CONNECTIONS] = {"node_systemd_socket_current_connections", FW_GAUGE, "",
		"Current number of socket connections.", 0, 1},
	[REFUSED] = {"node_systemd_socket_refused_connections_total", FW_COUNTER, "",
		"Total number of refused socket connections.", 0, 1},
	[UNITS] = {"node_systemd_units", FW_GAUGE, "", "Summary of systemd unit states.", 0, 1},
};

static const char *const states[] = {"active", "activating", "deactivating", "failed", "inactive"};

#define VALUE_BYTES 256

enum {
	ID,
	LOAD_STATE,
	ACTIVE_STATE,
	TYPE,
	N_RESTARTS,
	LAST_TRIGGER_USEC,
	ACTIVE_ENTER,
	N_ACCEPTED,
	N_CONNECTIONS,
	N_REFUSED,
	PROPERTIES,
};

static const char *const properties[PROPERTIES] = {
	[ID] = "Id",
	[LOAD_STATE] = "LoadState",
	[ACTIVE_STATE] = "ActiveState",
	[TYPE] = "Type",
	[N_RESTARTS] = "NRestarts",
	[LAST_TRIGGER_USEC] = "LastTriggerUSec",
	[ACTIVE_ENTER] = "ActiveEnterTimestamp",
	[N_ACCEPTED] = "NAccepted",
	[N_CONNECTIONS] = "NConnections",
	[N_REFUSED] = "NRefused",
};

static const char wanted[] = "--property=Id,LoadState,ActiveState,Type,NRestarts,LastTriggerUSec,"
			     "ActiveEnterTimestamp,NAccepted,"
			     "NConnections,NRefused";
static const char *const show_units[] = {"show", "--all", "--no-pager", wanted, "*", NULL};
static const char *const show_manager[] = {
	"show", "--no-pager", "--property=Version,SystemState", NULL};

struct unit {
	char values[PROPERTIES][VALUE_BYTES];
};

static void keep_property(struct unit *u, const struct fw_cursor *line)
{
	for (size_t i = 0; i < PROPERTIES; i++) {
		struct fw_cursor c = *line;
		if (!fw_cut_literal(&c, properties[i]) || !fw_cut_literal(&c, "="))
			continue;
		size_t length = (size_t)(c.end - c.at);
		if (length < VALUE_BYTES) {
			memcpy(u->values[i], c.at, length);
			u->values[i][length] = '\0';
		}
	}
}

/* Those that say nothing about a service: as node_exporter leaves them out. */
static bool is_ignored(const char *name)
{
	static const char *const endings[] = {
		"automount", "device", "mount", "scope", "slice", "target"};
	for (size_t i = 0; i < COUNT(endings); i++)
		if (systemctl_is_type(name, endings[i]))
			return true;
	return false;
}

static void add_count(struct sweep *out, size_t metric, const struct unit *u, size_t property)
{
	uint64_t count;
	if (fw_parse_u64(u->values[property], &count) == 0)
		sweep_add(
			out, &metrics[metric], (int64_t)count, SWEEP_LABELS("name", u->values[ID]));
}

static void add_time(struct sweep *out, size_t metric, const struct unit *u, size_t property)
{
	int64_t at_ms;
	if (systemctl_time(u->values[property], &at_ms))
		sweep_add(out, &metrics[metric], at_ms, SWEEP_LABELS("name", u->values[ID]));
}

/* As node_exporter has it: 0 for what is not active. */
static void add_start(struct sweep *out, const struct unit *u)
{
	int64_t at_ms = 0;
	if (strcmp(u->values[ACTIVE_STATE], "active") == 0 &&
		!systemctl_time(u->values[ACTIVE_ENTER], &at_ms))
		return;
	sweep_add(out, &metrics[START_TIME], at_ms, SWEEP_LABELS("name", u->values[ID]));
}

static void add_unit(struct sweep *out, const struct unit *u)
{
	const char *name = u->values[ID];
	for (size_t i = 0; i < COUNT(states); i++)
		sweep_add(out, &metrics[UNIT_STATE],
			strcmp(u->values[ACTIVE_STATE], states[i]) == 0,
			SWEEP_LABELS("name", name, "state", states[i], "type", u->values[TYPE]));
	add_start(out, u);
	if (systemctl_is_type(name, "service"))
		add_count(out, RESTARTS, u, N_RESTARTS);
	if (systemctl_is_type(name, "timer"))
		add_time(out, LAST_TRIGGER, u, LAST_TRIGGER_USEC);
	if (systemctl_is_type(name, "socket")) {
		add_count(out, ACCEPTED, u, N_ACCEPTED);
		add_count(out, CONNECTIONS, u, N_CONNECTIONS);
		add_count(out, REFUSED, u, N_REFUSED);
	}
}

static void take_unit(struct machine *m, struct sweep *out, struct unit *u, int64_t *counts)
{
	if (strcmp(u->values[LOAD_STATE], "loaded") == 0) {
		for (size_t i = 0; i < COUNT(states); i++)
			counts[i] += strcmp(u->values[ACTIVE_STATE], states[i]) == 0;
		char name[VALUE_BYTES];
		if (people_free_unit(m, u->values[ID], name, sizeof name) == name)
			snprintf(u->values[ID], VALUE_BYTES, "%s", name);
		if (!is_ignored(u->values[ID]))
			add_unit(out, u);
	}
	memset(u, 0, sizeof *u);
}

/* Paragraphs of "Property=value", one for each unit. */
static void add_units(struct machine *m, struct fw_cursor c, struct sweep *out)
{
	struct unit u = {0};
	struct fw_cursor line;
	int64_t counts[COUNT(states)] = {0};
	while (fw_cut_line(&c, &line)) {
		if (line.at == line.end)
			take_unit(m, out, &u, counts);
		else
			keep_property(&u, &line);
	}
	take_unit(m, out, &u, counts);
	for (size_t i = 0; i < COUNT(states); i++)
		sweep_add(out, &metrics[UNITS], counts[i], SWEEP_LABELS("state", states[i]));
}

/* "Version=252.39-1~deb12u1" and "SystemState=running" */
static void add_manager(struct fw_cursor c, struct sweep *out)
{
	struct fw_cursor line;
	while (fw_cut_line(&c, &line)) {
		char text[VALUE_BYTES];
		if (fw_cut_literal(&line, "SystemState="))
			sweep_add_plain(out, &metrics[RUNNING], fw_cut_literal(&line, "running"));
		if (!fw_cut_literal(&line, "Version=") || !cut_name(&line, '\n', text, sizeof text))
			continue;
		struct fw_cursor number = {text, text + strlen(text)};
		fw_cut_literal(&number, "systemd ");
		int64_t version;
		if (fw_cut_i64(&number, &version))
			sweep_add(out, &metrics[VERSION], version, SWEEP_LABELS("version", text));
	}
}

static int read_systemd(void *state, struct machine *m, struct sweep *out, struct fw_err *err)
{
	(void)state;
	struct fw_buf text = {0};
	struct fw_cursor c;
	int rc = systemctl_there(m, err);
	if (rc < 0)
		return rc;
	rc = systemctl_ask(m, "recorded/systemctl-manager", show_manager, &text, &c, err);
	if (rc == 0) {
		add_manager(c, out);
		rc = systemctl_ask(m, "recorded/systemctl-show", show_units, &text, &c, err);
	}
	if (rc == 0)
		add_units(m, c, out);
	fw_buf_done(&text);
	return rc;
}

const struct source source_systemd = {
	.name = "systemd",
	.help = "The state of each service, socket, timer and path unit.",
	.purpose = "Whether every service runs that should, and which failed or keeps restarting.",
	.needs = "systemd",
	.reads = "what systemctl show says of all units",
	.slow = true,
	.every_s = 60,
	.timeout_s = 20,
	.metrics = metrics,
	.n_metrics = COUNT(metrics),
	.read = read_systemd,
};
