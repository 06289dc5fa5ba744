/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tinyflow_interleave_s8_1x1_dsp.S, made by tinyflow: interleaves 1 row of 1 byte a pixel into one line.
 *
 *   void tinyflow_interleave_s8_1x1_dsp(const int8_t *const rows[], int8_t *line, uint32_t pixels);
 *
 *   rows[0]: a b c ..
 *   rows[1]: A B C ..   ->   a A b B c C ..
 *
 * The window of a kernel of that height then lies together.
 */
#if !defined(__ARM_FEATURE_DSP)
#error "this kernel needs the DSP extension"
#endif
    .syntax unified
    .thumb
    .section .text.tinyflow_interleave_s8_1x1_dsp, "ax", %progbits
    .p2align 4
    .global tinyflow_interleave_s8_1x1_dsp
    .thumb_func
    .type tinyflow_interleave_s8_1x1_dsp, %function
tinyflow_interleave_s8_1x1_dsp:
    push    {r4-r11, lr}
    ldr     r3, [r0]
    .p2align 2
1:
    ldrb    r0, [r3], #1
    strb    r0, [r1, #0]
    add     r1, r1, #1
    subs    r2, r2, #1
    bne     1b
    pop     {r4-r11, pc}
    .size tinyflow_interleave_s8_1x1_dsp, . - tinyflow_interleave_s8_1x1_dsp
