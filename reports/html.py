"""A report as one HTML file: charts inside it, no script, nothing that is asked of the network."""

from __future__ import annotations

from base64 import b64encode
from html import escape

from reports.document import Block, Code, Document, Grid, Heading, Items, Paragraph, Picture
from reports.pictures import picture

_STYLE = """
:root { color-scheme: light dark; --ink: #1f2328; --faint: #57606a; --line: #d8dce1; --paper: #fff;
  --good: #e6f4ec; --doubtful: #fdf3dc; --bad: #fbe4e0; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e6e6; --faint: #a5adb5; --line: #3a4048;
  --paper: #16191d; --good: #12351f; --doubtful: #3d3110; --bad: #431a14; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 2rem 1rem 4rem; max-width: 46rem; background: var(--paper); color: var(--ink);
  font: 1rem/1.55 system-ui, "Liberation Sans", Arial, sans-serif; }
h1 { font-size: 1.6rem; line-height: 1.25; margin: 0 0 .25rem; }
h2 { font-size: 1.2rem; margin: 2.2rem 0 .6rem; border-bottom: 1px solid var(--line); padding-bottom: .2rem; }
h3 { font-size: 1rem; margin: 1.3rem 0 .3rem; }
.about, .quiet { color: var(--faint); }
.good, .doubtful, .bad { padding: .7rem 1rem; border-radius: .4rem; }
.good { background: var(--good); } .doubtful { background: var(--doubtful); } .bad { background: var(--bad); }
figure { margin: 1rem 0; background: #fff; padding: .5rem; border: 1px solid var(--line);
  border-radius: .4rem; }
img { display: block; max-width: 100%; height: auto; margin: auto; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: .92rem; }
th, td { text-align: left; vertical-align: top; padding: .3rem .6rem .3rem 0;
  border-bottom: 1px solid var(--line); }
.figure { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
.exact td, pre { font-family: ui-monospace, "Liberation Mono", Consolas, monospace; font-size: .82rem;
  overflow-wrap: anywhere; }
pre { white-space: pre-wrap; border: 1px solid var(--line); border-radius: .4rem; padding: .7rem; }
@media print { body { max-width: none; } figure, tr { break-inside: avoid; } }
"""

_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"


def to_html(document: Document) -> str:
    """The document as an HTML page of its own."""
    return f"""<!doctype html>
<html lang="{document.language}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="{_POLICY}">
<title>{escape(document.title)}</title>
<style>{_STYLE}</style>
</head>
<body>
<main>
<h1>{escape(document.title)}</h1>
<p class="about">{escape(document.about)}</p>
{to_fragment(document)}
</main>
</body>
</html>
"""


def to_fragment(document: Document) -> str:
    """The document's blocks as HTML for another page, which names and styles them; every text is escaped."""
    return "\n".join(_block(block) for block in document.blocks)


def _block(block: Block) -> str:
    match block:
        case Heading(text=text, level=level):
            return f"<h{level + 1}>{escape(text)}</h{level + 1}>"
        case Paragraph(text=text, tone="plain"):
            return f"<p>{escape(text)}</p>"
        case Paragraph(text=text, tone=tone):
            return f'<p class="{tone}">{escape(text)}</p>'
        case Items(items=items):
            return "<ul>" + "".join(f"<li>{escape(item)}</li>" for item in items) + "</ul>"
        case Grid():
            return _table(block)
        case Code(text=text):
            return f"<pre>{escape(text)}</pre>"
        case Picture(chart=chart, says=says):
            drawn = b64encode(picture(chart, ".svg")).decode()
            return f'<figure><img src="data:image/svg+xml;base64,{drawn}" alt="{escape(says)}"></figure>'


def _table(grid: Grid) -> str:
    def cells(row: tuple[str, ...], tag: str) -> str:
        return "".join(
            f"<{tag}>{escape(cell)}</{tag}>"
            if place < grid.words
            else f'<{tag} class="figure">{escape(cell)}</{tag}>'
            for place, cell in enumerate(row)
        )

    rows = "".join(f"<tr>{cells(row, 'td')}</tr>" for row in grid.rows)
    kind = ' class="exact"' if grid.exact else ""
    head = cells(grid.head, "th")
    return f'<div class="wide"><table{kind}><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>'
