/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tinyflow_winograd_weights_s8_s16_3x3_tile4x4_dsp.S: the weight transform U = G g G^T of Winograd's F(4x4, 3x3), for one filter.
 *
 * void tinyflow_winograd_weights_s8_s16_3x3_tile4x4_dsp(const uint32_t *weights, size_t pairs, uint32_t *transformed);
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

    .section .text.tinyflow_winograd_weights_s8_s16_3x3_tile4x4_dsp, "ax", %progbits
    .p2align 2
    .global tinyflow_winograd_weights_s8_s16_3x3_tile4x4_dsp
    .thumb_func
    .type tinyflow_winograd_weights_s8_s16_3x3_tile4x4_dsp, %function
tinyflow_winograd_weights_s8_s16_3x3_tile4x4_dsp:
    push    {r4-r11, lr}
    sub     sp, #FRAME
    mov     r3, #288
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
    str     g02, [transformed, #40]
    sadd16  t, g00, g02
    sadd16  x0, g02, g02
    sadd16  x0, x0, x0
    sadd16  x0, x0, g00              /* g0 + 4 g2 */
    sadd16  x2, t, g01
    str     x2, [transformed, #8]
    ssub16  t, t, g01
    str     t, [transformed, #16]
    sadd16  x1, g01, g01
    sadd16  x2, x0, x1
    str     x2, [transformed, #24]
    ssub16  x0, x0, x1
    str     x0, [transformed, #32]
    str     g20, [transformed, #240]
    str     g22, [transformed, #280]
    sadd16  t, g20, g22
    sadd16  x0, g22, g22
    sadd16  x0, x0, x0
    sadd16  x0, x0, g20              /* g0 + 4 g2 */
    sadd16  x2, t, g21
    str     x2, [transformed, #248]
    ssub16  t, t, g21
    str     t, [transformed, #256]
    sadd16  x1, g21, g21
    sadd16  x2, x0, x1
    str     x2, [transformed, #264]
    ssub16  x0, x0, x1
    str     x0, [transformed, #272]
    /* g0 + g2 takes the place of g0, g0 + 4 g2 that of g2 */
    sadd16  g00, g00, g20
    sadd16  t, g20, g20
    sadd16  g20, g20, t
    sadd16  g20, g20, g00
    sadd16  g01, g01, g21
    sadd16  t, g21, g21
    sadd16  g21, g21, t
    sadd16  g21, g21, g01
    sadd16  g02, g02, g22
    sadd16  t, g22, g22
    sadd16  g22, g22, t
    sadd16  g22, g22, g02
    sadd16  x0, g00, g10
    sadd16  x1, g01, g11
    sadd16  x2, g02, g12
    str     x0, [transformed, #48]
    str     x2, [transformed, #88]
    sadd16  t, x0, x2
    sadd16  x2, x2, x2
    sadd16  x2, x2, x2
    sadd16  x2, x2, x0              /* g0 + 4 g2 */
    sadd16  x0, t, x1
    str     x0, [transformed, #56]
    ssub16  t, t, x1
    str     t, [transformed, #64]
    sadd16  x1, x1, x1
    sadd16  x0, x2, x1
    str     x0, [transformed, #72]
    ssub16  x2, x2, x1
    str     x2, [transformed, #80]
    ssub16  x0, g00, g10
    ssub16  x1, g01, g11
    ssub16  x2, g02, g12
    str     x0, [transformed, #96]
    str     x2, [transformed, #136]
    sadd16  t, x0, x2
    sadd16  x2, x2, x2
    sadd16  x2, x2, x2
    sadd16  x2, x2, x0              /* g0 + 4 g2 */
    sadd16  x0, t, x1
    str     x0, [transformed, #104]
    ssub16  t, t, x1
    str     t, [transformed, #112]
    sadd16  x1, x1, x1
    sadd16  x0, x2, x1
    str     x0, [transformed, #120]
    ssub16  x2, x2, x1
    str     x2, [transformed, #128]
    sadd16  g10, g10, g10
    sadd16  x0, g20, g10
    sadd16  g11, g11, g11
    sadd16  x1, g21, g11
    sadd16  g12, g12, g12
    sadd16  x2, g22, g12
    str     x0, [transformed, #144]
    str     x2, [transformed, #184]
    sadd16  t, x0, x2
    sadd16  x2, x2, x2
    sadd16  x2, x2, x2
    sadd16  x2, x2, x0              /* g0 + 4 g2 */
    sadd16  x0, t, x1
    str     x0, [transformed, #152]
    ssub16  t, t, x1
    str     t, [transformed, #160]
    sadd16  x1, x1, x1
    sadd16  x0, x2, x1
    str     x0, [transformed, #168]
    ssub16  x2, x2, x1
    str     x2, [transformed, #176]
    ssub16  x0, g20, g10
    ssub16  x1, g21, g11
    ssub16  x2, g22, g12
    str     x0, [transformed, #192]
    str     x2, [transformed, #232]
    sadd16  t, x0, x2
    sadd16  x2, x2, x2
    sadd16  x2, x2, x2
    sadd16  x2, x2, x0              /* g0 + 4 g2 */
    sadd16  x0, t, x1
    str     x0, [transformed, #200]
    ssub16  t, t, x1
    str     t, [transformed, #208]
    sadd16  x1, x1, x1
    sadd16  x0, x2, x1
    str     x0, [transformed, #216]
    ssub16  x2, x2, x1
    str     x2, [transformed, #224]
    add     transformed, #288
    ldr     r3, [sp, #END]
    ldrd    r0, r2, [sp, #WEIGHTS]
    cmp     transformed, r3
    bne     .Lpair
    add     sp, #FRAME
    pop     {r4-r11, pc}
    .size   tinyflow_winograd_weights_s8_s16_3x3_tile4x4_dsp, . - tinyflow_winograd_weights_s8_s16_3x3_tile4x4_dsp
