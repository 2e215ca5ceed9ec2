/* SPDX-License-Identifier: Apache-2.0 */
#include "context.h"

#include <assert.h>
#include <string.h>

#include "register.h"

static const enum register_text told[] = {HOST_SUPPLIER, HOST_OWNER, HOST_SERVICE, HOST_PURPOSE,
	HOST_CONTRACT, HOST_TELEPHONE, HOST_START, HOST_STOP, HOST_RACK, HOST_SERIAL};

struct context {
	struct notice_pair *out;
	size_t n;
};

static void add(struct context *context, const char *name, const char *value)
{
	assert(context->n < CONTEXT_MOST);
	if (value)
		context->out[context->n++] = (struct notice_pair){name, value};
}

static void add_site(struct context *context, const struct register_site *site)
{
	add(context, "site", site->entry.name);
	add(context, "site_address", site->address);
	add(context, "site_telephone", site->telephone);
}

/* What is told of a whole site is nobody's host: who looks after its line is asked. */
static struct register_host site_itself(const struct registry *registry, const char *name)
{
	const struct register_site *site = register_site(registry, name);
	struct register_host host = {.site = site, .tier = site ? site->tier : TIER_STANDARD};
	host.texts[HOST_SUPPLIER] = site ? site->supplier : NULL;
	return host;
}

/* What is told of many hosts at once says itself whose they are. */
static struct register_host nobodys(
	const struct registry *registry, const struct pairs *labels, struct register_host host)
{
	const char *supplier = pairs_get(labels, "supplier");
	if (*pairs_get(labels, "site"))
		host = site_itself(registry, pairs_get(labels, "site"));
	if (*supplier)
		host.texts[HOST_SUPPLIER] = supplier;
	return host;
}

static const char *priority_of(const struct registry *registry, const struct pairs *labels,
	const struct register_host *host, const char *severity)
{
	const char *said = pairs_get(labels, "priority");
	for (size_t i = 0; !*pairs_get(labels, "instance") && register_priority_names[i]; i++)
		if (strcmp(register_priority_names[i], said) == 0)
			return said;
	return register_priority_names[register_priority(registry, host, severity) - 1];
}

size_t context_of(const struct registry *registry, const struct pairs *labels, const char *severity,
	const char *class, struct notice_pair out[CONTEXT_MOST])
{
	struct context context = {.out = out};
	struct register_host host;
	if (!registry)
		return 0;
	const struct fw_label names[] = {
		{"instance", pairs_get(labels, "instance")},
		{"job", pairs_get(labels, "job")},
	};
	register_host(registry, names, 2, &host);
	if (!*names[0].value)
		host = nobodys(registry, labels, host);
	if (!host.texts[HOST_CLASS])
		host.texts[HOST_CLASS] = class;
	add(&context, "priority", priority_of(registry, labels, &host, severity));
	add(&context, "tier", register_tier_names[host.tier]);
	if (host.site)
		add_site(&context, host.site);
	for (size_t i = 0; i < sizeof told / sizeof *told; i++)
		add(&context, register_text_names[told[i]], host.texts[told[i]]);
	add(&context, "contract_ends", host.contract_ends.day);
	return context.n;
}

bool context_is_of_register(const char *name)
{
	static const char *const others[] = {
		"priority", "tier", "site", "site_address", "site_telephone", "contract_ends"};
	for (size_t i = 0; i < sizeof others / sizeof *others; i++)
		if (strcmp(others[i], name) == 0)
			return true;
	for (size_t i = 0; i < sizeof told / sizeof *told; i++)
		if (strcmp(register_text_names[told[i]], name) == 0)
			return true;
	return false;
}

const char *context_value(
	const struct pairs *labels, const struct pairs *annotations, const char *name)
{
	bool is_register = context_is_of_register(name);
	const char *first = pairs_get(is_register ? annotations : labels, name);
	return *first ? first : pairs_get(is_register ? labels : annotations, name);
}
