/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tinyflow_add_s8_rounded_once_shift20_dsp.S: weighted sum of two int8 arrays, element by element.
 *
 *   void tinyflow_add_s8_rounded_once_shift20_dsp(const int8_t *left, const int8_t *right, int8_t *output,
 *                                                 const tinyflow_sum_constants *constants)
 *
 *   output = saturate((left * L + right * R) / 2^8 + offset) / 2^20)
 *
 * L, R and the offset were found when the code was generated, and the result compared with that of
 * TFLM's three roundings for all 65536 pairs of operands. SMLAW multiplies a word by a halfword and
 * drops 16 bits of the product; the operands are in the upper bytes of halfwords:
 *
 *   word of the array   x3 x2 x1 x0
 *     even              x2  0 x0  0
 *     odd               x3  0 x1  0
 *
 * The output may begin at an operand or before it.
 */
    .syntax unified
    .thumb
    .section .text.tinyflow_add_s8_rounded_once_shift20_dsp, "ax", %progbits
    .p2align 2
    .global tinyflow_add_s8_rounded_once_shift20_dsp
    .thumb_func
    .type tinyflow_add_s8_rounded_once_shift20_dsp, %function
tinyflow_add_s8_rounded_once_shift20_dsp:
    push    {r4-r11, lr}
left     .req r0
right    .req r1
output   .req r2
count    .req r3
by_left  .req r4
by_right .req r5
offset   .req r6
even     .req r7
odd      .req r8
even_r   .req r9
odd_r    .req r10
out0     .req r11
out1     .req r12
    mov     r12, r3
    ldm     r12, {count, by_left, by_right, offset}
    subs    count, count, #4
    blt     .Lrest
.Lfour:
    ldr     even, [left], #4
    ldr     even_r, [right], #4
    and     odd, even, #0xff00ff00
    lsl     even, even, #8
    and     even, even, #0xff00ff00
    and     odd_r, even_r, #0xff00ff00
    lsl     even_r, even_r, #8
    and     even_r, even_r, #0xff00ff00
    smlawb  out0, by_left, even, offset
    smlawb  out1, by_left, odd, offset
    smlawt  even, by_left, even, offset
    smlawt  odd, by_left, odd, offset
    smlawb  out0, by_right, even_r, out0
    smlawb  out1, by_right, odd_r, out1
    smlawt  even, by_right, even_r, even
    smlawt  odd, by_right, odd_r, odd
    ssat    out0, #8, out0, asr #20
    ssat    out1, #8, out1, asr #20
    ssat    even, #8, even, asr #20
    ssat    odd, #8, odd, asr #20
    strb    out0, [output], #4
    strb    out1, [output, #-3]
    strb    even, [output, #-2]
    strb    odd, [output, #-1]
    subs    count, count, #4
    bge     .Lfour
.Lrest:
    adds    count, count, #4
    beq     .Ldone
.Lone:
    ldrsb   even, [left], #1
    ldrsb   even_r, [right], #1
    lsl     even, even, #8
    lsl     even_r, even_r, #8
    smlawb  out0, by_left, even, offset
    smlawb  out0, by_right, even_r, out0
    ssat    out0, #8, out0, asr #20
    strb    out0, [output], #1
    subs    count, count, #1
    bne     .Lone
.Ldone:
    pop     {r4-r11, pc}
    .size tinyflow_add_s8_rounded_once_shift20_dsp, . - tinyflow_add_s8_rounded_once_shift20_dsp
