/* SQLite through the door where a test can make files and memory fail.
 *
 * Only in builds with test seams. Writes, syncs, truncations and deletions of
 * SQLite ask fw_fault for FW_OP_WRITE, FW_OP_FSYNC, FW_OP_TRUNCATE and
 * FW_OP_UNLINK, opening asks for FW_OP_OPEN, its allocations for FW_OP_ALLOC.
 * Everything else goes straight to the system's own VFS.
 */
#pragma once

#define FAULT_VFS "fenwatch-fault"

/* Makes it the VFS named above; harmless twice. Before anything else of SQLite. */
void fault_vfs_install(void);
