/*
 * Convolution on the DSP extension: windows of up to four pixels as int16 columns, multiplied with
 * two channels at a time by assembly made for the layer's numbers.
 */
#ifndef TF_NATIVE_CONV_H
#define TF_NATIVE_CONV_H

#include <stdint.h>

/* What a matrix tile needs; the assembly knows the order of the members. */
typedef struct {
    const uint32_t *stream; /* for each pair of channels: biases, weights, requantisation */
    int16_t *columns;       /* scratch: windows as int16 */
    uint32_t words;         /* of a window, four bytes each; the last may reach beyond it */
    uint32_t steps;         /* of the stream, two weights of either channel each */
    uint32_t channels;      /* of the output */
    int32_t zero_point;     /* of the output */
} tf_conv_tile;

/* Outputs of some pixels, all channels, from pointers to their windows. All windows are read before
 * the first output is written. */
typedef void tf_conv_tile_function(const tf_conv_tile *tile, const int8_t *const pixels[],
                                   int8_t *output);

typedef struct {
    tf_conv_tile tile;
    tf_conv_tile_function *four; /* for four pixels */
    tf_conv_tile_function *rest; /* for those left over at the end of a line; NULL for none */
    uint32_t pitch;              /* bytes from a window to the next one */
} tf_conv_line;

/* Outputs of a line of windows that lie at equal distances. */
void tf_conv_line_s8(const tf_conv_line *line, const int8_t *input, int8_t *output,
                     uint32_t pixels);

#endif
