/* SPDX-License-Identifier: Apache-2.0 */
/* Reference: TFLM, detection_postprocess.cc. Of equal scores the first one comes first. */
#include "tinyflow_detection.h"
#include "tinyflow_math.h"

typedef struct {
    float top;
    float left;
    float bottom;
    float right;
} box;

typedef struct {
    box *decoded;        /* [boxes] */
    float *best;         /* [boxes], of all classes */
    float *left_scores;  /* [most], the scores of the detections so far */
    uint32_t *left;      /* [most], where they are among the scores */
    uint16_t *order;     /* [boxes], those with enough score, the best first */
    uint16_t *chosen;    /* [chosen] */
} workspace;

/* Scores that lie `stride` apart. */
typedef struct {
    const float *values;
    size_t stride;
} column;

static float score_of(column scores, size_t index)
{
    return scores.values[index * scores.stride];
}

/* Computed in double precision, each result rounded once. */
static float center(float offset, float scale, float size, float anchor)
{
    return (float)((double)offset / (double)scale * (double)size + (double)anchor);
}

static float half_size(const tinyflow_detection_params *params, float offset, float scale,
                       float size)
{
    const double growth = tinyflow_exp((double)offset / (double)scale, params->exponentials);
    return (float)(0.5 * growth * (double)size);
}

/* 1 where a box has no area. */
static int decode(const tinyflow_detection_params *params, const float *boxes, box *decoded)
{
    const float *const scales = params->scales;
    const float *anchor = params->anchors;
    int is_empty = 0;
    for (size_t i = 0; i < params->boxes; ++i, anchor += 4, boxes += params->coordinates) {
        const float y = center(boxes[0], scales[0], anchor[2], anchor[0]);
        const float x = center(boxes[1], scales[1], anchor[3], anchor[1]);
        const float height = half_size(params, boxes[2], scales[2], anchor[2]);
        const float width = half_size(params, boxes[3], scales[3], anchor[3]);
        decoded[i] = (box){y - height, x - width, y + height, x + width};
        if (decoded[i].top >= decoded[i].bottom || decoded[i].left >= decoded[i].right) {
            is_empty = 1;
        }
    }
    return is_empty;
}

static float lesser(float a, float b)
{
    return b < a ? b : a;
}

static float greater(float a, float b)
{
    return a < b ? b : a;
}

static float area(const box *of)
{
    return (of->bottom - of->top) * (of->right - of->left);
}

static float overlap(const box *a, const box *b)
{
    const float area_a = area(a), area_b = area(b);
    if (area_a <= 0.0f || area_b <= 0.0f) {
        return 0.0f;
    }
    const float height = lesser(a->bottom, b->bottom) - greater(a->top, b->top);
    const float width = lesser(a->right, b->right) - greater(a->left, b->left);
    const float common = greater(height, 0.0f) * greater(width, 0.0f);
    return common / (area_a + area_b - common);
}

/* Whether a box comes behind another one. */
static int is_behind(column scores, uint16_t a, uint16_t b)
{
    const float score_a = score_of(scores, a), score_b = score_of(scores, b);
    return score_a < score_b || (score_a == score_b && a > b);
}

/* Lets the box at `root` sink in a heap that has the last of all boxes on top. */
static void sink(column scores, uint16_t *heap, size_t root, size_t size)
{
    const uint16_t sinking = heap[root];
    for (size_t child = 2 * root + 1; child < size; child = 2 * root + 1) {
        if (child + 1 < size && is_behind(scores, heap[child + 1], heap[child])) {
            ++child;
        }
        if (!is_behind(scores, heap[child], sinking)) {
            break;
        }
        heap[root] = heap[child];
        root = child;
    }
    heap[root] = sinking;
}

/* The boxes with enough score, the best first; gives how many. */
static size_t sorted(const tinyflow_detection_params *params, column scores, uint16_t *order)
{
    size_t count = 0;
    for (size_t i = 0; i < params->boxes; ++i) {
        if (score_of(scores, i) >= params->least_score) {
            order[count++] = (uint16_t)i;
        }
    }
    for (size_t root = count / 2; root-- > 0;) {
        sink(scores, order, root, count);
    }
    for (size_t end = count; end-- > 1;) {
        const uint16_t last = order[0];
        order[0] = order[end];
        order[end] = last;
        sink(scores, order, 0, end);
    }
    return count;
}

