# SPDX-License-Identifier: Apache-2.0
"""The report: one data model, rendered to the terminal and to JSON."""
