"""How the command line starts: what it can say before TensorFlow is imported.

`import keras_ssp` imports Keras and its backend, which takes seconds: whoever loads a
model must find the layers that it names. Help, the version and typing errors need none
of that, so programs start here, outside of that package, with the standard library
alone.
"""
