/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tinyflow_im2col_s8_s16_x1_dsp.S, made by tinyflow: the windows of 1 pixel as int16 columns.
 *
 *   void tinyflow_im2col_s8_s16_x1_dsp(const tinyflow_conv_run runs[], uint32_t count, uint32_t words, int16_t *columns);
 *
 * Four bytes of each pixel become two steps of the matrix tile: bytes 0 and 2, then 1 and 3.
 *
 *   pixel 0: 3 2 1 0 | pixel 1: 7 6 5 4 | ..   ->   20 64 ..
 *                                                   31 75 ..
 *
 * Stack: +0 the pointers to the next run's bytes, +4 their end, +8 words of a run.
 */
#if !defined(__ARM_FEATURE_DSP)
#error "this kernel needs the DSP extension"
#endif
    .syntax unified
    .thumb
    .section .text.tinyflow_im2col_s8_s16_x1_dsp, "ax", %progbits
    .p2align 4
    .global tinyflow_im2col_s8_s16_x1_dsp
    .thumb_func
    .type tinyflow_im2col_s8_s16_x1_dsp, %function
tinyflow_im2col_s8_s16_x1_dsp:
    add     r1, r0, r1, lsl #4
    push    {r0-r2, r4-r11, lr}
    mov     r0, r3
1:  /* a run */
    ldr     r1, [sp, #0]
    ldm     r1!, {r10, r11, r12, lr}
    str     r1, [sp, #0]
    ldr     r1, [sp, #8]
    .p2align 2
2:  /* a word of each pixel */
    ldr     r2, [r10], #4
    sxtb16  r3, r2, ror #8
    sxtb16  r2, r2
    stm     r0!, {r2, r3}
    subs    r1, r1, #1
    bne     2b
    ldr     r1, [sp, #0]
    ldr     r2, [sp, #4]
    cmp     r1, r2
    bne     1b
    add     sp, sp, #12
    pop     {r4-r11, pc}
    .size tinyflow_im2col_s8_s16_x1_dsp, . - tinyflow_im2col_s8_s16_x1_dsp
