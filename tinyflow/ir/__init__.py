# SPDX-License-Identifier: Apache-2.0
"""The intermediate representation: tensors, operators, quantisation, and their verifier."""
