/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tinyflow_conv_s8_2x4x12_packed_once_dsp.S, made by tinyflow: the outputs of 4 pixels in all channels, a pair of channels at a time.
 *
 *   void tinyflow_conv_s8_2x4x12_packed_once_dsp(const tinyflow_conv_microkernel *microkernel, int8_t *output, uint32_t groups);
 *
 *                columns: int16 pairs, a step a line
 *                  one  two  one  two
 *   packed  wh  |  h0   h1   h2   h3      the higher channel's sums
 *           wl  |  l0   l1   l2   l3      the lower channel's
 *
 * A word of the packed weights holds two halfwords 256 * high + low, one for each half of a step. SMLAD with
 * the raw word sums 256 * h + l, and with its sign-extended low bytes l alone; what h is follows at
 * the end, exact because 256 * h is known to fit 32 bits.
 * Loads are grouped, because on a Cortex-M4 a run of n loads takes n + 1 cycles.
 *
 * Stack: +0 bytes from pixel to pixel of the output (its channels), +4 output zero point, +8 where
 *   to write, +12 end of the columns, +16 the columns,
 *   +24 where the last channels end.
 */
#if !defined(__ARM_FEATURE_DSP)
#error "this kernel needs the DSP extension"
#endif
    .syntax unified
    .thumb
    .section .text.tinyflow_conv_s8_2x4x12_packed_once_dsp, "ax", %progbits
    .p2align 4
    .global tinyflow_conv_s8_2x4x12_packed_once_dsp
    .thumb_func
    .type tinyflow_conv_s8_2x4x12_packed_once_dsp, %function
