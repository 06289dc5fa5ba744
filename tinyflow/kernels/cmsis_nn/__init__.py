# SPDX-License-Identifier: Apache-2.0
"""Kernels of Arm's CMSIS-NN, one operator family a file.

Reference: the doc comments of CMSIS-NN's `arm_nnfunctions.h`, versions 4.0.0 to 7.0.0.
"""
