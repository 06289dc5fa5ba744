/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tinyflow_depthwise_conv_s8_3x3_stride2_fixed_lines2_48_outputs2_pitch96_192_shift12_dsp.S: a 3x3 depthwise window of stride 2 along lines of 2 outputs, 96 bytes apart.
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
 *     void tinyflow_depthwise_conv_s8_3x3_stride2_fixed_lines2_48_outputs2_pitch96_192_shift12_dsp(const uint32_t *columns, int8_t *output, const uint32_t *constants,
 *                         const tinyflow_depthwise_outputs *outputs);
 *
 * One channel after the other; of `outputs` the lines and channels count. The constants of a
 * channel are pairs of taps k[line][place], (k00, k01), (k10, k11), (k20, k21), (k02, k12) and (k22, -); the bias,
 * the input's zero point folded in; the multiplier; and what is added to the product. All of them are
 * scaled so that outputs lie 12 bits up: see tinyflow/kernels/generated/depthwise/scaling.py.
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
    .section .text.tinyflow_depthwise_conv_s8_3x3_stride2_fixed_lines2_48_outputs2_pitch96_192_shift12_dsp, "ax", %progbits
    .p2align 2
    .global tinyflow_depthwise_conv_s8_3x3_stride2_fixed_lines2_48_outputs2_pitch96_192_shift12_dsp
    .thumb_func
    .type tinyflow_depthwise_conv_s8_3x3_stride2_fixed_lines2_48_outputs2_pitch96_192_shift12_dsp, %function
tinyflow_depthwise_conv_s8_3x3_stride2_fixed_lines2_48_outputs2_pitch96_192_shift12_dsp:
    push    {r4-r11, lr}
    ldr     r4, [r3, #12]               @ lines
    ldr     r5, [r3, #28]               @ channels
    movw    r7, #96
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
    ldr     x1, [p, #48]
    ldr     y0, [p, #96]
    smlad   y0, y0, k2, bias
    smlad   y0, x0, k0, y0
    smlad   y0, x1, k1, y0
    @ column 1
    ldr     x0, [p, #16]
    ldr     x1, [p, #64]
    ldr     y1, [p, #112]
    smlabb  y0, x0, k01, y0
    smlabt  y0, x1, k01, y0
    smlabb  y0, y1, k2x, y0
    smlad   y1, y1, k2, bias
    smlad   y1, x0, k0, y1
    smlad   y1, x1, k1, y1
    smmla   y0, y0, scale, offset
    ssat    y0, #8, y0, asr #12
    strb    y0, [out]
    @ column 2
    ldr     x0, [p, #32]
    ldr     x1, [p, #80]
    ldr     y0, [p, #128]
    smlabb  y1, x0, k01, y1
    smlabt  y1, x1, k01, y1
    smlabb  y1, y0, k2x, y1
    smmla   y1, y1, scale, offset
    ssat    y1, #8, y1, asr #12
    strb    y1, [out, #96]
    addw    p, p, #96
    addw    out, out, #192
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
    .size tinyflow_depthwise_conv_s8_3x3_stride2_fixed_lines2_48_outputs2_pitch96_192_shift12_dsp, . - tinyflow_depthwise_conv_s8_3x3_stride2_fixed_lines2_48_outputs2_pitch96_192_shift12_dsp
