/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tinyflow_winograd_input_s8_s16_3x3_tile4x4_dsp.S: the input transform V = B^T d B of Winograd's F(4x4, 3x3), for one tile.
 *
 * void tinyflow_winograd_input_s8_s16_3x3_tile4x4_dsp(const int8_t *patch, size_t pitch, size_t channels,
 *                 uint32_t *transformed, uint32_t *square);
 *
 * The patch d is 6 rows of 6 pixels. Four channels a turn: each word gives two pairs, bytes 0 and 2,
 * then 1 and 3, of unsigned values: 128 more. Columns first, into the square:
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
x0          .req r4         /* x0 to x5: a column or row d */
x1          .req r5
x2          .req r6
x3          .req r7
x4          .req r8
x5          .req r9
t0          .req r10
offset      .req r11        /* 128 in both halves: inputs become positive */
lower       .req r12        /* the patch's lower rows */
transformed .req r12
end         .req lr

    .equ NEXT_PATCH, 0      /* on the stack */
    .equ TRANSFORMED, 4
    .equ WORDS, 8
    .equ FRAME, 16
    .equ HALF, 144

    .section .text.tinyflow_winograd_input_s8_s16_3x3_tile4x4_dsp, "ax", %progbits
    .p2align 2
    .global tinyflow_winograd_input_s8_s16_3x3_tile4x4_dsp
    .thumb_func
    .type tinyflow_winograd_input_s8_s16_3x3_tile4x4_dsp, %function
tinyflow_winograd_input_s8_s16_3x3_tile4x4_dsp:
    push    {r4-r11, lr}
    sub     sp, #FRAME
    lsr     t0, channels, #2
    str     r3, [sp, #TRANSFORMED]
    str     t0, [sp, #WORDS]
    ldr     square, [sp, #FRAME + 36]
    mov     offset, #0x00800080

.Lchannels:
    add     t0, patch, #4
    str     t0, [sp, #NEXT_PATCH]
    add     end, square, #24
.Lcolumn:
    add     lower, patch, pitch
    add     lower, lower, pitch, lsl #1
    ldr     x0, [patch]
    ldr     x1, [patch, pitch]
    ldr     x2, [patch, pitch, lsl #1]
    ldr     x3, [lower]
    ldr     x4, [lower, pitch]
    ldr     x5, [lower, pitch, lsl #1]
    sxtab16 x0, offset, x0
    sxtab16 x1, offset, x1
    sxtab16 x2, offset, x2
    sxtab16 x3, offset, x3
    sxtab16 x4, offset, x4
    sxtab16 x5, offset, x5
    sub     x0, x0, x2
    sub     t0, x3, x1              /* e = d3 - d1 */
    sub     x5, x5, x3
    sub     x1, x3, x1, lsl #2      /* b = d3 - 4 d1 */
    sub     x3, x4, x2              /* c = d4 - d2 */
    sub     x2, x4, x2, lsl #2      /* a = d4 - 4 d2 */
    add     x0, x3, x0, lsl #2      /* 4 d0 - 5 d2 + d4 */
    sub     x5, x5, t0, lsl #2      /* 4 d1 - 5 d3 + d5 */
    str     x0, [square, #0]
    sub     x4, x3, t0, lsl #1      /* c - 2 e */
    str     x5, [square, #120]
    add     x3, x3, t0, lsl #1      /* c + 2 e */
    str     x4, [square, #96]
    add     t0, x2, x1              /* a + b */
    str     x3, [square, #72]
    sub     x2, x2, x1              /* a - b */
    str     t0, [square, #24]
    str     x2, [square, #48]
    ldr     x0, [patch]
    ldr     x1, [patch, pitch]
    ldr     x2, [patch, pitch, lsl #1]
    ldr     x3, [lower]
    ldr     x4, [lower, pitch]
    ldr     x5, [lower, pitch, lsl #1]
    sxtab16 x0, offset, x0, ror #8
    sxtab16 x1, offset, x1, ror #8
    sxtab16 x2, offset, x2, ror #8
    sxtab16 x3, offset, x3, ror #8
    sxtab16 x4, offset, x4, ror #8
    sxtab16 x5, offset, x5, ror #8
    sub     x0, x0, x2
    sub     t0, x3, x1              /* e = d3 - d1 */
    sub     x5, x5, x3
    sub     x1, x3, x1, lsl #2      /* b = d3 - 4 d1 */
    sub     x3, x4, x2              /* c = d4 - d2 */
    sub     x2, x4, x2, lsl #2      /* a = d4 - 4 d2 */
    add     x0, x3, x0, lsl #2      /* 4 d0 - 5 d2 + d4 */
    sub     x5, x5, t0, lsl #2      /* 4 d1 - 5 d3 + d5 */
    str     x0, [square, #144]
    sub     x4, x3, t0, lsl #1      /* c - 2 e */
    str     x5, [square, #264]
    add     x3, x3, t0, lsl #1      /* c + 2 e */
    str     x4, [square, #240]
    add     t0, x2, x1              /* a + b */
    str     x3, [square, #216]
    sub     x2, x2, x1              /* a - b */
    str     t0, [square, #168]
    str     x2, [square, #192]
    add     square, #4
    add     patch, channels
    cmp     square, end
    bne     .Lcolumn

    ldr     transformed, [sp, #TRANSFORMED]
    sub     square, #24
    add     end, square, #2 * HALF
.Lrow:
    ldm     square!, {x0, x1, x2, x3, x4, x5}
    add     x4, x4, #0x8000         /* of all results but the last */
    add     x5, x5, #0x8000
    sub     x0, x0, x2
    sub     t0, x3, x1              /* e = d3 - d1 */
    sub     x5, x5, x3
    sub     x1, x3, x1, lsl #2      /* b = d3 - 4 d1 */
    sub     x3, x4, x2              /* c = d4 - d2 */
    sub     x2, x4, x2, lsl #2      /* a = d4 - 4 d2 */
    add     x0, x3, x0, lsl #2      /* 4 d0 - 5 d2 + d4 */
    sub     x5, x5, t0, lsl #2      /* 4 d1 - 5 d3 + d5 */
    eor     x0, x0, #0x8000
    str     x0, [transformed, #0]
    sub     x4, x3, t0, lsl #1      /* c - 2 e */
    eor     x5, x5, #0x8000
    str     x5, [transformed, #80]
    add     x3, x3, t0, lsl #1      /* c + 2 e */
    eor     x4, x4, #0x8000
    str     x4, [transformed, #64]
    add     t0, x2, x1              /* a + b */
    eor     x3, x3, #0x8000
    str     x3, [transformed, #48]
    sub     x2, x2, x1              /* a - b */
    eor     t0, t0, #0x8000
    str     t0, [transformed, #16]
    eor     x2, x2, #0x8000
    str     x2, [transformed, #32]
    add     transformed, #96
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
    .size   tinyflow_winograd_input_s8_s16_3x3_tile4x4_dsp, . - tinyflow_winograd_input_s8_s16_3x3_tile4x4_dsp
