/* CRC-32C (Castagnoli), the one checksum of frame, log and block.
 * RFC 3720 B.4; the CPU's instruction where it has one. */
#pragma once

#include <stddef.h>
#include <stdint.h>

uint32_t fw_crc32c(uint32_t crc, const void *data, size_t length); /* start with 0 */
