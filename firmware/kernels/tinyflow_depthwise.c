/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reference: TFLM, reference/integer_ops/depthwise_conv.h, DepthwiseConvPerChannel.
 *
 * The words of `place` and `line`, one for each of four channels, are those from
 * columns[place * plan->place + line * plan->line] on.
 */
#include <stddef.h>

#include "tinyflow_depthwise.h"

enum { CHANNELS = 4 };

typedef struct {
    uint32_t words[CHANNELS];
} channels_of_pair;

/* Fill padding. */
__attribute__((noinline)) static void pad(const tinyflow_depthwise_plan *plan, uint32_t *columns,
                                          int32_t places, int32_t lines)
{
    const uint32_t zero = plan->input.zero;
    const channels_of_pair padding = {{zero, zero, zero, zero}};
    for (; lines > 0; --lines, columns += plan->line) {
        uint32_t *words = columns;
        for (int32_t left = places; left > 0; --left, words += plan->place) {
            *(channels_of_pair *)words = padding;
        }
    }
}

/* The columns that no pixel comes into. */
static void pad_columns(const tinyflow_depthwise_plan *plan, uint32_t *columns)
{
    pad(plan, columns, plan->input.front, plan->height);
    pad(plan, columns + (plan->columns - plan->input.back) * plan->place, plan->input.back,
        plan->height);
}

/* Lines of padding. */
static void pad_lines(const tinyflow_depthwise_plan *plan, uint32_t *columns, int32_t count)
{
    pad(plan, columns, plan->columns, count);
}

static uint32_t pixels(int8_t one, int8_t other)
{
    return (uint32_t)(uint16_t)one | (uint32_t)(uint16_t)other << 16;
}

/* Does what `im2col` does, for one channel of a line. */
static void im2col_channel(const tinyflow_depthwise_plan *plan, const int8_t *pixel,
                           uint32_t *columns)
{
    const tinyflow_depthwise_lines *line = &plan->input;
    const int8_t zero = (int8_t)(uint8_t)line->zero;
    int32_t head = line->head;
    for (int32_t word = line->words; word > 0; --word, columns += plan->place) {
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
    }
}

/* Lines of fewer channels than `im2col` takes. */
static void im2col_channels(const tinyflow_depthwise_plan *plan, const int8_t *input,
                            uint32_t *columns, int32_t channels, int32_t count)
{
    for (; count > 0; --count, input += plan->input.line_pitch, columns += plan->line) {
        for (int32_t channel = 0; channel < channels; ++channel) {
            im2col_channel(plan, input + channel, columns + channel);
        }
    }
}

/* `count` lines of up to four channels. */
static void im2col(const tinyflow_depthwise_plan *plan, const int8_t *input, uint32_t *columns,
                   int32_t channels, int32_t count)
{
    columns += plan->input.front * plan->place;
    if (channels == CHANNELS) {
        plan->im2col(input, columns, &plan->input, count);
    } else {
        im2col_channels(plan, input, columns, channels, count);
    }
}

static int32_t between(int32_t low, int32_t value, int32_t high)
{
    return value < low ? low : value > high ? high : value;
}

/* Lines from `first` to before `last`, which may be outside the input. */
static void im2col_lines(const tinyflow_depthwise_plan *plan, const int8_t *input,
                         uint32_t *columns, int32_t channels, int32_t first, int32_t last)
{
    const int32_t begin = between(first, 0, last);
    const int32_t end = between(begin, plan->input_lines, last);
    if (begin < end) {
        im2col(plan, input + begin * plan->input.line_pitch, columns + (begin - first) * plan->line,
               channels, end - begin);
    }
    pad_lines(plan, columns, begin - first);
    pad_lines(plan, columns + (end - first) * plan->line, last - end);
}

/* `kept` lines move to the front: those from `from` on. */
static void keep_lines(const tinyflow_depthwise_plan *plan, uint32_t *columns, int32_t from,
                       int32_t kept)
{
    const int32_t distance = from * plan->line;
    for (; kept > 0; --kept, columns += plan->line) {
        uint32_t *words = columns;
        for (int32_t left = plan->columns; left > 0; --left, words += plan->place) {
            *(channels_of_pair *)words = *(const channels_of_pair *)(words + distance);
        }
    }
}

