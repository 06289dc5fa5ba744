# SPDX-License-Identifier: Apache-2.0
"""Making a Keras model smaller before it is quantised, one technique a file."""
