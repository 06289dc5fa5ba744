# SPDX-License-Identifier: Apache-2.0
"""What a user asks of a build: its options, and the project file that holds them."""
