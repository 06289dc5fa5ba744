/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reference: TFLM, lstm_eval.h and lstm_eval.cc, with reference/integer_ops/logistic.h, tanh.h and
 * mul.h. A unit's four gates are computed together: they see the hidden state of the step before,
 * which is replaced when all units are done.
 */
#include "tinyflow_requantize.h"
#include "tinyflow_state.h"

#include <string.h>

/* The logistic function of i / 24 in 1/65536; some of the reference's values are off by one. */
static const uint16_t sigmoid_table[256] = {
    32768, 33451, 34133, 34813, 35493, 36169, 36843, 37513, 38180, 38841, 39498, 40149,
    40794, 41432, 42064, 42688, 43304, 43912, 44511, 45102, 45683, 46255, 46817, 47369,
    47911, 48443, 48964, 49475, 49975, 50464, 50942, 51409, 51865, 52311, 52745, 53169,
    53581, 53983, 54374, 54755, 55125, 55485, 55834, 56174, 56503, 56823, 57133, 57433,
    57724, 58007, 58280, 58544, 58800, 59048, 59288, 59519, 59743, 59959, 60168, 60370,
    60565, 60753, 60935, 61110, 61279, 61441, 61599, 61750, 61896, 62036, 62172, 62302,
    62428, 62549, 62666, 62778, 62886, 62990, 63090, 63186, 63279, 63368, 63454, 63536,
    63615, 63691, 63765, 63835, 63903, 63968, 64030, 64090, 64148, 64204, 64257, 64308,
    64357, 64405, 64450, 64494, 64536, 64576, 64614, 64652, 64687, 64721, 64754, 64786,
    64816, 64845, 64873, 64900, 64926, 64950, 64974, 64997, 65019, 65039, 65060, 65079,
    65097, 65115, 65132, 65149, 65164, 65179, 65194, 65208, 65221, 65234, 65246, 65258,
    65269, 65280, 65291, 65301, 65310, 65319, 65328, 65337, 65345, 65352, 65360, 65367,
    65374, 65381, 65387, 65393, 65399, 65404, 65410, 65415, 65420, 65425, 65429, 65433,
    65438, 65442, 65445, 65449, 65453, 65456, 65459, 65462, 65465, 65468, 65471, 65474,
    65476, 65479, 65481, 65483, 65485, 65488, 65489, 65491, 65493, 65495, 65497, 65498,
    65500, 65501, 65503, 65504, 65505, 65507, 65508, 65509, 65510, 65511, 65512, 65513,
    65514, 65515, 65516, 65517, 65517, 65518, 65519, 65520, 65520, 65521, 65522, 65522,
    65523, 65523, 65524, 65524, 65525, 65525, 65526, 65526, 65526, 65527, 65527, 65528,
    65528, 65528, 65529, 65529, 65529, 65529, 65530, 65530, 65530, 65530, 65531, 65531,
    65531, 65531, 65531, 65532, 65532, 65532, 65532, 65532, 65532, 65533, 65533, 65533,
    65533, 65533, 65533, 65533, 65533, 65534, 65534, 65534, 65534, 65534, 65534, 65534,
    65534, 65534, 65534, 65535,
};

static int32_t saturate(int32_t value)
{
    return tinyflow_clamp(value, INT16_MIN, INT16_MAX);
}

/* The table at magnitude / 2^bits, interpolated, times 2^bits; it ends at `limit`. */
static int32_t interpolate(uint32_t magnitude, uint32_t bits, uint32_t limit)
{
    const uint32_t index = magnitude >> bits;
    if (index >= 255u) {
        return (int32_t)(limit << bits);
    }
    const uint32_t low = sigmoid_table[index], high = sigmoid_table[index + 1u];
    const uint32_t rest = magnitude & ((UINT32_C(1) << bits) - 1u);
    return (int32_t)((low << bits) + rest * (high - low));
}

static uint32_t magnitude_of(int32_t value)
{
    return value < 0 ? (uint32_t)-value : (uint32_t)value;
}

/* The logistic function of a number in 2^-12, in 2^-15. */
static int32_t sigmoid(int32_t value)
{
    const int32_t scaled = value * 3;
    const int32_t result = interpolate(magnitude_of(scaled), 9, 0xFFFE);
    const int32_t half = INT32_C(1) << 9;
    return ((scaled >= 0 ? result + half : (INT32_C(1) << 25) - result + half - 1) >> 10);
}

