/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The cycle counter of Armv7-M cores, and the caches of Cortex-M7.
 * Source: Armv7-M Architecture Reference Manual (Arm DDI 0403E): C1.6.5 DEMCR, C1.8 "The Data
 * Watchpoint and Trace unit"; for the caches Arm DDI 0489, Cortex-M7 Technical Reference Manual.
 */
#ifndef TINYFLOW_CORTEX_M_H
#define TINYFLOW_CORTEX_M_H

#include "tinyflow_registers.h"

#define CORTEX_DEMCR 0xE000EDFCu
#define DEMCR_TRCENA BIT(24)
#define DWT_CTRL 0xE0001000u
#define DWT_CYCCNT 0xE0001004u
#define DWT_CTRL_CYCCNTENA BIT(0)

#if __ARM_ARCH < 7
/* Armv6-M has no cycle counter (Arm DDI 0419, "The Data Watchpoint and Trace unit"): it reads 0. */
static inline void tinyflow_cycle_counter_start(void) {
}

static inline uint32_t tinyflow_cycle_counter(void) {
    return 0;
}
#else
static inline void tinyflow_cycle_counter_start(void) {
    tinyflow_modify(CORTEX_DEMCR, 0, DEMCR_TRCENA);
#if defined(TINYFLOW_CORTEX_M7)
    /* Cortex-M7 locks the DWT's registers against software: Arm DDI 0489, "CoreSight Lock
     * Access Register". */
    REG32(0xE0001FB0u) = 0xC5ACCE55u;
#endif
    REG32(DWT_CYCCNT) = 0;
    tinyflow_modify(DWT_CTRL, 0, DWT_CTRL_CYCCNTENA);
}

static inline uint32_t tinyflow_cycle_counter(void) {
    return REG32(DWT_CYCCNT);
}
#endif

#if defined(TINYFLOW_CORTEX_M7)
#define SCB_CCR 0xE000ED14u
#define CCR_DC BIT(16)
#define CCR_IC BIT(17)
#define SCB_CCSIDR 0xE000ED80u
#define SCB_CSSELR 0xE000ED84u
#define SCB_ICIALLU 0xE000EF50u
#define SCB_DCISW 0xE000EF60u

static inline void tinyflow_barrier(void) {
    __asm volatile("dsb\n isb" ::: "memory");
}

/* Both caches hold random contents after reset: invalidate, then enable. */
static inline void tinyflow_caches_enable(void) {
    tinyflow_barrier();
    REG32(SCB_ICIALLU) = 0;
    tinyflow_barrier();
    tinyflow_modify(SCB_CCR, 0, CCR_IC);
    tinyflow_barrier();

    REG32(SCB_CSSELR) = 0; /* select the level 1 data cache */
    tinyflow_barrier();
    const uint32_t geometry = REG32(SCB_CCSIDR);
    const uint32_t last_set = (geometry >> 13) & 0x7FFFu;
    const uint32_t last_way = (geometry >> 3) & 0x3FFu;
    for (uint32_t set = 0; set <= last_set; ++set) {
        for (uint32_t way = 0; way <= last_way; ++way) {
            /* Cortex-M7: four ways, lines of 32 bytes (Arm DDI 0489, DCISW). */
            REG32(SCB_DCISW) = (way << 30) | (set << 5);
        }
    }
    tinyflow_barrier();
    tinyflow_modify(SCB_CCR, 0, CCR_DC);
    tinyflow_barrier();
}
#endif

#endif
