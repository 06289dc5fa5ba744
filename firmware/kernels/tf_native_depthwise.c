/*
 * Reference: TFLM, reference/integer_ops/depthwise_conv.h, DepthwiseConvPerChannel.
 *
 * The word of `place`, `channel` (0 to 3) and `line` is
 * columns[(place * 4 + channel) * height + line].
 */
#include <stddef.h>

#include "tf_native_depthwise.h"

enum { CHANNELS = 4 };

/* Each of `words` words, `pitch` words apart, becomes the zero point. */
static void pad_line(const tf_depthwise_plan *plan, uint32_t *columns)
{
    const uint32_t zero = plan->input.zero;
    for (int32_t word = plan->columns * CHANNELS; word > 0; --word) {
        *columns = zero;
        columns += plan->height;
    }
}

static uint32_t pixels(int8_t one, int8_t other)
{
    return (uint32_t)(uint16_t)one | (uint32_t)(uint16_t)other << 16;
}

/* What `gather` does, for one channel of a line. */
static void gather_channel(const tf_depthwise_plan *plan, const int8_t *pixel, uint32_t *columns)
{
    const tf_depthwise_lines *line = &plan->input;
    const int8_t zero = (int8_t)(uint8_t)line->zero;
    const int32_t column = plan->height * CHANNELS;
    for (int32_t place = 0; place < line->front; ++place, columns += column) {
        *columns = line->zero;
    }
    for (int32_t word = line->words, head = line->head; word > 0; --word, columns += column) {
        int8_t one = zero;
        if (head == 0) {
            one = *pixel;
            pixel += line->pitch;
        }
        head = 0;
        *columns = pixels(one, *pixel);
        pixel += line->pitch;
    }
    if (line->tail != 0) {
        *columns = pixels(*pixel, zero);
        columns += column;
    }
    for (int32_t place = 0; place < line->back; ++place, columns += column) {
        *columns = line->zero;
    }
}

/* `count` lines of up to four channels. */
static void gather(const tf_depthwise_plan *plan, const int8_t *input, uint32_t *columns,
                   int32_t channels, int32_t count)
{
    if (channels == CHANNELS) {
        plan->gather(input, columns, &plan->input, count);
        return;
    }
    for (; count > 0; --count, input += plan->input.line_pitch, ++columns) {
        for (int32_t channel = 0; channel < channels; ++channel) {
            gather_channel(plan, input + channel, columns + channel * plan->height);
        }
    }
}

/* Lines `first` to `last` of the input, which may be beside it, go to `columns`. */
static void gather_lines(const tf_depthwise_plan *plan, const int8_t *input, uint32_t *columns,
                         int32_t channels, int32_t first, int32_t last)
{
    for (; first < 0 && first < last; ++first) {
        pad_line(plan, columns++);
    }
    const int32_t end = last < plan->input_lines ? last : plan->input_lines;
    if (first < end) {
        gather(plan, input + first * plan->input.line_pitch, columns, channels, end - first);
        columns += end - first;
        first = end;
    }
    for (; first < last; ++first) {
        pad_line(plan, columns++);
    }
}

/* In each column, `kept` lines from `from` on move to the front. */
static void keep_lines(const tf_depthwise_plan *plan, uint32_t *columns, int32_t from, int32_t kept)
{
    for (int32_t place = plan->columns * CHANNELS; place > 0; --place, columns += plan->height) {
        const uint32_t *source = columns + from;
        uint32_t *target = columns;
        for (int32_t line = kept; line > 0; --line) {
            *target++ = *source++;
        }
    }
}

/* All output channels of up to four channels of the input, which are in the columns. */
static void apply(const tf_depthwise_plan *plan, const tf_depthwise_outputs *outputs,
                  const uint32_t *constants, const uint32_t *columns, int8_t *output,
                  int32_t channels)
{
    for (int32_t channel = 0; channel < channels; ++channel) {
        for (int32_t i = 0; i < plan->multiplier; ++i) {
            plan->window(columns, output++, constants, outputs);
            constants += plan->constants;
        }
        columns += plan->height;
    }
}

void tf_native_depthwise(const tf_depthwise_plan *plan, const uint32_t *constants,
                         const int8_t *input, int8_t *output, uint32_t *columns)
{
    const int32_t strip = plan->output.lines;
    const int32_t kept = plan->kernel > plan->stride ? plan->kernel - plan->stride : 0;
    for (int32_t channel = 0; channel < plan->channels; channel += CHANNELS) {
        const int32_t left = plan->channels - channel;
        const int32_t channels = left < CHANNELS ? left : CHANNELS;
        tf_depthwise_outputs outputs = plan->output;
        int8_t *target = output;
        for (int32_t line = 0; line < plan->output_lines; line += strip) {
            const int32_t rest = plan->output_lines - line;
            outputs.lines = rest < strip ? rest : strip;
            const int32_t first = line * plan->stride - plan->pad;
            const int32_t last = first + (outputs.lines - 1) * plan->stride + plan->kernel;
            const int32_t held = line > 0 ? kept : 0;
            if (held > 0) {
                keep_lines(plan, columns, strip * plan->stride, held);
            }
            gather_lines(plan, input, columns + held, channels, first + held, last);
            apply(plan, &outputs, constants, columns, target, channels);
            target += strip * plan->output.line_pitch;
        }
        input += channels;
        output += channels * plan->multiplier;
        constants += channels * plan->multiplier * plan->constants;
    }
}

void tf_native_depthwise_line(const tf_depthwise_plan *plan, const uint32_t *constants,
                              const int8_t *const *lines, int8_t *output, uint32_t *columns)
{
    tf_depthwise_outputs outputs = plan->output;
    outputs.lines = 1;
    for (int32_t channel = 0; channel < plan->channels; channel += CHANNELS) {
        const int32_t left = plan->channels - channel;
        const int32_t channels = left < CHANNELS ? left : CHANNELS;
        for (int32_t line = 0; line < plan->kernel; ++line) {
            if (lines[line] == NULL) {
                pad_line(plan, columns + line);
            } else {
                gather(plan, lines[line] + channel, columns + line, channels, 1);
            }
        }
        apply(plan, &outputs, constants, columns, output, channels);
        output += channels * plan->multiplier;
        constants += channels * plan->multiplier * plan->constants;
    }
}
