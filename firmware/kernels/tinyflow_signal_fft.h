/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Transforms of real samples for one type of numbers, with every rounding of the fixed or floating
 * point arithmetic of kissfft 130, which TFLM computes with: decimation in time with stages of 4, 2,
 * 3 and 5, where fixed point divides by the radix before each stage.
 *
 * The including file defines, for its type `fft_real`:
 *   fft_sum(a, b), fft_difference(a, b)     that wrap as the type does
 *   fft_product(a, b)                       rounded
 *   fft_real_part(a, b), fft_imaginary_part(a, b)   of the product of two complex numbers
 *   fft_divide(x, divisor)                  by the radix; nothing in floating point
 *   fft_half(x), fft_half_sum(a, b), fft_half_difference(a, b)
 *   fft_negative(x)
 */

typedef struct {
    fft_real r;
    fft_real i;
} fft_complex;

static fft_complex sum_of(fft_complex a, fft_complex b)
{
    return (fft_complex){fft_sum(a.r, b.r), fft_sum(a.i, b.i)};
}

static fft_complex difference_of(fft_complex a, fft_complex b)
{
    return (fft_complex){fft_difference(a.r, b.r), fft_difference(a.i, b.i)};
}

static fft_complex product_of(fft_complex a, fft_complex b)
{
    return (fft_complex){fft_real_part(a, b), fft_imaginary_part(a, b)};
}

static fft_complex divided(fft_complex value, int32_t divisor)
{
    return (fft_complex){fft_divide(value.r, divisor), fft_divide(value.i, divisor)};
}

/* value - i * turned, and value + i * turned */
static fft_complex less_turned(fft_complex value, fft_complex turned)
{
    return (fft_complex){fft_sum(value.r, turned.i), fft_difference(value.i, turned.r)};
}

static fft_complex plus_turned(fft_complex value, fft_complex turned)
{
    return (fft_complex){fft_difference(value.r, turned.i), fft_sum(value.i, turned.r)};
}

/* Position of an index's point before the first stage: its digits in reverse. */
static size_t place_of(const tinyflow_fft_params *params, size_t index)
{
    size_t place = 0, span = params->points;
    for (size_t stage = 0; stage < params->stages; ++stage) {
        const size_t radix = params->radix[stage];
        span /= radix;
        place += index % radix * span;
        index /= radix;
    }
    return place;
}

/* Butterflies of one block of `radix * span` points; `stride` is the step through the twiddles. */

static void butterflies_2(fft_complex *at, const fft_complex *twiddles, size_t stride, size_t span)
{
    for (size_t k = 0; k < span; ++k, ++at) {
        const fft_complex even = divided(at[0], 2);
        const fft_complex odd = product_of(divided(at[span], 2), twiddles[k * stride]);
        at[span] = difference_of(even, odd);
        at[0] = sum_of(even, odd);
    }
}

static void butterflies_3(fft_complex *at, const fft_complex *twiddles, size_t stride, size_t span)
{
    const fft_real turn = twiddles[stride * span].i;
    for (size_t k = 0; k < span; ++k, ++at) {
        const fft_complex zero = divided(at[0], 3);
        const fft_complex one = product_of(divided(at[span], 3), twiddles[k * stride]);
        const fft_complex two = product_of(divided(at[2 * span], 3), twiddles[2 * k * stride]);
        const fft_complex both = sum_of(one, two);
        const fft_complex apart = difference_of(one, two);
        const fft_complex turned = {fft_product(apart.r, turn), fft_product(apart.i, turn)};
        const fft_complex middle = {fft_difference(zero.r, fft_half(both.r)),
                                    fft_difference(zero.i, fft_half(both.i))};
        at[0] = sum_of(zero, both);
        at[2 * span] = less_turned(middle, turned);
        at[span] = plus_turned(middle, turned);
    }
}

static void butterflies_4(fft_complex *at, const fft_complex *twiddles, size_t stride, size_t span,
                          int inverse)
{
    for (size_t k = 0; k < span; ++k, ++at) {
        const fft_complex zero = divided(at[0], 4);
        const fft_complex one = product_of(divided(at[span], 4), twiddles[k * stride]);
        const fft_complex two = product_of(divided(at[2 * span], 4), twiddles[2 * k * stride]);
        const fft_complex three = product_of(divided(at[3 * span], 4), twiddles[3 * k * stride]);
        const fft_complex even = sum_of(zero, two), across = difference_of(zero, two);
        const fft_complex odd = sum_of(one, three), apart = difference_of(one, three);
        at[0] = sum_of(even, odd);
        at[2 * span] = difference_of(even, odd);
        at[span] = inverse ? plus_turned(across, apart) : less_turned(across, apart);
        at[3 * span] = inverse ? less_turned(across, apart) : plus_turned(across, apart);
    }
}

/* base + first * p + second * q, each product rounded */
static fft_real weighted(fft_real base, fft_real first, fft_real p, fft_real second, fft_real q)
{
    return fft_sum(fft_sum(base, fft_product(first, p)), fft_product(second, q));
}

