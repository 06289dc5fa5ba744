/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tinyflow_add_s8_lut_signed_dsp.S: sum of two int8 arrays, element by element.
 *
 *   void tinyflow_add_s8_lut_signed_dsp(const int8_t *looked_up, const int8_t *shifted, int8_t *output,
 *                                       const tinyflow_sum_table_constants *constants)
 *
 * TFLM scales each operand by its scale over twice the larger one, times 2^20. For the operand of
 * the larger scale that is a shift by 19 and nothing else; the other's product, both zero points
 * included, is in a table of all 256. The sum is requantised with both of the reference's
 * roundings. The output may begin at an operand or before it.
 */
    .syntax unified
    .thumb
    .section .text.tinyflow_add_s8_lut_signed_dsp, "ax", %progbits
    .p2align 2
    .global tinyflow_add_s8_lut_signed_dsp
    .thumb_func
    .type tinyflow_add_s8_lut_signed_dsp, %function
tinyflow_add_s8_lut_signed_dsp:
    push    {r4-r11, lr}
looked_up .req r0
shifted   .req r1
output    .req r2
count     .req r3
table     .req r4
scale     .req r5
power     .req r6
zero      .req r7
index4    .req r8
shifted4  .req r9
sum0      .req r10
sum1      .req r11
sum2      .req r12
sum3      .req lr
    mov     r12, r3
    ldm     r12, {count, table, scale, power, zero}
    subs    count, count, #4
    blt     .Lrest
.Lfour:
    ldr     index4, [looked_up], #4
    ldr     shifted4, [shifted], #4
    uxtb    sum0, index4
    uxtb    sum1, index4, ror #8
    uxtb    sum2, index4, ror #16
    uxtb    sum3, index4, ror #24
    ldr     sum0, [table, sum0, lsl #2]
    ldr     sum1, [table, sum1, lsl #2]
    ldr     sum2, [table, sum2, lsl #2]
    ldr     sum3, [table, sum3, lsl #2]
    sxtb    index4, shifted4
    add     sum0, sum0, index4, lsl #19
    sxtb    index4, shifted4, ror #8
    add     sum1, sum1, index4, lsl #19
    sxtb    index4, shifted4, ror #16
    add     sum2, sum2, index4, lsl #19
    sxtb    index4, shifted4, ror #24
    add     sum3, sum3, index4, lsl #19
    smmlar  sum0, sum0, scale, sum0
    smmlar  sum1, sum1, scale, sum1
    smmlar  sum2, sum2, scale, sum2
    smmlar  sum3, sum3, scale, sum3
    add     sum0, sum0, sum0, asr #31
    add     sum1, sum1, sum1, asr #31
    add     sum2, sum2, sum2, asr #31
    add     sum3, sum3, sum3, asr #31
    smmlar  sum0, sum0, power, zero
    smmlar  sum1, sum1, power, zero
    smmlar  sum2, sum2, power, zero
    smmlar  sum3, sum3, power, zero
    ssat    sum0, #8, sum0
    ssat    sum1, #8, sum1
    ssat    sum2, #8, sum2
    ssat    sum3, #8, sum3
    strb    sum0, [output], #4
    strb    sum1, [output, #-3]
    strb    sum2, [output, #-2]
    strb    sum3, [output, #-1]
    subs    count, count, #4
    bge     .Lfour
.Lrest:
    adds    count, count, #4
    beq     .Ldone
.Lone:
    ldrb    sum0, [looked_up], #1
    ldrsb   shifted4, [shifted], #1
    ldr     sum0, [table, sum0, lsl #2]
    add     sum0, sum0, shifted4, lsl #19
    smmlar  sum0, sum0, scale, sum0
    add     sum0, sum0, sum0, asr #31
    smmlar  sum0, sum0, power, zero
    ssat    sum0, #8, sum0
    strb    sum0, [output], #1
    subs    count, count, #1
    bne     .Lone
.Ldone:
    pop     {r4-r11, pc}
    .size tinyflow_add_s8_lut_signed_dsp, . - tinyflow_add_s8_lut_signed_dsp
