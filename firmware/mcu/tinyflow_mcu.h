/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Interface of the harness to a microcontroller. One C file per family implements it:
 * stm32f4.c, stm32f7.c, stm32l4.c, nrf52.c.
 *
 * The build defines, from the board's file:
 *   TINYFLOW_CLOCK_HZ      core clock to run at, Hz
 *   TINYFLOW_UART_BASE     address of the UART that carries the harness protocol
 *   TINYFLOW_UART_BAUD     its speed, baud
 * and the board's own `defines`: pins, oscillator; each family's file names those it reads.
 */
#ifndef TINYFLOW_MCU_H
#define TINYFLOW_MCU_H

#include <stdint.h>

/*
 * Brings the chip from reset to full speed: oscillator, PLL, flash wait states, caches or flash
 * accelerator, UART (8 data bits, no parity, 1 stop bit), cycle counter. Where the hardware does
 * not get ready it ends in tinyflow_halt(TINYFLOW_HALT_CLOCK).
 */
void tinyflow_mcu_init(void);

/* The next byte from the UART; waits for it as long as it takes. */
uint8_t tinyflow_mcu_uart_read(void);

/* Gives a byte to the UART; waits while its transmit register is full. */
void tinyflow_mcu_uart_write(uint8_t byte);

/* Waits until the last byte has left the UART, stop bit included. */
void tinyflow_mcu_uart_flush(void);

/* The core's cycle counter; it wraps around every 2^32 cycles. */
uint32_t tinyflow_mcu_cycles(void);

#endif
