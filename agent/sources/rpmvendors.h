/* Whose packages may take the place of whose, for zypper.
 *
 * A package stays with its vendor. Vendors are one where their names are, where both
 * begin with SUSE, or where /etc/zypp/vendors.d has beginnings of both in one list:
 *
 *   [main]
 *   vendors = openSUSE, SUSE LLC <https://www.suse.com/>
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "../source.h"

struct rpm_vendors;

struct rpm_vendors *rpmvendors_read(struct machine *m, uint64_t *fingerprint);
void rpmvendors_free(struct rpm_vendors *v);
bool rpmvendors_are_one(const struct rpm_vendors *v, const char *a, const char *b);
