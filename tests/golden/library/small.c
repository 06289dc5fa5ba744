/* SPDX-License-Identifier: Apache-2.0 */
/* small, made by tinyflow 0.1.0; see small.h. */
#include "small.h"
#include "small_weights.h"
#include "tinyflow_conv.h"
#include "tinyflow_dense.h"
#include "tinyflow_depthwise.h"
#include "tinyflow_elementwise_s8.h"
#include "tinyflow_pool.h"
#include "tinyflow_softmax_s8_c.h"

/* One function for each layer, so that a debugger and a profiler can name it. */
#if defined(__GNUC__) && !defined(__clang__)
#define LAYER __attribute__((noinline, noclone, no_icf)) static int
#else
#define LAYER __attribute__((noinline)) static int
#endif

/*
 * The arena, 632 bytes; no less would do for this order of layers.
 *       376     192  image
 *       568      64  stem
 *       288      64  spatial
 *         0      64  add
 *        64       4  pool
 *        16       4  scores
 *         0       4  classes
 */
_Alignas(16) static int8_t small_arena[SMALL_ARENA_SIZE];

/*
 * Layer 0: CONV_2D, stem
 *   1x8x8x3 int8 -> 1x4x4x4 int8, tinyflow_conv_interleaved_s8
 */
LAYER small_layer_00_conv_2d(void)
{
    extern tinyflow_im2col_function tinyflow_im2col_s8_s16_x4_dsp;
    extern tinyflow_conv_microkernel_function tinyflow_conv_s8_2x4x28_packed_once_clamp_3_127_m7;
extern tinyflow_interleave_function tinyflow_interleave_s8_3x3_dsp;
    static const tinyflow_conv_interleaved interleaved = {
        .window = {
            .matrix = {
                .microkernel = {
                    .packed_weights = small_layer_00_conv_2d_packed_weights,
                    .columns = (int16_t *)(void *)&small_arena[0],
                    .copy = NULL,
                    .steps = 14,
                    .channels = 4,
                    .zero_point = 3,
                },
                .im2col_four = tinyflow_im2col_s8_s16_x4_dsp,
                .four = tinyflow_conv_s8_2x4x28_packed_once_clamp_3_127_m7,
                .im2col_rest = NULL,
                .rest = NULL,
                .groups = 1,
            },
            .runs = (tinyflow_conv_run *)(void *)(&small_arena[0] + 232),
            .rows = (const int8_t **)(void *)(&small_arena[0] + 248),
            .padding = &small_arena[0] + 260,
            .zero_point = 3,
            .images = 1,
            .input = {1, 9},
            .depth = 9,
            .output = {4, 4},
            .kernel = {1, 1},
            .stride = {1, 2},
            .dilation = {1, 1},
            .pads = {0, 0},
            .inner_words = 7,
            .edge_words = 7,
            .inner_begin = 0,
            .inner_end = 4,
        },
        .interleave = tinyflow_interleave_s8_3x3_dsp,
        .rows = (const int8_t **)(void *)(&small_arena[0] + 248),
        .lines = &small_arena[0] + 260,
        .padding = &small_arena[0] + 345,
        .count = 1,
        .size = 85,
        .before = 0,
        .after = 9,
        .pixels = 8,
        .pitch = 24,
        .height = 8,
        .kernel = 3,
        .stride = 2,
        .dilation = 1,
        .pad = 0,
    };
    tinyflow_conv_interleaved_s8(&interleaved, &small_arena[376], &small_arena[568]);
    return 0;
}

/*
 * Layer 1: DEPTHWISE_CONV_2D, spatial
 *   1x4x4x4 int8 -> 1x4x4x4 int8, tinyflow_depthwise
 */
LAYER small_layer_01_depthwise_conv_2d(void)
{
    extern tinyflow_depthwise_im2col tinyflow_depthwise_im2col_s8_s16_fixed_columns1_head_tail_pitch4_16_to_48_zero131_m7;
    extern tinyflow_depthwise_window tinyflow_depthwise_conv_s8_3x3_stride1_fixed_lines1_48_outputs4_pitch4_16_shift12_clamp_3_127_m7;
    static const tinyflow_depthwise_plan plan = {
        .im2col = tinyflow_depthwise_im2col_s8_s16_fixed_columns1_head_tail_pitch4_16_to_48_zero131_m7,
        .window = tinyflow_depthwise_conv_s8_3x3_stride1_fixed_lines1_48_outputs4_pitch4_16_shift12_clamp_3_127_m7,
        .input = {
            .zero = 0x00030003u,
            .zero_bytes = 0x03030303u,
            .pitch = 4,
            .line_pitch = 16,
            .front = 0,
            .words = 2,
            .head = 1,
            .tail = 1,
            .back = 0,
        },
        .output = {
            .zero_point = 3,
            .pitch = 4,
            .lines = 4,
            .channels = 1,
            .plane = 4,
        },
        .height = 6,
        .columns = 3,
        .place = 4,
        .line = 12,
        .channels = 4,
        .multiplier = 1,
        .constants = 8,
        .kernel = 3,
        .stride = 1,
        .pad = 1,
        .input_lines = 4,
        .gathered = 4,
        .output_lines = 4,
        .output_line_pitch = 16,
    };
    tinyflow_depthwise(&plan, small_layer_01_depthwise_conv_2d_channels, &small_arena[568], &small_arena[288],
                       (uint32_t *)(void *)&small_arena[0]);
    return 0;
}

