/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tinyflow_winograd_output_s32_s8_3x3_tile2x2_m7.S: the output transform Y = A^T C M C A of Winograd's F(2x2, 3x3), for two
 * filters and four tiles, and the requantisation.
 *
 * void tinyflow_winograd_output_s32_s8_3x3_tile2x2_m7(int32_t *products, int8_t *const *outputs,
 *                 const tinyflow_winograd_target *target, size_t filters);
 *
 * products[element][filter][tile] are overwritten, columns first; outputs has the first pixel of
 * each tile. There are one or two filters; of one the products of the second are of no account.
 */
    .syntax unified
    .thumb

element     .req r0
m0          .req r4
m1          .req r5
m2          .req r6
m3          .req r7
t0          .req r10
multiplier  .req r1
power       .req r2
zero        .req r3
pixel       .req r11        /* bytes from one to the next */
output      .req r12
end         .req lr

    .equ PRODUCTS, 0        /* on the stack; of the tile */
    .equ OUTPUTS, 4         /* of the tile */
    .equ TARGET, 8
    .equ FILTERS, 12        /* that are left */
    .equ LAST, 16           /* products behind those of the last tile */
    .equ CHANNEL, 20        /* the next filter's constants */
    .equ NUMBER, 24         /* the filter's */
    .equ PITCH, 28          /* bytes from a row of pixels to the next */
    .equ FRAME, 36

    .section .text.tinyflow_winograd_output_s32_s8_3x3_tile2x2_m7, "ax", %progbits
    .p2align 2
    .global tinyflow_winograd_output_s32_s8_3x3_tile2x2_m7
    .thumb_func
    .type tinyflow_winograd_output_s32_s8_3x3_tile2x2_m7, %function
tinyflow_winograd_output_s32_s8_3x3_tile2x2_m7:
    push    {r4-r11, lr}
    sub     sp, #FRAME
    strd    r0, r1, [sp, #PRODUCTS]
    strd    r2, r3, [sp, #TARGET]

    /* both biases, to element (1, 1) of each tile */
    ldrd    r4, r5, [r2, #16]
    add     r3, r0, #160
    ldr     r1, [r4]
    ldr     r2, [r5]
    ldm     r3, {r4-r11}
    add     r4, r1
    add     r5, r1
    add     r6, r1
    add     r7, r1
    add     r8, r2
    add     r9, r2
    add     r10, r2
    add     r11, r2
    stm     r3, {r4-r11}

    add     end, element, #128
    .p2align 2
.Lcolumn:
    ldr     m1, [element, #128]
    ldr     m2, [element, #256]
    ldr     m0, [element, #0]
    ldr     m3, [element, #384]
    add     t0, m1, m2
    sub     m1, m1, m2
    add     m0, t0, m0, lsl #1      /* 2 m0 + m1 + m2 */
    sub     m1, m1, m3, lsl #1      /* m1 - m2 - 2 m3 */
    str     m1, [element, #128]
    str     m0, [element], #4
    cmp     element, end
    bne     .Lcolumn

    ldr     t0, [sp, #TARGET]
    ldm     t0!, {r3, r4, r5, r6}    /* zero, pixel, the pitch and the filter's number */
    mov     pixel, r4
    str     t0, [sp, #CHANNEL]
    str     r5, [sp, #PITCH]
    str     r6, [sp, #NUMBER]
.Lfilter:
    ldr     t0, [sp, #CHANNEL]
    ldr     element, [sp, #PRODUCTS]
    ldr     m0, [t0], #4
    add     element, #16
    str     t0, [sp, #CHANNEL]
    str     element, [sp, #LAST]
    ldrd    multiplier, power, [m0, #4]
.Ltile:
    ldr     element, [sp, #PRODUCTS]
    ldr     m0, [sp, #NUMBER]
    ldr     m1, [sp, #OUTPUTS]
    add     end, element, #256
    ldr     output, [m1], #4
    str     m1, [sp, #OUTPUTS]
    add     output, m0
    .p2align 2
.Lrow:
    ldr     m1, [element, #32]
    ldr     m2, [element, #64]
    ldr     m0, [element, #0]
    ldr     m3, [element, #96]
    add     t0, m1, m2
    sub     m1, m1, m2
    add     m0, t0, m0, lsl #1      /* 2 m0 + m1 + m2 */
    sub     m1, m1, m3, lsl #1      /* m1 - m2 - 2 m3 */
    asr     m0, m0, #2
    asr     m1, m1, #2
    smmlar  m0, m0, multiplier, m0
    smmlar  m1, m1, multiplier, m1
    smmlar  m0, m0, power, zero
    smmlar  m1, m1, power, zero
    add     element, #128
    ssat    m0, #8, m0
    strb    m0, [output]
    ssat    m1, #8, m1
    strb    m1, [output, pixel]
    ldr     t0, [sp, #PITCH]
    cmp     element, end
    add     output, t0
    bne     .Lrow

    ldrd    m0, m1, [sp, #PRODUCTS]
    ldr     t0, [sp, #LAST]
    add     m0, #4
    str     m0, [sp, #PRODUCTS]
    cmp     m0, t0
    bne     .Ltile

    ldr     t0, [sp, #FILTERS]
    ldr     m2, [sp, #NUMBER]
    sub     m1, #16                 /* the first tile's output again */
    add     m2, #1
    subs    t0, #1
    str     m1, [sp, #OUTPUTS]
    str     m2, [sp, #NUMBER]
    str     t0, [sp, #FILTERS]
    bne     .Lfilter
    add     sp, #FRAME
    pop     {r4-r11, pc}
    .size   tinyflow_winograd_output_s32_s8_3x3_tile2x2_m7, . - tinyflow_winograd_output_s32_s8_3x3_tile2x2_m7
