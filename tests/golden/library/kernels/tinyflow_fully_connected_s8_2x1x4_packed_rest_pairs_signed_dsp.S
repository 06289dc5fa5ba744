/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tinyflow_fully_connected_s8_2x1x4_packed_rest_pairs_signed_dsp.S: one row of a fully connected layer, int8.
 *
 *   void tinyflow_fully_connected_s8_2x1x4_packed_rest_pairs_signed_dsp(const uint32_t *row, int8_t *output, const uint32_t *packed,
 *                                                                       const tinyflow_fully_connected_params *params)
 *
 * 6 outputs at a time, then 2 at a time. Of each step's 4 inputs, `row` holds two words of int16:
 * even = (x0, x2) and odd = (x1, x3); its first word is S, the sum of all x0 * x1 + x2 * x3.
 *
 * An inner product of pairs costs one multiplication for two products (S. Winograd, "A New
 * Algorithm for Inner Product", IEEE Trans. Comput. C-17, 1968):
 *
 *   (x1 + w0) * (x0 + w1) = x0 * w0 + x1 * w1 + x0 * x1 + w0 * w1
 *
 * SXTAB16 makes both sums while it widens the weights. What depends on the inputs alone is S, and
 * what depends on the weights alone is in the packed weights, taken from the bias.
 *
 * Of two outputs, a and b, a halfword holds 256 * a + b. Products of the halfwords as they are give
 * high = 256 * A + B; those of the lower bytes give low = B, in the way above; so A is
 * (high - low) / 256. The packed weights have for each step of each pair of outputs two words:
 *
 *   word   bits 31-24  23-16  15-8   7-0
 *     p       a2        b2     a0     b0        a, b: the weights of x0 to x3
 *     q       a3        b3     a1     b1
 *
 *   high += p * even + q * odd,   low += (odd + b0,b2) * (even + b1,b3)
 *
 * It begins with the starting values of the block's 6 sums.
 */
    .syntax unified
    .thumb
    .section .text.tinyflow_fully_connected_s8_2x1x4_packed_rest_pairs_signed_dsp, "ax", %progbits
    .p2align 2
    .global tinyflow_fully_connected_s8_2x1x4_packed_rest_pairs_signed_dsp
    .thumb_func
    .type tinyflow_fully_connected_s8_2x1x4_packed_rest_pairs_signed_dsp, %function
tinyflow_fully_connected_s8_2x1x4_packed_rest_pairs_signed_dsp:
    push    {r4-r11, lr}
row     .req r0
packed  .req r1
low0    .req r2
high0   .req r3
low1    .req r4
high1   .req r5
low2    .req r6
high2   .req r7
even    .req r10
odd     .req r11
p       .req r12
q       .req lr
next_p  .req r8
next_q  .req r9
    ldr     r4, [r3, #0]                /* bytes of the row's steps */
    ldr     r5, [r0]                    /* S */
    ldr     r6, [r3, #4]                /* outputs of the blocks */
    ldr     r7, [r3, #8]                /* all outputs */
    ldr     r8, [r3, #12]               /* the output's zero point */
    add     r4, r4, r0
    add     r6, r6, r1
    add     r7, r7, r1
    vmov    s0, r0
    vmov    s1, r4
    vmov    s2, r5
    vmov    s3, r1
    vmov    s4, r6
    vmov    s5, r7
    vmov    s6, r8
    ldrd    r4, r5, [r3, #16]           /* the one scale */
    vmov    s7, r4
    vmov    s8, r5
    mov     packed, r2
.Lpair:
    vmov    p, s2
    ldrd    low0, high0, [packed], #8
    sub     low0, low0, p
    sub     packed, packed, #8
.Lpair_steps:
    ldr     even, [row, #4]
    ldr     odd, [row, #8]!
    ldrd    p, q, [packed, #8]!
    smlad   high0, p, even, high0
    sxtab16 p, odd, p
    smlad   high0, q, odd, high0
    sxtab16 q, even, q
    smlad   low0, p, q, low0
    vmov    p, s1
    cmp     row, p
    bne     .Lpair_steps
    add     packed, packed, #8
    /* the sums become outputs */
    vmov    odd, s3
    vmov    q, s6
    sub     high0, high0, low0
    asr     high0, high0, #8
    vmov    even, s7
    vmov    p, s8
    smmlar  low0, low0, even, low0
    smmlar  high0, high0, even, high0
    add     low0, low0, low0, asr #31
    add     high0, high0, high0, asr #31
    smmlar  low0, low0, p, q
    smmlar  high0, high0, p, q
    ssat    low0, #8, low0
    ssat    high0, #8, high0
    strb    low0, [odd], #1
    strb    high0, [odd], #1
    vmov    s3, odd
    vmov    row, s0
    vmov    p, s5
    cmp     odd, p
    bne     .Lpair
.Ldone:
    pop     {r4-r11, pc}
    .size tinyflow_fully_connected_s8_2x1x4_packed_rest_pairs_signed_dsp, . - tinyflow_fully_connected_s8_2x1x4_packed_rest_pairs_signed_dsp
