"""Writes docs/api/: a page for each package, with all of its public names.

    python docs/make_api.py

The pages hold no text of their own: `make docs` fills in the docstrings.
"""

import importlib
import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
OUT = ROOT / "docs" / "api"
PACKAGES = {
    "keras_ssp": "What most programs need",
    "keras_ssp.layers": "Neurons, encodings, readout",
    "keras_ssp.surrogates": "Surrogate gradients",
    "keras_ssp.penalties": "Penalties",
    "keras_ssp.energy": "Energy reports and prices",
    "keras_ssp.synapses": "Fan-out",
    "keras_ssp.callbacks": "Callbacks",
    "keras_ssp.models": "Networks",
    "keras_ssp.conversion": "Conversion",
    "keras_ssp.datasets": "Data",
    "keras_ssp.events": "Event cameras",
    "keras_ssp.training": "One training",
    "keras_ssp.studies": "Studies",
    "keras_ssp.tuner": "Search",
    "keras_ssp.pareto": "Frontiers",
    "keras_ssp.figures": "Pictures",
    "keras_ssp.serving": "Export and serving",
}


def pages():
    """File name and text of each page."""
    rows = "".join(
        f"| [{name}]({_file(name)}) | {PACKAGES[name]} |\n" for name in PACKAGES
    )
    yield "index.md", f"# API reference\n\n| package | |\n|---|---|\n{rows}"
    for name, about in PACKAGES.items():
        module = importlib.import_module(name)
        public = sorted(
            _public(module), key=lambda each: (each.islower(), each.lower())
        )
        parts = [f"# {name}\n\n{about}.\n"]
        for each in public:
            found = getattr(module, each)
            if not isinstance(found, type(sys)):  # a package has a page of its own
                parts.append(f"\n::: {name}.{each}\n")
        yield _file(name), "".join(parts)


def _public(module):
    names = getattr(module, "__all__", None)
    return names or [
        name
        for name, value in vars(module).items()
        if getattr(value, "__module__", None) == module.__name__ and name[0] != "_"
    ]


def _file(name):
    return f"{name.removeprefix('keras_ssp.')}.md"


def main():
    """Writes the pages."""
    OUT.mkdir(exist_ok=True)
    for name, text in pages():
        (OUT / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
