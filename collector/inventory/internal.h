/* What the files of this folder share. */
#pragma once

#include "inventory.h"
#include "state.h"

struct inventory {
	struct inventory_config config;
	int64_t swept_text; /* texts up to this one were looked at */
	int64_t told_ms;    /* of the last line about documents that were refused, */
	unsigned untold;    /* and how many there were since */
};

/* The database's number of a kind; -ENOENT where nobody has sent one. */
int inventory_kind(struct inventory *inventory, const char *kind, int64_t *id, struct fw_err *err);
