/* SPDX-License-Identifier: Apache-2.0 */
/* One host on one page, worst things first, in forty columns: it is read on a
 * telephone, in front of the machine.
 */
#include <string.h>

#include <fenwatch/clock.h>
#include <fenwatch/text.h>

#include "render.h"

#define LATE_MS (10 * 60000)

static void heading(struct screen *s, const char *text)
{
	fw_buf_putc(&s->out, '\n');
	screen_put(s, TONE_HEADING, text);
	fw_buf_putc(&s->out, '\n');
}

static enum tone tone_of(const char *state)
{
	if (strcmp(state, "ok") == 0)
		return TONE_GOOD;
	if (strcmp(state, "info") == 0)
		return TONE_PLAIN;
	return strcmp(state, "warning") == 0 || strcmp(state, "pending") == 0 ? TONE_WARNING
									      : TONE_BAD;
}

static int64_t moment_of(const json_t *host, const char *name)
{
	const char *text = json_string_value(json_object_get(host, name));
	int64_t at_ms;
	return text && fw_time_parse(text, &at_ms) == 0 ? at_ms : 0;
}

/* What comes with a time that is long over is kept, and found by no rule file: all may look well. */
static void write_lag(struct screen *s, const json_t *host)
{
	int64_t heard_ms = moment_of(host, "last_seen"), of_ms = moment_of(host, "values_of");
	char text[32];
	if (of_ms == 0 || heard_ms - of_ms < LATE_MS)
		return;
	screen_put(s, TONE_BAD,
		fw_arena_format(&s->arena, "what comes is %s old: its clock?",
			fw_format_duration((heard_ms - of_ms) / 60000 * 60000, text, sizeof text)));
	fw_buf_puts(&s->out, "\nNo rule file finds values that late.\n");
}

static void write_identity(struct screen *s, const json_t *host)
{
	const char *state = screen_member(s, host, "state"), *since = screen_age(s, host, "since");
	screen_put(s, TONE_HEADING, screen_member(s, host, "name"));
	fw_buf_puts(&s->out, "  ");
	screen_put(s, tone_of(state), state);
	if (strcmp(since, "-") != 0)
		screen_printf(s, " for %s", since);
	screen_printf(s, "\n%s\n", screen_member(s, host, "os"));
	screen_printf(s, "kernel %s, up %s\n", screen_member(s, host, "kernel"),
		screen_seconds(s, host, "uptime_s"));
	screen_printf(s, "heard %s ago\n", screen_age(s, host, "last_seen"));
	write_lag(s, host);
}

static void write_line(struct screen *s, const char *what, const json_t *object, const char *key)
{
	if (json_is_string(json_object_get(object, key)))
		screen_printf(s, "%-9s %s\n", what, screen_member(s, object, key));
}

static void write_contact(struct screen *s, const json_t *contact)
{
	screen_printf(s, "  %s", screen_member(s, contact, "name"));
	if (json_is_string(json_object_get(contact, "telephone")))
		screen_printf(s, ", %s", screen_member(s, contact, "telephone"));
	if (json_is_string(json_object_get(contact, "mail")))
		screen_printf(s, ", %s", screen_member(s, contact, "mail"));
	fw_buf_putc(&s->out, '\n');
}

/* Where it stands and whom to ring. */
static void write_register(struct screen *s, const json_t *host)
{
	static const char *const lines[] = {"service", "purpose", "owner", "telephone", "rack",
		"serial", "start", "stop", "retires", "contract"};
	const json_t *known = json_object_get(host, "register"), *contact;
	const json_t *site = json_array_get(json_object_get(known, "sites"), 0);
	size_t i;
	if (!site && !json_is_string(json_object_get(known, "supplier")))
		return;
	heading(s, "REGISTER");
	write_line(s, "site", site, "name");
	write_line(s, "", site, "address");
	write_line(s, "", site, "telephone");
	write_line(s, "tier", known, "tier");
	for (i = 0; i < sizeof lines / sizeof *lines; i++)
		write_line(s, lines[i], known, lines[i]);
	write_line(s, "until", known, "contract_ends");
	write_line(s, "supplier", known, "supplier");
	json_array_foreach(json_object_get(known, "contacts"), i, contact)
		write_contact(s, contact);
}

