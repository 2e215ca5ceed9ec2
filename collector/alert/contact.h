/* Who of a supplier's contacts a feed asks, as annotations of its notices: `contact`,
 * `contact_mail` and `contact_telephone`, as far as the register has them. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "pairs.h"

struct registry;

/* Annotations of an alert and the contact in the `place`-th place (from 1; 0: nobody is asked)
 * of the supplier they name. pairs_done gives them back. `registry` NULL: as they are. */
void contact_add(struct pairs *out, const struct registry *registry, size_t place, int64_t at_ms,
	const struct pairs *annotations);
