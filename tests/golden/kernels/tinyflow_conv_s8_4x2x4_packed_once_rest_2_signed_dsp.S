/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tinyflow_conv_s8_4x2x4_packed_once_rest_2_signed_dsp.S, made by tinyflow: the outputs of 2 pixels in all channels, four channels at a time.
 *
 *   void tinyflow_conv_s8_4x2x4_packed_once_rest_2_signed_dsp(const tinyflow_conv_microkernel *microkernel, int8_t *output, uint32_t groups);
 *
 *                       columns: int16 pairs, a step a line
 *                         one  two
 *   packed  wm wk wj wi | i0   i1       the four channels' sums
 *                       | j0   j1
 *                       | k0   k1
 *                       | m0   m1
 *
 * Two words of the packed weights hold two halfwords 256 * j + i and 256 * m + k each, one for each half of a
 * step. SMLAD with the raw word sums 256 * j + i, and with its sign-extended low bytes i alone; what j
 * is follows at the end, exact because 256 * j is known to fit 32 bits.
 *
 * One pixel comes after the other.
 *
 * Stack: +0 bytes from pixel to pixel of the output (its channels), +4 output zero point, +8 where
 *   to write, +12 end of the weights, +16 the columns, +20 where those of the last group end, +24
 *   where the last channels end, +28 the packed weights of the four channels, +32 their first output, +36
 *   the columns' start, +40 the packed weights in flash, +44 their copy, +48 bytes of all groups' columns,
 *   +52 where the columns end in the last turn, +56 where a turn begins to write.
 */
#if !defined(__ARM_FEATURE_DSP)
#error "this kernel needs the DSP extension"
#endif
    .syntax unified
    .thumb
    .section .text.tinyflow_conv_s8_4x2x4_packed_once_rest_2_signed_dsp, "ax", %progbits
    .p2align 4
    .global tinyflow_conv_s8_4x2x4_packed_once_rest_2_signed_dsp
    .thumb_func
    .type tinyflow_conv_s8_4x2x4_packed_once_rest_2_signed_dsp, %function
tinyflow_conv_s8_4x2x4_packed_once_rest_2_signed_dsp:
    columns    .req r0      /* 8 less than where it points to */
    packed     .req r1
    ji         .req r2      /* weights */
    mk         .req r3
    one        .req r4
    two        .req r5
    multiplier .req r2      /* at the end */
    power      .req r3
    zero       .req r4
    out        .req r5
    stride     .req r0
    i0         .req r6
    j0         .req r7
    k0         .req r8
    m0         .req r9

    push    {r4-r11, lr}
    sub     sp, sp, #60
    ldm     r0, {r3-r8}     /* packed, columns, copy, steps, channels, zero point */
    strd    r7, r8, [sp, #0]
    add     r7, r7, r1
    str     r7, [sp, #24]
    str     r1, [sp, #32]
    sub     r4, r4, #8
    str     r4, [sp, #36]
    mul     r2, r2, r6
    lsl     r2, r2, #3
    str     r2, [sp, #48]
    add     r2, r2, r4
    add     r2, r2, #4
    str     r2, [sp, #52]
    str     r3, [sp, #28]
    lsl     r6, r6, #3
    str     r6, [sp, #40]           /* bytes of the weights */

1:  /* four channels */
    ldr     r0, [sp, #28]
    ldr     r1, [sp, #40]
    add     r0, r0, r1
    add     r0, r0, #16
    str     r0, [sp, #12]
    ldr     out, [sp, #32]
    ldr     columns, [sp, #36]
3:  /* a turn through all groups */
    str     out, [sp, #56]
    str     out, [sp, #8]
    ldr     ji, [sp, #48]
    add     ji, ji, columns
    str     ji, [sp, #20]
    .p2align 2
4:  /* a group */
    ldr     packed, [sp, #28]
    ldm     packed!, {i0, j0, k0, m0}
    ldrd    ji, mk, [packed], #8
    ldr     one, [columns, #8]
    smlad   j0, ji, one, j0
    smlad   m0, mk, one, m0
    sxtb16  ji, ji
    sxtb16  mk, mk
    smlad   i0, ji, one, i0
    smlad   k0, mk, one, k0
    ldrd    ji, mk, [packed], #8
    ldr     one, [columns, #16]!
    smlad   j0, ji, one, j0
    smlad   m0, mk, one, m0
    sxtb16  ji, ji
    sxtb16  mk, mk
    smlad   i0, ji, one, i0
    smlad   k0, mk, one, k0

    ldrd    multiplier, power, [packed], #8
    str     columns, [sp, #16]
    ldm     sp, {stride, zero, out}
    sub     j0, j0, i0
    sub     m0, m0, k0
    smmlar  i0, i0, multiplier, i0
    add     i0, i0, i0, asr #31
    smmlar  i0, i0, power, zero
    ssat    i0, #8, i0
    ldrd    multiplier, power, [packed], #8
    asr     j0, j0, #8
    smmlar  j0, j0, multiplier, j0
    add     j0, j0, j0, asr #31
    smmlar  j0, j0, power, zero
    ssat    j0, #8, j0
    ldrd    multiplier, power, [packed], #8
    smmlar  k0, k0, multiplier, k0
    add     k0, k0, k0, asr #31
    smmlar  k0, k0, power, zero
    ssat    k0, #8, k0
    ldrd    multiplier, power, [packed], #8
    asr     m0, m0, #8
    smmlar  m0, m0, multiplier, m0
    add     m0, m0, m0, asr #31
    smmlar  m0, m0, power, zero
    ssat    m0, #8, m0
    bfi     i0, j0, #8, #8
    bfi     k0, m0, #8, #8
    pkhbt   i0, i0, k0, lsl #16
    str     i0, [out]
    add     out, out, stride, lsl #2
    ldr     columns, [sp, #16]
    ldr     ji, [sp, #20]
    str     out, [sp, #8]
    cmp     columns, ji
    bne     4b

    ldr     ji, [sp, #52]
    cmp     columns, ji
    beq     6f
    ldr     ji, [sp, #48]
    sub     columns, columns, ji
    add     columns, columns, #4
    ldr     out, [sp, #56]
    ldr     ji, [sp, #0]
    add     out, out, ji
    b       3b
6:
    str     packed, [sp, #28]
    ldr     out, [sp, #32]
    ldr     ji, [sp, #24]
    add     out, out, #4
    str     out, [sp, #32]
    cmp     out, ji
    bne     1b
    add     sp, sp, #60
    pop     {r4-r11, pc}
    .size tinyflow_conv_s8_4x2x4_packed_once_rest_2_signed_dsp, . - tinyflow_conv_s8_4x2x4_packed_once_rest_2_signed_dsp
