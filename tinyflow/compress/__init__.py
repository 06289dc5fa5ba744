"""Making a Keras model smaller before it is quantised, one technique a file."""
