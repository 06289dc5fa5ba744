/* SPDX-License-Identifier: Apache-2.0 */
/*
 * nRF52840 (and its relatives with the legacy UART) at its one speed, 64 MHz.
 * Source: Nordic nRF52840 Product Specification v1.7; chapters are named where they are used.
 *
 * Board defines: TINYFLOW_UART_TX_PIN, TINYFLOW_UART_RX_PIN (of port 0).
 */
#include "tinyflow_mcu.h"

#include "cortex_m.h"

#define CLOCK_HFCLKSTART 0x40000000u
#define CLOCK_HFCLKSTARTED 0x40000100u
#define NVMC_ICACHECNF 0x4001E540u
#define P0_OUTSET 0x50000508u
#define P0_PIN_CNF(pin) (0x50000700u + 4u * (pin))

#define UART_STARTRX (TINYFLOW_UART_BASE + 0x000u)
#define UART_STARTTX (TINYFLOW_UART_BASE + 0x008u)
#define UART_RXDRDY (TINYFLOW_UART_BASE + 0x108u)
#define UART_TXDRDY (TINYFLOW_UART_BASE + 0x11Cu)
#define UART_ENABLE (TINYFLOW_UART_BASE + 0x500u)
#define UART_PSEL_TXD (TINYFLOW_UART_BASE + 0x50Cu)
#define UART_PSEL_RXD (TINYFLOW_UART_BASE + 0x514u)
#define UART_RXD (TINYFLOW_UART_BASE + 0x518u)
#define UART_TXD (TINYFLOW_UART_BASE + 0x51Cu)
#define UART_BAUDRATE (TINYFLOW_UART_BASE + 0x524u)
#define UART_CONFIG (TINYFLOW_UART_BASE + 0x56Cu)

/* UART, BAUDRATE: the register's table is baud * 2^32 / 16 MHz in steps of 0x1000. */
#define BAUDRATE \
    ((uint32_t)((((uint64_t)TINYFLOW_UART_BAUD << 32) / 16000000u + 0x800u) & 0xFFFFF000u))

_Static_assert(TINYFLOW_CLOCK_HZ == 64000000u, "the core runs at 64 MHz only");
_Static_assert(TINYFLOW_UART_BAUD <= 1000000u, "the UART reaches 1 Mbaud");

void tinyflow_mcu_init(void) {
    /* NVMC, ICACHECNF: CACHEEN. The CPU's flash wait states need no setting. */
    REG32(NVMC_ICACHECNF) = 1u;

    /* CLOCK, HFCLK: the 32 MHz crystal instead of the RC oscillator, for an exact clock. */
    REG32(CLOCK_HFCLKSTARTED) = 0;
    REG32(CLOCK_HFCLKSTART) = 1u;
    tinyflow_wait(CLOCK_HFCLKSTARTED, 1u, 1u);

    tinyflow_cycle_counter_start();

    /* UART, "Pin configuration": TXD an output that idles high, RXD an input, pulled up. */
    REG32(P0_OUTSET) = BIT(TINYFLOW_UART_TX_PIN);
    REG32(P0_PIN_CNF(TINYFLOW_UART_TX_PIN)) = 1u | (1u << 1);
    REG32(P0_PIN_CNF(TINYFLOW_UART_RX_PIN)) = 3u << 2;
    REG32(UART_PSEL_TXD) = TINYFLOW_UART_TX_PIN;
    REG32(UART_PSEL_RXD) = TINYFLOW_UART_RX_PIN;
    REG32(UART_BAUDRATE) = BAUDRATE;
    REG32(UART_CONFIG) = 0; /* no flow control, no parity, one stop bit */
    REG32(UART_ENABLE) = 4u;
    REG32(UART_RXDRDY) = 0;
    REG32(UART_STARTRX) = 1u;
    REG32(UART_STARTTX) = 1u;
}

uint8_t tinyflow_mcu_uart_read(void) {
    while (REG32(UART_RXDRDY) == 0u) {
    }
    /* UART, "Reception": clear the event before RXD is read, which frees a place in the FIFO
     * and raises the event again when another byte is waiting. */
    REG32(UART_RXDRDY) = 0;
    return (uint8_t)REG32(UART_RXD);
}

void tinyflow_mcu_uart_write(uint8_t byte) {
    REG32(UART_TXDRDY) = 0;
    REG32(UART_TXD) = byte;
    while (REG32(UART_TXDRDY) == 0u) { /* one character's time at most */
    }
}

void tinyflow_mcu_uart_flush(void) {
    /* TXDRDY, which the write has awaited, says that the byte is sent. */
}

uint32_t tinyflow_mcu_cycles(void) {
    return tinyflow_cycle_counter();
}
