# SPDX-License-Identifier: Apache-2.0
"""Fuzzing of the importer and of all that follows it up to the generated C."""
