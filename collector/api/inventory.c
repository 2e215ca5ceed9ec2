/* SPDX-License-Identifier: Apache-2.0 */
/* What hosts have, and had: asked on the main thread, as SQLite holds it. */
#include <errno.h>
#include <string.h>

#include "estate.h"
#include "hosts.h"
#include "inventory.h"
#include "parts.h"
#include "store.h"

/* A question on its way to its answer. */
struct asked {
	struct request *r;
	struct json *j;
	const struct store_host *hosts;
	size_t n_hosts;
	const char *host, *kind, *package;
	int64_t at_ms;
	int rc;
	struct fw_err err;
};

/* NULL: it is not for the caller to see. */
static const char *name_of(const struct asked *a, uint32_t id)
{
	for (size_t i = 0; i < a->n_hosts; i++)
		if (a->hosts[i].id == id)
			return hosts_instance(&a->hosts[i]);
	return a->r->estate ? NULL : "";
}

static void open_asked(struct asked *a, struct request *r, const char *host)
{
	struct store_host *hosts;
	*a = (struct asked){.r = r, .host = host};
	size_t n = store_hosts(api_config(r->api)->store, &r->arena, &hosts);
	for (size_t i = 0; i < n; i++)
		if (estate_sees(r, hosts_instance(&hosts[i])))
			hosts[a->n_hosts++] = hosts[i];
	a->hosts = hosts;
}

/* Calls `each` for the numbers that a name has: it may speak for several jobs. */
static size_t each_number(struct asked *a, void (*each)(struct asked *a, uint32_t id))
{
	size_t n = 0;
	for (size_t i = 0; i < a->n_hosts; i++) {
		if (strcmp(hosts_instance(&a->hosts[i]), a->host) != 0)
			continue;
		n++;
		if (each && a->rc == 0)
			each(a, a->hosts[i].id);
	}
	return n;
}

/* ---- one host's summary, for its page ---- */

static void note_document(const struct inventory_document *document, void *arg)
{
	struct request *r = arg;
	if (r->n_documents == REQUEST_DOCUMENTS)
		return;
	struct inventory_document *kept = &r->documents[r->n_documents++];
	*kept = *document;
	kept->kind = fw_arena_strdup(&r->arena, document->kind);
}

static void note_documents(struct asked *a, uint32_t id)
{
	a->rc = inventory_documents(
		api_config(a->r->api)->inventory, id, note_document, a->r, &a->err);
}

static void fail(struct asked *a)
{
	request_fail(a->r, 500, "internal", "%s", a->err.text);
}

void inventory_prepare_host(struct request *r)
{
	struct asked a;
	admin_prepare_alerts(r);
	if (r->status)
		return;
	r->documents = fw_arena_alloc(&r->arena, REQUEST_DOCUMENTS * sizeof *r->documents);
	open_asked(&a, r, r->path_value);
	each_number(&a, note_documents);
	if (a.rc < 0)
		fail(&a);
}

void inventory_write_document(struct json *j, const struct inventory_document *document)
{
	json_open(j, '{');
	json_put_text(j, "kind", document->kind);
	json_put_int(j, "items", document->items);
	json_put_time(j, "since", document->first_ms);
	json_put_time(j, "changed", document->changed_ms);
	json_put_bool(j, "missing", document->missing);
	json_close(j, '}');
}

/* ---- the list ---- */

static void write_document(const struct inventory_document *document, void *arg)
{
	inventory_write_document(arg, document);
}

static void write_documents(struct asked *a, uint32_t id)
{
	a->rc = inventory_documents(
		api_config(a->r->api)->inventory, id, write_document, a->j, &a->err);
}

static void write_item(const struct inventory_item *item, void *arg)
{
	struct asked *a = arg;
	const char *name = name_of(a, item->host);
	if (!name)
		return;
	json_open(a->j, '{');
	json_put_text(a->j, "host", name);
	json_put_text(a->j, "kind", item->kind);
	json_put_text(a->j, "key", item->key);
	json_put_time(a->j, "from", item->from_ms);
	json_put_time(a->j, "to", item->to_ms);
	json_key(a->j, "fields");
	json_raw(a->j, item->fields);
	json_close(a->j, '}');
}

static void write_items(struct asked *a, uint32_t id)
{
	a->rc = inventory_list(
		api_config(a->r->api)->inventory, id, a->kind, a->at_ms, write_item, a, &a->err);
}

static void write_found(struct asked *a)
{
	a->rc = inventory_find(api_config(a->r->api)->inventory, a->kind ? a->kind : "packages",
		a->package, a->at_ms, write_item, a, &a->err);
}

/* 0, or the request is answered. */
static int read_question(struct asked *a)
{
	struct request *r = a->r;
	const char *kind = params_get(&r->params, "kind");
	a->kind = kind && *kind ? kind : NULL;
	a->package = params_get(&r->params, "package");
	if (params_time(&r->params, "at", 0, &a->at_ms, &a->err) < 0)
		request_fail_bad(r, &a->err);
	else if (!a->host == !a->package)
		request_fail(r, 400, "bad_data", "give a host or a package, and not both");
	else if (a->host && each_number(a, NULL) == 0)
		request_fail(r, 404, "not_found", "there is no host '%.200s'; see 'fenwatch hosts'",
			a->host);
	return r->status ? -1 : 0;
}

void inventory_page(struct request *r)
{
	struct asked a;
	open_asked(&a, r, params_get(&r->params, "host"));
	if (read_question(&a) < 0)
		return;
	a.j = request_begin(r);
	json_open(a.j, '{');
	json_key(a.j, "documents");
	json_open(a.j, '[');
	if (a.host)
		each_number(&a, write_documents);
	json_close(a.j, ']');
	json_key(a.j, "items");
	json_open(a.j, '[');
	if (a.host)
		each_number(&a, write_items);
	else
		write_found(&a);
	json_close(a.j, ']');
	json_close(a.j, '}');
	if (a.rc == -E2BIG)
		request_fail(r, 422, "execution", "%s", a.err.text);
	else if (a.rc < 0)
		fail(&a);
	else
		request_end(r, NULL, 0);
}
