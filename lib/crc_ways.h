/* The ways to compute a CRC-32C, for the one that chooses and for its test.
 *
 * Both take and return the CRC as fw_crc32c does. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

uint32_t fw_crc32c_by_table(uint32_t crc, const void *data, size_t length);
#ifdef __x86_64__
uint32_t fw_crc32c_by_sse42(uint32_t crc, const void *data, size_t length);
#endif
bool fw_crc32c_has_sse42(void);
