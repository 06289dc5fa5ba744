/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tinyflow_depthwise_conv_s8_3x3_stride1_lines8_signed_m7.S: a 3x3 depthwise window of stride 1, from columns of pairs.
 *
 * A tile is four outputs of a line. Its inputs are three lines of 3 words, each word two
 * neighbours as int16:
 *
 *     word        0      1      2           x: inputs, the padding included
 *              x0 x1  x2 x3  x4 x5
 *     y0       k0 k1  k2                    SMLAD, SMLABT
 *     y1          k0  k1 k2                 SMLATB, SMLAD
 *     y2              k0 k1  k2
 *     y3                 k0  k1 k2
 *
 * For each line k0 and k1 are in one register, k1 and k2 in another.
 * What remains of a line is three outputs of a tile, or a tile of two.
 *
 *     void tinyflow_depthwise_conv_s8_3x3_stride1_lines8_signed_m7(const uint32_t *columns, int8_t *output, const uint32_t *constants,
 *                         const tinyflow_depthwise_outputs *outputs);
 *
 * One channel after the other. The constants of each are five words: the bias, the input's zero point folded in; twice the
 * multiplier; and, as bytes, the lowest first, the taps k[line][place] with the shifts:
 *
 *     k00 k10 k01 k11,  k20 left k21 k22,  right 0 k02 k12
 */
#ifndef __ARM_FEATURE_DSP
#error "this kernel needs the DSP extension"
#endif
    .syntax unified
    .thumb

    p       .req r0     @ the tile's first word
    out     .req r1     @ the tile's first output
    k0      .req r2     @ line 0: taps 0 and 1
    k0r     .req r3     @         taps 1 and 2
    k1      .req r4     @ line 1
    k1r     .req r5
    k2      .req r6     @ line 2
    k2r     .req r7
    y0      .req r8     @ accumulators, then outputs
    y1      .req r9
    y2      .req r10
    y3      .req r11
    x0      .req r12    @ inputs, and constants of the requantisation
    x1      .req lr

    .section .text.tinyflow_depthwise_conv_s8_3x3_stride1_lines8_signed_m7, "ax", %progbits
    .p2align 2
    .global tinyflow_depthwise_conv_s8_3x3_stride1_lines8_signed_m7
    .type   tinyflow_depthwise_conv_s8_3x3_stride1_lines8_signed_m7, %function
    .thumb_func
