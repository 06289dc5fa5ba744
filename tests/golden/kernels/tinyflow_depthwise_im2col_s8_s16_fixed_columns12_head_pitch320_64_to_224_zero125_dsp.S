/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tinyflow_depthwise_im2col_s8_s16_fixed_columns12_head_pitch320_64_to_224_zero125_dsp.S: four channels of lines of 13 pairs of pixels, 320 bytes apart, become columns.
 *
 * A line of a channel, with its padding before and behind, is cut into pairs of neighbours; each
 * pair of int16 is one word, and lines are 224 bytes apart:
 *
 *     columns[line][place][channel 0 to 3]
 *
 * Two pixels of four channels become four words: PKH puts channels 0 and 1 of both pixels into one
 * register and channels 2 and 3 into another, SXTB16 takes every second byte of them.
 *
 *     void tinyflow_depthwise_im2col_s8_s16_fixed_columns12_head_pitch320_64_to_224_zero125_dsp(const int8_t *input, uint32_t *columns,
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

    .section .text.tinyflow_depthwise_im2col_s8_s16_fixed_columns12_head_pitch320_64_to_224_zero125_dsp, "ax", %progbits
    .p2align 2
    .global tinyflow_depthwise_im2col_s8_s16_fixed_columns12_head_pitch320_64_to_224_zero125_dsp
    .type   tinyflow_depthwise_im2col_s8_s16_fixed_columns12_head_pitch320_64_to_224_zero125_dsp, %function
    .thumb_func
tinyflow_depthwise_im2col_s8_s16_fixed_columns12_head_pitch320_64_to_224_zero125_dsp:
    push    {r4-r11, lr}
    .p2align 2
1:  @ a line
    mov     r4, #0xfdfdfdfd
    ldr     r6, [from, #0]
    pkhbt   r5, r4, r6, lsl #16
    pkhtb   r6, r6, r4, asr #16
    sxtb16  r4, r5
    sxtb16  r5, r5, ror #8
    sxtb16  r7, r6, ror #8
    sxtb16  r6, r6
    stm     to!, {r4-r7}
    addw    from, from, #320
    mov     until, from
    movw    one, #7680
    add     until, one
    .p2align 2
2:  @ 4 columns
    ldr     r4, [from, #0]
    ldr     r6, [from, #320]
    ldr     r8, [from, #640]
    ldr     r10, [from, #960]
    pkhbt   r5, r4, r6, lsl #16
    pkhtb   r6, r6, r4, asr #16
    sxtb16  r4, r5
    sxtb16  r5, r5, ror #8
    sxtb16  r7, r6, ror #8
    sxtb16  r6, r6
    pkhbt   r9, r8, r10, lsl #16
    pkhtb   r10, r10, r8, asr #16
    sxtb16  r8, r9
    sxtb16  r9, r9, ror #8
    sxtb16  r11, r10, ror #8
    sxtb16  r10, r10
    stm     to!, {r4-r11}
    ldr     r4, [from, #1280]
    ldr     r6, [from, #1600]
    ldr     r8, [from, #1920]
    ldr     r10, [from, #2240]
    pkhbt   r5, r4, r6, lsl #16
    pkhtb   r6, r6, r4, asr #16
    sxtb16  r4, r5
    sxtb16  r5, r5, ror #8
    sxtb16  r7, r6, ror #8
    sxtb16  r6, r6
    pkhbt   r9, r8, r10, lsl #16
    pkhtb   r10, r10, r8, asr #16
    sxtb16  r8, r9
    sxtb16  r9, r9, ror #8
    sxtb16  r11, r10, ror #8
    sxtb16  r10, r10
    stm     to!, {r4-r11}
    addw    from, from, #2560
    cmp     from, until
    bne     2b
    movw    until, #7936
    sub     from, until
    addw    to, to, #16
    subs    count, count, #1
    bne     1b
    pop     {r4-r11, pc}
    .size   tinyflow_depthwise_im2col_s8_s16_fixed_columns12_head_pitch320_64_to_224_zero125_dsp, . - tinyflow_depthwise_im2col_s8_s16_fixed_columns12_head_pitch320_64_to_224_zero125_dsp
