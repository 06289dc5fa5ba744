"""Keras models to quantised .tflite files, in a worker process."""
