/* Where a test makes the world fail.
 *
 * Every file operation, clock read and allocation asks here first. In a build
 * without -Dtest_seams=true the questions are constants and cost nothing.
 * With it, a unit test arms a fault by call, and a system test by environment:
 *
 *   FENWATCH_FAULT=fdatasync:skip          returns 0 and does nothing (power-cut control)
 *   FENWATCH_FAULT=pwrite:3:ENOSPC         the third call fails once
 *   FENWATCH_FAULT=pwrite:3+:ENOSPC        the third call and all after it
 *   FENWATCH_FAULT=kill:pwrite:3           the process ends by SIGKILL at the third call
 *   FENWATCH_CLOCK_FILE=FILE               a signed number of ms, added to the wall clock;
 *                                          read anew at every clock read
 *   FENWATCH_STEADY_CLOCK_FILE=FILE        the same for the clock that never steps: it may
 *                                          only grow
 * Several faults are separated by commas.
 *
 *   FENWATCH_FAULT_STRIDE=1                tests of every n-th call leave out none
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum fw_op {
	FW_OP_OPEN,
	FW_OP_READ,
	FW_OP_WRITE,
	FW_OP_PWRITE,
	FW_OP_FSYNC,
	FW_OP_FDATASYNC,
	FW_OP_RENAME,
	FW_OP_UNLINK,
	FW_OP_TRUNCATE,
	FW_OP_FALLOCATE,
	FW_OP_ALLOC,
	FW_OP_RECOGNISE, /* that a number has come before: skipped, it is stored again (control) */
	FW_OP_COUNT
};

#ifdef FW_TEST_SEAMS
/* 0: go on. Negative errno: fail with it. 1: pretend success, do nothing. */
int fw_fault(enum fw_op op);
/* Fails call number `nth` (from 1, counted from now) with `rc`, and if `forever` all after it. */
void fw_fault_arm(enum fw_op op, uint64_t nth, int rc, bool forever);
void fw_fault_clear(void);
uint64_t fw_fault_calls(enum fw_op op);     /* since the last arm or clear */
void fw_fault_clock(int64_t wall_shift_ms); /* from now on fw_wall_ms() is off by so much */
int64_t fw_fault_clock_shift(void);
int64_t fw_fault_steady_shift(void); /* of fw_mono_ms() */
/* How far a test steps that makes one call after the other fail: `brief`, or what the
 * environment says. */
uint64_t fw_fault_stride(uint64_t brief);
#else
static inline int fw_fault(enum fw_op op)
{
	(void)op;
	return 0;
}
static inline int64_t fw_fault_clock_shift(void)
{
	return 0;
}
static inline int64_t fw_fault_steady_shift(void)
{
	return 0;
}
#endif
