/* Selectors, any of which takes a series. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include <fenwatch/conf.h>
#include <fenwatch/err.h>
#include <fenwatch/mem.h>
#include <fenwatch/schema.h>

struct choice {
	struct fw_arena arena;
	struct filter *filters; /* one a selector */
	size_t n;
};

/* choice_done() also after a failure. */
int choice_init(struct choice *choice, const struct fw_text_list *selectors, struct fw_err *err);
bool choice_takes(const void *choice, const struct fw_label *labels, size_t n_labels);
void choice_done(struct choice *choice);
