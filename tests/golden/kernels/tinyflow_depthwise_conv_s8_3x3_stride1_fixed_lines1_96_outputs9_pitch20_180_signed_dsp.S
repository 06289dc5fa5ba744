/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tinyflow_depthwise_conv_s8_3x3_stride1_fixed_lines1_96_outputs9_pitch20_180_signed_dsp.S: a 3x3 depthwise window of stride 1 along lines of 9 outputs, 20 bytes apart.
 *
 * A column is a word of each of three lines, each word two neighbours as int16. It ends the two
 * outputs that the column before began, and begins the next two:
 *
 *     word        0      1      2           x: inputs, the padding included
 *              x0 x1  x2 x3  x4 x5
 *     y0       k0 k1  k2                    SMLAD, SMLABT
 *     y1          k0  k1 k2                 SMLATB, SMLAD
 *     y2              k0 k1  k2
 *     y3                 k0  k1 k2
 *
 * For each line k0 and k1 are in one register, k1 and k2 in another.
 *
 *     void tinyflow_depthwise_conv_s8_3x3_stride1_fixed_lines1_96_outputs9_pitch20_180_signed_dsp(const uint32_t *columns, int8_t *output, const uint32_t *constants,
 *                         const tinyflow_depthwise_outputs *outputs);
 *
 * One channel after the other; of `outputs` the lines and channels count, and the zero point. The constants of a
 * channel are pairs of taps k[line][place], (k00, k01), (k10, k02), (k11, k12), (k20, k21) and (-, k22); the bias,
 * the input's zero point folded in; twice the multiplier; and the power of two that shifts to the right.
 */
#ifndef __ARM_FEATURE_DSP
#error "this kernel needs the DSP extension"
#endif
    p       .req r0     @ a word of the line
    out     .req r1     @ an output of the line
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

    .syntax unified
    .thumb
    .section .text.tinyflow_depthwise_conv_s8_3x3_stride1_fixed_lines1_96_outputs9_pitch20_180_signed_dsp, "ax", %progbits
    .p2align 2
    .global tinyflow_depthwise_conv_s8_3x3_stride1_fixed_lines1_96_outputs9_pitch20_180_signed_dsp
    .thumb_func
    .type tinyflow_depthwise_conv_s8_3x3_stride1_fixed_lines1_96_outputs9_pitch20_180_signed_dsp, %function
