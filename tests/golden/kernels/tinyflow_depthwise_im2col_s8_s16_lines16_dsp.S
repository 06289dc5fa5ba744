/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tinyflow_depthwise_im2col_s8_s16_lines16_dsp.S: four channels of lines of int8 pixels become columns of pairs of int16.
 *
 * A line of a channel, with its padding before and behind, is cut into pairs of neighbours; each
 * pair is one word. The words of one place in all lines lie behind each other:
 *
 *     columns[place][line 0 to 15][channel 0 to 3]
 *
 * Two pixels of four channels become four words: PKH puts channels 0 and 1 of both pixels into one
 * register and channels 2 and 3 into another, SXTB16 takes every second byte of them.
 *
 *     void tinyflow_depthwise_im2col_s8_s16_lines16_dsp(const int8_t *input, uint32_t *columns,
 *                         const tinyflow_depthwise_lines *lines, int32_t count);
 *
 * `count` lines become words of the column that `columns` points into, the first with a pixel.
 * Pixels need not be aligned.
 */
#ifndef __ARM_FEATURE_DSP
#error "this kernel needs the DSP extension"
#endif
    .syntax unified
    .thumb

    input   .req r0     @ the first pixel of the line
    columns .req r1     @ the line's word in the first column
    lines   .req r2
    count   .req r3     @ of lines
    pitch   .req r4     @ bytes from one pixel to the next,
    pitch3  .req r5     @ and three times that
    from    .req r6     @ the next pixel
    to      .req r7     @ the next column
    left    .req r8     @ words, less what the next turn needs
    pixel0  .req r9     @ pixels; then channels of two of them
    pixel1  .req r10
    pixel2  .req r11
    pixel3  .req r12
    low     .req lr     @ channels 0 and 1 of two pixels, then channel 0

    .section .text.tinyflow_depthwise_im2col_s8_s16_lines16_dsp, "ax", %progbits
    .p2align 2
    .global tinyflow_depthwise_im2col_s8_s16_lines16_dsp
    .type   tinyflow_depthwise_im2col_s8_s16_lines16_dsp, %function
    .thumb_func
tinyflow_depthwise_im2col_s8_s16_lines16_dsp:
    push    {r4-r11, lr}
    ldr     pitch, [lines, #8]
    add     pitch3, pitch, pitch, lsl #1
1:  @ a line
    mov     from, input
    mov     to, columns
    ldrd    left, low, [lines, #20]     @ words, head
    cmp     low, #0
    beq     3f
    @ padding and the first pixel
    ldr     pixel0, [lines, #4]
    ldr     pixel1, [from]
    add     from, from, pitch
2:  @ a word
    pkhbt   low, pixel0, pixel1, lsl #16
    pkhtb   pixel1, pixel1, pixel0, asr #16
    sxtb16  pixel0, low, ror #8
    sxtb16  low, low
    str     pixel0, [to, #4]
    sxtb16  pixel0, pixel1, ror #8
    str     low, [to]
    sxtb16  pixel1, pixel1
    str     pixel0, [to, #12]
    str     pixel1, [to, #8]
    add     to, to, #256
    sub     left, left, #1
3:
    subs    left, left, #2
    blt     5f
    .p2align 2
4:  @ two words
    ldr     pixel0, [from]
    ldr     pixel1, [from, pitch]
    ldr     pixel2, [from, pitch, lsl #1]
    ldr     pixel3, [from, pitch3]
    add     from, from, pitch, lsl #2
    pkhbt   low, pixel0, pixel1, lsl #16
    pkhtb   pixel1, pixel1, pixel0, asr #16
    sxtb16  pixel0, low, ror #8
    sxtb16  low, low
    str     pixel0, [to, #4]
    sxtb16  pixel0, pixel1, ror #8
    str     low, [to]
    sxtb16  pixel1, pixel1
    str     pixel0, [to, #12]
    str     pixel1, [to, #8]
    pkhbt   low, pixel2, pixel3, lsl #16
    pkhtb   pixel3, pixel3, pixel2, asr #16
    sxtb16  pixel2, low, ror #8
    sxtb16  low, low
    str     pixel2, [to, #260]
    sxtb16  pixel2, pixel3, ror #8
    str     low, [to, #256]
    sxtb16  pixel3, pixel3
    str     pixel2, [to, #268]
    str     pixel3, [to, #264]
    add     to, to, #512
    subs    left, left, #2
    bge     4b
5:
    adds    left, left, #1
    bne     6f
    @ one more word
    ldr     pixel0, [from]
    ldr     pixel1, [from, pitch]
    add     from, from, pitch, lsl #1
    mov     left, #1
    b       2b
6:  @ the last pixel and padding; `left` is -1 until they are done
    ldr     low, [lines, #28]
    cmp     left, #-1
    it      eq
    cmpeq   low, #1
    bne     7f
    ldr     pixel0, [from]
    ldr     pixel1, [lines, #4]
    sub     left, left, #4
    b       2b
7:
    ldr     low, [lines, #12]
    add     columns, columns, #16
    add     input, input, low
    subs    count, count, #1
    bne     1b
    pop     {r4-r11, pc}
    .size   tinyflow_depthwise_im2col_s8_s16_lines16_dsp, . - tinyflow_depthwise_im2col_s8_s16_lines16_dsp
