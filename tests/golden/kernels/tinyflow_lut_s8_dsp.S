/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tinyflow_lut_s8_dsp.S: output = table[input], four bytes at a time.
 *
 *   void tinyflow_lut_s8_dsp(const int8_t *input, int8_t *output, const int8_t *table, uint32_t count)
 *
 * The table is indexed by the byte, -128 to -1 behind 0 to 127. The output may begin at the input
 * or before it.
 */
    .syntax unified
    .thumb
    .section .text.tinyflow_lut_s8_dsp, "ax", %progbits
    .p2align 2
    .global tinyflow_lut_s8_dsp
    .thumb_func
    .type tinyflow_lut_s8_dsp, %function
tinyflow_lut_s8_dsp:
input   .req r0
output  .req r1
table   .req r2
count   .req r3
    push    {r4-r7, lr}
    subs    count, count, #4
    blt     .Lrest
.Lfour:
    ldr     r4, [input], #4
    uxtb    r5, r4, ror #8
    uxtb    r6, r4, ror #16
    lsr     r7, r4, #24
    uxtb    r4, r4
    ldrb    r4, [table, r4]
    ldrb    r5, [table, r5]
    ldrb    r6, [table, r6]
    ldrb    r7, [table, r7]
    strb    r4, [output], #4
    strb    r5, [output, #-3]
    strb    r6, [output, #-2]
    strb    r7, [output, #-1]
    subs    count, count, #4
    bge     .Lfour
.Lrest:
    adds    count, count, #4
    beq     .Ldone
.Lone:
    ldrb    r4, [input], #1
    ldrb    r4, [table, r4]
    subs    count, count, #1
    strb    r4, [output], #1
    bne     .Lone
.Ldone:
    pop     {r4-r7, pc}
    .size tinyflow_lut_s8_dsp, . - tinyflow_lut_s8_dsp