/* The hyperbolic tangent, 2 * logistic(2x) - 1, of scaled / 3 in 2^-12; in 2^-15. */
static int32_t hyperbolic_tangent(int32_t scaled)
{
    const int32_t result = interpolate(magnitude_of(scaled), 8, 0xFFFF) - (INT32_C(1) << 23);
    const int32_t half = INT32_C(1) << 7;
    return (scaled >= 0 ? result + half : -result + half - 1) >> 8;
}

static int32_t multiply(const tinyflow_lstm_product *product, const int8_t *operand,
                        size_t operands, size_t unit)
{
    const int8_t *weights = &product->weights[unit * operands];
    uint32_t sum = (uint32_t)product->bias[unit];
    for (size_t i = 0; i < operands; ++i) {
        sum += (uint32_t)(weights[i] * operand[i]);
    }
    return saturate(tinyflow_requantize((int32_t)sum, product->multiplier, product->shift));
}

/* Input of the gate's function. */
static int32_t gate_input(const tinyflow_lstm_params *params, const tinyflow_lstm_gate *gate,
                          const int8_t *input, const int8_t *hidden, size_t unit)
{
    return saturate(multiply(&gate->input, input, params->inputs, unit)
                    + multiply(&gate->hidden, hidden, params->units, unit));
}

static int32_t rescale(const tinyflow_lstm_scale *scale, int32_t value)
{
    return tinyflow_requantize(value, scale->multiplier, scale->shift);
}

static int16_t next_cell(const tinyflow_lstm_params *params, int32_t cell, int32_t forget_gate,
                         int32_t input_gate, int32_t cell_gate)
{
    const int32_t kept = saturate(rescale(&params->kept, forget_gate * cell));
    const int32_t fresh = saturate(rescale(&params->fresh, input_gate * cell_gate));
    const int32_t sum = saturate(kept + fresh);
    const int32_t limit = params->cell_clip;
    return (int16_t)(limit > 0 ? tinyflow_clamp(sum, -limit, limit) : sum);
}

static int8_t next_hidden(const tinyflow_lstm_params *params, int32_t cell, int32_t output_gate)
{
    const int32_t shift = params->tanh_shift;
    const int32_t half = shift > 0 ? INT32_C(1) << (shift - 1) : 0;
    const int32_t tanh = hyperbolic_tangent((cell * params->tanh_multiplier + half) >> shift);
    const int32_t result = rescale(&params->result, tanh * output_gate);
    return (int8_t)tinyflow_clamp(result + params->hidden_zero_point, INT8_MIN, INT8_MAX);
}

/* One step of one sequence; writes the new hidden state to the output only. */
static void step(const tinyflow_lstm_params *params, const int8_t *input, const int8_t *hidden,
                 int16_t *cell, int8_t *output)
{
    for (size_t unit = 0; unit < params->units; ++unit) {
        const int32_t forget_gate =
            sigmoid(gate_input(params, &params->forget_gate, input, hidden, unit));
        const int32_t input_gate =
            sigmoid(gate_input(params, &params->input_gate, input, hidden, unit));
        const int32_t cell_gate =
            hyperbolic_tangent(3 * gate_input(params, &params->cell_gate, input, hidden, unit));
        const int32_t output_gate =
            sigmoid(gate_input(params, &params->output_gate, input, hidden, unit));

        cell[unit] = next_cell(params, cell[unit], forget_gate, input_gate, cell_gate);
        output[unit] = next_hidden(params, cell[unit], output_gate);
    }
}

void tinyflow_lstm_s8(const tinyflow_lstm_params *params, const int8_t *input, int8_t *hidden,
                      int16_t *cell, int8_t *output)
{
    for (size_t batch = 0; batch < params->batch; ++batch) {
        for (size_t time = 0; time < params->steps; ++time) {
            const size_t position = batch * params->batch_stride + time * params->step_stride;
            int8_t *result = &output[position * params->units];

            step(params, &input[position * params->inputs], hidden, cell, result);
            memcpy(hidden, result, params->units);
        }
        hidden += params->units;
        cell += params->units;
    }
}
