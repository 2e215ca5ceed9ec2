/* SPDX-License-Identifier: Apache-2.0 */
#include "scope.h"

size_t scope_keep(const struct query_scope *scope, struct store_group *groups, size_t n)
{
	size_t kept = 0;
	bool sees = true;
	for (size_t i = 0; i < n; i++) {
		/* Groups of one host are neighbours: it is asked about once. */
		if (scope && (i == 0 || groups[i].host != groups[i - 1].host))
			sees = scope->sees(
				groups[i].host_labels, groups[i].n_host_labels, scope->arg);
		if (sees)
			groups[kept++] = groups[i];
	}
	return kept;
}
