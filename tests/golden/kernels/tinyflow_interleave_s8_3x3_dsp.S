/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tinyflow_interleave_s8_3x3_dsp.S, made by tinyflow: interleaves 3 rows of 3 bytes a pixel into one line.
 *
 *   void tinyflow_interleave_s8_3x3_dsp(const int8_t *const rows[], int8_t *line, uint32_t pixels);
 *
 *   rows[0]: a b c ..
 *   rows[1]: A B C ..   ->   a A b B c C ..
 *
 * The window of a kernel of that height then lies together.
 * Words are moved: their last byte is wrong until the next one is written. So a byte is read behind
 * each row, and one written behind the line.
 */
#if !defined(__ARM_FEATURE_DSP)
#error "this kernel needs the DSP extension"
#endif
    .syntax unified
    .thumb
    .section .text.tinyflow_interleave_s8_3x3_dsp, "ax", %progbits
    .p2align 4
    .global tinyflow_interleave_s8_3x3_dsp
    .thumb_func
    .type tinyflow_interleave_s8_3x3_dsp, %function
tinyflow_interleave_s8_3x3_dsp:
    push    {r4-r11, lr}
    ldm     r0, {r3, r4, r5}
    .p2align 2
1:
    ldr     r0, [r3], #3
    ldr     lr, [r4], #3
    ldr     r6, [r5], #3
    str     r0, [r1, #0]
    str     lr, [r1, #3]
    str     r6, [r1, #6]
    add     r1, r1, #9
    subs    r2, r2, #1
    bne     1b
    pop     {r4-r11, pc}
    .size tinyflow_interleave_s8_3x3_dsp, . - tinyflow_interleave_s8_3x3_dsp
