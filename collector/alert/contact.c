/* SPDX-License-Identifier: Apache-2.0 */
#include "contact.h"

#include <string.h>

#include <fenwatch/mem.h>

#include "register.h"

#define TEXTS 3

static size_t texts_of(const struct register_contact *contact, struct notice_pair out[TEXTS])
{
	const struct notice_pair all[TEXTS] = {{"contact", contact->name},
		{"contact_mail", contact->mail}, {"contact_telephone", contact->telephone}};
	size_t n = 0;
	for (size_t i = 0; i < TEXTS; i++)
		if (all[i].value)
			out[n++] = all[i];
	return n;
}

void contact_add(struct pairs *out, const struct registry *registry, size_t place, int64_t at_ms,
	const struct pairs *annotations)
{
	const struct register_contact *contact = registry && place > 0
		? register_contact(registry, pairs_get(annotations, "supplier"), place, at_ms)
		: NULL;
	struct notice_pair *items = fw_alloc_array(annotations->n + TEXTS, sizeof *items);
	size_t n = annotations->n;
	if (n > 0)
		memcpy(items, annotations->items, n * sizeof *items);
	if (contact)
		n += texts_of(contact, items + n);
	pairs_copy(out, items, n);
	fw_free(items);
}
