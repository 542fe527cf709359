"""`python -m keras_ssp` is `keras-ssp`, which begins in `keras_ssp_start`, earlier.

Python imports a package before its `__main__`, so here TensorFlow comes first.
"""

import sys

from keras_ssp.cli import main

if __name__ == "__main__":
    sys.exit(main())
