# SPDX-License-Identifier: Apache-2.0
"""Static memory planning: lifetimes, and offsets in one arena."""
