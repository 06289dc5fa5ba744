"""Calibration, training and test data, and accuracy over them."""
