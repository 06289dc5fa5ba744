/*
 * tf_conv_tile_4_m4_u4_once_signed_groups.S, made by tinyflow: the outputs of 4 pixels in all channels, a pair of channels at a time.
 *
 *   void tf_conv_tile_4_m4_u4_once_signed_groups(const tf_conv_tile *tile, int8_t *output, uint32_t groups);
 *
 *                columns: int16 pairs, a step a line
 *                  one  two  one  two
 *   stream  wh  |  h0   h1   h2   h3      the higher channel's sums
 *           wl  |  l0   l1   l2   l3      the lower channel's
 *
 * A word of the stream holds four weights as bytes: low, high, low, high. SXTB16 makes halfwords of
 * either channel's.
 * Loads are grouped, because on a Cortex-M4 a run of n loads takes n + 1 cycles.
 *
 * Several groups of 4 pixels follow each other in a pair of channels, so that its stream is read
 * from flash only once: the flash's data buffer holds it.
 *
 * Stack: +0 bytes from pixel to pixel of the output (its channels), +4 output zero point, +8 where
 *   to write, +16 the columns, +20 where their last group ends,
 *   +24 where the last channels end, +28 the pair's stream, +32 its first output, +36 the columns' start.
 */
#if !defined(__ARM_FEATURE_DSP)
#error "this kernel needs the DSP extension"
#endif
    .syntax unified
    .thumb
    .section .text.tf_conv_tile_4_m4_u4_once_signed_groups, "ax", %progbits
    .p2align 4
    .global tf_conv_tile_4_m4_u4_once_signed_groups
    .thumb_func
    .type tf_conv_tile_4_m4_u4_once_signed_groups, %function
tf_conv_tile_4_m4_u4_once_signed_groups:
    columns    .req r0      /* 8 less than where it points to */
    stream     .req r1
    raw        .req r2      /* of the stream */
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
    sub     sp, sp, #52
    ldm     r0, {r3-r8}     /* stream, columns, copy, steps, channels, zero point */
    strd    r7, r8, [sp, #0]
    str     r1, [sp, #8]
    add     r7, r7, r1
    str     r7, [sp, #24]
    sub     r4, r4, #8
    str     r1, [sp, #32]
    str     r4, [sp, #36]
    mul     r2, r2, r6
    add     r2, r4, r2, lsl #4
    str     r2, [sp, #20]
    str     r3, [sp, #28]

1:  /* a pair of channels */
    ldr     columns, [sp, #36]
    .p2align 2
3:  /* a group of pixels */
    ldr     stream, [sp, #28]
    ldrd    l3, h3, [stream], #8
    ldr     one, [columns, #8]
    ldr     two, [columns, #12]
    ldr     raw, [stream], #4
    sxtb16  lower, raw
    sxtb16  raw, raw, ror #8
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
    ldr     raw, [stream], #4
    sxtb16  lower, raw
    sxtb16  raw, raw, ror #8
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
    ldr     raw, [stream], #4
    sxtb16  lower, raw
    sxtb16  raw, raw, ror #8
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
    ldr     raw, [stream], #4
    sxtb16  lower, raw
    sxtb16  raw, raw, ror #8
    smlad   l0, lower, one, l0
    smlad   h0, raw, one, h0
    smlad   l1, lower, two, l1
    smlad   h1, raw, two, h1
    ldrd    one, two, [columns, #64]!
    smlad   l2, lower, one, l2
    smlad   h2, raw, one, h2
    smlad   l3, lower, two, l3
    smlad   h3, raw, two, h3

    ldrd    multiplier, power, [stream], #8
    str     columns, [sp, #16]
    ldm     sp, {stride, zero, out}
    smmlar  l0, l0, multiplier, l0
    add     l0, l0, l0, asr #31
    smmlar  l0, l0, power, zero
    ssat    l0, #8, l0
    smmlar  l1, l1, multiplier, l1
    add     l1, l1, l1, asr #31
    smmlar  l1, l1, power, zero
    ssat    l1, #8, l1
    smmlar  l2, l2, multiplier, l2
    add     l2, l2, l2, asr #31
    smmlar  l2, l2, power, zero
    ssat    l2, #8, l2
    smmlar  l3, l3, multiplier, l3
    add     l3, l3, l3, asr #31
    smmlar  l3, l3, power, zero
    ssat    l3, #8, l3
    ldrd    multiplier, power, [stream], #8
    smmlar  h0, h0, multiplier, h0
    add     h0, h0, h0, asr #31
    smmlar  h0, h0, power, zero
    ssat    h0, #8, h0
    smmlar  h1, h1, multiplier, h1
    add     h1, h1, h1, asr #31
    smmlar  h1, h1, power, zero
    ssat    h1, #8, h1
    smmlar  h2, h2, multiplier, h2
    add     h2, h2, h2, asr #31
    smmlar  h2, h2, power, zero
    ssat    h2, #8, h2
    smmlar  h3, h3, multiplier, h3
    add     h3, h3, h3, asr #31
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
    strh    l0, [out]
    add     out, further, stride, lsl #1
    ldr     columns, [sp, #16]
    ldr     l0, [sp, #20]
    str     out, [sp, #8]
    cmp     columns, l0
    bne     3b
    str     stream, [sp, #28]
    ldr     out, [sp, #32]
    ldr     l0, [sp, #24]
    add     out, out, #2
    str     out, [sp, #32]
    str     out, [sp, #8]
    cmp     out, l0
    bne     1b
    add     sp, sp, #52
    pop     {r4-r11, pc}
    .size tf_conv_tile_4_m4_u4_once_signed_groups, . - tf_conv_tile_4_m4_u4_once_signed_groups
