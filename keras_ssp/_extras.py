"""Optional dependencies, imported only where they are used."""

import importlib
from typing import Any

# What each extra of the package is for, in the words of the error message.
_PURPOSE = {
    "plots": "plots",
    "demo": "the demo",
    "yaml": "YAML files",
    "pages": "pages of searches",
    "pandas": "data frames",
    "optuna": "Optuna's samplers",
    "serve": "the server",
    "onnx": "ONNX files",
    "events": "recordings of this kind",
    "completion": "completion in a shell",
}
#: The package by which each extra is known to be installed.
INSTALLED_BY = {
    "plots": "matplotlib",
    "demo": "scikit-learn",
    "yaml": "PyYAML",
    "jax": "jax",
    "torch": "torch",
    "pages": "plotly",
    "pandas": "pandas",
    "tensorboard": "tensorboard",
    "optuna": "optuna",
    "serve": "starlette",
    "onnx": "tf2onnx",
    "events": "expelliarmus",
    "completion": "shtab",
}


def require(module: str, *, extra: str) -> Any:
    """Imports an optional module, or says which extra brings it.

    Args:
        module: Dotted name of the module, such as `"matplotlib.figure"`.
        extra: Name of the extra of `keras-ssp` that installs it.

    Returns:
        The imported module.

    Raises:
        ImportError: If the package that holds `module` is not installed. An
            installed package that fails to import for another reason raises its
            own error, unchanged.

    Example:

    >>> require("json", extra="plots").dumps({})
    '{}'
    """
    package = module.partition(".")[0]
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != package:
            raise
        purpose = _PURPOSE.get(extra, extra)
        raise ImportError(
            f'{package} is needed for {purpose}; pip install "keras-ssp[{extra}]"'
        ) from error
