"""`python -m keras_ssp` is `keras-ssp`."""

import sys

from keras_ssp.cli import main

if __name__ == "__main__":
    sys.exit(main())
