/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tinyflow_conv_s8_2x1x8_bytes_once_rest_signed_dsp.S, made by tinyflow: the outputs of 1 pixel in all channels, a pair of channels at a time.
 *
 *   void tinyflow_conv_s8_2x1x8_bytes_once_rest_signed_dsp(const tinyflow_conv_microkernel *microkernel, int8_t *output, uint32_t groups);
 *
 *                columns: int16 pairs, a step a line
 *                  one  two  one  two
 *   packed  wh  |  h0   h1   h2   h3      the higher channel's sums
 *           wl  |  l0   l1   l2   l3      the lower channel's
 *
 * A word of the packed weights holds four weights as bytes: low, high, low, high. SXTB16 makes halfwords of
 * either channel's.
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
    .section .text.tinyflow_conv_s8_2x1x8_bytes_once_rest_signed_dsp, "ax", %progbits
    .p2align 4
    .global tinyflow_conv_s8_2x1x8_bytes_once_rest_signed_dsp
    .thumb_func
    .type tinyflow_conv_s8_2x1x8_bytes_once_rest_signed_dsp, %function
tinyflow_conv_s8_2x1x8_bytes_once_rest_signed_dsp:
    columns    .req r0      /* 4 less than where it points to */
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
    h0         .req r10

    push    {r4-r11, lr}
    sub     sp, sp, #28
    ldm     r0, {r3-r8}     /* packed, columns, copy, steps, channels, zero point */
    strd    r7, r8, [sp, #0]
    str     r1, [sp, #8]
    add     r7, r7, r1
    str     r7, [sp, #24]
    sub     r4, r4, #4
    str     r4, [sp, #16]
    add     r4, r4, r6, lsl #2
    str     r4, [sp, #12]
    mov     packed, r3

1:  /* a pair of channels */
    ldrd    l0, h0, [packed], #8
    ldr     columns, [sp, #16]
    ldr     one, [columns, #4]
    ldr     raw, [packed], #4
    sxtb16  lower, raw
    sxtb16  raw, raw, ror #8
    smlad   l0, lower, one, l0
    smlad   h0, raw, one, h0
    ldr     one, [columns, #8]
    ldr     raw, [packed], #4
    sxtb16  lower, raw
    sxtb16  raw, raw, ror #8
    smlad   l0, lower, one, l0
    smlad   h0, raw, one, h0
    ldr     one, [columns, #12]
    ldr     raw, [packed], #4
    sxtb16  lower, raw
    sxtb16  raw, raw, ror #8
    smlad   l0, lower, one, l0
    smlad   h0, raw, one, h0
    ldr     one, [columns, #16]
    ldr     raw, [packed], #4
    sxtb16  lower, raw
    sxtb16  raw, raw, ror #8
    smlad   l0, lower, one, l0
    smlad   h0, raw, one, h0

    ldrd    multiplier, power, [packed], #8
    ldm     sp, {stride, zero, out}
    smmlar  l0, l0, multiplier, l0
    add     l0, l0, l0, asr #31
    smmlar  l0, l0, power, zero
    ssat    l0, #8, l0
    ldrd    multiplier, power, [packed], #8
    smmlar  h0, h0, multiplier, h0
    add     h0, h0, h0, asr #31
    smmlar  h0, h0, power, zero
    ssat    h0, #8, h0
    bfi     l0, h0, #8, #8
    strh    l0, [out], #2
    str     out, [sp, #8]
    ldr     l0, [sp, #24]
    cmp     out, l0
    bne     1b
    add     sp, sp, #28
    pop     {r4-r11, pc}
    .size tinyflow_conv_s8_2x1x8_bytes_once_rest_signed_dsp, . - tinyflow_conv_s8_2x1x8_bytes_once_rest_signed_dsp
