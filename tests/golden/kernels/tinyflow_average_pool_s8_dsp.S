/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tinyflow_average_pool_s8_dsp.S: average of a window of int8 pixels, for each channel.
 *
 *   void tinyflow_average_pool_s8_dsp(const tinyflow_pool_window *window, int8_t *output, uint32_t channels)
 *
 * Channels are summed in int16, two to a register: SXTAB16 adds bytes 0 and 2 of a word, or 1 and 3.
 *
 * The average of n is rounded to nearest, halves away from zero. The bias, 128 n + n / 2, makes
 * every sum positive; it is one less for negative sums where n is even. Then the factor, 2^30 / n
 * rounded up, divides by n, and 128 is taken off again.
 *
 * The output may begin at the window or before it: channels are written when they have been read.
 */
    .syntax unified
    .thumb
    .section .text.tinyflow_average_pool_s8_dsp, "ax", %progbits
    .p2align 2
    .global tinyflow_average_pool_s8_dsp
    .thumb_func
    .type tinyflow_average_pool_s8_dsp, %function
tinyflow_average_pool_s8_dsp:
    push    {r4-r11, lr}
window  .req r0
output  .req r1
channel .req r2     /* the first of those at hand */
rows    .req r3     /* pointers to the rows that are left */
left    .req r4     /* how many these are */
pitch   .req r5     /* channels, the bytes of a pixel */
columns .req r6
pixel   .req r7
word0   .req r12
word1   .req lr
bias    .req r3
factor  .req r4
odd     .req r6
minus   .req r7
    mov     pitch, r2
    mov     channel, #0
.Lgroup:
    sub     word0, pitch, channel
    cmp     word0, #4
    blt     .Lrest
    mov     r8, #0
    mov     r9, #0
    ldrd    rows, left, [window, #0]
.Lfour_row:
    ldr     pixel, [rows], #4
    ldr     word0, [window, #8]         /* where the window starts in a row */
    ldr     columns, [window, #12]
    add     pixel, pixel, channel
    add     pixel, pixel, word0
.Lfour_pixel:
    ldr     word0, [pixel]
    sxtab16 r8, r8, word0
    sxtab16 r9, r9, word0, ror #8
    subs    columns, columns, #1
    add     pixel, pixel, pitch
    bne     .Lfour_pixel
    subs    left, left, #1
    bne     .Lfour_row
    add     word0, window, #16
    ldm     word0, {r3, r4, r6, r7}
    sxth    word1, r8
    and     word0, odd, word1, asr #31  /* -1 for a negative sum of an even number */
    add     word1, word1, bias
    add     word1, word1, word0
    lsl     word1, word1, #2
    smmla   word1, word1, factor, minus
    strb    word1, [output], #1
    sxth    word1, r9
    and     word0, odd, word1, asr #31  /* -1 for a negative sum of an even number */
    add     word1, word1, bias
    add     word1, word1, word0
    lsl     word1, word1, #2
    smmla   word1, word1, factor, minus
    strb    word1, [output], #1
    asr     word1, r8, #16
    and     word0, odd, word1, asr #31  /* -1 for a negative sum of an even number */
    add     word1, word1, bias
    add     word1, word1, word0
    lsl     word1, word1, #2
    smmla   word1, word1, factor, minus
    strb    word1, [output], #1
    asr     word1, r9, #16
    and     word0, odd, word1, asr #31  /* -1 for a negative sum of an even number */
    add     word1, word1, bias
    add     word1, word1, word0
    lsl     word1, word1, #2
    smmla   word1, word1, factor, minus
    strb    word1, [output], #1
    add     channel, channel, #4
    b       .Lgroup
.Lrest:
    cmp     word0, #0
    ble     .Ldone
    mov     r8, #0
    ldrd    rows, left, [window, #0]
.Lone_row:
    ldr     pixel, [rows], #4
    ldr     word0, [window, #8]         /* where the window starts in a row */
    ldr     columns, [window, #12]
    add     pixel, pixel, channel
    add     pixel, pixel, word0
.Lone_pixel:
    ldrsb   r9, [pixel]
    add     r8, r8, r9
    subs    columns, columns, #1
    add     pixel, pixel, pitch
    bne     .Lone_pixel
    subs    left, left, #1
    bne     .Lone_row
    add     word0, window, #16
    ldm     word0, {r3, r4, r6, r7}
    mov     word1, r8
    and     word0, odd, word1, asr #31  /* -1 for a negative sum of an even number */
    add     word1, word1, bias
    add     word1, word1, word0
    lsl     word1, word1, #2
    smmla   word1, word1, factor, minus
    strb    word1, [output], #1
    add     channel, channel, #1
    b       .Lgroup
.Ldone:
    pop     {r4-r11, pc}
    .size tinyflow_average_pool_s8_dsp, . - tinyflow_average_pool_s8_dsp
