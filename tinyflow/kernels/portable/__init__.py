# SPDX-License-Identifier: Apache-2.0
"""tinyflow's own portable C kernels, for operators that CMSIS-NN, or the copy in use, lacks.

Their C is in `firmware/kernels`; each is exact with TFLM's reference kernel.
"""
