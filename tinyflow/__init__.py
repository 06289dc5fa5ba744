"""tinyflow: from a trained Keras model to verified INT8 firmware on a microcontroller."""

__version__ = "0.1.0"
