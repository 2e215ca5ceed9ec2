/* What LVM writes into /etc/lvm/backup whenever it changes a volume group.
 *
 * The text is nested: NAME { KEY = VALUE ... NAME { ... } }. Read is what tells
 * how large the group is and how much of it is in use.
 */
#pragma once

#include "parse.h"

#define LVM_NAME_BYTES 128

struct lvm_group {
	char name[LVM_NAME_BYTES];
	int64_t extent_sectors, extents, used;
	int64_t missing; /* physical volumes */
};

/* False when this is no such text, or its numbers cannot be. */
bool lvm_backup_read(struct fw_cursor text, struct lvm_group *out);
