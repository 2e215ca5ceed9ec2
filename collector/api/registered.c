/* SPDX-License-Identifier: Apache-2.0 */
#include "registered.h"

#include "json.h"
#include "register.h"
#include "store.h"

/* From the host's own upwards. */
static void write_sites(struct json *j, const struct register_site *site)
{
	json_key(j, "sites");
	json_open(j, '[');
	for (; site; site = site->parent) {
		json_open(j, '{');
		json_put_text(j, "name", site->entry.name);
		json_put_text(j, "tier", register_tier_names[site->tier]);
		json_put_text(j, "address", site->address);
		json_put_text(j, "telephone", site->telephone);
		json_close(j, '}');
	}
	json_close(j, ']');
}

static void write_contacts(struct json *j, const struct register_supplier *supplier)
{
	json_key(j, "contacts");
	json_open(j, '[');
	for (size_t i = 0; supplier && i < supplier->n_contacts; i++) {
		json_open(j, '{');
		json_put_text(j, "name", supplier->contacts[i].name);
		json_put_text(j, "telephone", supplier->contacts[i].telephone);
		json_put_text(j, "mail", supplier->contacts[i].mail);
		json_close(j, '}');
	}
	json_close(j, ']');
}

void registered_write(
	struct json *j, const struct registry *registry, const struct store_host *host)
{
	struct register_host known;
	register_host(registry, host->labels, host->n_labels, &known);
	json_key(j, "register");
	json_open(j, '{');
	json_put_text(j, "tier", register_tier_names[known.tier]);
	json_put_bool(j, "vip", known.vip);
	json_put_text(j, "lifecycle", register_lifecycle_names[known.life.is]);
	json_put_text(j, "retires", known.life.retires.day);
	json_put_text(j, "contract_ends", known.contract_ends.day);
	for (size_t i = 0; i < HOST_TEXTS; i++)
		json_put_text(j, register_text_names[i], known.texts[i]);
	write_sites(j, known.site);
	write_contacts(j, register_supplier(registry, known.texts[HOST_SUPPLIER]));
	json_close(j, '}');
}
