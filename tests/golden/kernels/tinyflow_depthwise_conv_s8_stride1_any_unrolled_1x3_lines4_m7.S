/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tinyflow_depthwise_conv_s8_stride1_any_unrolled_1x3_lines4_m7.S: a depthwise window of stride 1, 1 lines of 3 places, from columns of pairs.
 *
 * Its lines are 16 bytes apart; they may also be parts of one long line.
 *
 * A tile is four outputs of a line. For each line of the window the words of 3 columns are
 * multiplied by 2 of weights, each a pair of int16:
 *
 *     column 0   y0 SMLAD w0   y1 SMLATB w0
 *     column 1   y0 SMLABT w1   y1 SMLAD w1   y2 SMLAD w0   y3 SMLATB w0
 *     column 2   y2 SMLABT w1   y3 SMLAD w1
 *
 * The words of weights are the taps (0, 1), and for the odd outputs (1, 2).
 * They are spread out on the stack, for a tile reads them all.
 *
 *     void tinyflow_depthwise_conv_s8_stride1_any_unrolled_1x3_lines4_m7(const uint32_t *columns, int8_t *output, const uint32_t *constants,
 *                         const tinyflow_depthwise_outputs *outputs);
 *
 * One channel after the other. The constants of each are the bias, the input's zero point folded in;
 * twice the multiplier; the shifts to the left and to the right in the two lowest bytes; and words
 * of four bytes, of which the lowest and the third are one word of weights, the others the next.
 */
#ifndef __ARM_FEATURE_DSP
#error "this kernel needs the DSP extension"
#endif
    .syntax unified
    .thumb

    p       .req r0     @ the tile's first word
    w       .req r1     @ weights in memory
    w0      .req r2
    w1      .req r3
    t0      .req r2     @ for anything, where weights are not needed
    t1      .req r3
    y0      .req r8     @ accumulators, then outputs
    y1      .req r9
    y2      .req r10
    y3      .req r11
    x0      .req r12    @ inputs, and constants of the requantisation
    x1      .req lr

    .section .text.tinyflow_depthwise_conv_s8_stride1_any_unrolled_1x3_lines4_m7, "ax", %progbits
    .p2align 2
    .global tinyflow_depthwise_conv_s8_stride1_any_unrolled_1x3_lines4_m7
    .type   tinyflow_depthwise_conv_s8_stride1_any_unrolled_1x3_lines4_m7, %function
    .thumb_func
tinyflow_depthwise_conv_s8_stride1_any_unrolled_1x3_lines4_m7:
    push    {r4-r11, lr}
    sub     sp, sp, #108
    strd    p, r1, [sp, #48]
    @ `outputs` into the frame
    ldm     r3!, {r4-r11}
    add     x0, sp, #64
    stm     x0!, {r4-r11}
    ldr     r4, [r3]
    str     r4, [x0]
1:  @ a channel: the bias, the multiplier, the shifts and the weights
    ldm     r2!, {r3-r5}
    vmov    s0, s1, r3, r3
    ldr     x0, [sp, #64]            @ the output's zero point
    uxtb    x1, r5                      @ the shift to the left
    vmov    s4, s5, x0, x1
    ubfx    x0, r5, #8, #8              @ the shift to the right, as a power of two
    mov     x1, #1
    lsl     x0, x1, x0
    vmov    s2, s3, r4, x0
    add     r3, sp, #100
    vmov    s8, s9, r1, r3
    mov     r6, #1
2:
    ldr     r7, [r2], #4
    sxtb16  r4, r7
    sxtb16  r5, r7, ror #8
    strd    r4, r5, [r3], #8
    subs    r6, r6, #1
    bne     2b
    str     r2, [sp, #56]
    ldr     x0, [sp, #76]
    str     x0, [sp, #60]
    add     w, sp, #100
3:  @ a line
    ldrd    x0, x1, [sp, #68]    @ the pitch, the span of the tiles
    add     x1, p, x1
    vmov    s6, s7, x0, x1
    .p2align 2
4:  @ a tile
    vmov    y0, y1, s0, s1
    vmov    y2, y3, s0, s1
    ldr     x0, [p, #0]
    ldr     x1, [p, #64]
    ldr     r7, [p, #128]
    ldm     w!, {r2-r3}
    smlad   y0, x0, w0, y0
    smlatb  y1, x0, w0, y1
    smlabt  y0, x1, w1, y0
    smlad   y1, x1, w1, y1
    smlad   y2, x1, w0, y2
    smlatb  y3, x1, w0, y3
    smlabt  y2, r7, w1, y2
    smlad   y3, r7, w1, y3
    add     p, p, #128
    vmov    x0, x1, s2, s3
    smmlar  y0, y0, x0, y0
    smmlar  y1, y1, x0, y1
    smmlar  y2, y2, x0, y2
    smmlar  y3, y3, x0, y3
    vmov    x0, s4
    smmlar  y0, y0, x1, x0
    smmlar  y1, y1, x1, x0
    smmlar  y2, y2, x1, x0
    smmlar  y3, y3, x1, x0
    ssat    y0, #8, y0
    vmov    t0, w, s8, s9
    ssat    y1, #8, y1
    vmov    x0, x1, s6, s7
    ssat    y2, #8, y2
    strb    y0, [t0]
    ssat    y3, #8, y3
    cmp     p, x1
    beq     6f
    strb    y1, [t0, x0]
    add     t0, t0, x0, lsl #1
    strb    y2, [t0]
    strb    y3, [t0, x0]
    add     t0, t0, x0, lsl #1
    vmov    s8, s9, t0, w
    b       4b
6:  @ what the line has left: one to four outputs
    ldr     x1, [sp, #80]
    cmp     x1, #2
    blt     7f
    strb    y1, [t0, x0]
    beq     7f
    add     t1, t0, x0, lsl #1
    strb    y2, [t1]
    cmp     x1, #3
    beq     7f
    strb    y3, [t1, x0]
7:  @ the next line
    ldrd    x0, x1, [sp, #84]
    ldr     y0, [sp, #60]
    add     p, p, x0
    add     t0, t0, x1
    vmov    s8, s9, t0, w
    subs    y0, y0, #1
    str     y0, [sp, #60]
    bne     3b
    @ the next channel
    ldr     r2, [sp, #56]
    ldrd    y2, y3, [sp, #92]   @ channels, and bytes from one's words to the next's
    ldrd    p, r1, [sp, #48]
    add     p, p, y3
    add     r1, r1, #1
    subs    y2, y2, #1
    str     y2, [sp, #92]
    strd    p, r1, [sp, #48]
    bne     1b
    add     sp, sp, #108
    pop     {r4-r11, pc}
    .size   tinyflow_depthwise_conv_s8_stride1_any_unrolled_1x3_lines4_m7, . - tinyflow_depthwise_conv_s8_stride1_any_unrolled_1x3_lines4_m7