/* Returns whether one fires. */
static bool write_alerts(struct screen *s, const json_t *host)
{
	const json_t *alerts = json_object_get(host, "alerts"), *alert;
	bool firing = false;
	size_t i;
	if (json_array_size(alerts) > 0)
		heading(s, "ALERTS");
	json_array_foreach(alerts, i, alert)
	{
		const char *state = screen_member(s, alert, "state");
		const json_t *annotations = json_object_get(alert, "annotations");
		const char *severity = screen_member(s, alert, "severity");
		bool fires = strcmp(state, "firing") == 0;
		firing = firing || (fires && strcmp(severity, "info") != 0);
		screen_put(s, fires ? tone_of(severity) : TONE_PLAIN, fires ? severity : state);
		screen_printf(s, " %s for %s\n", screen_member(s, alert, "rule"),
			screen_age(s, alert, "since"));
		if (json_object_get(annotations, "summary"))
			screen_printf(s, "  %s\n", screen_member(s, annotations, "summary"));
		if (fires)
			screen_printf(s, "  key %s\n", screen_key(s, alert));
	}
	return firing;
}

static void write_load(struct screen *s, const json_t *host)
{
	const json_t *load = json_object_get(host, "load"),
		     *memory = json_object_get(host, "memory");
	heading(s, "LOAD");
	screen_printf(s, "cpu     %s of %s", screen_percent(s, host, "cpu_busy_percent"),
		screen_number(s, host, "cpus"));
	fw_buf_puts(&s->out, ", load");
	for (size_t i = 0; i < json_array_size(load) && i < 3; i++) {
		const json_t *value = json_array_get(load, i);
		if (json_is_number(value))
			screen_printf(s, " %.2f", json_number_value(value));
		else
			fw_buf_puts(&s->out, " -");
	}
	screen_printf(s, "\nmemory  %s of %s\n", screen_percent(s, memory, "used_percent"),
		screen_size(s, memory, "total"));
	double swap_total = json_number_value(json_object_get(memory, "swap_total"));
	if (swap_total > 0)
		screen_printf(s, "swap    %.1f%% of %s\n",
			(1 - json_number_value(json_object_get(memory, "swap_free")) / swap_total) *
				100,
			screen_size(s, memory, "swap_total"));
}

static void write_patches(struct screen *s, const json_t *host)
{
	const json_t *patches = json_object_get(host, "patches");
	heading(s, "PATCHES");
	if (!json_is_object(patches)) {
		fw_buf_puts(&s->out, "not known\n");
		return;
	}
	bool security = json_number_value(json_object_get(patches, "security")) > 0;
	screen_put(s, security ? TONE_WARNING : TONE_PLAIN, screen_number(s, patches, "security"));
	bool proven = !json_is_false(json_object_get(patches, "source_ok"));
	screen_printf(s, " security, %s in all%s\n", screen_number(s, patches, "pending"),
		proven ? "" : " at least");
	if (json_is_true(json_object_get(patches, "reboot_required"))) {
		screen_put(s, TONE_WARNING, "reboot required");
		fw_buf_putc(&s->out, '\n');
	}
	if (json_is_number(json_object_get(patches, "lists_age_s")))
		screen_printf(s, "lists are %s old\n", screen_seconds(s, patches, "lists_age_s"));
	if (!proven)
		screen_printf(
			s, "not proven: fenwatch patches %s\n", screen_member(s, host, "name"));
}

static void write_filesystems(struct screen *s, const json_t *host)
{
	static const char *const headings[] = {"FILESYSTEM", ">USED", ">FREE", ">FILLS", NULL};
	struct table t;
	size_t i;
	const json_t *filesystem;
	if (json_array_size(json_object_get(host, "filesystems")) == 0)
		return;
	fw_buf_putc(&s->out, '\n');
	table_init(&t, s, headings);
	json_array_foreach(json_object_get(host, "filesystems"), i, filesystem)
	{
		double used = json_number_value(json_object_get(filesystem, "used_percent"));
		bool readonly = json_is_true(json_object_get(filesystem, "readonly"));
		table_put(&t, TONE_PLAIN, screen_member(s, filesystem, "mountpoint"));
		table_put(&t, used >= 90 && !readonly ? TONE_WARNING : TONE_PLAIN,
			screen_percent(s, filesystem, "used_percent"));
		table_put(&t, TONE_PLAIN, screen_size(s, filesystem, "avail"));
		table_put(&t, TONE_PLAIN,
			screen_age(s, json_object_get(filesystem, "fills"), "likely"));
	}
	table_print(&t);
}

