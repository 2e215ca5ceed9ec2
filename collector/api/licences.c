/* SPDX-License-Identifier: Apache-2.0 */
/* Installed against entitled: the register's licences and what hosts have, or had.
 *
 * A host counts from its enrolment until its agent is revoked, and once a licence.
 * Of whom the packages are not known it is said so: they may have more.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <fenwatch/text.h>

#include "enrol.h"
#include "hosts.h"
#include "inventory.h"
#include "parts.h"
#include "register.h"

#define ITEMS_LIMIT 500000 /* that one answer looks at */
#define DAY_MS 86400000LL

/* A host of the estate. */
struct member {
	const char *name;
	bool proven;    /* its packages are known */
	size_t counted; /* the last licence that it was counted for, from 1 */
};

/* The store's number of a host; it may have several. */
struct seat {
	uint32_t id;
	struct member *member;
};

struct count {
	struct request *r;
	const struct registry *registry;
	struct inventory *inventory;
	struct json *j;
	const char *name;       /* the licence that is asked about, or NULL: all */
	int64_t when_ms, at_ms; /* the moment; as inventory.h has it: 0 for now */
	struct member *members; /* by name */
	struct seat *seats;     /* by number */
	size_t n_members, n_seats;
	size_t licence, items; /* counted now, from 1; looked at */
	int64_t installed;
	struct fw_err err;
};

/* ---- the estate at that moment ---- */

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct member *)a)->name, ((const struct member *)b)->name);
}

static int by_id(const void *a, const void *b)
{
	uint32_t p = ((const struct seat *)a)->id, q = ((const struct seat *)b)->id;
	return (p > q) - (p < q);
}

static int read_members(struct count *c)
{
	struct enrol_agent *agents;
	size_t n, unique = 0;
	int rc = enrol_agents(api_config(c->r->api)->enrol, &c->r->arena, &agents, &n, &c->err);
	if (rc < 0)
		return rc;
	struct member *members = fw_arena_alloc(&c->r->arena, (n + 1) * sizeof *members);
	c->members = members;
	for (size_t i = 0; i < n; i++)
		if (agents[i].enrolled_ms <= c->when_ms &&
			(!agents[i].revoked_ms || agents[i].revoked_ms > c->when_ms))
			members[c->n_members++].name = agents[i].name;
	qsort(members, c->n_members, sizeof *members, by_name);
	for (size_t i = 0; i < c->n_members; i++)
		if (i == 0 || by_name(&members[i], &members[unique - 1]) != 0)
			members[unique++] = members[i];
	c->n_members = unique;
	return 0;
}

static void read_seats(struct count *c)
{
	struct store_host *hosts;
	size_t n = store_hosts(api_config(c->r->api)->store, &c->r->arena, &hosts);
	c->seats = fw_arena_alloc(&c->r->arena, (n + 1) * sizeof *c->seats);
	for (size_t i = 0; i < n; i++) {
		const struct member wanted = {.name = hosts_instance(&hosts[i])};
		struct member *member =
			bsearch(&wanted, c->members, c->n_members, sizeof wanted, by_name);
		if (member)
			c->seats[c->n_seats++] = (struct seat){hosts[i].id, member};
	}
	qsort(c->seats, c->n_seats, sizeof *c->seats, by_id);
}

static struct member *member_of(const struct count *c, uint32_t id)
{
	const struct seat wanted = {.id = id};
	struct seat *seat = bsearch(&wanted, c->seats, c->n_seats, sizeof wanted, by_id);
	return seat ? seat->member : NULL;
}

static void on_known(uint32_t host, void *arg)
{
	struct member *member = member_of(arg, host);
	if (member)
		member->proven = true;
}

static int read_estate(struct count *c)
{
	int rc = read_members(c);
	if (rc < 0)
		return rc;
	read_seats(c);
	return inventory_known(c->inventory, "packages", c->at_ms, on_known, c, &c->err);
}

/* ---- counting ---- */

static void write_install(
	struct json *j, const struct member *member, const struct inventory_item *item)
{
	json_open(j, '{');
	json_put_text(j, "host", member->name);
	json_put_text(j, "package", item->key);
	json_put_time(j, "from", item->from_ms);
	json_put_time(j, "to", item->to_ms);
	json_key(j, "fields");
	json_raw(j, item->fields);
	json_close(j, '}');
}

static void on_item(const struct inventory_item *item, void *arg)
{
	struct count *c = arg;
	struct member *member = member_of(c, item->host);
	c->items++;
	if (!member)
		return;
	c->installed += member->counted != c->licence;
	member->counted = c->licence;
	if (c->name)
		write_install(c->j, member, item);
}

