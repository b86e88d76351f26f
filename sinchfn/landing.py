"""The page at the mount's root when the function has none of its own."""

from __future__ import annotations

from html import escape

from .function import Function

_PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{name}</title>
<style>
  body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 42rem; margin: 4rem auto; padding: 0 1rem; color: #1b2733; }}
  h1 {{ font-size: 1.6rem; margin-bottom: .25rem; }}
  p {{ color: #52616f; }}
  table {{ border-collapse: collapse; width: 100%; margin: 1.5rem 0; }}
  th, td {{ text-align: left; padding: .45rem .6rem; border-bottom: 1px solid #dde4ea; }}
  th {{ font-weight: 600; color: #52616f; font-size: .85rem; }}
  code {{ font: .9rem ui-monospace, monospace; }}
  @media (prefers-color-scheme: dark) {{
    body {{ background: #12181f; color: #e6edf3; }}
    th, p {{ color: #9fb0bf; }}
    th, td {{ border-color: #2b3743; }}
  }}
</style>
<h1>{name}</h1>
<p>This function is up and answers:</p>
<table>
<tr><th>Method</th><th>Path</th><th>Handler</th></tr>
{rows}
</table>
{voice}<p>To put a page of your own here, export <code>home</code> or add <code>public/index.html</code>.</p>
</html>
"""


_VOICE = "<p>Callback URL of the Voice application, for all events: <code>{url}</code></p>\n"


def landing_page(function: Function, url: str) -> str:
    """The page, as HTML.

    :param url: of the function's mount, as the platform sees it.
    """
    rows = "\n".join(_row(method, function.url_prefix + path, name) for method, path, name in function.listing())
    return _PAGE.format(
        name=escape(function.name),
        rows=rows or "<tr><td colspan=3>no handlers yet</td></tr>",
        voice=_VOICE.format(url=escape(url)) if function.exports.callbacks else "",
    )


def _row(*cells: str) -> str:
    return f"<tr>{''.join(f'<td><code>{escape(cell)}</code></td>' for cell in cells)}</tr>"