tinyflow_depthwise_conv_s8_3x3_stride1_fixed_lines1_96_outputs9_pitch20_180_signed_dsp:
    push    {r4-r11, lr}
    ldr     r4, [r3, #12]               @ lines
    ldr     r5, [r3, #28]               @ channels
    ldr     r6, [r3]
    vmov    s4, r6
    movw    r7, #96
    mul     r4, r4, r7
    vmov    s10, r4
    vmov    s8, s9, p, out
    vmov    s6, s7, r2, r5
    .p2align 2
1:  @ a channel
    vmov    x0, s6
    ldm     x0!, {r2, r3, r5, r6, r7, r8, r9, r10}
    vmov    s6, x0
    pkhbt   k1, k0r, k1r, lsl #16
    pkhtb   k0r, k0r, k0, asr #16
    pkhtb   k2r, k2r, k2, asr #16
    vmov    s0, s1, y0, y0
    vmov    s2, s3, y1, y2
    vmov    x0, s10
    add     x0, p, x0
    vmov    s11, x0
    .p2align 2
2:  @ a line
    @ column 0
    vmov    y0, y1, s0, s1
    ldr     x0, [p, #0]
    ldr     x1, [p, #96]
    ldr     y2, [p, #192]
    smlad   y0, x0, k0, y0
    smlatb  y1, x0, k0, y1
    smlad   y0, x1, k1, y0
    smlatb  y1, x1, k1, y1
    smlad   y0, y2, k2, y0
    smlatb  y1, y2, k2, y1
    @ column 1
    vmov    y2, y3, s0, s1
    ldr     x0, [p, #16]
    ldr     x1, [p, #112]
    smlabt  y0, x0, k0r, y0
    smlad   y1, x0, k0r, y1
    smlad   y2, x0, k0, y2
    smlatb  y3, x0, k0, y3
    ldr     x0, [p, #208]
    smlabt  y0, x1, k1r, y0
    smlad   y1, x1, k1r, y1
    smlad   y2, x1, k1, y2
    smlatb  y3, x1, k1, y3
    smlabt  y0, x0, k2r, y0
    smlad   y1, x0, k2r, y1
    smlad   y2, x0, k2, y2
    smlatb  y3, x0, k2, y3
    vmov    x0, x1, s2, s3
    smmlar  y0, y0, x0, y0
    smmlar  y1, y1, x0, y1
    add     y0, y0, y0, asr #31
    add     y1, y1, y1, asr #31
    vmov    x0, s4
    smmlar  y0, y0, x1, x0
    smmlar  y1, y1, x1, x0
    ssat    y0, #8, y0
    ssat    y1, #8, y1
    strb    y0, [out]
    strb    y1, [out, #20]
    @ column 2
    vmov    y0, y1, s0, s1
    ldr     x0, [p, #32]
    ldr     x1, [p, #128]
    smlabt  y2, x0, k0r, y2
    smlad   y3, x0, k0r, y3
    smlad   y0, x0, k0, y0
    smlatb  y1, x0, k0, y1
    ldr     x0, [p, #224]
    smlabt  y2, x1, k1r, y2
    smlad   y3, x1, k1r, y3
    smlad   y0, x1, k1, y0
    smlatb  y1, x1, k1, y1
    smlabt  y2, x0, k2r, y2
    smlad   y3, x0, k2r, y3
    smlad   y0, x0, k2, y0
    smlatb  y1, x0, k2, y1
    vmov    x0, x1, s2, s3
    smmlar  y2, y2, x0, y2
    smmlar  y3, y3, x0, y3
    add     y2, y2, y2, asr #31
    add     y3, y3, y3, asr #31
    vmov    x0, s4
    smmlar  y2, y2, x1, x0
    smmlar  y3, y3, x1, x0
    ssat    y2, #8, y2
    ssat    y3, #8, y3
    strb    y2, [out, #40]
    strb    y3, [out, #60]
    @ column 3
    vmov    y2, y3, s0, s1
    ldr     x0, [p, #48]
    ldr     x1, [p, #144]
    smlabt  y0, x0, k0r, y0
    smlad   y1, x0, k0r, y1
    smlad   y2, x0, k0, y2
    smlatb  y3, x0, k0, y3
    ldr     x0, [p, #240]
    smlabt  y0, x1, k1r, y0
    smlad   y1, x1, k1r, y1
    smlad   y2, x1, k1, y2
    smlatb  y3, x1, k1, y3
    smlabt  y0, x0, k2r, y0
    smlad   y1, x0, k2r, y1
    smlad   y2, x0, k2, y2
    smlatb  y3, x0, k2, y3
    vmov    x0, x1, s2, s3
    smmlar  y0, y0, x0, y0
    smmlar  y1, y1, x0, y1
    add     y0, y0, y0, asr #31
    add     y1, y1, y1, asr #31
    vmov    x0, s4
    smmlar  y0, y0, x1, x0
    smmlar  y1, y1, x1, x0
    ssat    y0, #8, y0
    ssat    y1, #8, y1
    strb    y0, [out, #80]
    strb    y1, [out, #100]
    @ column 4
    vmov    y0, s0
    ldr     x0, [p, #64]
    ldr     x1, [p, #160]
    smlabt  y2, x0, k0r, y2
    smlad   y3, x0, k0r, y3
    smlad   y0, x0, k0, y0
    ldr     x0, [p, #256]
    smlabt  y2, x1, k1r, y2
    smlad   y3, x1, k1r, y3
    smlad   y0, x1, k1, y0
    smlabt  y2, x0, k2r, y2
    smlad   y3, x0, k2r, y3
    smlad   y0, x0, k2, y0
    vmov    x0, x1, s2, s3
    smmlar  y2, y2, x0, y2
    smmlar  y3, y3, x0, y3
    add     y2, y2, y2, asr #31
    add     y3, y3, y3, asr #31
    vmov    x0, s4
    smmlar  y2, y2, x1, x0
    smmlar  y3, y3, x1, x0
    ssat    y2, #8, y2
    ssat    y3, #8, y3
    strb    y2, [out, #120]
    strb    y3, [out, #140]
    @ column 5
    ldr     x0, [p, #80]
    ldr     x1, [p, #176]
    ldr     y2, [p, #272]
    smlabt  y0, x0, k0r, y0
    smlabt  y0, x1, k1r, y0
    smlabt  y0, y2, k2r, y0
    vmov    x0, x1, s2, s3
    smmlar  y0, y0, x0, y0
    add     y0, y0, y0, asr #31
    vmov    x0, s4
    smmlar  y0, y0, x1, x0
    ssat    y0, #8, y0
    strb    y0, [out, #160]
    addw    p, p, #96
    addw    out, out, #180
    vmov    x0, s11
    cmp     p, x0
    bne     2b
    @ the next channel
    vmov    x0, s7
    vmov    p, out, s8, s9
    add     p, p, #4
    add     out, out, #1
    vmov    s8, s9, p, out
    subs    x0, x0, #1
    vmov    s7, x0
    bne     1b
    pop     {r4-r11, pc}
    .size tinyflow_depthwise_conv_s8_3x3_stride1_fixed_lines1_96_outputs9_pitch20_180_signed_dsp, . - tinyflow_depthwise_conv_s8_3x3_stride1_fixed_lines1_96_outputs9_pitch20_180_signed_dsp