/*
 * Layer 2: ADD, add
 *   1x4x4x4 int8 and 1x4x4x4 int8 -> 1x4x4x4 int8, tinyflow_add_s8_rounded_once_shift20_dsp
 */
LAYER small_layer_02_add(void)
{
    static const tinyflow_sum_constants constants = {
        .count = 64,
        .left = 167772246,
        .right = 167772246,
        .offset = -262146,
    };
    tinyflow_sum_kernel tinyflow_add_s8_rounded_once_shift20_dsp;
    tinyflow_add_s8_rounded_once_shift20_dsp(&small_arena[568], &small_arena[288], &small_arena[0], &constants);
    return 0;
}

/*
 * Layer 3: AVERAGE_POOL_2D, pool
 *   1x4x4x4 int8 -> 1x1x1x4 int8, tinyflow_average_pool_s8_dsp
 */
LAYER small_layer_03_average_pool_2d(void)
{
    static const tinyflow_pool_params params = {
        .input_height = 1,
        .input_width = 16,
        .output_height = 1,
        .output_width = 1,
        .kernel_height = 1,
        .kernel_width = 16,
        .stride_y = 1,
        .stride_x = 1,
        .pad_y = 0,
        .pad_x = 0,
        .channels = 4,
        .averages = 1,
        .constants = {0u, 0u, 0u, 0u},
    };
    tinyflow_pool_kernel tinyflow_average_pool_s8_dsp;
    tinyflow_pool(&params, tinyflow_average_pool_s8_dsp, &small_arena[0], &small_arena[64]);
    return 0;
}

/*
 * Layer 4: FULLY_CONNECTED, scores
 *   1x1x1x4 int8 -> 1x4 int8, tinyflow_fully_connected_s8_2x1x4_packed_rest_pairs_signed_dsp
 */
LAYER small_layer_04_fully_connected(void)
{
    static const tinyflow_fully_connected_params params = {
        .row_bytes = 8,
        .block_outputs = 0,
        .outputs = 4,
        .zero_point = 3,
        .multiplier = 2199023124u,
        .power = 67108864u,
    };
    tinyflow_fully_connected_row tinyflow_fully_connected_s8_2x1x4_packed_rest_pairs_signed_dsp;
    tinyflow_fully_connected_s8(&params, tinyflow_fully_connected_s8_2x1x4_packed_rest_pairs_signed_dsp, small_layer_04_fully_connected_packed_weights, &small_arena[64], &small_arena[16],
                                1, 4, (uint32_t *)(void *)&small_arena[0]);
    return 0;
}

/*
 * Layer 5: SOFTMAX, classes
 *   1x4 int8 -> 1x4 int8, tinyflow_softmax_s8_c
 */
LAYER small_layer_05_softmax(void)
{
    tinyflow_softmax_s8_c(small_layer_05_softmax_exponentials, 139, &small_arena[16], &small_arena[0], 1, 4);
    return 0;
}

void small_init(void)
{
    /* no state is kept between inferences */
}

int8_t *small_input(size_t index)
{
    static const size_t offsets[SMALL_INPUT_COUNT] = {376};
    return index < SMALL_INPUT_COUNT ? &small_arena[offsets[index]] : NULL;
}

const int8_t *small_output(size_t index)
{
    static const size_t offsets[SMALL_OUTPUT_COUNT] = {0};
    return index < SMALL_OUTPUT_COUNT ? &small_arena[offsets[index]] : NULL;
}

int small_invoke(void)
{
    int status = 0;
    if ((status = small_layer_00_conv_2d()) != 0) {
        return status;
    }
    if ((status = small_layer_01_depthwise_conv_2d()) != 0) {
        return status;
    }
    if ((status = small_layer_02_add()) != 0) {
        return status;
    }
    if ((status = small_layer_03_average_pool_2d()) != 0) {
        return status;
    }
    if ((status = small_layer_04_fully_connected()) != 0) {
        return status;
    }
    if ((status = small_layer_05_softmax()) != 0) {
        return status;
    }
    return status;
}
