/* SPDX-License-Identifier: Apache-2.0 */
/* What is known of which host: rows by its name, and rows by expressions that its labels
 * match. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"
#include "shim.h"

#define NAMED_LIMIT 100000
#define MATCHING_LIMIT 1000
#define MATCHERS_LIMIT 8 /* of one row */
#define DAY_MS INT64_C(86400000)

const char *const register_lifecycle_names[] = {"planned", "live", "retiring", "retired", NULL};

const char *const register_text_names[HOST_TEXTS] = {
	[HOST_SUPPLIER] = "supplier",
	[HOST_OWNER] = "owner",
	[HOST_CLASS] = "class",
	[HOST_SERVICE] = "service",
	[HOST_PURPOSE] = "purpose",
	[HOST_CONTRACT] = "contract",
	[HOST_TELEPHONE] = "telephone",
	[HOST_START] = "start",
	[HOST_STOP] = "stop",
	[HOST_RACK] = "rack",
	[HOST_SERIAL] = "serial",
	[HOST_FIRMWARE] = "firmware",
};

struct matcher {
	const char *label;
	struct shim_regex *regex;
};

/* What is NULL or 0 is left to rows behind this one. */
struct host_row {
	struct register_entry entry; /* without a name: matchers say which */
	struct matchers {
		struct matcher *items;
		size_t count;
	} matchers;
	const char *texts[HOST_TEXTS], *site_name;
	const struct register_site *site;
	int tier, lifecycle; /* as register_parse_one_of has them */
	bool vip;
	struct register_day retires, contract_ends;
};

/* ---- one row ---- */

static int add_matcher(struct matchers *matchers, const char *label, const struct fw_yaml *node,
	struct fw_err *err)
{
	char why[200];
	const char *text = fw_yaml_text(node);
	if (strcmp(label, "instance") != 0 && strcmp(label, "job") != 0)
		return fw_yaml_fail(node, err,
			"a host is matched by its labels 'instance' and 'job', not by '%.60s'",
			label);
	if (!text || !register_is_line(text, NAME_LIMIT))
		return fw_yaml_fail(node, err, "an expression has 1 to %d bytes", NAME_LIMIT);
	struct shim_regex *regex = shim_regex_new(text, why, sizeof why);
	if (!regex)
		return fw_yaml_fail(node, err, "'%s' is no expression: %s", text, why);
	matchers->items[matchers->count++] = (struct matcher){label, regex};
	return 0;
}

static int parse_match(
	const struct fw_yaml *node, void *field, struct fw_arena *arena, struct fw_err *err)
{
	size_t n = fw_yaml_count(node);
	struct matchers *matchers = field;
	int rc = 0;
	if (fw_yaml_kind(node) != FW_YAML_MAPPING || n == 0 || n > MATCHERS_LIMIT)
		return fw_yaml_fail(node, err,
			"'match' is 1 to %d labels, each with an expression: {instance: 'lib-.*'}",
			MATCHERS_LIMIT);
	matchers->items = fw_arena_alloc(arena, n * sizeof *matchers->items);
	for (size_t i = 0; rc == 0 && i < n; i++)
		rc = add_matcher(
			matchers, fw_yaml_text(fw_yaml_key(node, i)), fw_yaml_item(node, i), err);
	return rc;
}

static int parse_lifecycle(
	const struct fw_yaml *node, void *field, struct fw_arena *arena, struct fw_err *err)
{
	(void)arena;
	return register_parse_one_of(node, register_lifecycle_names, field, err);
}

#define AT(member) offsetof(struct host_row, member)
#define TEXT(key, which, most, about)                                                \
	{                                                                            \
		.name = (key), .help = (about), .type = FW_OPT_TEXT,                 \
		.offset = AT(texts) + (which) * sizeof(const char *), .max = (most), \
	}
