/* SPDX-License-Identifier: Apache-2.0 */
/* The constants of small, made by tinyflow 0.1.0. Private to small.c. */
#ifndef TINYFLOW_MODEL_SMALL_WEIGHTS_H
#define TINYFLOW_MODEL_SMALL_WEIGHTS_H

#include <stdint.h>

extern const uint32_t small_layer_00_conv_2d_packed_weights[40];
extern const uint32_t small_layer_01_depthwise_conv_2d_channels[32];
extern const uint32_t small_layer_04_fully_connected_packed_weights[8];
extern const int32_t small_layer_05_softmax_exponentials[139];

#endif
