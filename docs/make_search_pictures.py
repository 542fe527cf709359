"""Makes the pictures of docs/search.md from the search of `make pareto`.

    python docs/make_search_pictures.py runs/pareto

Needs Chromium (on PATH, or named by the variable CHROMIUM) and Pillow.
"""

import os
import pathlib
import subprocess
import sys
import tempfile

IMAGES = pathlib.Path(__file__).parent / "images"
WINDOW = (1120, 1680)  # down to the hyperparameters


def main(folder: str) -> None:
    """Writes search_frontier.png and search_page.png."""
    found = pathlib.Path(folder).resolve()
    smaller(found / "frontier.png", IMAGES / "search_frontier.png")
    with tempfile.TemporaryDirectory() as home:
        shot = pathlib.Path(home) / "page.png"
        subprocess.run(
            [
                os.environ.get("CHROMIUM", "chromium"),
                *("--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"),
                f"--user-data-dir={home}",
                f"--window-size={WINDOW[0]},{WINDOW[1]}",
                f"--screenshot={shot}",
                (found / "index.html").as_uri(),
            ],
            check=True,
        )
        smaller(shot, IMAGES / "search_page.png")


def smaller(source: pathlib.Path, target: pathlib.Path) -> None:
    """A picture with 256 colours, which is a third of the size."""
    from PIL import Image

    image = Image.open(source).convert("RGB").quantize(256)
    image.save(target, optimize=True)


if __name__ == "__main__":
    main(sys.argv[1])
