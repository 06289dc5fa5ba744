#include "tf_native_conv.h"

#include <stddef.h>

void tf_conv_line_s8(const tf_conv_line *line, const int8_t *input, int8_t *output,
                     uint32_t pixels)
{
    const uint32_t pitch = line->pitch;
    for (; pixels >= 4u; pixels -= 4u) {
        const int8_t *const windows[4] = {input, input + pitch, input + 2u * pitch,
                                          input + 3u * pitch};
        line->four(&line->tile, windows, output);
        input += 4u * pitch;
        output += 4u * line->tile.channels;
    }
    if (pixels != 0u) {
        const int8_t *const windows[3] = {input, input + pitch, input + 2u * pitch};
        line->rest(&line->tile, windows, output);
    }
}