static void butterflies_5(fft_complex *at, const fft_complex *twiddles, size_t stride, size_t span)
{
    const fft_complex a = twiddles[stride * span], b = twiddles[2 * stride * span];
    for (size_t k = 0; k < span; ++k, ++at) {
        const fft_complex zero = divided(at[0], 5);
        const fft_complex one = product_of(divided(at[span], 5), twiddles[k * stride]);
        const fft_complex two = product_of(divided(at[2 * span], 5), twiddles[2 * k * stride]);
        const fft_complex three = product_of(divided(at[3 * span], 5), twiddles[3 * k * stride]);
        const fft_complex four = product_of(divided(at[4 * span], 5), twiddles[4 * k * stride]);
        const fft_complex outer = sum_of(one, four), outer_apart = difference_of(one, four);
        const fft_complex inner = sum_of(two, three), inner_apart = difference_of(two, three);
        at[0] = sum_of(zero, sum_of(outer, inner));
        const fft_complex near = {weighted(zero.r, outer.r, a.r, inner.r, b.r),
                                  weighted(zero.i, outer.i, a.r, inner.i, b.r)};
        const fft_complex near_turned = {
            fft_sum(fft_product(outer_apart.i, a.i), fft_product(inner_apart.i, b.i)),
            fft_difference(fft_negative(fft_product(outer_apart.r, a.i)),
                           fft_product(inner_apart.r, b.i))};
        at[span] = difference_of(near, near_turned);
        at[4 * span] = sum_of(near, near_turned);
        const fft_complex far = {weighted(zero.r, outer.r, b.r, inner.r, a.r),
                                 weighted(zero.i, outer.i, b.r, inner.i, a.r)};
        const fft_complex far_turned = {
            fft_sum(fft_negative(fft_product(outer_apart.i, b.i)),
                    fft_product(inner_apart.i, a.i)),
            fft_difference(fft_product(outer_apart.r, b.i), fft_product(inner_apart.r, a.i))};
        at[2 * span] = sum_of(far, far_turned);
        at[3 * span] = difference_of(far, far_turned);
    }
}

/* All stages, on points that lie where place_of says. */
static void transform(const tinyflow_fft_params *params, fft_complex *points, int inverse)
{
    const fft_complex *twiddles = params->twiddles;
    size_t span = 1, stride = params->points;
    for (size_t stage = params->stages; stage-- > 0;) {
        const size_t radix = params->radix[stage];
        stride /= radix;
        for (size_t start = 0; start < params->points; start += radix * span) {
            fft_complex *const block = points + start;
            switch (radix) {
            case 2:
                butterflies_2(block, twiddles, stride, span);
                break;
            case 3:
                butterflies_3(block, twiddles, stride, span);
                break;
            case 4:
                butterflies_4(block, twiddles, stride, span, inverse);
                break;
            default:
                butterflies_5(block, twiddles, stride, span);
                break;
            }
        }
        span *= radix;
    }
}

static fft_complex conjugated(fft_complex value)
{
    return (fft_complex){value.r, fft_negative(value.i)};
}

/*
 * Samples are taken for complex points, of which the output is the place: what comes out of the
 * transform at k and at points - k is replaced by the spectrum there.
 */
static void rfft(const tinyflow_fft_params *params, const fft_real *input, size_t samples,
                 fft_complex *output)
{
    const fft_complex *const halves = params->halves;
    const size_t points = params->points;
    for (size_t k = 0; k < points; ++k) {
        output[place_of(params, k)] = (fft_complex){
            2 * k < samples ? input[2 * k] : 0, 2 * k + 1 < samples ? input[2 * k + 1] : 0};
    }
    transform(params, output, 0);
    const fft_complex constant = divided(output[0], 2);
    output[0] = (fft_complex){fft_sum(constant.r, constant.i), 0};
    output[points] = (fft_complex){fft_difference(constant.r, constant.i), 0};
    for (size_t k = 1; k <= points / 2; ++k) {
        const fft_complex here = divided(output[k], 2);
        const fft_complex there = divided(conjugated(output[points - k]), 2);
        const fft_complex even = sum_of(here, there);
        const fft_complex odd = product_of(difference_of(here, there), halves[k - 1]);
        output[k].r = fft_half_sum(even.r, odd.r);
        output[k].i = fft_half_sum(even.i, odd.i);
        output[points - k].r = fft_half_difference(even.r, odd.r);
        output[points - k].i = fft_half_difference(odd.i, even.i);
    }
}

static void irfft(const tinyflow_fft_params *params, const fft_complex *input, fft_complex *output)
{
    const fft_complex *const halves = params->halves;
    const size_t points = params->points;
    const fft_complex constant = {fft_sum(input[0].r, input[points].r),
                                  fft_difference(input[0].r, input[points].r)};
    output[place_of(params, 0)] = divided(constant, 2);
    for (size_t k = 1; k <= points / 2; ++k) {
        const fft_complex here = divided(input[k], 2);
        const fft_complex there = divided(conjugated(input[points - k]), 2);
        const fft_complex even = sum_of(here, there);
        const fft_complex odd = product_of(difference_of(here, there), halves[k - 1]);
        output[place_of(params, k)] = sum_of(even, odd);
        output[place_of(params, points - k)] = conjugated(difference_of(even, odd));
    }
    transform(params, output, 1);
}
