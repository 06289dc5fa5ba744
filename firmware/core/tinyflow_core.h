/* SPDX-License-Identifier: Apache-2.0 */
/* Services of the start-up code for the rest of the firmware: the stack and the last stop. */
#ifndef TINYFLOW_CORE_H
#define TINYFLOW_CORE_H

#include <stdint.h>

/* Why the firmware stopped for good; kept in tinyflow_halt_reason for a debugger or the simulator. */
enum {
    TINYFLOW_HALT_FAULT = 1, /* HardFault, or any exception: none is ever enabled */
    TINYFLOW_HALT_CLOCK = 2, /* an oscillator, PLL or regulator never became ready */
    TINYFLOW_HALT_MAIN_RETURNED = 3
};
extern volatile uint32_t tinyflow_halt_reason;

/* Records the reason and stays in a loop that a debugger can look at. */
_Noreturn void tinyflow_halt(uint32_t reason);

/* Size of the stack, and the most of it that was ever in use since reset, in bytes. */
uint32_t tinyflow_stack_size(void);
uint32_t tinyflow_stack_peak(void);

#endif
