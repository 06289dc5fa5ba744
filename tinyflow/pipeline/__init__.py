# SPDX-License-Identifier: Apache-2.0
"""A build: its request, its stages in order, its output folder."""
