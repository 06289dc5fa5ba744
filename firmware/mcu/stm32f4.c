/* SPDX-License-Identifier: Apache-2.0 */
/*
 * STM32F405/407/415/417 at up to 168 MHz from an external crystal.
 * Source: ST RM0090; sections and registers are named where they are used.
 *
 * Board defines: TINYFLOW_HSE_HZ (crystal, a multiple of 1 MHz), TINYFLOW_UART_APB (1 or 2: the UART's bus),
 * TINYFLOW_UART_ENABLE_BIT (its bit in RCC_APBxENR), and those of stm32.h.
 */
#include "tinyflow_mcu.h"

#include "cortex_m.h"
#include "stm32.h"

#define PWR_CR 0x40007000u
#define GPIOA 0x40020000u
#define RCC_CR 0x40023800u
#define RCC_PLLCFGR 0x40023804u
#define RCC_CFGR 0x40023808u
#define RCC_AHB1ENR 0x40023830u
#define RCC_APB1ENR 0x40023840u
#define RCC_APB2ENR 0x40023844u
#define FLASH_ACR 0x40023C00u

#define PLL_M (TINYFLOW_HSE_HZ / 1000000u)      /* 1 MHz into the PLL */
#define PLL_N (2u * TINYFLOW_CLOCK_HZ / 1000000u) /* the VCO at twice the core clock, P = 2 */
#define UART_CLOCK_HZ (TINYFLOW_CLOCK_HZ / (TINYFLOW_UART_APB == 2 ? 2u : 4u))

_Static_assert(TINYFLOW_HSE_HZ % 1000000u == 0 && PLL_M >= 2 && PLL_M <= 63,
               "no PLL input divider");
_Static_assert(TINYFLOW_CLOCK_HZ <= 168000000u && PLL_N >= 100 && PLL_N <= 432,
               "no PLL multiplier");

static void clock_init(void) {
    tinyflow_modify(RCC_APB1ENR, 0, BIT(28)); /* PWREN */
    (void)REG32(RCC_APB1ENR);           /* ES0182: the enabled clock arrives two cycles later */
    tinyflow_modify(PWR_CR, 0, BIT(14));      /* 5.4.1 VOS: scale 1, as after reset */

    tinyflow_modify(RCC_CR, 0, BIT(16)); /* HSEON */
    tinyflow_wait(RCC_CR, BIT(17), BIT(17));

    /* 7.3.2: M, N, P = 2, source HSE, Q = 7 (48 MHz for USB at 336 MHz); bit 29 is reserved. */
    tinyflow_modify(RCC_PLLCFGR, 0x0F437FFFu, PLL_M | (PLL_N << 6) | BIT(22) | (7u << 24));
    tinyflow_modify(RCC_CR, 0, BIT(24)); /* PLLON */
    tinyflow_wait(RCC_CR, BIT(25), BIT(25));

    /* 3.5.1 table 10: 5 wait states at 168 MHz and 2.7-3.6 V; 3.9.1: prefetch, I and D cache.
     * (The prefetch queue fails on the first silicon, revision A: ES0182.) */
    tinyflow_modify(FLASH_ACR, 7u, 5u | BIT(8) | BIT(9) | BIT(10));
    tinyflow_wait(FLASH_ACR, 7u, 5u);

    /* 7.3.3: AHB / 1, APB1 / 4, APB2 / 2; then run from the PLL. */
    tinyflow_modify(RCC_CFGR, 0xFCF0u, (5u << 10) | (4u << 13));
    tinyflow_modify(RCC_CFGR, 3u, 2u);
    tinyflow_wait(RCC_CFGR, 3u << 2, 2u << 2);
}

static void uart_init(void) {
    tinyflow_modify(RCC_AHB1ENR, 0, BIT(TINYFLOW_UART_TX_PORT) | BIT(TINYFLOW_UART_RX_PORT));
    tinyflow_modify(TINYFLOW_UART_APB == 2 ? RCC_APB2ENR : RCC_APB1ENR, 0,
                    BIT(TINYFLOW_UART_ENABLE_BIT));
    (void)REG32(RCC_APB2ENR);
    /* 30.3.4: with 16-fold oversampling BRR is the divider of the bus clock, in sixteenths. */
    REG32(USART_V1_BRR) = (UART_CLOCK_HZ + TINYFLOW_UART_BAUD / 2u) / TINYFLOW_UART_BAUD;
    REG32(USART_V1_CR1) = USART_V1_CR1_UE | USART_CR1_TE | USART_CR1_RE;
    tinyflow_stm32_uart_pins(GPIOA);
}

void tinyflow_mcu_init(void) {
    clock_init();
    tinyflow_cycle_counter_start();
    uart_init();
}

uint8_t tinyflow_mcu_uart_read(void) {
    return tinyflow_stm32_uart_read(USART_V1_SR, USART_V1_DR);
}

void tinyflow_mcu_uart_write(uint8_t byte) {
    tinyflow_stm32_uart_write(USART_V1_SR, USART_V1_DR, byte);
}

void tinyflow_mcu_uart_flush(void) {
    tinyflow_stm32_uart_flush(USART_V1_SR);
}

uint32_t tinyflow_mcu_cycles(void) {
    return tinyflow_cycle_counter();
}