/* Keeps the best of boxes that overlap; returns the number kept. */
static size_t suppress(const tinyflow_detection_params *params, column scores,
                       const workspace *work)
{
    const size_t candidates = sorted(params, scores, work->order);
    size_t chosen = 0;
    for (size_t i = 0; i < candidates && chosen < params->chosen; ++i) {
        const box *const candidate = &work->decoded[work->order[i]];
        size_t other = 0;
        while (other < chosen
               && !(overlap(&work->decoded[work->chosen[other]], candidate)
                    > params->most_overlap)) {
            ++other;
        }
        if (other == chosen) {
            work->chosen[chosen++] = work->order[i];
        }
    }
    return chosen;
}

/* Puts a detection behind those that are as good; the worst of too many is dropped. */
static size_t insert(const workspace *work, size_t count, size_t most, float score,
                     uint32_t place)
{
    size_t at = count;
    while (at > 0 && work->left_scores[at - 1] < score) {
        --at;
    }
    if (at == most) {
        return count;
    }
    count = count < most ? count + 1 : count;
    for (size_t i = count - 1; i > at; --i) {
        work->left_scores[i] = work->left_scores[i - 1];
        work->left[i] = work->left[i - 1];
    }
    work->left_scores[at] = score;
    work->left[at] = place;
    return count;
}

static size_t by_class(const tinyflow_detection_params *params, const float *scores,
                       const workspace *work)
{
    size_t count = 0;
    for (size_t class = params->background; class < params->columns; ++class) {
        const column of_class = {scores + class, params->columns};
        const size_t chosen = suppress(params, of_class, work);
        for (size_t i = 0; i < chosen; ++i) {
            const size_t row = work->chosen[i];
            count = insert(work, count, params->most, score_of(of_class, row),
                           (uint32_t)(row * params->columns + class));
        }
    }
    return count;
}

/* The place of a box's best score. */
static uint32_t best_of(const tinyflow_detection_params *params, const float *scores, size_t row)
{
    const size_t first = row * params->columns;
    size_t best = first + params->background;
    for (size_t place = best + 1; place < first + params->columns; ++place) {
        if (scores[place] > scores[best]) {
            best = place;
        }
    }
    return (uint32_t)best;
}

static size_t by_best_class(const tinyflow_detection_params *params, const float *scores,
                            const workspace *work)
{
    for (size_t row = 0; row < params->boxes; ++row) {
        work->best[row] = scores[best_of(params, scores, row)];
    }
    const column best = {work->best, 1};
    const size_t chosen = suppress(params, best, work);
    for (size_t i = 0; i < chosen; ++i) {
        work->left[i] = best_of(params, scores, work->chosen[i]);
        work->left_scores[i] = scores[work->left[i]];
    }
    return chosen;
}

int tinyflow_detection_postprocess_f32(const tinyflow_detection_params *params, const float *boxes,
                                       const float *scores, void *memory, float *detections,
                                       float *classes, float *class_scores, float *count)
{
    workspace work;
    work.decoded = memory;
    work.best = (float *)(work.decoded + params->boxes);
    work.left_scores = work.best + params->boxes;
    work.left = (uint32_t *)(void *)(work.left_scores + params->most);
    work.order = (uint16_t *)(work.left + params->most);
    work.chosen = work.order + params->boxes;
    if (decode(params, boxes, work.decoded)) {
        return 1;
    }
    const size_t found = params->regular ? by_class(params, scores, &work)
                                         : by_best_class(params, scores, &work);
    for (size_t i = 0; i < params->most; ++i) {
        box detection = {0.0f, 0.0f, 0.0f, 0.0f};
        classes[i] = class_scores[i] = 0.0f;
        if (i < found) {
            detection = work.decoded[work.left[i] / params->columns];
            classes[i] = (float)(work.left[i] % params->columns - params->background);
            class_scores[i] = work.left_scores[i];
        }
        memcpy(detections + 4 * i, &detection, sizeof detection);
    }
    count[0] = (float)found;
    return 0;
}
