/* Services of the start-up code for the rest of the firmware: the stack and the last stop. */
#ifndef TF_CORE_H
#define TF_CORE_H

#include <stdint.h>

/* Why the firmware stopped for good; kept in tf_halt_reason for a debugger or the simulator. */
enum {
    TF_HALT_FAULT = 1, /* HardFault, or any exception: none is ever enabled */
    TF_HALT_CLOCK = 2, /* an oscillator, PLL or regulator never became ready */
    TF_HALT_MAIN_RETURNED = 3
};
extern volatile uint32_t tf_halt_reason;

/* Records the reason and stays in a loop that a debugger can look at. */
_Noreturn void tf_halt(uint32_t reason);

/* Size of the stack, and the most of it that was ever in use since reset, in bytes. */
uint32_t tf_stack_size(void);
uint32_t tf_stack_peak(void);

#endif