tinyflow_depthwise_conv_s8_3x3_stride1_lines8_signed_m7:
    push    {r4-r11, lr}
    sub     sp, sp, #84
    strd    p, out, [sp, #32]
    @ `outputs` into the frame
    ldm     r3!, {r4-r11}
    add     x0, sp, #48
    stm     x0!, {r4-r11}
    ldr     r4, [r3]
    str     r4, [x0]
1:  @ a channel: the bias, the multiplier and 12 bytes, of which these become the taps
    ldm     r2!, {r3, r4, y1-y3}
    str     r2, [sp, #40]
    vmov    s0, s1, r3, r3
    ldr     x0, [sp, #48]            @ the output's zero point
    ubfx    x1, y2, #8, #8              @ the shift to the left
    vmov    s4, s5, x0, x1
    uxtb    x0, y3                      @ the shift to the right, as a power of two
    mov     x1, #1
    lsl     x0, x1, x0
    vmov    s2, s3, r4, x0
    sxtb16  k0, y1
    sxtb16  k1, y1, ror #8
    sxtb16  k2, y2
    sxtb16  x0, y2, ror #8
    pkhtb   k2r, x0, k2, asr #16
    sxtb16  x0, y3
    pkhtb   k0r, x0, k0, asr #16
    sxtb16  x0, y3, ror #8
    pkhtb   k1r, x0, k1, asr #16
    ldr     x0, [sp, #60]
    str     x0, [sp, #44]
2:  @ a line
    ldrd    x0, x1, [sp, #52]    @ the pitch, the span of the tiles
    cmp     x1, #0
    beq     5f
    add     x1, p, x1
    vmov    s6, s7, x0, x1
    b       4f
    .p2align 2
3:  @ the tile before has one output left
    strb    y3, [out, x0]
    add     out, out, x0, lsl #1
4:  @ a tile
    vmov    y0, y1, s0, s1
    ldr     x0, [p, #0]
    vmov    y2, y3, s0, s1
    ldr     x1, [p, #16]
    smlad   y0, x0, k0, y0
    smlatb  y1, x0, k0, y1
    ldr     x0, [p, #32]
    smlad   y0, x1, k1, y0
    smlatb  y1, x1, k1, y1
    ldr     x1, [p, #128]
    smlad   y0, x0, k2, y0
    smlatb  y1, x0, k2, y1
    ldr     x0, [p, #144]
    smlabt  y0, x1, k0r, y0
    smlad   y1, x1, k0r, y1
    smlad   y2, x1, k0, y2
    smlatb  y3, x1, k0, y3
    ldr     x1, [p, #160]
    smlabt  y0, x0, k1r, y0
    smlad   y1, x0, k1r, y1
    smlad   y2, x0, k1, y2
    smlatb  y3, x0, k1, y3
    ldr     x0, [p, #256]
    smlabt  y0, x1, k2r, y0
    smlad   y1, x1, k2r, y1
    smlad   y2, x1, k2, y2
    smlatb  y3, x1, k2, y3
    ldr     x1, [p, #272]
    smlabt  y2, x0, k0r, y2
    smlad   y3, x0, k0r, y3
    ldr     x0, [p, #288]
    smlabt  y2, x1, k1r, y2
    smlad   y3, x1, k1r, y3
    smlabt  y2, x0, k2r, y2
    vmov    x1, s2
    smlad   y3, x0, k2r, y3
    add     p, p, #256
    smmlar  y0, y0, x1, y0
    vmov    x0, s3
    smmlar  y1, y1, x1, y1
    smmlar  y2, y2, x1, y2
    smmlar  y3, y3, x1, y3
    vmov    x1, s4
    add     y0, y0, y0, asr #31
    add     y1, y1, y1, asr #31
    add     y2, y2, y2, asr #31
    add     y3, y3, y3, asr #31
    smmlar  y0, y0, x0, x1
    smmlar  y1, y1, x0, x1
    smmlar  y2, y2, x0, x1
    smmlar  y3, y3, x0, x1
    ssat    y0, #8, y0
    vmov    x0, x1, s6, s7
    ssat    y1, #8, y1
    strb    y0, [out]
    ssat    y2, #8, y2
    strb    y1, [out, x0]
    ssat    y3, #8, y3
    strb    y2, [out, x0, lsl #1]       @ does not wait for the new address
    add     out, out, x0, lsl #1
    cmp     p, x1
    bne     3b
    ldr     x1, [sp, #64]       @ the rest
    cmp     x1, #3
    beq     6f
    strb    y3, [out, x0]
    add     out, out, x0, lsl #1
    cmp     x1, #0
    beq     6f
5:  @ one or two more outputs
    vmov    y0, y1, s0, s1
    ldr     x0, [p, #0]
    ldr     x1, [p, #16]
    ldr     y2, [p, #32]
    ldr     y3, [p, #128]
    smlad   y0, x0, k0, y0
    smlatb  y1, x0, k0, y1
    smlad   y0, x1, k1, y0
    smlatb  y1, x1, k1, y1
    smlad   y0, y2, k2, y0
    smlatb  y1, y2, k2, y1
    smlabt  y0, y3, k0r, y0
    smlad   y1, y3, k0r, y1
    ldr     x0, [p, #144]
    ldr     x1, [p, #160]
    smlabt  y0, x0, k1r, y0
    smlad   y1, x0, k1r, y1
    smlabt  y0, x1, k2r, y0
    smlad   y1, x1, k2r, y1
    vmov    x0, x1, s2, s3
    smmlar  y0, y0, x0, y0
    smmlar  y1, y1, x0, y1
    vmov    x0, s4
    add     y0, y0, y0, asr #31
    add     y1, y1, y1, asr #31
    smmlar  y0, y0, x1, x0
    smmlar  y1, y1, x1, x0
    ssat    y0, #8, y0
    ssat    y1, #8, y1
    ldr     x0, [sp, #52]
    ldr     x1, [sp, #64]
    strb    y0, [out]
    cmp     x1, #1
    beq     6f
    strb    y1, [out, x0]
6:  @ the next line
    ldrd    x0, x1, [sp, #68]
    ldr     y0, [sp, #44]
    add     p, p, x0
    add     out, out, x1
    subs    y0, y0, #1
    str     y0, [sp, #44]
    bne     2b
    @ the next channel
    ldr     r2, [sp, #40]
    ldrd    y2, y3, [sp, #76]   @ channels, and bytes from one's words to the next's
    ldrd    p, out, [sp, #32]
    add     p, p, y3
    add     out, out, #1
    subs    y2, y2, #1
    str     y2, [sp, #76]
    strd    p, out, [sp, #32]
    bne     1b
    add     sp, sp, #84
    pop     {r4-r11, pc}
    .size   tinyflow_depthwise_conv_s8_3x3_stride1_lines8_signed_m7, . - tinyflow_depthwise_conv_s8_3x3_stride1_lines8_signed_m7
