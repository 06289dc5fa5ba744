/* SPDX-License-Identifier: Apache-2.0 */
/* CRC-32 of IEEE 802.3 (reflected polynomial 0xEDB88320), as zlib's crc32(). */
#ifndef TINYFLOW_CRC32_H
#define TINYFLOW_CRC32_H

#include <stdint.h>

#define TINYFLOW_CRC32_START 0xFFFFFFFFu

/* The running value after one more byte; start from TINYFLOW_CRC32_START. */
uint32_t tinyflow_crc32_byte(uint32_t running, uint8_t byte);

/* The CRC of the bytes that gave this running value. */
static inline uint32_t tinyflow_crc32_end(uint32_t running) {
    return ~running;
}

#endif
