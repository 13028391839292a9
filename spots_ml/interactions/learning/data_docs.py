"""Data Docs that are whole on a machine without internet and ask nobody for anything.

Great Expectations' templates load scripts and style sheets from other sites, and a logo with a dated request. Here each
page it wrote gets the little style and script that it needs inside, loses every reference to elsewhere, and tells
the browser to load nothing from anywhere, whatever a later release of the templates asks for.
"""

import re
from html import escape
from importlib.resources import files
from pathlib import Path
from typing import Final
from urllib.parse import quote

_ALLOWED: Final = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src 'self' data:"
_POLICY: Final = f'<meta http-equiv="Content-Security-Policy" content="{_ALLOWED}">'
_TOLD: Final = {"validations": "What was found", "expectations": "What is expected"}
_HEAD: Final = re.compile(r"<head>", re.IGNORECASE)
_ELSEWHERE: Final = re.compile(
    r"<script\b.*?</script\s*>|<link\b[^>]*>|<img\b[^>]*\bsrc=[\"'](?:https?:)?//[^>]*>|<footer\b.*?</footer\s*>"
    r"|<p\b[^>]*>(?:(?!</p>).)*newsletter.*?</p>|@import[^;]*;|url\((?!\s*[\"']?data:)[^)]*\)",
    re.IGNORECASE | re.DOTALL,
)
_BRAND: Final = re.compile(r"(<a href=\"[^\"]*index\.html\">)\s*(</a>)")


def make_whole(folder: Path) -> None:
    """Rewrite the pages of a site that Great Expectations has just built, and replace its index by plain links.

    Args:
        folder: The site.
    """
    style, script = _own("data_docs.css"), _own("data_docs.js")
    pages = [page for part in _TOLD for page in sorted((folder / part).rglob("*.html"))]
    for page in pages:
        page.write_text(_whole(page.read_text(encoding="utf-8"), style, script), encoding="utf-8")
    (folder / "index.html").write_text(_index(folder, pages), encoding="utf-8")


def framed(title: str, body: str) -> str:
    """Frame a page in the same style, which loads nothing.

    Args:
        title: Of the page, as text.
        body: HTML below the title.

    Returns:
        An HTML document.
    """
    return (
        f"<!DOCTYPE html><html lang=en><head><meta charset=utf-8>{_POLICY}<title>{escape(title)}</title>"
        f"<style>{_own('data_docs.css')}</style></head>"
        f'<body><div class="container-fluid pt-4 pl-5 pr-5"><h4>{escape(title)}</h4>{body}</div></body></html>\n'
    )


def _own(name: str) -> str:
    return (files("spots_ml.interactions.learning") / "files" / name).read_text(encoding="utf-8")


def _whole(html: str, style: str, script: str) -> str:
    kept = _BRAND.sub(r"\1Data Docs\2", _ELSEWHERE.sub("", html))
    head = f"<head>{_POLICY}<style>{style}</style><script>{script}</script>"
    return _HEAD.sub(lambda _: head, kept, count=1)


def _index(folder: Path, pages: list[Path]) -> str:
    items = [
        f'<li><a href="{quote(str(found.relative_to(folder)))}">{_TOLD[found.relative_to(folder).parts[0]]}</a></li>'
        for found in pages
    ]
    return framed("Accepted interactions of one dataset", f"<ul>{''.join(items)}</ul>")
