/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fnmatch.h>
#include <string.h>

#include <fenwatch/buf.h>
#include <fenwatch/text.h>

#include "internal.h"

#define BY_MOST 8
#define MINUTE_MS 60000
#define DAY_MS INT64_C(86400000)

/* ---- those that are built in ---- */

#define SHAPES(list)                                \
	{                                           \
		list, sizeof(list) / sizeof *(list) \
	}
#define TRAP(number) REPEATED(number, 0)
#define REPEATED(number, ends_ms)                                           \
	{                                                                   \
		(const struct event_pattern[]){{"oid", number}}, 1, ends_ms \
	}

/* SNMPv2-MIB, RFC 3418 */
static const struct event_shape link_down[] = {TRAP("1.3.6.1.6.3.1.1.5.3")};
static const struct event_shape link_up[] = {TRAP("1.3.6.1.6.3.1.1.5.4")};
/* UPS-MIB, RFC 1628: upsTrapOnBattery comes again every minute for as long as it is so; and
 * PowerNet-MIB's upsOnBattery, which comes once, and of which powerRestored is the end. */
static const struct event_shape on_battery[] = {REPEATED("1.3.6.1.2.1.33.2.1", 5 * MINUTE_MS),
	REPEATED("1.3.6.1.2.1.33.2.0.1", 5 * MINUTE_MS), TRAP("1.3.6.1.4.1.318.0.5")};
static const struct event_shape power_back[] = {TRAP("1.3.6.1.4.1.318.0.9")};
static const struct event_shape low_battery[] = {TRAP("1.3.6.1.4.1.318.0.7")};
static const struct event_shape battery_back[] = {TRAP("1.3.6.1.4.1.318.0.11")};

static const char *by_interface[] = {"ifIndex"};

static const struct event_rule builtin[] = {
	{
		.name = "LinkDown",
		.enabled = true,
		.raise = SHAPES(link_down),
		.clear = SHAPES(link_up),
		.by = {by_interface, 1},
		.severity = "info",
		.summary = "interface {ifIndex} has lost its link {ifDescr}",
		.help = "The device says that an interface has lost its link.",
	},
	{
		.name = "UpsOnBattery",
		.enabled = true,
		.raise = SHAPES(on_battery),
		.clear = SHAPES(power_back),
		.severity = "critical",
		.summary = "the UPS runs on its battery",
		.help = "The mains have failed where this UPS is. It is over when the UPS says so, or "
			"one that says each minute that it goes on has not done so for five.",
		.ends_ms = DAY_MS,
	},
	{
		.name = "UpsBatteryLow",
		.enabled = true,
		.raise = SHAPES(low_battery),
		.clear = SHAPES(battery_back),
		.severity = "critical",
		.summary = "the battery of the UPS is nearly empty",
		.help = "What it feeds goes off soon, unless the mains come back.",
		.ends_ms = DAY_MS,
	},
};

struct event_rules events_builtin(void)
{
	return (struct event_rules){builtin, sizeof builtin / sizeof *builtin};
}

const char *events_rule_name(const struct event_rules *rules, size_t i)
{
	return rules->items[i].name;
}

/* ---- whether one fits ---- */

const char *event_field(const Fenwatch__Wire__Event *event, const char *name)
{
	for (size_t i = 0; i < event->n_fields; i++)
		if (strcmp(event->fields[i]->name, name) == 0)
			return event->fields[i]->value;
	return "";
}

static bool fits(const struct event_shape *shape, const Fenwatch__Wire__Event *event)
{
	for (size_t i = 0; i < shape->n; i++) {
		const struct event_pattern *wanted = &shape->patterns[i];
		const char *value = strcmp(wanted->name, "kind") == 0
			? event->kind
			: event_field(event, wanted->name);
		if (fnmatch(wanted->pattern, value, 0) != 0)
			return false;
	}
	return true;
}

static const struct event_shape *first_fit(
	const struct event_shapes *shapes, const Fenwatch__Wire__Event *event)
{
	for (size_t i = 0; i < shapes->n; i++)
		if (fits(&shapes->items[i], event))
			return &shapes->items[i];
	return NULL;
}

const struct event_shape *rule_raises(
	const struct event_rule *rule, const Fenwatch__Wire__Event *event)
{
	return first_fit(&rule->raise, event);
}