static const struct fw_option table[] = {
	{
		.name = "host",
		.help = "its name, as its agent gives it",
		.type = FW_OPT_TEXT,
		.offset = AT(entry.name),
	},
	{
		.name = "match",
		.help = "labels of hosts, each with a regular expression for the whole of its value",
		.type = FW_OPT_CUSTOM,
		.parse = parse_match,
		.offset = AT(matchers),
	},
	{
		.name = "site",
		.help = "where it stands",
		.type = FW_OPT_TEXT,
		.offset = AT(site_name),
	},
	{
		.name = "tier",
		.help = "standard, blue-light or vip, where it is not its site's",
		.type = FW_OPT_CUSTOM,
		.parse = register_parse_tier,
		.offset = AT(tier),
	},
	{
		.name = "vip",
		.help = "whether it serves somebody who must not wait",
		.type = FW_OPT_BOOL,
		.offset = AT(vip),
	},
	{
		.name = "lifecycle",
		.help = "planned, live, retiring or retired",
		.type = FW_OPT_CUSTOM,
		.parse = parse_lifecycle,
		.offset = AT(lifecycle),
	},
	{
		.name = "retires",
		.help = "the day on which it goes",
		.type = FW_OPT_CUSTOM,
		.parse = register_parse_day,
		.offset = AT(retires),
	},
	{
		.name = "contract_ends",
		.help = "the last day of its support contract",
		.type = FW_OPT_CUSTOM,
		.parse = register_parse_day,
		.offset = AT(contract_ends),
	},
	TEXT("supplier", HOST_SUPPLIER, NAME_LIMIT, "who looks after it"),
	TEXT("owner", HOST_OWNER, NAME_LIMIT, "whose it is"),
	TEXT("class", HOST_CLASS, NAME_LIMIT,
		"server, laptop or blue-light, where its agent says otherwise"),
	TEXT("service", HOST_SERVICE, NAME_LIMIT, "the business service that needs it"),
	TEXT("purpose", HOST_PURPOSE, LINE_LIMIT, "what it is for"),
	TEXT("contract", HOST_CONTRACT, LINE_LIMIT, "its support contract"),
	TEXT("telephone", HOST_TELEPHONE, LINE_LIMIT, "whom to ring when it fails"),
	TEXT("start", HOST_START, LINE_LIMIT, "how it is started"),
	TEXT("stop", HOST_STOP, LINE_LIMIT, "how it is stopped"),
	TEXT("rack", HOST_RACK, LINE_LIMIT, "where exactly it stands"),
	TEXT("serial", HOST_SERIAL, LINE_LIMIT, "its serial number"),
	TEXT("firmware", HOST_FIRMWARE, LINE_LIMIT,
		"the version that a device should run; * is anything"),
	{0},
};

static int check_class(const struct fw_yaml *node, const char *class, struct fw_err *err)
{
	static const char *const names[] = {"server", "laptop", "blue-light", NULL};
	int which;
	return class ? register_parse_one_of(fw_yaml_get(node, "class"), names, &which, err) : 0;
}

static int check(const struct fw_yaml *node, void *item, struct fw_err *err)
{
	const struct host_row *row = item;
	if (!row->entry.name == (row->matchers.count == 0))
		return fw_yaml_fail(node, err, "a row has either 'host' or 'match'");
	return check_class(node, row->texts[HOST_CLASS], err);
}

static const struct kind named_kind = {
	.one = "host",
	.example = "[{host: web01, supplier: Contoso, site: County Hall}]",
	.size = sizeof(struct host_row),
	.limit = NAMED_LIMIT,
	.table = table,
	.check = check,
};

static const struct kind matching_kind = {
	.one = "row that matches",
	.size = sizeof(struct host_row),
	.limit = MATCHING_LIMIT,
	.table = table,
	.check = check,
};

int register_parse_hosts(
	const struct fw_yaml *node, void *field, struct fw_arena *arena, struct fw_err *err)
{
	struct host_rows *rows = field;
	int rc = 0;
	if (fw_yaml_kind(node) != FW_YAML_SEQUENCE)
		return fw_yaml_fail(node, err, "a list is expected: %s", named_kind.example);
	for (size_t i = 0; rc == 0 && i < fw_yaml_count(node); i++) {
		const struct fw_yaml *item = fw_yaml_item(node, i);
		bool matching = fw_yaml_kind(item) == FW_YAML_MAPPING && fw_yaml_get(item, "match");
		rc = matching ? entries_read_one(&rows->matching, &matching_kind, item, arena, err)
			      : entries_read_one(&rows->named, &named_kind, item, arena, err);
	}
	return rc;
}

/* ---- all of them ---- */

void register_place_hosts(struct host_rows *rows, const char *file)
{
	entries_place(&rows->named, &named_kind, file);
	entries_place(&rows->matching, &matching_kind, file);
}

