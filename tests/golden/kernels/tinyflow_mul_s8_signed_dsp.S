/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tinyflow_mul_s8_signed_dsp.S: product of two int8 arrays, element by element.
 *
 *   void tinyflow_mul_s8_signed_dsp(const int8_t *left, const int8_t *right, int8_t *output,
 *                                   const tinyflow_product_constants *constants)
 *
 * SXTAB16 widens two elements and takes the zero point off. The output may begin at an operand or
 * before it.
 */
    .syntax unified
    .thumb
    .section .text.tinyflow_mul_s8_signed_dsp, "ax", %progbits
    .p2align 2
    .global tinyflow_mul_s8_signed_dsp
    .thumb_func
    .type tinyflow_mul_s8_signed_dsp, %function
tinyflow_mul_s8_signed_dsp:
    push    {r4-r11, lr}
left    .req r0
right   .req r1
output  .req r2
count   .req r3
minus_l .req r4     /* minus the left zero point, twice */
minus_r .req r5
scale   .req r6
power   .req r7
zero    .req r8
even    .req r9
odd     .req r10
even_r  .req r11
odd_r   .req r12
first   .req lr
    mov     r12, r3
    ldm     r12, {count, minus_l, minus_r, scale, power, zero}
    subs    count, count, #4
    blt     .Lrest
.Lfour:
    ldr     even, [left], #4
    ldr     even_r, [right], #4
    sxtab16 odd, minus_l, even, ror #8
    sxtab16 odd_r, minus_r, even_r, ror #8
    sxtab16 even, minus_l, even
    sxtab16 even_r, minus_r, even_r
    smulbb  first, even, even_r
    smultt  even, even, even_r
    smulbb  even_r, odd, odd_r
    smultt  odd, odd, odd_r
    smmlar  first, first, scale, first
    smmlar  even_r, even_r, scale, even_r
    smmlar  even, even, scale, even
    smmlar  odd, odd, scale, odd
    add     first, first, first, asr #31
    add     even_r, even_r, even_r, asr #31
    add     even, even, even, asr #31
    add     odd, odd, odd, asr #31
    smmlar  first, first, power, zero
    smmlar  even_r, even_r, power, zero
    smmlar  even, even, power, zero
    smmlar  odd, odd, power, zero
    ssat    first, #8, first
    ssat    even_r, #8, even_r
    ssat    even, #8, even
    ssat    odd, #8, odd
    strb    first, [output], #4
    strb    even_r, [output, #-3]
    strb    even, [output, #-2]
    strb    odd, [output, #-1]
    subs    count, count, #4
    bge     .Lfour
.Lrest:
    adds    count, count, #4
    beq     .Ldone
.Lone:
    ldrb    even, [left], #1
    ldrb    even_r, [right], #1
    sxtab16 even, minus_l, even
    sxtab16 even_r, minus_r, even_r
    smulbb  first, even, even_r
    smmlar  first, first, scale, first
    add     first, first, first, asr #31
    smmlar  first, first, power, zero
    ssat    first, #8, first
    strb    first, [output], #1
    subs    count, count, #1
    bne     .Lone
.Ldone:
    pop     {r4-r11, pc}
    .size tinyflow_mul_s8_signed_dsp, . - tinyflow_mul_s8_signed_dsp