bool rule_clears(const struct event_rule *rule, const Fenwatch__Wire__Event *event)
{
	return first_fit(&rule->clear, event) != NULL;
}

char *rule_says(const struct event_rule *rule, const Fenwatch__Wire__Event *event)
{
	struct fw_buf out = {0};
	for (const char *at = rule->summary; *at;) {
		const char *end = *at == '{' ? strchr(at, '}') : NULL;
		if (!end) {
			fw_buf_putc(&out, *at++);
			continue;
		}
		char *name = fw_strndup(at + 1, (size_t)(end - at - 1));
		fw_buf_puts(&out, event_field(event, name));
		fw_free(name);
		at = end + 1;
	}
	while (out.length > 0 && out.data[out.length - 1] == ' ')
		out.length--;
	char *text = fw_strndup((const char *)out.data, out.length);
	fw_buf_done(&out);
	return text;
}

/* ---- event_rules: [{name, raise, clear, by, severity, summary, ends}] ---- */

static int parse_shape(const struct fw_yaml *node, struct event_shape *out, struct fw_arena *arena,
	struct fw_err *err)
{
	size_t n = fw_yaml_kind(node) == FW_YAML_MAPPING ? fw_yaml_count(node) : 0;
	if (n == 0)
		return fw_yaml_fail(node, err,
			"what an event looks like is written like {oid: 1.3.6.1.6.3.1.1.5.3}");
	struct event_pattern *patterns = fw_arena_alloc(arena, n * sizeof *patterns);
	for (size_t i = 0; i < n; i++) {
		patterns[i].name = fw_yaml_text(fw_yaml_key(node, i));
		patterns[i].pattern = fw_yaml_text(fw_yaml_item(node, i));
		if (!patterns[i].pattern)
			return fw_yaml_fail(fw_yaml_item(node, i), err, "'%.60s' has one text here",
				patterns[i].name);
	}
	*out = (struct event_shape){.patterns = patterns, .n = n};
	return 0;
}

static int parse_shapes(
	const struct fw_yaml *node, void *field, struct fw_arena *arena, struct fw_err *err)
{
	struct event_shapes *shapes = field;
	size_t n = fw_yaml_kind(node) == FW_YAML_SEQUENCE ? fw_yaml_count(node) : 0;
	struct event_shape *items = fw_arena_alloc(arena, (n + 1) * sizeof *items);
	if (n == 0)
		return fw_yaml_fail(
			node, err, "events are a list, of which any will do: [{trap: linkDown}]");
	for (size_t i = 0; i < n; i++) {
		int rc = parse_shape(fw_yaml_item(node, i), &items[i], arena, err);
		if (rc < 0)
			return rc;
	}
	*shapes = (struct event_shapes){items, n};
	return 0;
}

static const char *const severities[] = {"info", "warning", "critical", NULL};

struct rule_section {
	struct event_rule rule;
	int severity;
};

static const struct fw_option table[] = {
	{
		.name = "name",
		.help = "What the alert is called. That of a built-in rule takes its place.",
		.type = FW_OPT_TEXT,
		.offset = offsetof(struct rule_section, rule.name),
		.required = true,
	},
	{
		.name = "enabled",
		.help = "Whether it is looked at.",
		.type = FW_OPT_BOOL,
		.offset = offsetof(struct rule_section, rule.enabled),
		.fallback = "true",
	},
	{
		.name = "raise",
		.help = "Events that say that it began, by their fields and kind: [{oid: "
			"1.3.6.1.4.1.318.0.5}, {trap: 'upsOn*'}]; all of a row, any of the rows, * for "
			"anything.",
		.type = FW_OPT_CUSTOM,
		.parse = parse_shapes,
		.offset = offsetof(struct rule_section, rule.raise),
	},
	{
		.name = "clear",
		.help = "Events that say that it is over.",
		.type = FW_OPT_CUSTOM,
		.parse = parse_shapes,
		.offset = offsetof(struct rule_section, rule.clear),
	},
	{
		.name = "by",
		.help = "Fields that tell one fault of a host from another, such as ifIndex; they are "
			"labels of the alert.",
		.type = FW_OPT_LIST,
		.offset = offsetof(struct rule_section, rule.by),
	},
	{
		.name = "severity",
		.help = "How bad it is.",
		.type = FW_OPT_CHOICE,
		.choices = severities,
		.offset = offsetof(struct rule_section, severity),
		.fallback = "warning",
	},
	{
		.name = "summary",
		.help = "The alert in one line, with fields of the event in braces: 'fan {fan} stands "
			"still'.",
		.type = FW_OPT_TEXT,
		.offset = offsetof(struct rule_section, rule.summary),
	},
	{
		.name = "ends",
		.help = "It is over, too, when it was not raised again for so long: a day where "
			"nothing clears it.",
		.type = FW_OPT_DURATION,
		.offset = offsetof(struct rule_section, rule.ends_ms),
		.min = MINUTE_MS,
		.max = 400 * DAY_MS,
	},
	{0},
};

