""".tflite files to graphs."""
