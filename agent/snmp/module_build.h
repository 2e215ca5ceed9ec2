/* What the files that read a module share; private to them. */
#pragma once

#include "module.h"

struct building {
	struct mib_module *module;
	struct fw_arena *arena;
	struct fw_err *err;
	/* of the table that is being read */
	struct mib_label labels[MODULE_LABELS];
	unsigned n_labels, table;
};

/* For options: the node itself, since what it means depends on the rest. */
int module_keep_node(
	const struct fw_yaml *node, void *field, struct fw_arena *arena, struct fw_err *err);
struct mib_column *module_new_column(struct building *b, const struct fw_yaml *node);
bool module_is_name(const char *text);
int module_read_documents(struct building *b, const struct fw_yaml *root,
	const struct fw_yaml *columns, const struct fw_yaml *documents);
