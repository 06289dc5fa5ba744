/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tinyflow_winograd_weights_s8_s16_3x3_tile2x2_dsp.S: the weight transform U = G g G^T of Winograd's F(2x2, 3x3), for one filter.
 *
 * void tinyflow_winograd_weights_s8_s16_3x3_tile2x2_dsp(const uint32_t *weights, size_t pairs, uint32_t *transformed);
 *
 * Two channels a turn, as pairs of int16. Taps 0 to 7 of all pairs come first, four words each of
 *
 *     tap 2i of the one, tap 2i + 1 of the one, tap 2i of the other, tap 2i + 1 of the other
 *
 * then the last taps, a halfword each: of the one, of the other. They go to the place that the
 * filter has in its pair:
 *
 *     transformed[pair of channels][row][column][filter of the pair]       words
 */
    .syntax unified
    .thumb

t           .req r0
transformed .req r1
g00         .req r2
g01         .req r3
g02         .req r4
g10         .req r5
g11         .req r6
g12         .req r7
g20         .req r8
g21         .req r9
g22         .req r10
x0          .req r11
x1          .req r12
x2          .req lr

    .equ WEIGHTS, 0         /* on the stack: taps 0 to 7, and the last ones */
    .equ END, 8
    .equ FRAME, 12

    .section .text.tinyflow_winograd_weights_s8_s16_3x3_tile2x2_dsp, "ax", %progbits
    .p2align 2
    .global tinyflow_winograd_weights_s8_s16_3x3_tile2x2_dsp
    .thumb_func
    .type tinyflow_winograd_weights_s8_s16_3x3_tile2x2_dsp, %function
tinyflow_winograd_weights_s8_s16_3x3_tile2x2_dsp:
    push    {r4-r11, lr}
    sub     sp, #FRAME
    mov     r3, #128
    mla     r3, r1, r3, r2
    str     r3, [sp, #END]
    mov     r3, r2
    add     r2, r0, r1, lsl #4      /* the last taps */
    mov     transformed, r3
.Lpair:
    ldr     g01, [r0]
    ldr     g10, [r0, #4]
    ldr     g12, [r0, #8]
    ldr     g21, [r0, #12]
    ldrh    g22, [r2], #2
    add     r0, #16
    strd    r0, r2, [sp, #WEIGHTS]
    sxtb16  g00, g01
    sxtb16  g01, g01, ror #8
    sxtb16  g02, g10
    sxtb16  g10, g10, ror #8
    sxtb16  g11, g12
    sxtb16  g12, g12, ror #8
    sxtb16  g20, g21
    sxtb16  g21, g21, ror #8
    pkhbt   g22, g22, g22, lsl #8
    sxtb16  g22, g22

    /* the first and the last row of G g are those of g */
    str     g00, [transformed, #0]
    str     g02, [transformed, #24]
    sadd16  t, g00, g02
    sadd16  x2, t, g01
    str     x2, [transformed, #8]
    ssub16  t, t, g01
    str     t, [transformed, #16]
    str     g20, [transformed, #96]
    str     g22, [transformed, #120]
    sadd16  t, g20, g22
    sadd16  x2, t, g21
    str     x2, [transformed, #104]
    ssub16  t, t, g21
    str     t, [transformed, #112]
    /* g0 + g2 takes the place of g0 */
    sadd16  g00, g00, g20
    sadd16  g01, g01, g21
    sadd16  g02, g02, g22
    sadd16  x0, g00, g10
    sadd16  x1, g01, g11
    sadd16  x2, g02, g12
    str     x0, [transformed, #32]
    str     x2, [transformed, #56]
    sadd16  t, x0, x2
    sadd16  x0, t, x1
    str     x0, [transformed, #40]
    ssub16  t, t, x1
    str     t, [transformed, #48]
    ssub16  x0, g00, g10
    ssub16  x1, g01, g11
    ssub16  x2, g02, g12
    str     x0, [transformed, #64]
    str     x2, [transformed, #88]
    sadd16  t, x0, x2
    sadd16  x0, t, x1
    str     x0, [transformed, #72]
    ssub16  t, t, x1
    str     t, [transformed, #80]
    add     transformed, #128
    ldr     r3, [sp, #END]
    ldrd    r0, r2, [sp, #WEIGHTS]
    cmp     transformed, r3
    bne     .Lpair
    add     sp, #FRAME
    pop     {r4-r11, pc}
    .size   tinyflow_winograd_weights_s8_s16_3x3_tile2x2_dsp, . - tinyflow_winograd_weights_s8_s16_3x3_tile2x2_dsp