tinyflow_conv_s8_2x4x12_packed_once_dsp:
    columns    .req r0      /* 8 less than where it points to */
    packed     .req r1
    raw        .req r2      /* of the packed weights */
    lower      .req r3
    one        .req r4
    two        .req r5
    multiplier .req r2      /* at the end */
    power      .req r3
    zero       .req r4
    out        .req r5
    further    .req r2
    stride     .req r0
    l0         .req r6
    l1         .req r7
    l2         .req r8
    l3         .req r9
    h0         .req r10
    h1         .req r11
    h2         .req r12
    h3         .req lr

    push    {r4-r11, lr}
    sub     sp, sp, #28
    ldm     r0, {r3-r8}     /* packed, columns, copy, steps, channels, zero point */
    strd    r7, r8, [sp, #0]
    str     r1, [sp, #8]
    add     r7, r7, r1
    str     r7, [sp, #24]
    sub     r4, r4, #8
    str     r4, [sp, #16]
    add     r4, r4, r6, lsl #4
    str     r4, [sp, #12]
    mov     packed, r3

1:  /* a pair of channels */
    ldrd    l3, h3, [packed], #8
    ldr     columns, [sp, #16]
    ldr     one, [columns, #8]
    ldr     two, [columns, #12]
    ldr     raw, [packed], #4
    sxtb16  lower, raw
    smlad   l0, lower, one, l3
    smlad   h0, raw, one, h3
    smlad   l1, lower, two, l3
    smlad   h1, raw, two, h3
    ldrd    one, two, [columns, #16]
    smlad   l2, lower, one, l3
    smlad   h2, raw, one, h3
    smlad   l3, lower, two, l3
    smlad   h3, raw, two, h3
    ldr     one, [columns, #24]
    ldr     two, [columns, #28]
    ldr     raw, [packed], #4
    sxtb16  lower, raw
    smlad   l0, lower, one, l0
    smlad   h0, raw, one, h0
    smlad   l1, lower, two, l1
    smlad   h1, raw, two, h1
    ldrd    one, two, [columns, #32]
    smlad   l2, lower, one, l2
    smlad   h2, raw, one, h2
    smlad   l3, lower, two, l3
    smlad   h3, raw, two, h3
    ldr     one, [columns, #40]
    ldr     two, [columns, #44]
    ldr     raw, [packed], #4
    sxtb16  lower, raw
    smlad   l0, lower, one, l0
    smlad   h0, raw, one, h0
    smlad   l1, lower, two, l1
    smlad   h1, raw, two, h1
    ldrd    one, two, [columns, #48]
    smlad   l2, lower, one, l2
    smlad   h2, raw, one, h2
    smlad   l3, lower, two, l3
    smlad   h3, raw, two, h3
    ldr     one, [columns, #56]
    ldr     two, [columns, #60]
    ldr     raw, [packed], #4
    sxtb16  lower, raw
    smlad   l0, lower, one, l0
    smlad   h0, raw, one, h0
    smlad   l1, lower, two, l1
    smlad   h1, raw, two, h1
    ldrd    one, two, [columns, #64]
    smlad   l2, lower, one, l2
    smlad   h2, raw, one, h2
    smlad   l3, lower, two, l3
    smlad   h3, raw, two, h3
    ldr     one, [columns, #72]
    ldr     two, [columns, #76]
    ldr     raw, [packed], #4
    sxtb16  lower, raw
    smlad   l0, lower, one, l0
    smlad   h0, raw, one, h0
    smlad   l1, lower, two, l1
    smlad   h1, raw, two, h1
    ldrd    one, two, [columns, #80]
    smlad   l2, lower, one, l2
    smlad   h2, raw, one, h2
    smlad   l3, lower, two, l3
    smlad   h3, raw, two, h3
    ldr     one, [columns, #88]
    ldr     two, [columns, #92]
    ldr     raw, [packed], #4
    sxtb16  lower, raw
    smlad   l0, lower, one, l0
    smlad   h0, raw, one, h0
    smlad   l1, lower, two, l1
    smlad   h1, raw, two, h1
    ldrd    one, two, [columns, #96]
    smlad   l2, lower, one, l2
    smlad   h2, raw, one, h2
    smlad   l3, lower, two, l3
    smlad   h3, raw, two, h3

    ldrd    multiplier, power, [packed], #8
    ldm     sp, {stride, zero, out}
    sub     h0, h0, l0
    sub     h1, h1, l1
    sub     h2, h2, l2
    sub     h3, h3, l3
    smmlar  l0, l0, multiplier, l0
    smmlar  l0, l0, power, zero
    ssat    l0, #8, l0
    smmlar  l1, l1, multiplier, l1
    smmlar  l1, l1, power, zero
    ssat    l1, #8, l1
    smmlar  l2, l2, multiplier, l2
    smmlar  l2, l2, power, zero
    ssat    l2, #8, l2
    smmlar  l3, l3, multiplier, l3
    smmlar  l3, l3, power, zero
    ssat    l3, #8, l3
    ldrd    multiplier, power, [packed], #8
    asr     h0, h0, #8
    asr     h1, h1, #8
    asr     h2, h2, #8
    asr     h3, h3, #8
    smmlar  h0, h0, multiplier, h0
    smmlar  h0, h0, power, zero
    ssat    h0, #8, h0
    smmlar  h1, h1, multiplier, h1
    smmlar  h1, h1, power, zero
    ssat    h1, #8, h1
    smmlar  h2, h2, multiplier, h2
    smmlar  h2, h2, power, zero
    ssat    h2, #8, h2
    smmlar  h3, h3, multiplier, h3
    smmlar  h3, h3, power, zero
    ssat    h3, #8, h3
    add     further, out, stride, lsl #1
    bfi     l3, h3, #8, #8
    strh    l3, [further, stride]
    bfi     l2, h2, #8, #8
    strh    l2, [further]
    bfi     l1, h1, #8, #8
    strh    l1, [out, stride]
    bfi     l0, h0, #8, #8
    strh    l0, [out], #2
    str     out, [sp, #8]
    ldr     l0, [sp, #24]
    cmp     out, l0
    bne     1b
    add     sp, sp, #28
    pop     {r4-r11, pc}
    .size tinyflow_conv_s8_2x4x12_packed_once_dsp, . - tinyflow_conv_s8_2x4x12_packed_once_dsp
