/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tinyflow_interleave_s8_s16_5x1x4_stride1_dsp.S, made by tinyflow: interleaves 5 rows of 4 bytes a pixel into one line of int16.
 *
 *   void tinyflow_interleave_s8_s16_5x1x4_stride1_dsp(const int8_t *const rows[], int32_t *line, uint32_t units);
 *
 * A unit is 1 column, the next one begins 1 column on. Every
 * other word of the line is written: the words between belong to another pixel. The elements
 * of a column are in the order that is cheapest to make:
 *
 *   row 0 (0, 2) (1, 3), row 1 (0, 2) (1, 3) ..
 */
#if !defined(__ARM_FEATURE_DSP)
#error "this kernel needs the DSP extension"
#endif
    .syntax unified
    .thumb
    .section .text.tinyflow_interleave_s8_s16_5x1x4_stride1_dsp, "ax", %progbits
    .p2align 4
    .global tinyflow_interleave_s8_s16_5x1x4_stride1_dsp
    .thumb_func
    .type tinyflow_interleave_s8_s16_5x1x4_stride1_dsp, %function
tinyflow_interleave_s8_s16_5x1x4_stride1_dsp:
    push    {r4-r11, lr}
    ldm     r0, {r3, r4, r5, r6, r7}
    .p2align 2
1:
    ldr     r8, [r3], #4
    ldr     r10, [r4], #4
    ldr     r12, [r5], #4
    sxtb16  r9, r8, ror #8
    sxtb16  r8, r8
    str     r8, [r1, #0]
    str     r9, [r1, #8]
    sxtb16  r11, r10, ror #8
    sxtb16  r10, r10
    str     r10, [r1, #16]
    str     r11, [r1, #24]
    sxtb16  r0, r12, ror #8
    sxtb16  r12, r12
    str     r12, [r1, #32]
    str     r0, [r1, #40]
    ldr     r8, [r6], #4
    ldr     r10, [r7], #4
    sxtb16  r9, r8, ror #8
    sxtb16  r8, r8
    str     r8, [r1, #48]
    str     r9, [r1, #56]
    sxtb16  r11, r10, ror #8
    sxtb16  r10, r10
    str     r10, [r1, #64]
    str     r11, [r1, #72]
    add     r1, r1, #80
    subs    r2, r2, #1
    bne     1b
    pop     {r4-r11, pc}
    .size tinyflow_interleave_s8_s16_5x1x4_stride1_dsp, . - tinyflow_interleave_s8_s16_5x1x4_stride1_dsp
