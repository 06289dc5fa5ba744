/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Source: A. Lavin, S. Gray, "Fast Algorithms for Convolutional Neural Networks", 2016, section 4.
 * The arithmetic is in tinyflow/kernels/generated/winograd.py.
 */
#include "tinyflow_conv_winograd.h"

#include <string.h>

#define TILES 4    /* of a group */
#define FILTERS 2  /* that are multiplied at a time */

/* Layout of the scratch memory. */
typedef struct {
    int8_t **outputs;     /* [tile]: its first pixel */
    uint32_t *tiles;      /* [group][pair of channels][element][tile] */
    uint32_t *filters;    /* [pair of channels][element][filter] */
    int32_t *products;    /* [group][element][filter][tile] */
    uint32_t *square;     /* [2][element] */
    int8_t *patch;        /* [row][column][channel] of a tile that reaches beyond the input */
    size_t group_words;   /* of `tiles` */
    size_t product_words; /* of `products`, of a group */
} workspace;

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

static workspace divide(const tinyflow_winograd *layer, void *scratch)
{
    const size_t patch_side = (size_t)layer->side + 2;
    const size_t elements = patch_side * patch_side;
    const size_t pairs = (size_t)layer->channels / 2;
    const size_t tiles = (size_t)layer->groups * TILES;
    workspace space;
    space.group_words = pairs * elements * TILES;
    space.product_words = elements * FILTERS * TILES;
    space.outputs = (int8_t **)scratch;
    space.tiles = (uint32_t *)(void *)(space.outputs + tiles);
    space.filters = space.tiles + (size_t)layer->groups * space.group_words;
    space.products = (int32_t *)(void *)(space.filters + pairs * elements * FILTERS);
    /* the products are not there yet when the input is transformed */
    space.square = (uint32_t *)(void *)space.products;
    space.patch = (int8_t *)(void *)space.filters;
    return space;
}

/* The patch of input whose first pixel may lie outside, at `row` and `column`. */
static void gather(const tinyflow_winograd *layer, const int8_t *image, int32_t row, int32_t column,
                   int8_t *patch)
{
    const int32_t side = layer->side + 2;
    const size_t pixel = (size_t)layer->channels;
    const int32_t beyond = layer->in_width - column;
    const int32_t first = column < 0 ? -column : 0;
    const int32_t last = beyond < side ? beyond : side;
    const size_t left = (size_t)first * pixel;
    const size_t middle = (size_t)(last - first) * pixel;
    const size_t right = (size_t)(side - last) * pixel;
    const int8_t zero = layer->input_zero_point;
    for (int32_t y = row; y < row + side; ++y) {
        if (y < 0 || y >= layer->in_height) {
            memset(patch, zero, left + middle + right);
        } else {
            memset(patch, zero, left);
            memcpy(patch + left, &image[(size_t)(y * layer->in_width + column + first) * pixel],
                   middle);
            memset(patch + left + middle, zero, right);
        }
        patch += left + middle + right;
    }
}

/* Transform the patches of tiles from number `first` on, and note where their outputs begin. */
static void transform_tiles(const tinyflow_winograd *layer, const workspace *space,
                            const int8_t *image, int8_t *output, size_t first, size_t count)
{
    const int32_t side = layer->side;
    const size_t columns = (size_t)((layer->out_width + side - 1) / side);
    const size_t rows = (size_t)((layer->out_height + side - 1) / side);
    const size_t pixel = (size_t)layer->channels;
    for (size_t i = 0; i < count; ++i) {
        /* a last group is filled up with its last tile, a last row or column overlaps */
        const size_t tile = smaller(first + i, rows * columns - 1);
        const size_t y = smaller(tile / columns * (size_t)side,
                                 (size_t)(layer->out_height - side));
        const size_t x = smaller(tile % columns * (size_t)side, (size_t)(layer->out_width - side));
        const int32_t row = (int32_t)y - layer->pad_top;
        const int32_t column = (int32_t)x - layer->pad_left;
        const int8_t *patch = space->patch;
        size_t pitch = (size_t)(side + 2) * pixel;
        if (row < 0 || column < 0 || row + side + 2 > layer->in_height
            || column + side + 2 > layer->in_width) {
            gather(layer, image, row, column, space->patch);
        } else {
            patch = &image[(size_t)(row * layer->in_width + column) * pixel];
            pitch = (size_t)layer->in_width * pixel;
        }
        layer->transform_input(patch, pitch, pixel,
                               &space->tiles[i / TILES * space->group_words + i % TILES],
                               space->square);
        space->outputs[i] =
            &output[(y * (size_t)layer->out_width + x) * (size_t)layer->filters];
    }
}

/* All outputs of `groups` groups of tiles. */
static void multiply_groups(const tinyflow_winograd *layer, const workspace *space, size_t groups)
{
    const size_t pairs = (size_t)layer->channels / 2;
    const size_t filters = (size_t)layer->filters;
    const size_t filter_words = 3 + pairs * 9 / 2; /* of nine taps, two bytes a pair */
    const uint32_t *constants = layer->constants;
    tinyflow_winograd_target target = {
        .zero_point = layer->output_zero_point,
        .pixel = filters,
        .pitch = (size_t)layer->out_width * filters,
    };
    for (size_t filter = 0; filter < filters; filter += FILTERS) {
        const size_t count = smaller(filters - filter, FILTERS);
        target.filter = filter;
        for (size_t i = 0; i < count; ++i) {
            target.channels[i] = constants;
            target.channels[1] = constants;
            layer->transform_weights(&constants[3], pairs, &space->filters[i]);
            constants += filter_words;
        }
        /* one after the other, so that each stage finds its code in the instruction cache */
        for (size_t group = 0; group < groups; ++group) {
            layer->multiply(&space->tiles[group * space->group_words], space->filters,
                            &space->products[group * space->product_words], pairs);
        }
        for (size_t group = 0; group < groups; ++group) {
            layer->transform_output(&space->products[group * space->product_words],
                                    &space->outputs[group * TILES], &target, count);
        }
    }
}

void tinyflow_conv_winograd(const tinyflow_winograd *layer, const int8_t *input, int8_t *output,
                            void *scratch)
{
    const workspace space = divide(layer, scratch);
    const size_t at_once = (size_t)layer->groups;
    const int32_t side = layer->side;
    const size_t tiles = (size_t)((layer->out_height + side - 1) / side)
                         * (size_t)((layer->out_width + side - 1) / side);
    const size_t groups = (tiles + TILES - 1) / TILES;
    for (int32_t batch = 0; batch < layer->batch; ++batch) {
        for (size_t first = 0; first < groups; first += at_once) {
            const size_t count = smaller(groups - first, at_once);
            transform_tiles(layer, &space, input, output, first * TILES, count * TILES);
            multiply_groups(layer, &space, count);
        }
        input += layer->in_height * layer->in_width * layer->channels;
        output += layer->out_height * layer->out_width * layer->filters;
    }
}
