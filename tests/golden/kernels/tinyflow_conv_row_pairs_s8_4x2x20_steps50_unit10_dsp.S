/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tinyflow_conv_row_pairs_s8_4x2x20_steps50_unit10_dsp.S, made by tinyflow: the outputs of pairs of pixels in all channels, four channels at a time.
 *
 *   void tinyflow_conv_row_pairs_s8_4x2x20_steps50_unit10_dsp(const tinyflow_conv_row_pairs_microkernel *microkernel, int8_t *output, uint32_t pairs, uint32_t distance);
 *
 *                       line: int16 pairs, a step a line
 *                         one  two
 *   packed  wm wk wj wi | i0   i1       the four channels' sums
 *                       | j0   j1
 *                       | k0   k1
 *                       | m0   m1
 *
 * The weights are int16 as the line is: of each step a word for each channel. Windows overlap, the
 * next pair's begins 10 steps on. The second pixel's outputs are `distance` bytes behind the first's.
 *
 * Stack: +0 output zero point, +4 where to write, +8 distance, +12 channels, +16 end of the line,
 *   +20 where the last channels end, +24 the four channels' first output, +28 the line's start,
 *   +32 the four channels' packed weights, +36 the end of its weights.
 */
#if !defined(__ARM_FEATURE_DSP)
#error "this kernel needs the DSP extension"
#endif
    .syntax unified
    .thumb
    .section .text.tinyflow_conv_row_pairs_s8_4x2x20_steps50_unit10_dsp, "ax", %progbits
    .p2align 4
    .global tinyflow_conv_row_pairs_s8_4x2x20_steps50_unit10_dsp
    .thumb_func
    .type tinyflow_conv_row_pairs_s8_4x2x20_steps50_unit10_dsp, %function
