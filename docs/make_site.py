"""What `make docs` does to pages while it builds the site; see mkdocs.yml.

Pages are written for a repository, in which a link may lead to a file of the package.
The site has the pages alone: there such a link becomes its text.
"""

import pathlib
import re

ROOT = pathlib.Path(__file__).resolve().parents[1]
LINK = re.compile(r"(?<!!)\[([^\]]+)\]\((?!https?:|#)([^)#\s]+)(#[^)\s]*)?\)")
SHIM = "https://unpkg.com/iframe-worker/shim"
SERVED = (".md", ".png", ".svg", ".html", ".ipynb", ".csv", ".json", ".css")


def on_page_markdown(markdown, page, **_):
    """A hook of MkDocs: the text of a page before it is rendered."""
    here = (ROOT / "docs" / page.file.src_uri).parent

    def link(found):
        text, target, anchor = found[1], found[2], found[3] or ""
        path = (here / target).resolve()
        if path == ROOT / "README.md":
            home = "../" * page.file.src_uri.count("/") + "index.md"
            return f"[{text}]({home})"
        if path == ROOT / "docs/results":
            return f"[{text}]({target.rstrip('/')}/README.md)"
        inside = path.is_relative_to(ROOT / "docs") and path.suffix in SERVED
        return f"[{text}]({target}{anchor})" if inside else text

    return LINK.sub(link, markdown)


def on_post_page(output, page, **_):
    """A hook of MkDocs: a whole page. What the theme fetches from elsewhere is here."""
    near = "../" * page.file.dest_uri.count("/") + "vendor/iframe-worker.js"
    return output.replace(SHIM, near)


def on_post_template(output, **_):
    """A hook of MkDocs: a page of the theme's own, such as that of a missing page."""
    return output.replace(SHIM, "vendor/iframe-worker.js")


def main():
    """Nothing: MkDocs calls the hook."""
