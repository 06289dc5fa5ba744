/* SPDX-License-Identifier: Apache-2.0 */
/* Reference: TFLM, reference/broadcast_args.h, which takes extents as int. */
#include "tinyflow_movement.h"

#include <stdbool.h>

/* The extent that two broadcast to, if they do. */
static bool agree(int32_t left, int32_t right, int32_t *extent)
{
    *extent = left == 1 ? right : left;
    return left == right || left == 1 || right == 1;
}

int tinyflow_broadcast_args_s32(const int32_t *left, size_t left_rank, const int32_t *right,
                                size_t right_rank, int32_t *output)
{
    const size_t rank = left_rank > right_rank ? left_rank : right_rank;
    for (size_t i = 1; i <= rank; ++i) {
        const int32_t a = i <= left_rank ? left[left_rank - i] : 1;
        const int32_t b = i <= right_rank ? right[right_rank - i] : 1;
        if (!agree(a, b, &output[rank - i])) {
            return 1;
        }
    }
    return 0;
}

int tinyflow_broadcast_args_s64(const int64_t *left, size_t left_rank, const int64_t *right,
                                size_t right_rank, int64_t *output)
{
    const size_t rank = left_rank > right_rank ? left_rank : right_rank;
    for (size_t i = 1; i <= rank; ++i) {
        const int32_t a = i <= left_rank ? (int32_t)left[left_rank - i] : 1;
        const int32_t b = i <= right_rank ? (int32_t)right[right_rank - i] : 1;
        int32_t extent;
        if (!agree(a, b, &extent)) {
            return 1;
        }
        output[rank - i] = extent;
    }
    return 0;
}
