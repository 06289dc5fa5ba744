/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Start-up code from reset to main() on any Armv7-M core, with no C library.
 *
 * Memory, laid out by memory.ld: the stack is at the bottom of RAM, so that an overflow runs out
 * of RAM and faults; .data and .bss follow it. The stack is painted before use: the lowest word
 * that changed shows how deep it ever went. memory.ld lists what is copied from flash to RAM: .data,
 * and code and constants that would wait for flash.
 *
 * Registers: Armv7-M Architecture Reference Manual (Arm DDI 0403E), B3.2.2 "System control and
 * ID registers".
 */
#include <stddef.h>
#include <stdint.h>

#include "tinyflow_core.h"

extern uint32_t _stack_start[], _stack_end[]; /* lowest address, and one past the highest */
extern uint32_t _sbss[], _ebss[];
/* One copy from flash to RAM: whole words. */
typedef struct {
    const uint32_t *image;
    uint32_t *begin, *end;
} copy_t;
extern const copy_t _copies_start[], _copies_end[];
extern int main(void);

#define STACK_PAINT 0x7F5AC3E1u
#define SCB_VTOR (*(volatile uint32_t *)0xE000ED08u)
#define SCB_CPACR (*(volatile uint32_t *)0xE000ED88u)
#define CPACR_FPU (0xFu << 20) /* full access to CP10 and CP11 */

volatile uint32_t tinyflow_halt_reason;

_Noreturn void Reset_Handler(void);
_Noreturn void tinyflow_fault_handler(void);
_Noreturn void tinyflow_reset(void);

typedef union {
    void *stack;
    void (*handler)(void);
} vector_t;

/* The 16 system vectors; no interrupt is ever enabled, so none needs one. */
__attribute__((section(".isr_vector"), used)) static const vector_t vectors[16] = {
    [0] = {.stack = _stack_end},
    [1] = {.handler = Reset_Handler},
    [2] = {.handler = tinyflow_fault_handler},  /* NMI */
    [3] = {.handler = tinyflow_fault_handler},  /* HardFault: the others escalate to it */
    [4] = {.handler = tinyflow_fault_handler},  /* MemManage */
    [5] = {.handler = tinyflow_fault_handler},  /* BusFault */
    [6] = {.handler = tinyflow_fault_handler},  /* UsageFault */
    [11] = {.handler = tinyflow_fault_handler}, /* SVCall */
    [12] = {.handler = tinyflow_fault_handler}, /* DebugMonitor */
    [14] = {.handler = tinyflow_fault_handler}, /* PendSV */
    [15] = {.handler = tinyflow_fault_handler}, /* SysTick */
};

/* Sets the stack pointer itself: a bootloader or a debugger may come here without a reset. */
__attribute__((naked)) void Reset_Handler(void) {
    __asm volatile("ldr r0, =_stack_end\n"
                   "mov sp, r0\n"
                   "b tinyflow_reset\n");
}

/* A fault may come from a stack overflow: take a sound stack before calling anything. */
__attribute__((naked)) void tinyflow_fault_handler(void) {
    __asm volatile("ldr r0, =_stack_end\n"
                   "mov sp, r0\n"
                   "movs r0, %0\n"
                   "b tinyflow_halt\n"
                   :
                   : "i"(TINYFLOW_HALT_FAULT));
}

/* The stores are volatile so that the compiler cannot turn this loop into a call. */
static void copy(const uint32_t *image, volatile uint32_t *begin, const volatile uint32_t *end) {
    while (begin < end) {
        *begin++ = *image++;
    }
}

_Noreturn __attribute__((used)) void tinyflow_reset(void) {
#if defined(__ARM_FP)
    SCB_CPACR |= CPACR_FPU;
    __asm volatile("dsb\n isb" ::: "memory");
#endif
    SCB_VTOR = (uint32_t)(uintptr_t)vectors;

    uintptr_t stack_pointer;
    __asm volatile("mov %0, sp" : "=r"(stack_pointer));
    for (volatile uint32_t *word = _stack_start; (uintptr_t)word < stack_pointer; ++word) {
        *word = STACK_PAINT;
    }
    for (const copy_t *each = _copies_start; each < _copies_end; ++each) {
        copy(each->image, each->begin, each->end);
    }
    /* Nothing of what is fetched from here on is older than the copy. */
    __asm volatile("dsb\n isb" ::: "memory");
    for (volatile uint32_t *word = _sbss; word < _ebss; ++word) {
        *word = 0;
    }
    (void)main();
    tinyflow_halt(TINYFLOW_HALT_MAIN_RETURNED);
}

_Noreturn __attribute__((noinline, used)) void tinyflow_halt(uint32_t reason) {
    tinyflow_halt_reason = reason;
    for (;;) {
        __asm volatile("wfe");
    }
}

uint32_t tinyflow_stack_size(void) {
    return (uint32_t)((uintptr_t)_stack_end - (uintptr_t)_stack_start);
}

uint32_t tinyflow_stack_peak(void) {
    const volatile uint32_t *word = _stack_start;
    while (word < _stack_end && *word == STACK_PAINT) {
        ++word;
    }
    return (uint32_t)((uintptr_t)_stack_end - (uintptr_t)word);
}
