/* SPDX-License-Identifier: Apache-2.0 */
/*
 * STM32L4+ (L4Rx, L4Sx) at 120 MHz from the internal MSI oscillator, in range 1 boost mode,
 * with LPUART1 as the harness's UART.
 * Source: ST RM0432; sections and registers are named where they are used.
 *
 * MSI is trimmed to about 1 % at room temperature, which the UART's tolerance (4 %) covers. No
 * crystal is needed.
 *
 * Board defines: those of stm32.h.
 */
#include "tinyflow_mcu.h"

#include "cortex_m.h"
#include "stm32.h"

#define PWR_CR2 0x40007004u
#define PWR_CR5 0x40007080u
#define GPIOA 0x48000000u
#define RCC_CR 0x40021000u
#define RCC_CFGR 0x40021008u
#define RCC_PLLCFGR 0x4002100Cu
#define RCC_AHB2ENR 0x4002104Cu
#define RCC_APB1ENR1 0x40021058u
#define RCC_APB1ENR2 0x4002105Cu
#define FLASH_ACR 0x40022000u

#define MSI_HZ 4000000u                /* the oscillator's range after reset */
#define PLL_N (2u * TINYFLOW_CLOCK_HZ / MSI_HZ) /* M = 1; the VCO at twice the core clock, R = 2 */

_Static_assert(TINYFLOW_CLOCK_HZ <= 120000000u && TINYFLOW_CLOCK_HZ > 80000000u,
               "made for boost mode");
_Static_assert(PLL_N >= 8 && PLL_N <= 127, "no PLL multiplier");

static void clock_init(void) {
    tinyflow_modify(RCC_APB1ENR1, 0, BIT(28)); /* PWREN */
    (void)REG32(RCC_APB1ENR1);

    /* PLL: source MSI, M = 1, N, R = 2 (PLLR = 0); its R output feeds the core. */
    tinyflow_wait(RCC_CR, BIT(1), BIT(1)); /* MSIRDY */
    REG32(RCC_PLLCFGR) = 1u | (PLL_N << 8) | BIT(24);
    tinyflow_modify(RCC_CR, 0, BIT(24)); /* PLLON */
    tinyflow_wait(RCC_CR, BIT(25), BIT(25));

    /* "Dynamic voltage scaling management", from range 1 to range 1 boost mode: halve the
     * AHB clock, clear R1MODE, set the wait states, switch, wait 1 us, restore the AHB clock. */
    tinyflow_modify(RCC_CFGR, 0xFu << 4, 8u << 4);
    tinyflow_modify(PWR_CR5, BIT(8), 0);
    /* "Read access latency": 5 wait states at 120 MHz in boost mode; FLASH_ACR: prefetch,
     * instruction and data cache. */
    tinyflow_modify(FLASH_ACR, 0xFu, 5u | BIT(8) | BIT(9) | BIT(10));
    tinyflow_wait(FLASH_ACR, 0xFu, 5u);
    tinyflow_modify(RCC_CFGR, 3u, 3u);
    tinyflow_wait(RCC_CFGR, 3u << 2, 3u << 2);
    for (uint32_t turn = 0; turn < 60u; ++turn) {
        __asm volatile("nop"); /* at least one cycle each, of a 60 MHz core: 1 us and more */
    }
    tinyflow_modify(RCC_CFGR, 0xFu << 4, 0);
}

static void uart_init(void) {
    tinyflow_modify(PWR_CR2, 0, BIT(9)); /* IOSV: port G, from pin 2 on, is supplied by VDDIO2 */
    tinyflow_modify(RCC_AHB2ENR, 0, BIT(TINYFLOW_UART_TX_PORT) | BIT(TINYFLOW_UART_RX_PORT));
    tinyflow_modify(RCC_APB1ENR2, 0, BIT(0)); /* LPUART1EN; clocked by APB1, as after reset */
    (void)REG32(RCC_APB1ENR2);
    /* "LPUART baud rate generation": BRR is 256 times the divider of the clock. */
    REG32(USART_V2_BRR) =
        (uint32_t)((256ull * TINYFLOW_CLOCK_HZ + TINYFLOW_UART_BAUD / 2u) / TINYFLOW_UART_BAUD);
    REG32(USART_V2_CR3) = USART_V2_CR3_OVRDIS; /* an overrun must not stop reception */
    REG32(USART_V2_CR1) = USART_V2_CR1_UE | USART_CR1_TE | USART_CR1_RE;
    tinyflow_stm32_uart_pins(GPIOA);
}

void tinyflow_mcu_init(void) {
    clock_init();
    tinyflow_cycle_counter_start();
    uart_init();
}

uint8_t tinyflow_mcu_uart_read(void) {
    return tinyflow_stm32_uart_read(USART_V2_ISR, USART_V2_RDR);
}

void tinyflow_mcu_uart_write(uint8_t byte) {
    tinyflow_stm32_uart_write(USART_V2_ISR, USART_V2_TDR, byte);
}

void tinyflow_mcu_uart_flush(void) {
    tinyflow_stm32_uart_flush(USART_V2_ISR);
}

uint32_t tinyflow_mcu_cycles(void) {
    return tinyflow_cycle_counter();
}
