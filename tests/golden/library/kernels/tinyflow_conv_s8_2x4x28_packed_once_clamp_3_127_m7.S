/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tinyflow_conv_s8_2x4x28_packed_once_clamp_3_127_m7.S, made by tinyflow: the outputs of 4 pixels in all channels, a pair of channels at a time,
 * in an order for the Cortex-M7.
 *
 *   void tinyflow_conv_s8_2x4x28_packed_once_clamp_3_127_m7(const tinyflow_conv_microkernel *microkernel, int8_t *output, uint32_t groups);
 *
 *                columns: int16 pairs, a step a line
 *                  p0   p1   p2   p3
 *   packed  wh  |  h0   h1   h2   h3      the higher channel's sums
 *           wl  |  l0   l1   l2   l3      the lower channel's
 *
 * A word of the packed weights holds two halfwords 256 * high + low, one for each half of a step. SMLAD with
 * the raw word sums 256 * h + l, and with its sign-extended low bytes l alone; what h is follows at
 * the end, exact because 256 * h is known to fit 32 bits.
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
    .section .text.tinyflow_conv_s8_2x4x28_packed_once_clamp_3_127_m7, "ax", %progbits
    .p2align 4
    .global tinyflow_conv_s8_2x4x28_packed_once_clamp_3_127_m7
    .thumb_func
    .type tinyflow_conv_s8_2x4x28_packed_once_clamp_3_127_m7, %function
