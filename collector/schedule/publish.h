/* What others may know of rules at work: copies, made anew after each round. */
#pragma once

#include "rounds.h"
#include "schedule.h"

struct published {
	struct fw_arena arena;
	struct schedule_group *groups;
	size_t n;
};

void publish_rounds(struct published *out, const struct rounds *rounds);
void publish_copy(const struct published *from, struct fw_arena *arena,
	struct schedule_group **groups, size_t *n);
void publish_done(struct published *published);
