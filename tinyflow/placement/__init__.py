# SPDX-License-Identifier: Apache-2.0
"""Choice of what start-up copies to RAM, made from a trace."""