static int join(struct registry *registry, struct entries *entries, struct fw_err *err)
{
	struct host_row *rows = entries->items;
	for (size_t i = 0; i < entries->count; i++) {
		const char *supplier = rows[i].texts[HOST_SUPPLIER];
		rows[i].site = register_site(registry, rows[i].site_name);
		if (rows[i].site_name && !rows[i].site)
			return entry_unknown(
				&rows[i].entry, "site", rows[i].site_name, &registry->sites, err);
		if (supplier && registry->suppliers.count > 0 &&
			!register_supplier(registry, supplier))
			return entry_unknown(
				&rows[i].entry, "supplier", supplier, &registry->suppliers, err);
	}
	return 0;
}

int register_join_hosts(struct registry *registry, struct fw_err *err)
{
	int rc = entries_check(&registry->hosts.named, &named_kind, err);
	if (rc == 0)
		rc = join(registry, &registry->hosts.named, err);
	return rc == 0 ? join(registry, &registry->hosts.matching, err) : rc;
}

static void free_matchers(struct entries *entries)
{
	struct host_row *rows = entries->items;
	for (size_t i = 0; i < entries->count; i++)
		for (size_t m = 0; m < rows[i].matchers.count; m++)
			shim_regex_free(rows[i].matchers.items[m].regex);
}

void register_done_hosts(struct host_rows *rows)
{
	free_matchers(&rows->named); /* of a row that was refused for having both */
	free_matchers(&rows->matching);
	entries_done(&rows->named);
	entries_done(&rows->matching);
}

static void add_suppliers(const struct entries *entries, struct fw_text_list *names)
{
	const struct host_row *rows = entries->items;
	for (size_t i = 0; i < entries->count; i++)
		if (rows[i].texts[HOST_SUPPLIER])
			names->items[names->count++] = rows[i].texts[HOST_SUPPLIER];
}

struct fw_text_list register_suppliers_of_rows(const struct host_rows *rows, struct fw_arena *arena)
{
	size_t most = rows->named.count + rows->matching.count;
	struct fw_text_list names = {fw_arena_alloc(arena, (most + 1) * sizeof *names.items), 0};
	add_suppliers(&rows->named, &names);
	add_suppliers(&rows->matching, &names);
	return names;
}

/* ---- of one host ---- */

static bool matches(const struct host_row *row, const struct fw_label *labels, size_t n)
{
	for (size_t i = 0; i < row->matchers.count; i++)
		if (!shim_regex_matches(row->matchers.items[i].regex,
			    fw_label_value(labels, n, row->matchers.items[i].label)))
			return false;
	return true;
}

static void add_day(struct register_day *day, const struct register_day *more)
{
	if (!day->day)
		*day = *more;
}

/* What rows before have said stays. */
static void add_row(struct host_row *sum, const struct host_row *row)
{
	for (size_t i = 0; i < HOST_TEXTS; i++)
		if (!sum->texts[i])
			sum->texts[i] = row->texts[i];
	if (!sum->site)
		sum->site = row->site;
	if (!sum->tier)
		sum->tier = row->tier;
	if (!sum->lifecycle)
		sum->lifecycle = row->lifecycle;
	sum->vip = sum->vip || row->vip;
	add_day(&sum->retires, &row->retires);
	add_day(&sum->contract_ends, &row->contract_ends);
}

static void add_rows(
	const struct host_rows *rows, const struct fw_label *labels, size_t n, struct host_row *sum)
{
	const struct host_row *named =
		entries_find(&rows->named, fw_label_value(labels, n, "instance"));
	const struct host_row *matching = rows->matching.items;
	if (named)
		add_row(sum, named);
	for (size_t i = 0; i < rows->matching.count; i++)
		if (matches(&matching[i], labels, n))
			add_row(sum, &matching[i]);
}

static enum register_tier tier_of(const struct host_row *row)
{
	if (row->tier)
		return (enum register_tier)(row->tier - 1);
	return row->site ? row->site->tier : TIER_STANDARD;
}

static enum register_lifecycle lifecycle_of(const struct host_row *row)
{
	return row->lifecycle ? (enum register_lifecycle)(row->lifecycle - 1) : LIFE_LIVE;
}

void register_host(const struct registry *registry, const struct fw_label *labels, size_t n,
	struct register_host *out)
{
	struct host_row sum = {0};
	add_rows(&registry->hosts, labels, n, &sum);
	*out = (struct register_host){
		.site = sum.site,
		.tier = tier_of(&sum),
		.vip = sum.vip,
		.life = {lifecycle_of(&sum), sum.retires},
		.contract_ends = sum.contract_ends,
	};
	memcpy(out->texts, sum.texts, sizeof out->texts);
}

