"""From a Keras model or an int8 .tflite to the IR: loading, conversion, import."""
