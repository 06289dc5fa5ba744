/* SPDX-License-Identifier: Apache-2.0 */
/*
 * exp in double precision: 2^(k / 32) from a table times a polynomial. The result is off by 0.54
 * units in the last place at most; see tests/unit/test_exp.py.
 */
#include "tinyflow_math.h"

#define ENTRIES 32
/* log(2) / 32 in two parts, the first one with zeros at its end. */
#define STEP_HIGH 0x1.62e42fef80000p-6
#define STEP_LOW 0x1.1cf79abc9e3b4p-41
#define STEPS_PER_UNIT 0x1.71547652b82fep+5
/* Beyond them exp overflows, or is less than any float times a float. */
#define GREATEST 709.0
#define LEAST (-708.0)

static double double_of(int64_t bits)
{
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

double tinyflow_exp(double x, const int64_t *table)
{
    if (!(x < GREATEST)) {
        return x >= GREATEST ? double_of(0x7FF0000000000000) : x;
    }
    if (x < LEAST) {
        return 0.0;
    }
    const double steps = x * STEPS_PER_UNIT;
    const int32_t step = (int32_t)(steps < 0.0 ? steps - 0.5 : steps + 0.5);
    const double rest = x - step * STEP_HIGH - step * STEP_LOW;
    const int32_t entry = (int32_t)((uint32_t)step % ENTRIES);
    const int64_t power = (step - entry) / ENTRIES;
    const double square = rest * rest;
    const double high = 1.0 / 24 + rest * (1.0 / 120) + square * (1.0 / 720 + rest * (1.0 / 5040));
    const double growth = rest + square * (0.5 + rest * (1.0 / 6) + square * high);
    const double whole = double_of(table[2 * entry]), lacking = double_of(table[2 * entry + 1]);
    return (whole + (lacking + whole * growth)) * double_of((power + 1023) * ((int64_t)1 << 52));
}
