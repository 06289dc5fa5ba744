/* SPDX-License-Identifier: Apache-2.0 */
/* The post-processing of an object detector, exact with TFLM's reference kernel. */
#ifndef TINYFLOW_DETECTION_H
#define TINYFLOW_DETECTION_H

#include <stddef.h>
#include <stdint.h>

typedef struct {
    size_t boxes;
    size_t coordinates; /* numbers from one box to the next, of which four are read */
    size_t columns;     /* scores of a box */
    size_t background;  /* 1 where the first of them is the background's, else 0 */
    size_t most;        /* detections */
    size_t chosen;      /* boxes that one suppression chooses at most */
    int regular;        /* suppression by class, not of the best class of each box */
    float least_score;
    float most_overlap;
    float scales[4];             /* of y, x, height and width */
    const float *anchors;        /* [boxes][4]: y, x, height, width */
    const int64_t *exponentials; /* of tinyflow_exp */
} tinyflow_detection_params;

/*
 * detections: [most][4] top, left, bottom, right; classes and their scores: [most]; count: [1].
 * 1 where a box has no area, else 0. `memory` holds 5 * boxes + 2 * most words and
 * boxes + chosen numbers of 16 bits.
 */
int tinyflow_detection_postprocess_f32(const tinyflow_detection_params *params, const float *boxes,
                                       const float *scores, void *memory, float *detections,
                                       float *classes, float *class_scores, float *count);

#endif
