"""What `make docs` does to docstrings: their examples become blocks of code.

Keras writes an example at the margin, as doctest reads it; Markdown takes `>>>` for a
quotation.
"""

import griffe


class Examples(griffe.Extension):
    """Puts every example of a docstring into a block."""

    def on_object(self, *, obj, **_):
        """A hook of Griffe: an object has been read."""
        if obj.docstring is not None:
            obj.docstring.value = "\n".join(fenced(obj.docstring.value.splitlines()))


def fenced(lines):
    """The lines, examples between fences."""
    inside = quoted = False
    for line in lines:
        text = line.lstrip()
        if text.startswith("```"):
            quoted = not quoted
        starts = text.startswith(">>> ") and not quoted
        if starts and not inside:
            indent = line[: len(line) - len(text)]
            yield f"{indent}```pycon"
            inside = True
        elif inside and not text:
            yield f"{indent}```"
            inside = False
        yield line
    if inside:
        yield f"{indent}```"


def main():
    """Nothing: Griffe calls the extension."""