static void write_disks(struct screen *s, const json_t *host)
{
	static const char *const headings[] = {"DISK", ">BUSY", ">READ/s", ">WRITTEN/s", NULL};
	struct table t;
	size_t i;
	const json_t *disk;
	if (json_array_size(json_object_get(host, "disks")) == 0)
		return;
	fw_buf_putc(&s->out, '\n');
	table_init(&t, s, headings);
	json_array_foreach(json_object_get(host, "disks"), i, disk)
	{
		table_put(&t, TONE_PLAIN, screen_member(s, disk, "device"));
		table_put(&t, TONE_PLAIN, screen_percent(s, disk, "busy_percent"));
		table_put(&t, TONE_PLAIN, screen_size(s, disk, "read_bytes_per_s"));
		table_put(&t, TONE_PLAIN, screen_size(s, disk, "written_bytes_per_s"));
	}
	table_print(&t);
}

static void write_network(struct screen *s, const json_t *host)
{
	static const char *const headings[] = {"NETWORK", "UP", ">IN/s", ">OUT/s", NULL};
	struct table t;
	size_t i;
	const json_t *device;
	if (json_array_size(json_object_get(host, "network")) == 0)
		return;
	fw_buf_putc(&s->out, '\n');
	table_init(&t, s, headings);
	json_array_foreach(json_object_get(host, "network"), i, device)
	{
		table_put(&t, TONE_PLAIN, screen_member(s, device, "device"));
		table_put(&t, TONE_PLAIN, screen_member(s, device, "up"));
		table_put(&t, TONE_PLAIN, screen_size(s, device, "receive_bytes_per_s"));
		table_put(&t, TONE_PLAIN, screen_size(s, device, "transmit_bytes_per_s"));
	}
	table_print(&t);
}

static void write_inventory(struct screen *s, const json_t *host)
{
	const json_t *documents = json_object_get(host, "inventory"), *document;
	size_t i;
	if (json_array_size(documents) == 0)
		return;
	heading(s, "INVENTORY");
	json_array_foreach(documents, i, document)
	{
		screen_printf(s, "%s %s, changed %s ago", screen_number(s, document, "items"),
			screen_member(s, document, "kind"), screen_age(s, document, "changed"));
		if (json_is_true(json_object_get(document, "missing")))
			screen_put(s, TONE_WARNING, ", incomplete");
		fw_buf_putc(&s->out, '\n');
	}
}

static void write_failed_units(struct screen *s, const json_t *host)
{
	const json_t *units = json_object_get(host, "units_failed"), *unit;
	size_t i;
	if (json_array_size(units) == 0)
		return;
	heading(s, "FAILED UNITS");
	json_array_foreach(units, i, unit)
	{
		screen_put(s, TONE_BAD, screen_text(s, json_string_value(unit)));
		fw_buf_putc(&s->out, '\n');
	}
}

enum status render_host(struct screen *s, const json_t *data)
{
	write_identity(s, data);
	bool firing = write_alerts(s, data);
	write_failed_units(s, data);
	write_patches(s, data);
	write_load(s, data);
	write_filesystems(s, data);
	write_disks(s, data);
	write_network(s, data);
	write_register(s, data);
	write_inventory(s, data);
	return firing || strcmp(screen_member(s, data, "state"), "silent") == 0 ? STATUS_BAD_NEWS
										: STATUS_WELL;
}

enum status command_host(struct cli *cli, char **args, int n_args)
{
	(void)n_args;
	const char *path = fw_arena_format(
		&cli->screen.arena, "/api/fenwatch/v1/hosts/%s", client_escape(cli, args[0]));
	return cli_get(cli, path, NULL, render_host);
}
