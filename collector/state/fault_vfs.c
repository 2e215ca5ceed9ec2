/* SPDX-License-Identifier: Apache-2.0 */
#include "fault_vfs.h"

#include <errno.h>
#include <stddef.h>

#include <sqlite3.h>

#include <fenwatch/fault.h>

struct fault_file {
	sqlite3_file base;
	sqlite3_file *real; /* lies right behind this struct */
};

static sqlite3_vfs vfs;
static sqlite3_mem_methods system_memory;

static sqlite3_file *real_of(sqlite3_file *file)
{
	return ((struct fault_file *)file)->real;
}

static sqlite3_vfs *system_vfs(void)
{
	return vfs.pAppData;
}

/* What SQLite is told of a fault: 0 go on, otherwise its own code. */
static int refused(enum fw_op op, int otherwise, int *skip)
{
	int rc = fw_fault(op);
	*skip = rc > 0;
	if (rc >= 0)
		return SQLITE_OK;
	return rc == -ENOSPC ? SQLITE_FULL : otherwise;
}

static int on_close(sqlite3_file *file)
{
	return real_of(file)->pMethods->xClose(real_of(file));
}

static int on_read(sqlite3_file *file, void *data, int length, sqlite3_int64 offset)
{
	return real_of(file)->pMethods->xRead(real_of(file), data, length, offset);
}

static int on_write(sqlite3_file *file, const void *data, int length, sqlite3_int64 offset)
{
	int skip, rc = refused(FW_OP_WRITE, SQLITE_IOERR_WRITE, &skip);
	if (rc != SQLITE_OK || skip)
		return rc;
	return real_of(file)->pMethods->xWrite(real_of(file), data, length, offset);
}

static int on_truncate(sqlite3_file *file, sqlite3_int64 size)
{
	int skip, rc = refused(FW_OP_TRUNCATE, SQLITE_IOERR_TRUNCATE, &skip);
	if (rc != SQLITE_OK || skip)
		return rc;
	return real_of(file)->pMethods->xTruncate(real_of(file), size);
}

static int on_sync(sqlite3_file *file, int flags)
{
	int skip, rc = refused(FW_OP_FSYNC, SQLITE_IOERR_FSYNC, &skip);
	if (rc != SQLITE_OK || skip)
		return rc;
	return real_of(file)->pMethods->xSync(real_of(file), flags);
}

static int on_file_size(sqlite3_file *file, sqlite3_int64 *size)
{
	return real_of(file)->pMethods->xFileSize(real_of(file), size);
}

static int on_lock(sqlite3_file *file, int level)
{
	return real_of(file)->pMethods->xLock(real_of(file), level);
}

static int on_unlock(sqlite3_file *file, int level)
{
	return real_of(file)->pMethods->xUnlock(real_of(file), level);
}

static int on_check_lock(sqlite3_file *file, int *reserved)
{
	return real_of(file)->pMethods->xCheckReservedLock(real_of(file), reserved);
}

static int on_control(sqlite3_file *file, int op, void *arg)
{
	return real_of(file)->pMethods->xFileControl(real_of(file), op, arg);
}

static int on_sector_size(sqlite3_file *file)
{
	return real_of(file)->pMethods->xSectorSize(real_of(file));
}

static int on_characteristics(sqlite3_file *file)
{
	return real_of(file)->pMethods->xDeviceCharacteristics(real_of(file));
}

static int on_shm_map(sqlite3_file *file, int page, int size, int extend, void volatile **out)
{
	return real_of(file)->pMethods->xShmMap(real_of(file), page, size, extend, out);
}

static int on_shm_lock(sqlite3_file *file, int offset, int n, int flags)
{
	return real_of(file)->pMethods->xShmLock(real_of(file), offset, n, flags);
}

static void on_shm_barrier(sqlite3_file *file)
{
	real_of(file)->pMethods->xShmBarrier(real_of(file));
}

static int on_shm_unmap(sqlite3_file *file, int delete)
{
	return real_of(file)->pMethods->xShmUnmap(real_of(file), delete);
}

static const sqlite3_io_methods file_methods = {
	.iVersion = 2,
	.xClose = on_close,
	.xRead = on_read,
	.xWrite = on_write,
	.xTruncate = on_truncate,
	.xSync = on_sync,
	.xFileSize = on_file_size,
	.xLock = on_lock,
	.xUnlock = on_unlock,
	.xCheckReservedLock = on_check_lock,
	.xFileControl = on_control,
	.xSectorSize = on_sector_size,
	.xDeviceCharacteristics = on_characteristics,
	.xShmMap = on_shm_map,
	.xShmLock = on_shm_lock,
	.xShmBarrier = on_shm_barrier,
	.xShmUnmap = on_shm_unmap,
};

static int on_open(sqlite3_vfs *self, const char *name, sqlite3_file *file, int flags, int *out)
{
	(void)self;
	struct fault_file *fault = (struct fault_file *)file;
	fault->real = (sqlite3_file *)(fault + 1);
	file->pMethods = NULL;
	int skip, rc = refused(FW_OP_OPEN, SQLITE_CANTOPEN, &skip);
	if (rc == SQLITE_OK)
		rc = system_vfs()->xOpen(system_vfs(), name, fault->real, flags, out);
	if (rc == SQLITE_OK)
		file->pMethods = &file_methods;
	return rc;
}

static int on_delete(sqlite3_vfs *self, const char *name, int sync_dir)
{
	(void)self;
	int skip, rc = refused(FW_OP_UNLINK, SQLITE_IOERR_DELETE, &skip);
	if (rc != SQLITE_OK || skip)
		return rc;
	return system_vfs()->xDelete(system_vfs(), name, sync_dir);
}

static void *on_malloc(int bytes)
{
	return fw_fault(FW_OP_ALLOC) < 0 ? NULL : system_memory.xMalloc(bytes);
}

static void *on_realloc(void *memory, int bytes)
{
	return fw_fault(FW_OP_ALLOC) < 0 ? NULL : system_memory.xRealloc(memory, bytes);
}

void fault_vfs_install(void)
{
	if (vfs.zName)
		return;
	if (sqlite3_config(SQLITE_CONFIG_GETMALLOC, &system_memory) == SQLITE_OK) {
		sqlite3_mem_methods memory = system_memory;
		memory.xMalloc = on_malloc;
		memory.xRealloc = on_realloc;
		sqlite3_config(SQLITE_CONFIG_MALLOC, &memory);
	}
	sqlite3_vfs *system = sqlite3_vfs_find(NULL);
	vfs = *system; /* what is not replaced works with the system's own arguments */
	vfs.pAppData = system;
	vfs.pNext = NULL;
	vfs.zName = FAULT_VFS;
	vfs.szOsFile = (int)sizeof(struct fault_file) + system->szOsFile;
	vfs.xOpen = on_open;
	vfs.xDelete = on_delete;
	sqlite3_vfs_register(&vfs, 0);
}
