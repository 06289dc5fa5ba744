# SPDX-License-Identifier: Apache-2.0
"""The reference kernels that firmware is compared with: TFLM's, and LiteRT's for the rest."""
