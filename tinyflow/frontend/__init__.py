"""From a Keras model or a quantised .tflite to the IR: loading, conversion, import."""
