/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tinyflow_winograd_gemm_s16_s32_3x3_tile2x2_k16_once_dsp.S: the products M = U V of Winograd's F(2x2, 3x3), for two filters and four tiles.
 *
 * void tinyflow_winograd_gemm_s16_s32_3x3_tile2x2_k16_once_dsp(const uint32_t *tiles, const uint32_t *filters,
 *                 int32_t *products, size_t pairs);
 *
 * For each of the 4 x 4 elements a matrix product over the channels, pairs of them at a time:
 *
 *               tile 0  tile 1  tile 2  tile 3
 *     filter 0   sum00   sum01   sum02   sum03
 *     filter 1   sum10   sum11   sum12   sum13
 *
 *     tiles[pair of channels][element][tile], filters[pair of channels][element][filter]
 *     products[element][filter][tile]
 *
 * There are 8 pairs.
 */
    .syntax unified
    .thumb

tiles       .req r0
filters     .req r1
sum00       .req r2
sum01       .req r3
sum02       .req r4
sum03       .req r5
sum10       .req r6
sum11       .req r7
sum12       .req r8
sum13       .req r9
u0          .req r10        /* the filters' pairs of channels */
u1          .req r11
va          .req r12        /* two tiles' pairs of channels */
vb          .req lr

    .equ PRODUCTS, 0        /* on the stack */
    .equ PRODUCTS_END, 4
    .equ TILES_BACK, 8
    .equ FILTERS_BACK, 12
    .equ TILES_END, 16
    .equ FRAME, 24

    .section .text.tinyflow_winograd_gemm_s16_s32_3x3_tile2x2_k16_once_dsp, "ax", %progbits
    .p2align 2
    .global tinyflow_winograd_gemm_s16_s32_3x3_tile2x2_k16_once_dsp
    .thumb_func
    .type tinyflow_winograd_gemm_s16_s32_3x3_tile2x2_k16_once_dsp, %function
tinyflow_winograd_gemm_s16_s32_3x3_tile2x2_k16_once_dsp:
    push    {r4-r11, lr}
    sub     sp, #FRAME + 4
    add     r4, r2, #512
    strd    r2, r4, [sp, #PRODUCTS]

    .p2align 2
.Lelement:
    /* loads in a row overlap; the last two go with the step to the next pair */
    ldr     u0, [filters, #0]
    ldr     u1, [filters, #4]
    ldr     va, [tiles, #8]
    ldr     vb, [tiles, #12]
    smuad   sum02, u0, va
    smuad   sum03, u0, vb
    smuad   sum12, u1, va
    smuad   sum13, u1, vb
    ldrd    va, vb, [tiles], #256
    smuad   sum00, u0, va
    smuad   sum01, u0, vb
    smuad   sum10, u1, va
    smuad   sum11, u1, vb
    ldr     u0, [filters, #128]
    ldr     u1, [filters, #132]
    ldr     va, [tiles, #8]
    ldr     vb, [tiles, #12]
    smlad   sum02, u0, va, sum02
    smlad   sum03, u0, vb, sum03
    smlad   sum12, u1, va, sum12
    smlad   sum13, u1, vb, sum13
    ldrd    va, vb, [tiles], #256
    smlad   sum00, u0, va, sum00
    smlad   sum01, u0, vb, sum01
    smlad   sum10, u1, va, sum10
    smlad   sum11, u1, vb, sum11
    ldr     u0, [filters, #256]
    ldr     u1, [filters, #260]
    ldr     va, [tiles, #8]
    ldr     vb, [tiles, #12]
    smlad   sum02, u0, va, sum02
    smlad   sum03, u0, vb, sum03
    smlad   sum12, u1, va, sum12
    smlad   sum13, u1, vb, sum13
    ldrd    va, vb, [tiles], #256
    smlad   sum00, u0, va, sum00
    smlad   sum01, u0, vb, sum01
    smlad   sum10, u1, va, sum10
    smlad   sum11, u1, vb, sum11
    ldr     u0, [filters, #384]
    ldr     u1, [filters, #388]
    ldr     va, [tiles, #8]
    ldr     vb, [tiles, #12]
    smlad   sum02, u0, va, sum02
    smlad   sum03, u0, vb, sum03
    smlad   sum12, u1, va, sum12
    smlad   sum13, u1, vb, sum13
    ldrd    va, vb, [tiles], #256
    smlad   sum00, u0, va, sum00
    smlad   sum01, u0, vb, sum01
    smlad   sum10, u1, va, sum10
    smlad   sum11, u1, vb, sum11
    ldr     u0, [filters, #512]
    ldr     u1, [filters, #516]
    ldr     va, [tiles, #8]
    ldr     vb, [tiles, #12]
    smlad   sum02, u0, va, sum02
    smlad   sum03, u0, vb, sum03
    smlad   sum12, u1, va, sum12
    smlad   sum13, u1, vb, sum13
    ldrd    va, vb, [tiles], #256
    smlad   sum00, u0, va, sum00
    smlad   sum01, u0, vb, sum01
    smlad   sum10, u1, va, sum10
    smlad   sum11, u1, vb, sum11
    ldr     u0, [filters, #640]
    ldr     u1, [filters, #644]
    ldr     va, [tiles, #8]
    ldr     vb, [tiles, #12]
    smlad   sum02, u0, va, sum02
    smlad   sum03, u0, vb, sum03
    smlad   sum12, u1, va, sum12
    smlad   sum13, u1, vb, sum13
    ldrd    va, vb, [tiles], #256
    smlad   sum00, u0, va, sum00
    smlad   sum01, u0, vb, sum01
    smlad   sum10, u1, va, sum10
    smlad   sum11, u1, vb, sum11
    ldr     u0, [filters, #768]
    ldr     u1, [filters, #772]
    ldr     va, [tiles, #8]
    ldr     vb, [tiles, #12]
    smlad   sum02, u0, va, sum02
    smlad   sum03, u0, vb, sum03
    smlad   sum12, u1, va, sum12
    smlad   sum13, u1, vb, sum13
    ldrd    va, vb, [tiles], #256
    smlad   sum00, u0, va, sum00
    smlad   sum01, u0, vb, sum01
    smlad   sum10, u1, va, sum10
    smlad   sum11, u1, vb, sum11
    ldr     u0, [filters, #896]
    ldr     u1, [filters, #900]
    ldr     va, [tiles, #8]
    ldr     vb, [tiles, #12]
    smlad   sum02, u0, va, sum02
    smlad   sum03, u0, vb, sum03
    smlad   sum12, u1, va, sum12
    smlad   sum13, u1, vb, sum13
    ldrd    va, vb, [tiles], #256
    smlad   sum00, u0, va, sum00
    smlad   sum01, u0, vb, sum01
    smlad   sum10, u1, va, sum10
    smlad   sum11, u1, vb, sum11
    ldrd    u0, vb, [sp, #PRODUCTS]
    stm     u0!, {r2-r9}
    subw    tiles, tiles, #2032
    addw    filters, filters, #8
    str     u0, [sp, #PRODUCTS]
    cmp     u0, vb
    bne     .Lelement
    add     sp, #FRAME + 4
    pop     {r4-r11, pc}
    .size   tinyflow_winograd_gemm_s16_s32_3x3_tile2x2_k16_once_dsp, . - tinyflow_winograd_gemm_s16_s32_3x3_tile2x2_k16_once_dsp
