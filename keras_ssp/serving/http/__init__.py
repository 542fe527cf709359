"""The server of `keras-ssp serve`; needs the extra `serve`."""
