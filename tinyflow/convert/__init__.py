# SPDX-License-Identifier: Apache-2.0
"""Keras models to quantised .tflite files, in a worker process."""
