/* Judging one host, at one moment. */
#pragma once

#include "patch.h"
#include "support.h"

#define JUDGE_STALE_S (3 * 86400) /* older lists, and longer silence, prove nothing */

/* What a judge reads from. */
struct judge {
	struct state *state;
	struct inventory *inventory; /* through the same connection */
	const struct support *support;
	const struct patch_options *options;
	struct fw_arena *arena;
	int64_t at_ms; /* 0: now */
	int64_t now_s; /* that moment */
};

/* 1; 0 where nothing was known of it then. */
int judge_host(const struct judge *judge, const struct patch_asked *asked, struct patch_host *out,
	struct fw_err *err);

/* Its fixes as the inventory has them, without dates; for noting evidence. */
struct judge_fix {
	const struct patch_fix *fix;
	int64_t listed_s, from_s;
};
int judge_each_fix(const struct judge *judge, uint32_t host,
	int (*each)(const struct judge_fix *fix, void *arg, struct fw_err *err), void *arg,
	struct fw_err *err);