static int count_installed(struct count *c, const struct register_licence *licence)
{
	int rc = 0;
	c->licence++;
	c->installed = 0;
	for (size_t i = 0; rc == 0 && i < licence->packages.count; i++) {
		rc = inventory_find(c->inventory, "packages", licence->packages.items[i], c->at_ms,
			on_item, c, &c->err);
		if (rc == 0 && c->items > ITEMS_LIMIT)
			rc = fw_fail(&c->err, -E2BIG,
				"more than %d packages are called so; ask for one licence",
				ITEMS_LIMIT);
	}
	return rc < 0 ? fw_fail_in(&c->err, rc, "licence '%s'", licence->entry.name) : 0;
}

/* ---- the answer ---- */

static int write_licence(struct count *c, const struct register_licence *licence)
{
	struct json *j = c->j;
	json_open(j, '{');
	json_put_text(j, "name", licence->entry.name);
	json_key(j, "packages");
	json_open(j, '[');
	for (size_t i = 0; i < licence->packages.count; i++)
		json_text(j, licence->packages.items[i]);
	json_close(j, ']');
	json_key(j, "hosts");
	json_open(j, '[');
	int rc = count_installed(c, licence);
	json_close(j, ']');
	int64_t left = licence->entitled - c->installed;
	json_put_int(j, "entitled", licence->entitled);
	json_put_int(j, "installed", c->installed);
	json_put_int(j, "free", left > 0 ? left : 0);
	json_put_int(j, "over", left < 0 ? -left : 0);
	json_put_text(j, "expires", licence->expires.day);
	json_put_bool(j, "expired", licence->expires.day && licence->expires.end_ms <= c->when_ms);
	json_put_text(j, "note", licence->note);
	json_close(j, '}');
	return rc;
}

static void write_estate(struct count *c)
{
	json_put_int(c->j, "hosts", (int64_t)c->n_members);
	json_key(c->j, "unproven");
	json_open(c->j, '[');
	for (size_t i = 0; i < c->n_members; i++)
		if (!c->members[i].proven)
			json_text(c->j, c->members[i].name);
	json_close(c->j, ']');
}

static int write_licences(struct count *c)
{
	size_t n_licences;
	const struct register_licence *licences = register_licences(c->registry, &n_licences);
	int rc = 0;
	json_key(c->j, "licences");
	json_open(c->j, '[');
	for (size_t i = 0; rc == 0 && i < n_licences; i++)
		if (!c->name || strcmp(c->name, licences[i].entry.name) == 0)
			rc = write_licence(c, &licences[i]);
	json_close(c->j, ']');
	return rc;
}

/* Answers with 404 where the register has none of that name. */
static void check_name(struct count *c)
{
	size_t n_licences;
	const struct register_licence *licences = register_licences(c->registry, &n_licences);
	const char **names = fw_arena_alloc(&c->r->arena, (n_licences + 1) * sizeof *names);
	for (size_t i = 0; i < n_licences; i++) {
		names[i] = licences[i].entry.name;
		if (strcmp(c->name, names[i]) == 0)
			return;
	}
	const char *near = fw_nearest(c->name, names, n_licences);
	request_fail(c->r, 404, "not_found", "the register has no licence '%.200s'%s", c->name,
		fw_did_you_mean(near).text);
}

/* 0, or the request is answered. */
static int read_question(struct count *c)
{
	struct request *r = c->r;
	c->when_ms = r->now_ms;
	if (params_time(&r->params, "at", 0, &c->when_ms, &c->err) < 0)
		request_fail_bad(r, &c->err);
	else if (c->when_ms < r->now_ms - INVENTORY_KEEP_MS)
		request_fail(r, 400, "bad_data", "what hosts had is known for %lld days",
			INVENTORY_KEEP_MS / DAY_MS);
	else if (c->name)
		check_name(c);
	c->at_ms = c->when_ms < r->now_ms ? c->when_ms : 0;
	return r->status ? -1 : 0;
}

static void fail(struct count *c, int rc)
{
	bool too_many = rc == -E2BIG;
	request_fail(
		c->r, too_many ? 422 : 500, too_many ? "execution" : "internal", "%s", c->err.text);
}

void licences_list(struct request *r)
{
	const struct api_config *config = api_config(r->api);
	struct count c = {.r = r, .registry = config->registry, .inventory = config->inventory};
	c.name = params_get(&r->params, "name");
	if (read_question(&c) < 0)
		return;
	int rc = read_estate(&c);
	if (rc < 0) {
		fail(&c, rc);
		return;
	}
	c.j = request_begin(r);
	json_open(c.j, '{');
	json_put_time(c.j, "at", c.when_ms);
	write_estate(&c);
	rc = write_licences(&c);
	json_close(c.j, '}');
	if (rc < 0)
		fail(&c, rc);
	else
		request_end(r, NULL, 0);
}
