/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Convolution by Winograd's algorithm in integers, for cores with the DSP extension. The transforms
 * and products are generated for the size of the tiles.
 */
#ifndef TINYFLOW_CONV_WINOGRAD_H
#define TINYFLOW_CONV_WINOGRAD_H

#include <stddef.h>
#include <stdint.h>

/* Destinations of the outputs of two filters, apart from first pixels, and their scaling. */
typedef struct {
    int32_t zero_point;
    size_t pixel;  /* bytes from one pixel to the next */
    size_t pitch;  /* bytes from one row of pixels to the next */
    size_t filter; /* the number of the first filter */
    const uint32_t *channels[2]; /* of each filter bias and two multipliers */
} tinyflow_winograd_target;

/* The generated functions; each says in its file what it does. */
typedef void tinyflow_winograd_input(const int8_t *patch, size_t pitch, size_t channels,
                                     uint32_t *transformed, uint32_t *square);
typedef void tinyflow_winograd_weights(const uint32_t *weights, size_t pairs,
                                       uint32_t *transformed);
typedef void tinyflow_winograd_gemm(const uint32_t *tiles, const uint32_t *filters,
                                    int32_t *products, size_t pairs);
typedef void tinyflow_winograd_output(int32_t *products, int8_t *const *outputs,
                                      const tinyflow_winograd_target *target, size_t filters);

typedef struct {
    int32_t batch;
    int32_t in_height;
    int32_t in_width;
    int32_t channels;
    int32_t out_height;
    int32_t out_width;
    int32_t filters;
    int32_t pad_top;
    int32_t pad_left;
    int32_t side;   /* of a tile of outputs */
    int32_t groups; /* of four tiles that share a transform of the weights */
    int8_t input_zero_point;
    int32_t output_zero_point;
    const uint32_t *constants; /* for each filter bias, two multipliers and the weights */
    tinyflow_winograd_input *transform_input;
    tinyflow_winograd_weights *transform_weights;
    tinyflow_winograd_gemm *multiply;
    tinyflow_winograd_output *transform_output;
} tinyflow_winograd;

/* CONV_2D 3x3, stride 1, of NHWC; `scratch` is aligned to 4. */
void tinyflow_conv_winograd(const tinyflow_winograd *layer, const int8_t *input, int8_t *output,
                            void *scratch);

#endif
