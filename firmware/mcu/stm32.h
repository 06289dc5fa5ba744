/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Helpers shared by the STM32 families: GPIO ports and the two generations of USART.
 * Offsets and bits: RM0090 sections 8.4 and 30.6 (F4), RM0385 sections 6.4 and 31.8 (F7),
 * RM0432 "GPIO registers", "USART registers", "LPUART registers" (L4+).
 *
 * Board defines read here: TINYFLOW_UART_TX_PORT, TINYFLOW_UART_RX_PORT (0 for port A), TINYFLOW_UART_TX_PIN,
 * TINYFLOW_UART_RX_PIN, TINYFLOW_UART_AF (the pins' alternate function).
 */
#ifndef TINYFLOW_STM32_H
#define TINYFLOW_STM32_H

#include "tinyflow_registers.h"

#define GPIO_MODER 0x00u
#define GPIO_PUPDR 0x0Cu
#define GPIO_AFRL 0x20u
#define GPIO_MODE_ALTERNATE 2u
#define GPIO_PULL_UP 1u

/* Gives a pin to a peripheral, pulled up so that an open line idles high. */
static inline void tinyflow_stm32_pin(uintptr_t port, uint32_t pin, uint32_t function) {
    tinyflow_modify(port + GPIO_AFRL + 4u * (pin / 8u), 0xFu << (4u * (pin % 8u)),
                    function << (4u * (pin % 8u)));
    tinyflow_modify(port + GPIO_PUPDR, 3u << (2u * pin), GPIO_PULL_UP << (2u * pin));
    tinyflow_modify(port + GPIO_MODER, 3u << (2u * pin), GPIO_MODE_ALTERNATE << (2u * pin));
}

/* Both pins of the UART; `gpio` is the address of port A, the ports follow at 0x400 each. */
static inline void tinyflow_stm32_uart_pins(uintptr_t gpio) {
    tinyflow_stm32_pin(gpio + 0x400u * TINYFLOW_UART_TX_PORT, TINYFLOW_UART_TX_PIN,
                       TINYFLOW_UART_AF);
    tinyflow_stm32_pin(gpio + 0x400u * TINYFLOW_UART_RX_PORT, TINYFLOW_UART_RX_PIN,
                       TINYFLOW_UART_AF);
}

/* The status bits are the same in both generations of USART; the registers are not. */
#define USART_CR1_RE BIT(2)
#define USART_CR1_TE BIT(3)
#define USART_RXNE BIT(5)
#define USART_TC BIT(6)
#define USART_TXE BIT(7)

/* Reading the status, then the data, also clears an overrun or framing error of the F4. */
static inline uint8_t tinyflow_stm32_uart_read(uintptr_t status, uintptr_t data) {
    while ((REG32(status) & USART_RXNE) == 0u) {
    }
    return (uint8_t)REG32(data);
}

static inline void tinyflow_stm32_uart_write(uintptr_t status, uintptr_t data, uint8_t byte) {
    while ((REG32(status) & USART_TXE) == 0u) { /* one character's time at most */
    }
    REG32(data) = byte;
}

static inline void tinyflow_stm32_uart_flush(uintptr_t status) {
    while ((REG32(status) & USART_TC) == 0u) { /* two characters' time at most */
    }
}

/* USART of the F4: status and data registers. */
#define USART_V1_SR (TINYFLOW_UART_BASE + 0x00u)
#define USART_V1_DR (TINYFLOW_UART_BASE + 0x04u)
#define USART_V1_BRR (TINYFLOW_UART_BASE + 0x08u)
#define USART_V1_CR1 (TINYFLOW_UART_BASE + 0x0Cu)
#define USART_V1_CR1_UE BIT(13)

/* USART and LPUART of the F7 and L4: separate receive and transmit registers. */
#define USART_V2_CR1 (TINYFLOW_UART_BASE + 0x00u)
#define USART_V2_CR3 (TINYFLOW_UART_BASE + 0x08u)
#define USART_V2_BRR (TINYFLOW_UART_BASE + 0x0Cu)
#define USART_V2_ISR (TINYFLOW_UART_BASE + 0x1Cu)
#define USART_V2_RDR (TINYFLOW_UART_BASE + 0x24u)
#define USART_V2_TDR (TINYFLOW_UART_BASE + 0x28u)
#define USART_V2_CR1_UE BIT(0)
#define USART_V2_CR3_OVRDIS BIT(12)

#endif
