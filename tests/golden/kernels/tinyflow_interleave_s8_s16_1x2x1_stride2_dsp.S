/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tinyflow_interleave_s8_s16_1x2x1_stride2_dsp.S, made by tinyflow: interleaves 1 row of 1 byte a pixel into one line of int16.
 *
 *   void tinyflow_interleave_s8_s16_1x2x1_stride2_dsp(const int8_t *const rows[], int32_t *line, uint32_t units);
 *
 * A unit is 2 columns, the next one begins 2 columns on. Every
 * other word of the line is written: the words between belong to another pixel. The elements
 * of a column are in the order that is cheapest to make:
 *
 *   (row 0, row 1) (row 2, row 3) ..
 * If the number of rows is odd, the last row's pixel is joined with the next column's first.
 */
#if !defined(__ARM_FEATURE_DSP)
#error "this kernel needs the DSP extension"
#endif
    .syntax unified
    .thumb
    .section .text.tinyflow_interleave_s8_s16_1x2x1_stride2_dsp, "ax", %progbits
    .p2align 4
    .global tinyflow_interleave_s8_s16_1x2x1_stride2_dsp
    .thumb_func
    .type tinyflow_interleave_s8_s16_1x2x1_stride2_dsp, %function
tinyflow_interleave_s8_s16_1x2x1_stride2_dsp:
    push    {r4-r11, lr}
    ldr     r3, [r0]
    .p2align 2
1:
    ldrsb   r4, [r3], #2
    ldrsb   r5, [r3, #-1]
    pkhbt   r4, r4, r5, lsl #16
    str     r4, [r1, #0]
    add     r1, r1, #8
    subs    r2, r2, #1
    bne     1b
    pop     {r4-r11, pc}
    .size tinyflow_interleave_s8_s16_1x2x1_stride2_dsp, . - tinyflow_interleave_s8_s16_1x2x1_stride2_dsp
