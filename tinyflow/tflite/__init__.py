# SPDX-License-Identifier: Apache-2.0
""".tflite files to graphs."""
