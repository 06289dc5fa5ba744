/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tinyflow_depthwise_conv_s8_3x3_stride1_fixed_lines1_48_outputs3_pitch128_384_shift12_dsp.S: a 3x3 depthwise window of stride 1 along lines of 3 outputs, 128 bytes apart.
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
 *     void tinyflow_depthwise_conv_s8_3x3_stride1_fixed_lines1_48_outputs3_pitch128_384_shift12_dsp(const uint32_t *columns, int8_t *output, const uint32_t *constants,
 *                         const tinyflow_depthwise_outputs *outputs);
 *
 * One channel after the other; of `outputs` the lines and channels count. The constants of a
 * channel are pairs of taps k[line][place], (k00, k01), (k10, k02), (k11, k12), (k20, k21) and (-, k22); the bias,
 * the input's zero point folded in; the multiplier; and what is added to the product. All of them are
 * scaled so that outputs lie 12 bits up: see tinyflow/kernels/generated/depthwise/scaling.py.
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
    .section .text.tinyflow_depthwise_conv_s8_3x3_stride1_fixed_lines1_48_outputs3_pitch128_384_shift12_dsp, "ax", %progbits
    .p2align 2
    .global tinyflow_depthwise_conv_s8_3x3_stride1_fixed_lines1_48_outputs3_pitch128_384_shift12_dsp
    .thumb_func
    .type tinyflow_depthwise_conv_s8_3x3_stride1_fixed_lines1_48_outputs3_pitch128_384_shift12_dsp, %function
tinyflow_depthwise_conv_s8_3x3_stride1_fixed_lines1_48_outputs3_pitch128_384_shift12_dsp:
    push    {r4-r11, lr}
    ldr     r4, [r3, #12]               @ lines
    ldr     r5, [r3, #28]               @ channels
    movw    r7, #48
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
    ldr     x1, [p, #48]
    ldr     y2, [p, #96]
    smlad   y0, x0, k0, y0
    smlatb  y1, x0, k0, y1
    smlad   y0, x1, k1, y0
    smlatb  y1, x1, k1, y1
    smlad   y0, y2, k2, y0
    smlatb  y1, y2, k2, y1
    @ column 1
    vmov    y2, s0
    ldr     x0, [p, #16]
    ldr     x1, [p, #64]
    smlabt  y0, x0, k0r, y0
    smlad   y1, x0, k0r, y1
    smlad   y2, x0, k0, y2
    ldr     x0, [p, #112]
    smlabt  y0, x1, k1r, y0
    smlad   y1, x1, k1r, y1
    smlad   y2, x1, k1, y2
    smlabt  y0, x0, k2r, y0
    smlad   y1, x0, k2r, y1
    smlad   y2, x0, k2, y2
    vmov    x0, x1, s2, s3
    smmla   y0, y0, x0, x1
    smmla   y1, y1, x0, x1
    ssat    y0, #8, y0, asr #12
    ssat    y1, #8, y1, asr #12
    strb    y0, [out]
    strb    y1, [out, #128]
    @ column 2
    ldr     x0, [p, #32]
    ldr     x1, [p, #80]
    ldr     y0, [p, #128]
    smlabt  y2, x0, k0r, y2
    smlabt  y2, x1, k1r, y2
    smlabt  y2, y0, k2r, y2
    vmov    x0, x1, s2, s3
    smmla   y2, y2, x0, x1
    ssat    y2, #8, y2, asr #12
    strb    y2, [out, #256]
    addw    p, p, #48
    addw    out, out, #384
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
    .size tinyflow_depthwise_conv_s8_3x3_stride1_fixed_lines1_48_outputs3_pitch128_384_shift12_dsp, . - tinyflow_depthwise_conv_s8_3x3_stride1_fixed_lines1_48_outputs3_pitch128_384_shift12_dsp
