/* SPDX-License-Identifier: Apache-2.0 */
/* Register access for the family files. */
#ifndef TINYFLOW_REGISTERS_H
#define TINYFLOW_REGISTERS_H

#include <stdint.h>

#include "tinyflow_core.h"

#define REG32(address) (*(volatile uint32_t *)(uintptr_t)(address))
#define BIT(n) (1u << (n))

/* Clears the bits of `clear`, then sets those of `set`. */
static inline void tinyflow_modify(uintptr_t address, uint32_t clear, uint32_t set) {
    REG32(address) = (REG32(address) & ~clear) | set;
}

/*
 * Waits until the bits of `mask` read `expected`. Every oscillator and regulator here is ready
 * within 100 ms; two million polls last longer at any clock, and then the hardware is dead.
 */
static inline void tinyflow_wait(uintptr_t address, uint32_t mask, uint32_t expected) {
    for (uint32_t polls = 2000000u; (REG32(address) & mask) != expected; --polls) {
        if (polls == 0u) {
            tinyflow_halt(TINYFLOW_HALT_CLOCK);
        }
    }
}

#endif