/* All output channels of up to four channels of the input, which are in the columns. */
static void apply(const tinyflow_depthwise_plan *plan, tinyflow_depthwise_outputs *outputs,
                  const uint32_t *constants, const uint32_t *columns, int8_t *output,
                  int32_t channels)
{
    if (plan->multiplier == 1) {
        outputs->channels = channels;
        plan->window(columns, output, constants, outputs);
        return;
    }
    for (; channels > 0; --channels) {
        plan->window(columns, output, constants, outputs);
        ++columns;
        output += plan->multiplier;
        constants += plan->multiplier * plan->constants;
    }
}

/*
 * Four channels at a time in one strip, as long as there are four; gives how many are done. The
 * loop is this small because small images spend much of their time around it, and with it the
 * generated functions fit a cache of 1 KB. Lines of padding stay where they are.
 */
static int32_t apply_one_strip(const tinyflow_depthwise_plan *plan, const uint32_t *constants,
                               const int8_t *input, int8_t *output, uint32_t *columns)
{
    const int32_t words = CHANNELS * plan->constants;
    const int32_t first = plan->pad * plan->line + plan->input.front * plan->place;
    tinyflow_depthwise_im2col *const im2col_four = plan->im2col;
    tinyflow_depthwise_window *const window = plan->window;
    int32_t channel = 0;
    tinyflow_depthwise_outputs outputs = plan->output;
    outputs.channels = CHANNELS;
    for (; channel + CHANNELS <= plan->channels; channel += CHANNELS) {
        im2col_four(input + channel, columns + first, &plan->input, plan->gathered);
        window(columns, output + channel, constants, &outputs);
        constants += words;
    }
    return channel;
}

/* Up to four channels from `channel` on, strip by strip. */
static void apply_strips(const tinyflow_depthwise_plan *plan, const uint32_t *constants,
                         const int8_t *input, int8_t *output, uint32_t *columns, int32_t channel)
{
    const int32_t strip = plan->output.lines;
    const int32_t kept = plan->kernel > plan->stride ? plan->kernel - plan->stride : 0;
    const int32_t left = plan->channels - channel;
    const int32_t channels = left < CHANNELS ? left : CHANNELS;
    const int32_t filter = channel * plan->multiplier;
    int32_t held = 0;
    tinyflow_depthwise_outputs outputs = plan->output;
    for (int32_t line = 0; line < plan->output_lines; line += strip) {
        const int32_t rest = plan->output_lines - line;
        outputs.lines = rest < strip ? rest : strip;
        const int32_t first = line * plan->stride - plan->pad;
        const int32_t last = first + (outputs.lines - 1) * plan->stride + plan->kernel;
        if (line > 0) {
            keep_lines(plan, columns, strip * plan->stride, kept);
            held = kept;
        }
        im2col_lines(plan, input + channel, columns + held * plan->line, channels, first + held,
                     last);
        apply(plan, &outputs, constants + filter * plan->constants, columns,
              output + filter + line * plan->output_line_pitch, channels);
    }
}

void tinyflow_depthwise(const tinyflow_depthwise_plan *plan, const uint32_t *constants,
                        const int8_t *input, int8_t *output, uint32_t *columns)
{
    int32_t channel = 0;
    pad_columns(plan, columns);
    if (plan->gathered > 0) {
        pad_lines(plan, columns, plan->pad);
        pad_lines(plan, columns + (plan->pad + plan->gathered) * plan->line,
                  plan->height - plan->pad - plan->gathered);
        channel = apply_one_strip(plan, constants, input, output, columns);
    }
    for (; channel < plan->channels; channel += CHANNELS) {
        apply_strips(plan, constants, input, output, columns, channel);
    }
}

void tinyflow_depthwise_line(const tinyflow_depthwise_plan *plan, const uint32_t *constants,
                             const int8_t *const *lines, int8_t *output, uint32_t *columns)
{
    tinyflow_depthwise_outputs outputs = plan->output;
    outputs.lines = 1;
    pad_columns(plan, columns);
    for (int32_t line = 0; line < plan->kernel; ++line) {
        if (lines[line] == NULL) {
            pad_lines(plan, columns + line * plan->line, 1);
        }
    }
    for (int32_t channel = 0; channel < plan->channels; channel += CHANNELS) {
        const int32_t left = plan->channels - channel;
        const int32_t channels = left < CHANNELS ? left : CHANNELS;
        for (int32_t line = 0; line < plan->kernel; ++line) {
            if (lines[line] != NULL) {
                im2col(plan, lines[line] + channel, columns + line * plan->line, channels, 1);
            }
        }
        apply(plan, &outputs, constants, columns, output, channels);
        output += channels * plan->multiplier;
        constants += channels * plan->multiplier * plan->constants;
    }
}
