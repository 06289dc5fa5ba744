/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tinyflow_conv_s8_2x4x4_bytes_once_signed_m7.S, made by tinyflow: the outputs of 4 pixels in all channels, a pair of channels at a time,
 * in an order for the Cortex-M7.
 *
 *   void tinyflow_conv_s8_2x4x4_bytes_once_signed_m7(const tinyflow_conv_microkernel *microkernel, int8_t *output, uint32_t groups);
 *
 *                columns: int16 pairs, a step a line
 *                  p0   p1   p2   p3
 *   packed  wh  |  h0   h1   h2   h3      the higher channel's sums
 *           wl  |  l0   l1   l2   l3      the lower channel's
 *
 * A word of the packed weights holds four weights as bytes: low, high, low, high. SXTB16 makes halfwords of
 * either channel's.
 *
 * One SMLAD a cycle is the most the core does; loads are paired with them, two cycles before they are
 * needed. The registers of pixels 0 and 1 take pixels 2 and 3, then the next step's 0 and 1; the
 * next word of the packed weights are loaded into a register of weights that are no more needed. Lines that
 * are indented together are issued together.
 *
 * Stack: +0 bytes from pixel to pixel of the output (its channels), +4 output zero point,
 *   +8 where to write, +12 end of the columns, +16 their start, +20 where the last channels end.
 */
#if !defined(__ARM_FEATURE_DSP)
#error "this kernel needs the DSP extension"
#endif
    .syntax unified
    .thumb
    .section .text.tinyflow_conv_s8_2x4x4_bytes_once_signed_m7, "ax", %progbits
    .p2align 4
    .global tinyflow_conv_s8_2x4x4_bytes_once_signed_m7
    .thumb_func
    .type tinyflow_conv_s8_2x4x4_bytes_once_signed_m7, %function
tinyflow_conv_s8_2x4x4_bytes_once_signed_m7:
    columns    .req r0
    packed     .req r1
    wa         .req r2      /* weights */
    wb         .req r3
    one        .req r4
    two        .req r5
    multiplier .req r2      /* at the end */
    power      .req r3
    zero       .req r4
    out        .req r5
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
    str     r7, [sp, #20]
    str     r4, [sp, #16]
    add     r4, r4, r6, lsl #4
    str     r4, [sp, #12]
    mov     packed, r3
    .p2align 2
2:  /* a pair of channels */
    ldrd    l3, h3, [packed], #8
    ldr     columns, [sp, #16]
    ldr     wa, [packed], #4
    ldr     one, [columns]
    ldr     two, [columns, #4]
    sxtb16  wb, wa, ror #8
    sxtb16  wa, wa
    smlad   h0, wb, one, h3
    smlad   h1, wb, two, h3
    smlad   l0, wa, one, l3
      ldr     one, [columns, #8]
    smlad   l1, wa, two, l3
      ldr     two, [columns, #12]
    smlad   l2, wa, one, l3
    smlad   l3, wa, two, l3
      ldr     wa, [packed], #4
    smlad   h2, wb, one, h3
      ldr     one, [columns, #16]
    smlad   h3, wb, two, h3
      ldr     two, [columns, #20]
    sxtb16  wb, wa, ror #8
    sxtb16  wa, wa
    smlad   h0, wb, one, h0
    smlad   h1, wb, two, h1
    smlad   l0, wa, one, l0
      ldr     one, [columns, #24]
    smlad   l1, wa, two, l1
      ldr     two, [columns, #28]
    smlad   l2, wa, one, l2
    smlad   l3, wa, two, l3
      ldr     wa, [packed], #4
    smlad   h2, wb, one, h2
    smlad   h3, wb, two, h3

    /* The lower channel's outputs, and what the higher one's sums are. */
    ldr     power, [packed], #4
      ldr     zero, [sp, #4]
    smmlar  l0, l0, multiplier, l0
    smmlar  l1, l1, multiplier, l1
    smmlar  l2, l2, multiplier, l2
    smmlar  l3, l3, multiplier, l3
      ldr     multiplier, [packed], #4
    add     l0, l0, l0, asr #31
    add     l1, l1, l1, asr #31
    smmlar  l0, l0, power, zero
    add     l2, l2, l2, asr #31
    smmlar  l1, l1, power, zero
    add     l3, l3, l3, asr #31
    smmlar  l2, l2, power, zero
    smmlar  l3, l3, power, zero
    smmlar  h0, h0, multiplier, h0
    smmlar  h1, h1, multiplier, h1
    smmlar  h2, h2, multiplier, h2
    ssat    l2, #8, l2
    smmlar  h3, h3, multiplier, h3
ldr     power, [packed], #4
      ldr     out, [sp, #8]
    ssat    l0, #8, l0
ldr     stride, [sp, #0]
    ssat    l1, #8, l1
    add     h0, h0, h0, asr #31
    add     h1, h1, h1, asr #31
    smmlar  h0, h0, power, zero
    add     h2, h2, h2, asr #31
    smmlar  h1, h1, power, zero
    add     h3, h3, h3, asr #31
    smmlar  h2, h2, power, zero
    ssat    l3, #8, l3
    smmlar  h3, h3, power, zero
strb    l0, [out]
      add     l0, stride, stride, lsl #1
    ssat    h0, #8, h0
strb    l1, [out, stride]
    ssat    h1, #8, h1
strb    l2, [out, stride, lsl #1]
    ssat    h2, #8, h2
strb    l3, [out, l0]
    add     out, out, #1
    ssat    h3, #8, h3
      ldr     l1, [sp, #20]
    strb    h3, [out, l0]
    strb    h2, [out, stride, lsl #1]
    strb    h1, [out, stride]
    strb    h0, [out], #1
      cmp     out, l1
    str     out, [sp, #8]
    bne     2b
    add     sp, sp, #28
    pop     {r4-r11, pc}
    .size tinyflow_conv_s8_2x4x4_bytes_once_signed_m7, . - tinyflow_conv_s8_2x4x4_bytes_once_signed_m7
