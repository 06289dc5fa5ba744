/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tinyflow_fully_connected_s8_2x1x4_bytes_rest_odd_channels_dsp.S: one row of a fully connected layer, int8.
 *
 *   void tinyflow_fully_connected_s8_2x1x4_bytes_rest_odd_channels_dsp(const uint32_t *row, int8_t *output, const uint32_t *packed,
 *                                                                      const tinyflow_fully_connected_params *params)
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
 * The packed weights have for each step of each output one word, the weights w0 to w3 of x0 to x3:
 *
 *   sum += (odd + w0,w2) * (even + w1,w3)
 *
 * It begins with the starting values of the block's 6 sums and ends with their scales.
 */
    .syntax unified
    .thumb
    .section .text.tinyflow_fully_connected_s8_2x1x4_bytes_rest_odd_channels_dsp, "ax", %progbits
    .p2align 2
    .global tinyflow_fully_connected_s8_2x1x4_bytes_rest_odd_channels_dsp
    .thumb_func
    .type tinyflow_fully_connected_s8_2x1x4_bytes_rest_odd_channels_dsp, %function
tinyflow_fully_connected_s8_2x1x4_bytes_rest_odd_channels_dsp:
    push    {r4-r11, lr}
row     .req r0
packed  .req r1
low0    .req r2   /* sums of outputs 0 and 1 */
high0   .req r3
low1    .req r4   /* sums of outputs 2 and 3 */
high1   .req r5
low2    .req r6   /* sums of outputs 4 and 5 */
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
    mov     packed, r2
.Lpair:
    vmov    p, s2
    ldrd    low0, high0, [packed], #8
    sub     low0, low0, p
    sub     high0, high0, p
    sub     packed, packed, #8
.Lpair_steps:
    ldr     even, [row, #4]
    ldr     odd, [row, #8]!
    ldrd    p, q, [packed, #8]!
    sxtab16 next_p, odd, p
    sxtab16 p, even, p, ror #8
    smlad   low0, next_p, p, low0
    sxtab16 next_p, odd, q
    sxtab16 q, even, q, ror #8
    smlad   high0, next_p, q, high0
    vmov    p, s1
    cmp     row, p
    bne     .Lpair_steps
    add     packed, packed, #8
    /* the sums become outputs */
    vmov    odd, s3
    vmov    q, s6
    ldrd    even, p, [packed], #8
    smmlar  low0, low0, even, low0
    smmlar  low0, low0, p, q
    ssat    low0, #8, low0
    strb    low0, [odd], #1
    ldrd    even, p, [packed], #8
    smmlar  high0, high0, even, high0
    smmlar  high0, high0, p, q
    ssat    high0, #8, high0
    vmov    row, s5
    cmp     odd, row                    /* of an odd number of outputs the last has no partner */
    beq     .Ldone
    strb    high0, [odd], #1
    vmov    s3, odd
    vmov    row, s0
    vmov    p, s5
    cmp     odd, p
    bne     .Lpair
.Ldone:
    pop     {r4-r11, pc}
    .size tinyflow_fully_connected_s8_2x1x4_bytes_rest_odd_channels_dsp, . - tinyflow_fully_connected_s8_2x1x4_bytes_rest_odd_channels_dsp
