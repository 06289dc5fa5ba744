/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tinyflow_winograd_input_s8_s16_3x3_tile2x2_dsp.S: the input transform V = B^T d B of Winograd's F(2x2, 3x3), for one tile.
 *
 * void tinyflow_winograd_input_s8_s16_3x3_tile2x2_dsp(const int8_t *patch, size_t pitch, size_t channels,
 *                 uint32_t *transformed, uint32_t *square);
 *
 * The patch d is 4 rows of 4 pixels. Four channels a turn: each word gives two pairs, bytes 0 and 2,
 * then 1 and 3. Columns first, into the square:
 *
 *     square[half][row of B^T d][column]           words
 *
 * then rows, into the place that the tile has in its group of four:
 *
 *     transformed[pair of channels][row][column][tile of the group]        words
 */
    .syntax unified
    .thumb

patch       .req r0
pitch       .req r1
channels    .req r2
square      .req r3
x0          .req r4         /* x0 to x3: a column or row d */
x1          .req r5
x2          .req r6
x3          .req r7
x4          .req r8
x5          .req r9
t0          .req r10
lower       .req r12        /* the patch's lower rows */
transformed .req r12
end         .req lr

    .equ NEXT_PATCH, 0      /* on the stack */
    .equ TRANSFORMED, 4
    .equ WORDS, 8
    .equ FRAME, 16
    .equ HALF, 64

    .section .text.tinyflow_winograd_input_s8_s16_3x3_tile2x2_dsp, "ax", %progbits
    .p2align 2
    .global tinyflow_winograd_input_s8_s16_3x3_tile2x2_dsp
    .thumb_func
    .type tinyflow_winograd_input_s8_s16_3x3_tile2x2_dsp, %function
tinyflow_winograd_input_s8_s16_3x3_tile2x2_dsp:
    push    {r4-r11, lr}
    sub     sp, #FRAME
    lsr     t0, channels, #2
    str     r3, [sp, #TRANSFORMED]
    str     t0, [sp, #WORDS]
    ldr     square, [sp, #FRAME + 36]

.Lchannels:
    add     t0, patch, #4
    str     t0, [sp, #NEXT_PATCH]
    add     end, square, #16
.Lcolumn:
    add     lower, patch, pitch
    ldr     x0, [patch]
    ldr     x1, [lower]
    ldr     x2, [lower, pitch]
    ldr     x3, [lower, pitch, lsl #1]
    sxtb16  x0, x0
    sxtb16  x1, x1
    sxtb16  x2, x2
    sxtb16  x3, x3
    ssub16  x0, x0, x2              /* d0 - d2 */
    str     x0, [square, #0]
    ssub16  x3, x1, x3              /* d1 - d3 */
    str     x3, [square, #48]
    sadd16  t0, x1, x2              /* d1 + d2 */
    str     t0, [square, #16]
    ssub16  x2, x2, x1              /* d2 - d1 */
    str     x2, [square, #32]
    ldr     x0, [patch]
    ldr     x1, [lower]
    ldr     x2, [lower, pitch]
    ldr     x3, [lower, pitch, lsl #1]
    sxtb16  x0, x0, ror #8
    sxtb16  x1, x1, ror #8
    sxtb16  x2, x2, ror #8
    sxtb16  x3, x3, ror #8
    ssub16  x0, x0, x2              /* d0 - d2 */
    str     x0, [square, #64]
    ssub16  x3, x1, x3              /* d1 - d3 */
    str     x3, [square, #112]
    sadd16  t0, x1, x2              /* d1 + d2 */
    str     t0, [square, #80]
    ssub16  x2, x2, x1              /* d2 - d1 */
    str     x2, [square, #96]
    add     square, #4
    add     patch, channels
    cmp     square, end
    bne     .Lcolumn

    ldr     transformed, [sp, #TRANSFORMED]
    sub     square, #16
    add     end, square, #2 * HALF
.Lrow:
    ldm     square!, {x0, x1, x2, x3}
    ssub16  x0, x0, x2              /* d0 - d2 */
    str     x0, [transformed, #0]
    ssub16  x3, x1, x3              /* d1 - d3 */
    str     x3, [transformed, #48]
    sadd16  t0, x1, x2              /* d1 + d2 */
    str     t0, [transformed, #16]
    ssub16  x2, x2, x1              /* d2 - d1 */
    str     x2, [transformed, #32]
    add     transformed, #64
    cmp     square, end
    bne     .Lrow

    ldr     t0, [sp, #WORDS]
    ldr     patch, [sp, #NEXT_PATCH]
    sub     square, #2 * HALF
    str     transformed, [sp, #TRANSFORMED]
    subs    t0, #1
    str     t0, [sp, #WORDS]
    bne     .Lchannels
    add     sp, #FRAME
    pop     {r4-r11, pc}
    .size   tinyflow_winograd_input_s8_s16_3x3_tile2x2_dsp, . - tinyflow_winograd_input_s8_s16_3x3_tile2x2_dsp