void register_each_named(
	const struct registry *registry, void (*each)(const char *name, void *arg), void *arg)
{
	const struct entries *named = &registry->hosts.named;
	for (size_t i = 0; i < named->count; i++)
		each(named->by_name[i]->name, arg);
}

/* Asked as the supplier is, so it looks no further than it must, either. */
void register_host_life(const struct registry *registry, const struct fw_label *labels, size_t n,
	struct register_life *out)
{
	struct host_row sum = {0};
	const struct host_row *matching = registry->hosts.matching.items;
	const struct host_row *named =
		entries_find(&registry->hosts.named, fw_label_value(labels, n, "instance"));
	if (named)
		add_row(&sum, named);
	for (size_t i = 0; i < registry->hosts.matching.count; i++)
		if ((matching[i].lifecycle || matching[i].retires.day) &&
			matches(&matching[i], labels, n))
			add_row(&sum, &matching[i]);
	*out = (struct register_life){lifecycle_of(&sum), sum.retires};
}

enum register_lifecycle register_lifecycle_at(const struct register_life *life, int64_t at_ms)
{
	const struct register_day *day = &life->retires;
	if (life->is == LIFE_RETIRING && day->day && at_ms >= day->end_ms)
		return LIFE_RETIRED;
	if (life->is == LIFE_RETIRED && day->day && at_ms < day->end_ms - DAY_MS)
		return LIFE_RETIRING;
	return life->is;
}

bool register_is_in_service(enum register_lifecycle lifecycle)
{
	return lifecycle == LIFE_LIVE || lifecycle == LIFE_RETIRING;
}

/* Asked of every host for many a question, so it looks no further than it must. */
const char *register_host_supplier(
	const struct registry *registry, const struct fw_label *labels, size_t n)
{
	const struct entries *matching = &registry->hosts.matching;
	const struct host_row *row =
		entries_find(&registry->hosts.named, fw_label_value(labels, n, "instance"));
	if (row && row->texts[HOST_SUPPLIER])
		return row->texts[HOST_SUPPLIER];
	row = matching->items;
	for (size_t i = 0; i < matching->count; i++)
		if (row[i].texts[HOST_SUPPLIER] && matches(&row[i], labels, n))
			return row[i].texts[HOST_SUPPLIER];
	return NULL;
}

/* ---- what is hardly meant ---- */

bool register_speaks_of(const struct registry *registry, const char *instance)
{
	const struct fw_label name = {"instance", instance};
	const struct host_row *matching = registry->hosts.matching.items;
	if (entries_find(&registry->hosts.named, instance))
		return true;
	for (size_t i = 0; i < registry->hosts.matching.count; i++)
		if (matches(&matching[i], &name, 1))
			return true;
	return false;
}

/* Each half of it may stand in another row that says so of the same host. */
static void doubt_life(const struct register_entry *entry, const struct register_life *life,
	bool may_be_elsewhere, const struct doubts *doubts)
{
	if (life->is == LIFE_RETIRING && !life->retires.day && !may_be_elsewhere)
		register_doubt(doubts, entry,
			"'retiring' without the day 'retires' never ends: it counts as live");
	if ((life->is == LIFE_LIVE || life->is == LIFE_PLANNED) && life->retires.day &&
		!may_be_elsewhere)
		register_doubt(doubts, entry,
			"'retires' counts where 'lifecycle' is retiring or retired; this one is %s",
			register_lifecycle_names[life->is]);
}

void register_doubt_hosts(const struct registry *registry, const struct doubts *doubts)
{
	const struct host_row *named = registry->hosts.named.items;
	const struct host_row *matching = registry->hosts.matching.items;
	for (size_t i = 0; i < registry->hosts.named.count; i++) {
		const struct fw_label name = {"instance", named[i].entry.name};
		struct register_life life;
		register_host_life(registry, &name, 1, &life);
		doubt_life(&named[i].entry, &life, false, doubts);
	}
	for (size_t i = 0; i < registry->hosts.matching.count; i++) {
		const struct register_life life = {lifecycle_of(&matching[i]), matching[i].retires};
		doubt_life(&matching[i].entry, &life, registry->hosts.named.count > 0, doubts);
	}
}
