/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tinyflow_depthwise_im2col_s8_s16_fixed_columns1_head_tail_pitch4_16_to_48_zero131_m7.S: four channels of lines of 3 pairs of pixels, 4 bytes apart, become columns.
 *
 * A line of a channel, with its padding before and behind, is cut into pairs of neighbours; each
 * pair of int16 is one word, and lines are 48 bytes apart:
 *
 *     columns[line][place][channel 0 to 3]
 *
 * Two pixels of four channels become four words: PKH puts channels 0 and 1 of both pixels into one
 * register and channels 2 and 3 into another, SXTB16 takes every second byte of them.
 *
 *     void tinyflow_depthwise_im2col_s8_s16_fixed_columns1_head_tail_pitch4_16_to_48_zero131_m7(const int8_t *input, uint32_t *columns,
 *                         const tinyflow_depthwise_lines *lines, int32_t count);
 *
 * `count` lines become words from the column that `columns` points into, the first with a pixel, on.
 * Pixels need not be aligned; `lines` is not read.
 */
#ifndef __ARM_FEATURE_DSP
#error "this kernel needs the DSP extension"
#endif
    .syntax unified
    .thumb

    from    .req r0     @ the next pixel
    to      .req r1     @ the next column
    until   .req r2     @ where the loop ends
    count   .req r3     @ of lines
    one     .req r12    @ pixels
    other   .req lr

    .section .text.tinyflow_depthwise_im2col_s8_s16_fixed_columns1_head_tail_pitch4_16_to_48_zero131_m7, "ax", %progbits
    .p2align 2
    .global tinyflow_depthwise_im2col_s8_s16_fixed_columns1_head_tail_pitch4_16_to_48_zero131_m7
    .type   tinyflow_depthwise_im2col_s8_s16_fixed_columns1_head_tail_pitch4_16_to_48_zero131_m7, %function
    .thumb_func
tinyflow_depthwise_im2col_s8_s16_fixed_columns1_head_tail_pitch4_16_to_48_zero131_m7:
    push    {r4-r11, lr}
    .p2align 2
1:  @ a line
    mov     one, #0x03030303
    ldr     other, [from, #0]
    pkhbt   r5, one, other, lsl #16
    pkhtb   r6, other, one, asr #16
    sxtb16  r4, r5
    ldr     one, [from, #4]
    sxtb16  r5, r5, ror #8
    ldr     other, [from, #8]
    sxtb16  r7, r6, ror #8
    str     r4, [to, #0]
    sxtb16  r6, r6
    str     r5, [to, #4]
    pkhbt   r9, one, other, lsl #16
    str     r6, [to, #8]
    pkhtb   r10, other, one, asr #16
    str     r7, [to, #12]
    sxtb16  r8, r9
    ldr     one, [from, #12]
    sxtb16  r9, r9, ror #8
    mov     other, #0x03030303
    sxtb16  r11, r10, ror #8
    str     r8, [to, #16]
    sxtb16  r10, r10
    str     r9, [to, #20]
    pkhbt   r5, one, other, lsl #16
    str     r10, [to, #24]
    pkhtb   r6, other, one, asr #16
    str     r11, [to, #28]
    sxtb16  r4, r5
    sxtb16  r5, r5, ror #8
    sxtb16  r7, r6, ror #8
    str     r4, [to, #32]
    sxtb16  r6, r6
    str     r5, [to, #36]
    str     r6, [to, #40]
    str     r7, [to, #44]
    add     to, to, #48
    addw    from, from, #16
    subs    count, count, #1
    bne     1b
    pop     {r4-r11, pc}
    .size   tinyflow_depthwise_im2col_s8_s16_fixed_columns1_head_tail_pitch4_16_to_48_zero131_m7, . - tinyflow_depthwise_im2col_s8_s16_fixed_columns1_head_tail_pitch4_16_to_48_zero131_m7