tinyflow_conv_s8_2x4x28_packed_once_clamp_3_127_m7:
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
    sxtb16  wb, wa
    smlad   h0, wa, one, h3
    smlad   h1, wa, two, h3
    smlad   l0, wb, one, l3
      ldr     one, [columns, #8]
    smlad   l1, wb, two, l3
      ldr     two, [columns, #12]
    smlad   l2, wb, one, l3
    smlad   l3, wb, two, l3
      ldr     wb, [packed], #4
    smlad   h2, wa, one, h3
      ldr     one, [columns, #16]
    smlad   h3, wa, two, h3
      ldr     two, [columns, #20]
    sxtb16  wa, wb
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
      ldr     one, [columns, #32]
    smlad   h3, wb, two, h3
      ldr     two, [columns, #36]
    sxtb16  wb, wa
    smlad   h0, wa, one, h0
    smlad   h1, wa, two, h1
    smlad   l0, wb, one, l0
      ldr     one, [columns, #40]
    smlad   l1, wb, two, l1
      ldr     two, [columns, #44]
    smlad   l2, wb, one, l2
    smlad   l3, wb, two, l3
      ldr     wb, [packed], #4
    smlad   h2, wa, one, h2
      ldr     one, [columns, #48]
    smlad   h3, wa, two, h3
      ldr     two, [columns, #52]
    sxtb16  wa, wb
    smlad   h0, wb, one, h0
    smlad   h1, wb, two, h1
    smlad   l0, wa, one, l0
      ldr     one, [columns, #56]
    smlad   l1, wa, two, l1
      ldr     two, [columns, #60]
    smlad   l2, wa, one, l2
    smlad   l3, wa, two, l3
      ldr     wa, [packed], #4
    smlad   h2, wb, one, h2
      ldr     one, [columns, #64]
    smlad   h3, wb, two, h3
      ldr     two, [columns, #68]
    sxtb16  wb, wa
    smlad   h0, wa, one, h0
    smlad   h1, wa, two, h1
    smlad   l0, wb, one, l0
      ldr     one, [columns, #72]
    smlad   l1, wb, two, l1
      ldr     two, [columns, #76]
    smlad   l2, wb, one, l2
    smlad   l3, wb, two, l3
      ldr     wb, [packed], #4
    smlad   h2, wa, one, h2
      ldr     one, [columns, #80]
    smlad   h3, wa, two, h3
      ldr     two, [columns, #84]
    sxtb16  wa, wb
    smlad   h0, wb, one, h0
    smlad   h1, wb, two, h1
    smlad   l0, wa, one, l0
      ldr     one, [columns, #88]
    smlad   l1, wa, two, l1
      ldr     two, [columns, #92]
    smlad   l2, wa, one, l2
    smlad   l3, wa, two, l3
      ldr     wa, [packed], #4
    smlad   h2, wb, one, h2
      ldr     one, [columns, #96]
    smlad   h3, wb, two, h3
      ldr     two, [columns, #100]
    sxtb16  wb, wa
    smlad   h0, wa, one, h0
    smlad   h1, wa, two, h1
    smlad   l0, wb, one, l0
      ldr     one, [columns, #104]
    smlad   l1, wb, two, l1
      ldr     two, [columns, #108]
    smlad   l2, wb, one, l2
    smlad   l3, wb, two, l3
      ldr     wb, [packed], #4
    smlad   h2, wa, one, h2
      ldr     one, [columns, #112]
    smlad   h3, wa, two, h3
      ldr     two, [columns, #116]
    sxtb16  wa, wb
    smlad   h0, wb, one, h0
    smlad   h1, wb, two, h1
    smlad   l0, wa, one, l0
      ldr     one, [columns, #120]
    smlad   l1, wa, two, l1
      ldr     two, [columns, #124]
    smlad   l2, wa, one, l2
    smlad   l3, wa, two, l3
      ldr     wa, [packed], #4
    smlad   h2, wb, one, h2
      ldr     one, [columns, #128]
    smlad   h3, wb, two, h3
      ldr     two, [columns, #132]
    sxtb16  wb, wa
    smlad   h0, wa, one, h0
    smlad   h1, wa, two, h1
    smlad   l0, wb, one, l0
      ldr     one, [columns, #136]
    smlad   l1, wb, two, l1
      ldr     two, [columns, #140]
    smlad   l2, wb, one, l2
    smlad   l3, wb, two, l3
      ldr     wb, [packed], #4
    smlad   h2, wa, one, h2
      ldr     one, [columns, #144]
    smlad   h3, wa, two, h3
      ldr     two, [columns, #148]
    sxtb16  wa, wb
    smlad   h0, wb, one, h0
    smlad   h1, wb, two, h1
    smlad   l0, wa, one, l0
      ldr     one, [columns, #152]
    smlad   l1, wa, two, l1
      ldr     two, [columns, #156]
    smlad   l2, wa, one, l2
    smlad   l3, wa, two, l3
      ldr     wa, [packed], #4
    smlad   h2, wb, one, h2
      ldr     one, [columns, #160]
    smlad   h3, wb, two, h3
      ldr     two, [columns, #164]
    sxtb16  wb, wa
    smlad   h0, wa, one, h0
    smlad   h1, wa, two, h1
    smlad   l0, wb, one, l0
      ldr     one, [columns, #168]
    smlad   l1, wb, two, l1
      ldr     two, [columns, #172]
    smlad   l2, wb, one, l2
    smlad   l3, wb, two, l3
      ldr     wb, [packed], #4
    smlad   h2, wa, one, h2
      ldr     one, [columns, #176]
    smlad   h3, wa, two, h3
      ldr     two, [columns, #180]
    sxtb16  wa, wb
    smlad   h0, wb, one, h0
    smlad   h1, wb, two, h1
    smlad   l0, wa, one, l0
      ldr     one, [columns, #184]
    smlad   l1, wa, two, l1
      ldr     two, [columns, #188]
    smlad   l2, wa, one, l2
    smlad   l3, wa, two, l3
      ldr     wa, [packed], #4
    smlad   h2, wb, one, h2
      ldr     one, [columns, #192]
    smlad   h3, wb, two, h3
      ldr     two, [columns, #196]
    sxtb16  wb, wa
    smlad   h0, wa, one, h0
    smlad   h1, wa, two, h1
    smlad   l0, wb, one, l0
      ldr     one, [columns, #200]
    smlad   l1, wb, two, l1
      ldr     two, [columns, #204]
    smlad   l2, wb, one, l2
    smlad   l3, wb, two, l3
      ldr     wb, [packed], #4
    smlad   h2, wa, one, h2
      ldr     one, [columns, #208]
    smlad   h3, wa, two, h3
      ldr     two, [columns, #212]
    sxtb16  wa, wb
    smlad   h0, wb, one, h0
    smlad   h1, wb, two, h1
    smlad   l0, wa, one, l0
      ldr     one, [columns, #216]
    smlad   l1, wa, two, l1
      ldr     two, [columns, #220]
    smlad   l2, wa, one, l2
    smlad   l3, wa, two, l3
      ldr     wa, [packed], #4
    smlad   h2, wb, one, h2
    smlad   h3, wb, two, h3

    /* The lower channel's outputs, and what the higher one's sums are. */
    ldr     power, [packed], #4
      ldr     zero, [sp, #4]
    sub     h0, h0, l0
    smmlar  l0, l0, multiplier, l0
    sub     h1, h1, l1
    smmlar  l1, l1, multiplier, l1
    sub     h2, h2, l2
    smmlar  l2, l2, multiplier, l2
    sub     h3, h3, l3
    smmlar  l3, l3, multiplier, l3
      ldr     multiplier, [packed], #4
    smmlar  l0, l0, power, zero
    asr     h0, h0, #8
    smmlar  l1, l1, power, zero
    asr     h1, h1, #8
    smmlar  l2, l2, power, zero
    asr     h2, h2, #8
    smmlar  l3, l3, power, zero
    asr     h3, h3, #8
    smmlar  h0, h0, multiplier, h0
    ssat    l0, #8, l0
    cmp     l0, #3
    it      lt
    movlt   l0, #3
    cmp     l0, #127
    it      gt
    movgt   l0, #127
    smmlar  h1, h1, multiplier, h1
    ssat    l1, #8, l1
    cmp     l1, #3
    it      lt
    movlt   l1, #3
    cmp     l1, #127
    it      gt
    movgt   l1, #127
    smmlar  h2, h2, multiplier, h2
    ssat    l2, #8, l2
    cmp     l2, #3
    it      lt
    movlt   l2, #3
    cmp     l2, #127
    it      gt
    movgt   l2, #127
    smmlar  h3, h3, multiplier, h3
ldr     power, [packed], #4
      ldr     out, [sp, #8]
    ssat    l3, #8, l3
    cmp     l3, #3
    it      lt
    movlt   l3, #3
    cmp     l3, #127
    it      gt
    movgt   l3, #127
ldr     stride, [sp, #0]
    smmlar  h0, h0, power, zero
    smmlar  h1, h1, power, zero
strb    l0, [out]
      add     l0, stride, stride, lsl #1
    smmlar  h2, h2, power, zero
    smmlar  h3, h3, power, zero
    ssat    h0, #8, h0
    cmp     h0, #3
    it      lt
    movlt   h0, #3
    cmp     h0, #127
    it      gt
    movgt   h0, #127
strb    l1, [out, stride]
    ssat    h1, #8, h1
    cmp     h1, #3
    it      lt
    movlt   h1, #3
    cmp     h1, #127
    it      gt
    movgt   h1, #127
strb    l2, [out, stride, lsl #1]
    ssat    h2, #8, h2
    cmp     h2, #3
    it      lt
    movlt   h2, #3
    cmp     h2, #127
    it      gt
    movgt   h2, #127
strb    l3, [out, l0]
    add     out, out, #1
    ssat    h3, #8, h3
    cmp     h3, #3
    it      lt
    movlt   h3, #3
    cmp     h3, #127
    it      gt
    movgt   h3, #127
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
    .size tinyflow_conv_s8_2x4x28_packed_once_clamp_3_127_m7, . - tinyflow_conv_s8_2x4x28_packed_once_clamp_3_127_m7