static bool is_label(const char *name)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_";
	return *name && strchr(letters, *name) && strncmp(name, "__", 2) != 0 &&
		name[strspn(name,
			"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789")] == '\0';
}

static bool is_ours(const char *name)
{
	return strcmp(name, "alertname") == 0 || strcmp(name, "instance") == 0 ||
		strcmp(name, "severity") == 0;
}

static int check_by(const struct fw_yaml *node, const struct event_rule *rule, struct fw_err *err)
{
	if (rule->by.count > BY_MOST)
		return fw_yaml_fail(node, err, "event rule '%s' has more than %d fields in 'by'",
			rule->name, BY_MOST);
	for (size_t i = 0; i < rule->by.count; i++)
		if (!is_label(rule->by.items[i]) || is_ours(rule->by.items[i]))
			return fw_yaml_fail(node, err, "event rule '%s': '%.60s' cannot be a label",
				rule->name, rule->by.items[i]);
	return 0;
}

static int check(const struct fw_yaml *node, const struct event_rule *rule, struct fw_err *err)
{
	if (!is_label(rule->name))
		return fw_yaml_fail(node, err,
			"an event rule is called by letters, digits and '_', not '%.60s'",
			rule->name);
	if (rule->enabled && rule->raise.n == 0)
		return fw_yaml_fail(
			node, err, "event rule '%s' does not say what raises it", rule->name);
	return check_by(node, rule, err);
}

static int parse_rule(const struct fw_yaml *node, struct event_rule *out, struct fw_arena *arena,
	struct fw_err *err)
{
	struct rule_section section = {0};
	if (fw_yaml_kind(node) != FW_YAML_MAPPING)
		return fw_yaml_fail(node, err,
			"an event rule is written like {name: FanFailed, raise: [{trap: fanFailed}]}");
	int rc = fw_conf_bind(node, table, &section, arena, err);
	if (rc == 0)
		rc = check(node, &section.rule, err);
	if (rc < 0)
		return rc;
	*out = section.rule;
	out->severity = severities[section.severity];
	out->help = "Raised by an event that the host sent.";
	if (!out->summary)
		out->summary = out->name;
	if (out->clear.n == 0 && out->ends_ms == 0)
		out->ends_ms = DAY_MS;
	return 0;
}

/* Where the rule of that name is, or the end. */
static size_t place_of(const struct event_rule *rules, size_t n, const char *name)
{
	size_t i = 0;
	while (i < n && strcmp(rules[i].name, name) != 0)
		i++;
	return i;
}

int events_parse_rules(
	const struct fw_yaml *node, void *field, struct fw_arena *arena, struct fw_err *err)
{
	struct event_rules *out = field, standard = events_builtin();
	if (fw_yaml_kind(node) != FW_YAML_SEQUENCE)
		return fw_yaml_fail(node, err,
			"event_rules are a list: [{name: FanFailed, raise: [{trap: fanFailed}]}]");
	size_t given = fw_yaml_count(node), n = standard.n;
	struct event_rule *items = fw_arena_alloc(arena, (n + given) * sizeof *items);
	memcpy(items, standard.items, n * sizeof *items);
	for (size_t i = 0; i < given; i++) {
		struct event_rule rule;
		int rc = parse_rule(fw_yaml_item(node, i), &rule, arena, err);
		if (rc < 0)
			return rc;
		size_t at = place_of(items, n, rule.name);
		if (at >= standard.n && at < n)
			return fw_yaml_fail(fw_yaml_item(node, i), err,
				"two event rules are called '%s'", rule.name);
		items[at] = rule;
		n += at == n;
	}
	*out = (struct event_rules){items, n};
	return 0;
}
