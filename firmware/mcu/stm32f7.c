/* SPDX-License-Identifier: Apache-2.0 */
/*
 * STM32F74x/75x at up to 216 MHz from an external crystal, in over-drive, both caches on.
 * Source: ST RM0385; sections and registers are named where they are used.
 *
 * Board defines: TINYFLOW_HSE_HZ (crystal, a multiple of 1 MHz), TINYFLOW_UART_APB (1 or 2: the UART's bus),
 * TINYFLOW_UART_ENABLE_BIT (its bit in RCC_APBxENR), and those of stm32.h. The UART is clocked by its
 * bus, as after reset (RCC_DCKCFGR2).
 */
#include "tinyflow_mcu.h"

#define TINYFLOW_CORTEX_M7
#include "cortex_m.h"
#include "stm32.h"

#define PWR_CR1 0x40007000u
#define PWR_CSR1 0x40007004u
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
_Static_assert(TINYFLOW_CLOCK_HZ <= 216000000u && PLL_N >= 100 && PLL_N <= 432,
               "no PLL multiplier");

static void clock_init(void) {
    tinyflow_modify(RCC_APB1ENR, 0, BIT(28)); /* PWREN */
    (void)REG32(RCC_APB1ENR);
    tinyflow_modify(PWR_CR1, 0, 3u << 14); /* 4.4.1 VOS: scale 1; only while the PLL is off */

    tinyflow_modify(RCC_CR, 0, BIT(16)); /* HSEON */
    tinyflow_wait(RCC_CR, BIT(17), BIT(17));

    /* 5.3.2: M, N, P = 2, source HSE, Q = 9 (48 MHz for USB at 432 MHz); bit 29 is reserved. */
    tinyflow_modify(RCC_PLLCFGR, 0x0F437FFFu, PLL_M | (PLL_N << 6) | BIT(22) | (9u << 24));
    tinyflow_modify(RCC_CR, 0, BIT(24)); /* PLLON */

    /* 4.1.4 "Entering Over-drive mode", while the core still runs from the 16 MHz HSI. */
    tinyflow_modify(PWR_CR1, 0, BIT(16)); /* ODEN */
    tinyflow_wait(PWR_CSR1, BIT(16), BIT(16));
    tinyflow_modify(PWR_CR1, 0, BIT(17)); /* ODSWEN */
    tinyflow_wait(PWR_CSR1, BIT(17), BIT(17));

    /* 3.3.2 table 5: 7 wait states at 216 MHz and 2.7-3.6 V. Prefetch and the ART accelerator
     * (3.7.1; ARTRST while it is off) handle fetches over ITCM; the image is linked to the AXI
     * address of the flash, where the core's own caches do their work. */
    tinyflow_modify(FLASH_ACR, 0, BIT(11));
    tinyflow_modify(FLASH_ACR, BIT(11) | 0xFu, 7u | BIT(8) | BIT(9));
    tinyflow_wait(FLASH_ACR, 0xFu, 7u);

    tinyflow_wait(RCC_CR, BIT(25), BIT(25)); /* PLLRDY */

    /* 5.3.3: AHB / 1, APB1 / 4, APB2 / 2; then run from the PLL. */
    tinyflow_modify(RCC_CFGR, 0xFCF0u, (5u << 10) | (4u << 13));
    tinyflow_modify(RCC_CFGR, 3u, 2u);
    tinyflow_wait(RCC_CFGR, 3u << 2, 2u << 2);
}

static void uart_init(void) {
    tinyflow_modify(RCC_AHB1ENR, 0, BIT(TINYFLOW_UART_TX_PORT) | BIT(TINYFLOW_UART_RX_PORT));
    tinyflow_modify(TINYFLOW_UART_APB == 2 ? RCC_APB2ENR : RCC_APB1ENR, 0,
                    BIT(TINYFLOW_UART_ENABLE_BIT));
    (void)REG32(RCC_APB2ENR);
    /* 31.5.4: with 16-fold oversampling BRR is the divider of the bus clock, in sixteenths. */
    REG32(USART_V2_BRR) = (UART_CLOCK_HZ + TINYFLOW_UART_BAUD / 2u) / TINYFLOW_UART_BAUD;
    REG32(USART_V2_CR3) = USART_V2_CR3_OVRDIS; /* an overrun must not stop reception */
    REG32(USART_V2_CR1) = USART_V2_CR1_UE | USART_CR1_TE | USART_CR1_RE;
    tinyflow_stm32_uart_pins(GPIOA);
}

void tinyflow_mcu_init(void) {
    tinyflow_caches_enable();
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
