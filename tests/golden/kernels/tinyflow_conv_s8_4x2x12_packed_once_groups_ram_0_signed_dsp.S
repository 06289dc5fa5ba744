/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tinyflow_conv_s8_4x2x12_packed_once_groups_ram_0_signed_dsp.S, made by tinyflow: the outputs of groups of 4 pixels in all channels, four channels at a time.
 *
 *   void tinyflow_conv_s8_4x2x12_packed_once_groups_ram_0_signed_dsp(const tinyflow_conv_microkernel *microkernel, int8_t *output, uint32_t groups);
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
 * Pixels 0 and 1 of all groups come first, then pixels 2 and 3.
 * The packed weights of four channels are copied to RAM, so that flash is read only once.
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
    .section .text.tinyflow_conv_s8_4x2x12_packed_once_groups_ram_0_signed_dsp, "ax", %progbits
    .p2align 4
    .global tinyflow_conv_s8_4x2x12_packed_once_groups_ram_0_signed_dsp
    .thumb_func
    .type tinyflow_conv_s8_4x2x12_packed_once_groups_ram_0_signed_dsp, %function
tinyflow_conv_s8_4x2x12_packed_once_groups_ram_0_signed_dsp:
    columns    .req r0      /* 16 less than where it points to */
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
    i1         .req r10
    j1         .req r11
    k1         .req r12
    m1         .req lr

    push    {r4-r11, lr}
    sub     sp, sp, #60
    ldm     r0, {r3-r8}     /* packed, columns, copy, steps, channels, zero point */
    strd    r7, r8, [sp, #0]
    add     r7, r7, r1
    str     r7, [sp, #24]
    str     r1, [sp, #32]
    sub     r4, r4, #16
    str     r4, [sp, #36]
    mul     r2, r2, r6
    lsl     r2, r2, #4
    str     r2, [sp, #48]
    add     r2, r2, r4
    add     r2, r2, #8
    str     r2, [sp, #52]
    strd    r3, r5, [sp, #40]
    str     r5, [sp, #28]
    add     r5, r5, r6, lsl #3
    add     r5, r5, #16
    str     r5, [sp, #12]

1:  /* four channels */
    ldrd    r0, r1, [sp, #40]       /* their packed weights */
    ldr     r2, [sp, #12]
    add     r2, r2, #32
2:
    ldm     r0!, {r3-r10}
    stm     r1!, {r3-r10}
    cmp     r1, r2
    bne     2b
    str     r0, [sp, #40]
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
    ldm     packed!, {i1, j1, k1, m1}
    ldrd    ji, mk, [packed], #8
    ldrd    one, two, [columns, #16]
    smlad   j0, ji, one, j1
    smlad   j1, ji, two, j1
    smlad   m0, mk, one, m1
    smlad   m1, mk, two, m1
    sxtb16  ji, ji
    sxtb16  mk, mk
    smlad   i0, ji, one, i1
    smlad   i1, ji, two, i1
    smlad   k0, mk, one, k1
    smlad   k1, mk, two, k1
    ldrd    ji, mk, [packed], #8
    ldrd    one, two, [columns, #32]
    smlad   j0, ji, one, j0
    smlad   j1, ji, two, j1
    smlad   m0, mk, one, m0
    smlad   m1, mk, two, m1
    sxtb16  ji, ji
    sxtb16  mk, mk
    smlad   i0, ji, one, i0
    smlad   i1, ji, two, i1
    smlad   k0, mk, one, k0
    smlad   k1, mk, two, k1
    ldrd    ji, mk, [packed], #8
    ldrd    one, two, [columns, #48]
    smlad   j0, ji, one, j0
    smlad   j1, ji, two, j1
    smlad   m0, mk, one, m0
    smlad   m1, mk, two, m1
    sxtb16  ji, ji
    sxtb16  mk, mk
    smlad   i0, ji, one, i0
    smlad   i1, ji, two, i1
    smlad   k0, mk, one, k0
    smlad   k1, mk, two, k1
    ldrd    ji, mk, [packed], #8
    ldrd    one, two, [columns, #64]
    smlad   j0, ji, one, j0
    smlad   j1, ji, two, j1
    smlad   m0, mk, one, m0
    smlad   m1, mk, two, m1
    sxtb16  ji, ji
    sxtb16  mk, mk
    smlad   i0, ji, one, i0
    smlad   i1, ji, two, i1
    smlad   k0, mk, one, k0
    smlad   k1, mk, two, k1
    ldrd    ji, mk, [packed], #8
    ldrd    one, two, [columns, #80]
    smlad   j0, ji, one, j0
    smlad   j1, ji, two, j1
    smlad   m0, mk, one, m0
    smlad   m1, mk, two, m1
    sxtb16  ji, ji
    sxtb16  mk, mk
    smlad   i0, ji, one, i0
    smlad   i1, ji, two, i1
    smlad   k0, mk, one, k0
    smlad   k1, mk, two, k1
    ldrd    ji, mk, [packed], #8
    ldrd    one, two, [columns, #96]!
    smlad   j0, ji, one, j0
    smlad   j1, ji, two, j1
    smlad   m0, mk, one, m0
    smlad   m1, mk, two, m1
    sxtb16  ji, ji
    sxtb16  mk, mk
    smlad   i0, ji, one, i0
    smlad   i1, ji, two, i1
    smlad   k0, mk, one, k0
    smlad   k1, mk, two, k1

    ldrd    multiplier, power, [packed], #8
    str     columns, [sp, #16]
    ldm     sp, {stride, zero, out}
    sub     j0, j0, i0
    sub     m0, m0, k0
    sub     j1, j1, i1
    sub     m1, m1, k1
    smmlar  i0, i0, multiplier, i0
    add     i0, i0, i0, asr #31
    smmlar  i0, i0, power, zero
    ssat    i0, #8, i0
    smmlar  i1, i1, multiplier, i1
    add     i1, i1, i1, asr #31
    smmlar  i1, i1, power, zero
    ssat    i1, #8, i1
    ldrd    multiplier, power, [packed], #8
    asr     j0, j0, #8
    smmlar  j0, j0, multiplier, j0
    add     j0, j0, j0, asr #31
    smmlar  j0, j0, power, zero
    ssat    j0, #8, j0
    asr     j1, j1, #8
    smmlar  j1, j1, multiplier, j1
    add     j1, j1, j1, asr #31
    smmlar  j1, j1, power, zero
    ssat    j1, #8, j1
    ldrd    multiplier, power, [packed], #8
    smmlar  k0, k0, multiplier, k0
    add     k0, k0, k0, asr #31
    smmlar  k0, k0, power, zero
    ssat    k0, #8, k0
    smmlar  k1, k1, multiplier, k1
    add     k1, k1, k1, asr #31
    smmlar  k1, k1, power, zero
    ssat    k1, #8, k1
    ldrd    multiplier, power, [packed], #8
    asr     m0, m0, #8
    smmlar  m0, m0, multiplier, m0
    add     m0, m0, m0, asr #31
    smmlar  m0, m0, power, zero
    ssat    m0, #8, m0
    asr     m1, m1, #8
    smmlar  m1, m1, multiplier, m1
    add     m1, m1, m1, asr #31
    smmlar  m1, m1, power, zero
    ssat    m1, #8, m1
    bfi     i0, j0, #8, #8
    bfi     k0, m0, #8, #8
    pkhbt   i0, i0, k0, lsl #16
    str     i0, [out]
    bfi     i1, j1, #8, #8
    bfi     k1, m1, #8, #8
    pkhbt   i1, i1, k1, lsl #16
    str     i1, [out, stride]
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
    add     columns, columns, #8
    ldr     out, [sp, #56]
    ldr     ji, [sp, #0]
    add     out, out, ji, lsl #1
    b       3b
6:
    ldr     out, [sp, #32]
    ldr     ji, [sp, #24]
    add     out, out, #4
    str     out, [sp, #32]
    cmp     out, ji
    bne     1b
    add     sp, sp, #60
    pop     {r4-r11, pc}
    .size tinyflow_conv_s8_4x2x12_packed_once_groups_ram_0_signed_dsp, . - tinyflow_conv_s8_4x2x12_packed_once_groups_ram_0_signed_dsp
