"""The intermediate representation: tensors, operators, quantisation, and their verifier."""
