"""A page in a frame of a notebook, which needs neither the kernel nor a network."""

from __future__ import annotations

import html

#: Pixels, before the page says how high it is.
_HEIGHT = 640
_FRAME = """<iframe class="slw-embedded" title="{title}" srcdoc="{page}"
sandbox="allow-scripts allow-downloads" loading="lazy"
style="width: 100%; height: {height}px; border: 0"></iframe>
<script>
// One listener for all such frames: each says how high its page is.
window.slwEmbedded ||= (addEventListener("message", ({{ source, data }}) => {{
  const height = data?.slwHeight;
  if (!Number.isFinite(height)) return;
  for (const frame of document.querySelectorAll("iframe.slw-embedded")) {{
    if (frame.contentWindow === source) frame.style.height = `${{height}}px`;
  }}
}}), true);
</script>"""


class EmbeddedPage:
    """What :meth:`LensWidget.embed` returns: shown by a notebook, and by what is made of it.

    Parameters
    ----------
    page
        The page, as HTML.
    title
        What it is called, for those who do not see it.
    """

    def __init__(self, page: str, title: str) -> None:
        self.page = page
        self.title = title

    def __repr__(self) -> str:
        return f"EmbeddedPage({self.title}, {len(self.page.encode()) / 1e6:.1f} MB)"

    def _repr_html_(self) -> str:
        page, title = html.escape(self.page), html.escape(self.title)
        return _FRAME.format(page=page, title=title, height=_HEIGHT)
