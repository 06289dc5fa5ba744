/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tinyflow_depthwise_conv_s8_3x3_stride2_fixed_lines2_112_outputs6_pitch24_144_signed_dsp.S: a 3x3 depthwise window of stride 2 along lines of 6 outputs, 24 bytes apart.
 *
 * A column is a word of each of three lines, each word two neighbours as int16. It ends the output
 * that the column before began, and begins the next:
 *
 *     word        0      1      2           x: inputs, the padding included
 *              x0 x1  x2 x3  x4 x5
 *     y0       k0 k1  k2                    SMLAD, SMLABB or SMLABT
 *     y1              k0 k1  k2
 *
 * For each line k0 and k1 are in one register; k2 of lines 0 and 1 are in one, that of line 2 alone.
 *
 *     void tinyflow_depthwise_conv_s8_3x3_stride2_fixed_lines2_112_outputs6_pitch24_144_signed_dsp(const uint32_t *columns, int8_t *output, const uint32_t *constants,
 *                         const tinyflow_depthwise_outputs *outputs);
 *
 * One channel after the other; of `outputs` the lines and channels count, and the zero point. The constants of a
 * channel are pairs of taps k[line][place], (k00, k01), (k10, k11), (k20, k21), (k02, k12) and (k22, -); the bias,
 * the input's zero point folded in; twice the multiplier; and the power of two that shifts to the right.
 */
#ifndef __ARM_FEATURE_DSP
#error "this kernel needs the DSP extension"
#endif
    p       .req r0     @ a word of the line
    out     .req r1     @ an output of the line
    k0      .req r2     @ taps 0 and 1 of line 0
    k1      .req r3     @              of line 1
    k2      .req r4     @              of line 2
    k01     .req r5     @ tap 2 of lines 0 and 1
    k2x     .req r6     @       of line 2
    bias    .req r7
    y0      .req r8     @ accumulators, then outputs
    y1      .req r9
    scale   .req r10    @ constants of the requantisation
    offset  .req r11
    x0      .req r12    @ inputs
    x1      .req lr

    .syntax unified
    .thumb
    .section .text.tinyflow_depthwise_conv_s8_3x3_stride2_fixed_lines2_112_outputs6_pitch24_144_signed_dsp, "ax", %progbits
    .p2align 2
    .global tinyflow_depthwise_conv_s8_3x3_stride2_fixed_lines2_112_outputs6_pitch24_144_signed_dsp
    .thumb_func
    .type tinyflow_depthwise_conv_s8_3x3_stride2_fixed_lines2_112_outputs6_pitch24_144_signed_dsp, %function
tinyflow_depthwise_conv_s8_3x3_stride2_fixed_lines2_112_outputs6_pitch24_144_signed_dsp:
    push    {r4-r11, lr}
    ldr     r4, [r3, #12]               @ lines
    ldr     r5, [r3, #28]               @ channels
    ldr     r6, [r3]
    vmov    s4, r6
    movw    r7, #224
    mul     r4, r4, r7
    vmov    s10, r4
    vmov    s8, s9, p, out
    vmov    s6, s7, r2, r5
    .p2align 2
1:  @ a channel
    vmov    x0, s6
    ldm     x0!, {r2, r3, r4, r5, r6, r7, r10, r11}
    vmov    s6, x0
    vmov    x0, s10
    add     x0, p, x0
    vmov    s11, x0
    .p2align 2
2:  @ a line
    @ column 0
    ldr     x0, [p, #0]
    ldr     x1, [p, #112]
    ldr     y0, [p, #224]
    smlad   y0, y0, k2, bias
    smlad   y0, x0, k0, y0
    smlad   y0, x1, k1, y0
    @ column 1
    ldr     x0, [p, #16]
    ldr     x1, [p, #128]
    ldr     y1, [p, #240]
    smlabb  y0, x0, k01, y0
    smlabt  y0, x1, k01, y0
    smlabb  y0, y1, k2x, y0
    smlad   y1, y1, k2, bias
    smlad   y1, x0, k0, y1
    smlad   y1, x1, k1, y1
    smmlar  y0, y0, scale, y0
    add     y0, y0, y0, asr #31
    vmov    x0, s4
    smmlar  y0, y0, offset, x0
    ssat    y0, #8, y0
    strb    y0, [out]
    @ column 2
    ldr     x0, [p, #32]
    ldr     x1, [p, #144]
    ldr     y0, [p, #256]
    smlabb  y1, x0, k01, y1
    smlabt  y1, x1, k01, y1
    smlabb  y1, y0, k2x, y1
    smlad   y0, y0, k2, bias
    smlad   y0, x0, k0, y0
    smlad   y0, x1, k1, y0
    smmlar  y1, y1, scale, y1
    add     y1, y1, y1, asr #31
    vmov    x0, s4
    smmlar  y1, y1, offset, x0
    ssat    y1, #8, y1
    strb    y1, [out, #24]
    @ column 3
    ldr     x0, [p, #48]
    ldr     x1, [p, #160]
    ldr     y1, [p, #272]
    smlabb  y0, x0, k01, y0
    smlabt  y0, x1, k01, y0
    smlabb  y0, y1, k2x, y0
    smlad   y1, y1, k2, bias
    smlad   y1, x0, k0, y1
    smlad   y1, x1, k1, y1
    smmlar  y0, y0, scale, y0
    add     y0, y0, y0, asr #31
    vmov    x0, s4
    smmlar  y0, y0, offset, x0
    ssat    y0, #8, y0
    strb    y0, [out, #48]
    @ column 4
    ldr     x0, [p, #64]
    ldr     x1, [p, #176]
    ldr     y0, [p, #288]
    smlabb  y1, x0, k01, y1
    smlabt  y1, x1, k01, y1
    smlabb  y1, y0, k2x, y1
    smlad   y0, y0, k2, bias
    smlad   y0, x0, k0, y0
    smlad   y0, x1, k1, y0
    smmlar  y1, y1, scale, y1
    add     y1, y1, y1, asr #31
    vmov    x0, s4
    smmlar  y1, y1, offset, x0
    ssat    y1, #8, y1
    strb    y1, [out, #72]
    @ column 5
    ldr     x0, [p, #80]
    ldr     x1, [p, #192]
    ldr     y1, [p, #304]
    smlabb  y0, x0, k01, y0
    smlabt  y0, x1, k01, y0
    smlabb  y0, y1, k2x, y0
    smlad   y1, y1, k2, bias
    smlad   y1, x0, k0, y1
    smlad   y1, x1, k1, y1
    smmlar  y0, y0, scale, y0
    add     y0, y0, y0, asr #31
    vmov    x0, s4
    smmlar  y0, y0, offset, x0
    ssat    y0, #8, y0
    strb    y0, [out, #96]
    @ column 6
    ldr     x0, [p, #96]
    ldr     x1, [p, #208]
    ldr     y0, [p, #320]
    smlabb  y1, x0, k01, y1
    smlabt  y1, x1, k01, y1
    smlabb  y1, y0, k2x, y1
    smmlar  y1, y1, scale, y1
    add     y1, y1, y1, asr #31
    vmov    x0, s4
    smmlar  y1, y1, offset, x0
    ssat    y1, #8, y1
    strb    y1, [out, #120]
    addw    p, p, #224
    addw    out, out, #144
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
    .size tinyflow_depthwise_conv_s8_3x3_stride2_fixed_lines2_112_outputs6_pitch24_144_signed_dsp, . - tinyflow_depthwise_conv_s8_3x3_stride2_fixed_lines2_112_outputs6_pitch24_144_signed_dsp
