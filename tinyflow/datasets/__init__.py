# SPDX-License-Identifier: Apache-2.0
"""Calibration, training and test data, and accuracy over them."""