tinyflow_conv_row_pairs_s8_4x2x20_steps50_unit10_dsp:
    line       .req r0
    packed     .req r1
    wa         .req r2      /* weights */
    wb         .req r3
    one        .req r4
    two        .req r5
    multiplier .req r2      /* at the end */
    power      .req r3
    zero       .req r4
    out        .req r5
    further    .req r2
    channels   .req r3
    i0         .req r6
    j0         .req r7
    k0         .req r8
    m0         .req r9
    i1         .req r10
    j1         .req r11
    k1         .req r12
    m1         .req lr

    push    {r4-r11, lr}
    sub     sp, sp, #44
    ldm     r0, {r4-r7}     /* packed, line, channels, zero point */
    str     r7, [sp, #0]
    strd    r3, r6, [sp, #8]
    mov     r8, #80
    mla     r8, r8, r2, r5
    add     r6, r6, r1
    strd    r8, r6, [sp, #16]
    strd    r1, r5, [sp, #24]
    str     r4, [sp, #32]
1:  /* four channels */
    ldr     packed, [sp, #32]
    add     packed, packed, #832
    str     packed, [sp, #36]
    ldrd    out, line, [sp, #24]
    str     out, [sp, #4]
    .p2align 2
2:  /* a pair of pixels */
    ldr     packed, [sp, #32]
    ldm     packed!, {i0, j0, k0, m0, i1, j1, k1, m1}
    .p2align 2
3:
    ldrd    wa, wb, [packed], #8
    ldrd    one, two, [line], #8
    smlad   i0, wa, one, i0
    smlad   i1, wa, two, i1
    smlad   j0, wb, one, j0
    smlad   j1, wb, two, j1
    ldrd    wa, wb, [packed], #8
    smlad   k0, wa, one, k0
    smlad   k1, wa, two, k1
    smlad   m0, wb, one, m0
    smlad   m1, wb, two, m1
    ldrd    wa, wb, [packed], #8
    ldrd    one, two, [line], #8
    smlad   i0, wa, one, i0
    smlad   i1, wa, two, i1
    smlad   j0, wb, one, j0
    smlad   j1, wb, two, j1
    ldrd    wa, wb, [packed], #8
    smlad   k0, wa, one, k0
    smlad   k1, wa, two, k1
    smlad   m0, wb, one, m0
    smlad   m1, wb, two, m1
    ldrd    wa, wb, [packed], #8
    ldrd    one, two, [line], #8
    smlad   i0, wa, one, i0
    smlad   i1, wa, two, i1
    smlad   j0, wb, one, j0
    smlad   j1, wb, two, j1
    ldrd    wa, wb, [packed], #8
    smlad   k0, wa, one, k0
    smlad   k1, wa, two, k1
    smlad   m0, wb, one, m0
    smlad   m1, wb, two, m1
    ldrd    wa, wb, [packed], #8
    ldrd    one, two, [line], #8
    smlad   i0, wa, one, i0
    smlad   i1, wa, two, i1
    smlad   j0, wb, one, j0
    smlad   j1, wb, two, j1
    ldrd    wa, wb, [packed], #8
    smlad   k0, wa, one, k0
    smlad   k1, wa, two, k1
    smlad   m0, wb, one, m0
    smlad   m1, wb, two, m1
    ldrd    wa, wb, [packed], #8
    ldrd    one, two, [line], #8
    smlad   i0, wa, one, i0
    smlad   i1, wa, two, i1
    smlad   j0, wb, one, j0
    smlad   j1, wb, two, j1
    ldrd    wa, wb, [packed], #8
    smlad   k0, wa, one, k0
    smlad   k1, wa, two, k1
    smlad   m0, wb, one, m0
    smlad   m1, wb, two, m1
    ldrd    wa, wb, [packed], #8
    ldrd    one, two, [line], #8
    smlad   i0, wa, one, i0
    smlad   i1, wa, two, i1
    smlad   j0, wb, one, j0
    smlad   j1, wb, two, j1
    ldrd    wa, wb, [packed], #8
    smlad   k0, wa, one, k0
    smlad   k1, wa, two, k1
    smlad   m0, wb, one, m0
    smlad   m1, wb, two, m1
    ldrd    wa, wb, [packed], #8
    ldrd    one, two, [line], #8
    smlad   i0, wa, one, i0
    smlad   i1, wa, two, i1
    smlad   j0, wb, one, j0
    smlad   j1, wb, two, j1
    ldrd    wa, wb, [packed], #8
    smlad   k0, wa, one, k0
    smlad   k1, wa, two, k1
    smlad   m0, wb, one, m0
    smlad   m1, wb, two, m1
    ldrd    wa, wb, [packed], #8
    ldrd    one, two, [line], #8
    smlad   i0, wa, one, i0
    smlad   i1, wa, two, i1
    smlad   j0, wb, one, j0
    smlad   j1, wb, two, j1
    ldrd    wa, wb, [packed], #8
    smlad   k0, wa, one, k0
    smlad   k1, wa, two, k1
    smlad   m0, wb, one, m0
    smlad   m1, wb, two, m1
    ldrd    wa, wb, [packed], #8
    ldrd    one, two, [line], #8
    smlad   i0, wa, one, i0
    smlad   i1, wa, two, i1
    smlad   j0, wb, one, j0
    smlad   j1, wb, two, j1
    ldrd    wa, wb, [packed], #8
    smlad   k0, wa, one, k0
    smlad   k1, wa, two, k1
    smlad   m0, wb, one, m0
    smlad   m1, wb, two, m1
    ldrd    wa, wb, [packed], #8
    ldrd    one, two, [line], #8
    smlad   i0, wa, one, i0
    smlad   i1, wa, two, i1
    smlad   j0, wb, one, j0
    smlad   j1, wb, two, j1
    ldrd    wa, wb, [packed], #8
    smlad   k0, wa, one, k0
    smlad   k1, wa, two, k1
    smlad   m0, wb, one, m0
    smlad   m1, wb, two, m1
    ldr     wa, [sp, #36]
    cmp     packed, wa
    bne     3b

    ldrd    zero, out, [sp, #0]
    ldrd    multiplier, power, [packed], #8
    smmlar  i0, i0, multiplier, i0
    smmlar  i1, i1, multiplier, i1
    smmlar  i0, i0, power, zero
    smmlar  i1, i1, power, zero
    ssat    i0, #8, i0
    ssat    i1, #8, i1
    ldrd    multiplier, power, [packed], #8
    smmlar  j0, j0, multiplier, j0
    smmlar  j1, j1, multiplier, j1
    smmlar  j0, j0, power, zero
    smmlar  j1, j1, power, zero
    ssat    j0, #8, j0
    ssat    j1, #8, j1
    ldrd    multiplier, power, [packed], #8
    smmlar  k0, k0, multiplier, k0
    smmlar  k1, k1, multiplier, k1
    smmlar  k0, k0, power, zero
    smmlar  k1, k1, power, zero
    ssat    k0, #8, k0
    ssat    k1, #8, k1
    ldrd    multiplier, power, [packed], #8
    smmlar  m0, m0, multiplier, m0
    smmlar  m1, m1, multiplier, m1
    smmlar  m0, m0, power, zero
    smmlar  m1, m1, power, zero
    ssat    m0, #8, m0
    ssat    m1, #8, m1
    ldrd    further, channels, [sp, #8]
    bfi     i0, j0, #8, #8
    bfi     k0, m0, #8, #8
    pkhbt   i0, i0, k0, lsl #16
    bfi     i1, j1, #8, #8
    bfi     k1, m1, #8, #8
    pkhbt   i1, i1, k1, lsl #16
    str     i1, [out, further]
    str     i0, [out]
    add     out, out, channels
    ldr     further, [sp, #16]
    str     out, [sp, #4]
    sub     line, line, #320
    cmp     line, further
    bne     2b

    ldrd    r2, r3, [sp, #20]       /* where the last channels end, the four channels' outputs */
    str     packed, [sp, #32]
    add     r3, r3, #4
    str     r3, [sp, #24]
    cmp     r3, r2
    bne     1b
    add     sp, sp, #44
    pop     {r4-r11, pc}
    .size tinyflow_conv_row_pairs_s8_4x2x20_steps50_unit10_dsp, . - tinyflow_conv_row_pairs_s8_4x2x20_steps50_unit10_dsp
