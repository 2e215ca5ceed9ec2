/* SPDX-License-Identifier: Apache-2.0 */
#include "remote.h"

const struct remote_refusal remote_refusals[STORE_REFUSALS] = {
	[STORE_BAD_LABELS] = {"bad_labels",
		"invalid labels: a name, each label once, in UTF-8, at most 32 of 1024 bytes"},
	[STORE_TOO_MANY] = {"too_many_series",
		"too many series: the limit of the store is reached (store: foreign_series, "
		"foreign_series_per_host)"},
	[STORE_TOO_OLD] = {"too_old",
		"out of bounds: older than the store takes (store: late, any_age)"},
	[STORE_AHEAD] = {"ahead", "out of bounds: more than ten minutes ahead of now"},
};
