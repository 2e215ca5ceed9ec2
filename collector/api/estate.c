/* SPDX-License-Identifier: Apache-2.0 */
#include "estate.h"

#include <stdlib.h>
#include <string.h>

#include "hosts.h"
#include "parts.h"
#include "register.h"
#include "store.h"

struct estate {
	struct query_scope scope;
	struct registry *registry;
	const char *supplier;
	struct known *known; /* hosts of the store by name; made when first asked */
	size_t n_known;
};

struct known {
	const char *name;
	bool seen;
};

/* What names no host is about all of them, whatever pattern would match its empty name. */
static bool sees(const struct fw_label *labels, size_t n, const void *arg)
{
	const struct estate *estate = arg;
	if (!*fw_label_value(labels, n, "instance"))
		return false;
	const char *supplier = register_host_supplier(estate->registry, labels, n);
	return supplier && strcmp(supplier, estate->supplier) == 0;
}

void estate_enter(struct request *r, const char *supplier)
{
	struct estate *estate = fw_arena_alloc(&r->arena, sizeof *estate);
	estate->scope = (struct query_scope){sees, estate};
	estate->registry = register_hold(api_config(r->api)->registry);
	estate->supplier = supplier;
	r->estate = estate;
	r->scope = &estate->scope;
}

void estate_leave(struct request *r)
{
	if (r->estate)
		register_drop(r->estate->registry);
	r->estate = NULL;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct known *)a)->name, ((const struct known *)b)->name);
}

/* One of its jobs that is another's hides a name: answers by name do not tell them apart. */
static void look_at_hosts(struct request *r, struct estate *estate)
{
	struct store_host *hosts;
	size_t n = store_hosts(api_config(r->api)->store, &r->arena, &hosts), kept = 0;
	struct known *known = fw_arena_alloc(&r->arena, (n + 1) * sizeof *known);
	for (size_t i = 0; i < n; i++)
		known[i] = (struct known){hosts_instance(&hosts[i]),
			sees(hosts[i].labels, hosts[i].n_labels, estate)};
	qsort(known, n, sizeof *known, by_name);
	for (size_t i = 0; i < n; i++) {
		if (kept == 0 || by_name(&known[kept - 1], &known[i]) != 0)
			known[kept++] = known[i];
		else
			known[kept - 1].seen = known[kept - 1].seen && known[i].seen;
	}
	estate->known = known;
	estate->n_known = kept;
}

bool estate_sees(struct request *r, const char *name)
{
	struct estate *estate = r->estate;
	if (!estate)
		return true;
	if (!estate->known)
		look_at_hosts(r, estate);
	const struct known wanted = {.name = name};
	const struct known *known =
		bsearch(&wanted, estate->known, estate->n_known, sizeof wanted, by_name);
	/* One that was never heard will come with these labels. */
	const struct fw_label labels[] = {{"instance", name}, {"job", "node"}};
	return known ? known->seen : sees(labels, 2, estate);
}
