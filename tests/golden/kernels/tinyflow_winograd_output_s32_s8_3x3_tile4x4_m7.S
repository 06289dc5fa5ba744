/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tinyflow_winograd_output_s32_s8_3x3_tile4x4_m7.S: the output transform Y = A^T C M C A of Winograd's F(4x4, 3x3), for two
 * filters and four tiles, and the requantisation.
 *
 * void tinyflow_winograd_output_s32_s8_3x3_tile4x4_m7(int32_t *products, int8_t *const *outputs,
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
m4          .req r8
m5          .req r9
t0          .req r10
ninth       .req r1         /* 1/9 modulo 2^32, times 1, 2 and 4 */
ninth2      .req r2
ninth4      .req r3
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

    .section .text.tinyflow_winograd_output_s32_s8_3x3_tile4x4_m7, "ax", %progbits
    .p2align 2
    .global tinyflow_winograd_output_s32_s8_3x3_tile4x4_m7
    .thumb_func
    .type tinyflow_winograd_output_s32_s8_3x3_tile4x4_m7, %function
tinyflow_winograd_output_s32_s8_3x3_tile4x4_m7:
    push    {r4-r11, lr}
    sub     sp, #FRAME
    strd    r0, r1, [sp, #PRODUCTS]
    strd    r2, r3, [sp, #TARGET]

    /* both biases, to element (1, 1) of each tile */
    ldrd    r4, r5, [r2, #16]
    add     r3, r0, #224
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

    movw    ninth, #0x8e39
    movt    ninth, #0x38e3
    lsl     ninth2, ninth, #1
    lsl     ninth4, ninth, #2
    add     end, element, #192
    .p2align 2
.Lcolumn:
    ldr     m1, [element, #192]
    ldr     m2, [element, #384]
    ldr     m3, [element, #576]
    add     t0, m1, m2              /* p = m1 + m2 */
    ldr     m4, [element, #768]
    sub     m1, m1, m2              /* q = m1 - m2 */
    ldr     m0, [element, #0]
    add     m2, m3, m4              /* r = m3 + m4 */
    ldr     m5, [element, #960]
    sub     m3, m3, m4              /* s = m3 - m4 */
    add     m0, m0, m0, lsl #1
    sub     m4, m2, t0              /* r - p */
    add     m5, m5, m5, lsl #1
    mul     m4, m4, ninth4
    add     m0, m2, m0, lsl #1
    add     m5, m5, m3
    sub     m0, m0, t0, lsl #2      /* 6 m0 - 4 p + r */
    rsb     m5, m1, m5, lsl #1      /* 2 s - q + 6 m5 */
    mul     m0, m0, ninth
    sub     m1, m3, m1, lsl #1      /* s - 2 q */
    mul     m5, m5, ninth4
    mul     m1, m1, ninth2
    str     m5, [element, #576]
    str     m4, [element, #384]
    str     m1, [element, #192]
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
    add     end, element, #768
    ldr     output, [m1], #4
    str     m1, [sp, #OUTPUTS]
    add     output, m0
    .p2align 2
.Lrow:
    ldr     m1, [element, #32]
    ldr     m2, [element, #64]
    ldr     m3, [element, #96]
    add     t0, m1, m2              /* p = m1 + m2 */
    ldr     m4, [element, #128]
    sub     m1, m1, m2              /* q = m1 - m2 */
    ldr     m0, [element, #0]
    add     m2, m3, m4              /* r = m3 + m4 */
    ldr     m5, [element, #160]
    sub     m3, m3, m4              /* s = m3 - m4 */
    add     m0, m0, m0, lsl #1
    sub     m4, m2, t0              /* r - p */
    add     m5, m5, m5, lsl #1
    add     m0, m2, m0, lsl #1
    add     m5, m5, m3
    sub     m0, m0, t0, lsl #2      /* 6 m0 - 4 p + r */
    rsb     m5, m1, m5, lsl #1      /* 2 s - q + 6 m5 */
    sub     m1, m3, m1, lsl #1      /* s - 2 q */
    asr     m0, m0, #6
    asr     m1, m1, #5
    asr     m4, m4, #4
    asr     m5, m5, #4
    smmlar  m0, m0, multiplier, m0
    smmlar  m1, m1, multiplier, m1
    smmlar  m4, m4, multiplier, m4
    smmlar  m5, m5, multiplier, m5
    smmlar  m0, m0, power, zero
    smmlar  m1, m1, power, zero
    smmlar  m4, m4, power, zero
    smmlar  m5, m5, power, zero
    add     t0, pixel, pixel, lsl #1
    add     element, #192
    ssat    m0, #8, m0
    strb    m0, [output]
    ssat    m1, #8, m1
    strb    m1, [output, pixel]
    ssat    m4, #8, m4
    strb    m4, [output, pixel, lsl #1]
    ssat    m5, #8, m5
    strb    m5, [output, t0]
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
    .size   tinyflow_winograd_output_s32_s8_3x3_tile4x4_m7, . - tinyflow_winograd_output_s32_s8_3x3_tile4x4_m7
