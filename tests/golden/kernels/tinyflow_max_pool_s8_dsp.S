/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tinyflow_max_pool_s8_dsp.S: greatest value of a window of int8 pixels, for each channel.
 *
 *   void tinyflow_max_pool_s8_dsp(const tinyflow_pool_window *window, int8_t *output, uint32_t channels)
 *
 * Four channels at a time: SSUB8 compares the bytes of two words, SEL takes the greater ones.
 *
 * The output may begin at the window or before it: channels are written when they have been read.
 */
    .syntax unified
    .thumb
    .section .text.tinyflow_max_pool_s8_dsp, "ax", %progbits
    .p2align 2
    .global tinyflow_max_pool_s8_dsp
    .thumb_func
    .type tinyflow_max_pool_s8_dsp, %function
tinyflow_max_pool_s8_dsp:
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
    mov     pitch, r2
    mov     channel, #0
.Lgroup:
    sub     word0, pitch, channel
    cmp     word0, #4
    blt     .Lrest
    mov     r8, #0x80808080
    mov     r9, #0x80808080
    ldrd    rows, left, [window, #0]
.Lfour_row:
    ldr     pixel, [rows], #4
    ldr     word0, [window, #8]         /* where the window starts in a row */
    ldr     columns, [window, #12]
    add     pixel, pixel, channel
    add     pixel, pixel, word0
.Lfour_pixel:
    ldr     word0, [pixel]
    ssub8   r9, r8, word0
    sel     r8, r8, word0
    subs    columns, columns, #1
    add     pixel, pixel, pitch
    bne     .Lfour_pixel
    subs    left, left, #1
    bne     .Lfour_row
    str     r8, [output], #4
    add     channel, channel, #4
    b       .Lgroup
.Lrest:
    cmp     word0, #0
    ble     .Ldone
    mov     r8, #-128
    ldrd    rows, left, [window, #0]
.Lone_row:
    ldr     pixel, [rows], #4
    ldr     word0, [window, #8]         /* where the window starts in a row */
    ldr     columns, [window, #12]
    add     pixel, pixel, channel
    add     pixel, pixel, word0
.Lone_pixel:
    ldrsb   r9, [pixel]
    cmp     r8, r9
    it      lt
    movlt   r8, r9
    subs    columns, columns, #1
    add     pixel, pixel, pitch
    bne     .Lone_pixel
    subs    left, left, #1
    bne     .Lone_row
    strb    r8, [output], #1
    add     channel, channel, #1
    b       .Lgroup
.Ldone:
    pop     {r4-r11, pc}
    .size tinyflow_max_pool_s8_dsp, . - tinyflow_max_pool_s8_dsp
