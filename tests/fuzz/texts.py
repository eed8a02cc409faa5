"""Texts that break what is careless: markup, ends of scripts, line ends, half characters."""

from __future__ import annotations

from hypothesis import strategies as st

PIECES = (
    "</script><script>alert(1)</script>",
    "<!--<script>",
    "-->",
    "]]>",
    "<img src=x onerror=alert(1)>",
    "</title></style>",
    "\" onload='x'",
    "&lt;&amp;&#60;",
    "javascript:alert(1)",
    "$style ${data} {policy} %s \\",
    "=cmd()",
    "\u2028\u2029\x85\x0b\x0c\x1c",
    "\r\n",
    "\x00\x1b[31m",
    "\ud800",
    "\udc80\udcff",
    "\u202eabc\u2066",
    "a\u0301\u0345İßﬁ①",
    "条纹，老虎、皮毛",
    "1. ",
    "- ",
    '["a", "b"]',
    "I cannot say",
    "unknown",
    "../../etc/passwd",
    "NaN",
    "-0",
    "1e999",
)
ANY = st.text(st.characters(codec=None, exclude_categories=()), max_size=12)
TEXTS = st.one_of(
    ANY, st.sampled_from(PIECES), st.lists(st.sampled_from(PIECES) | ANY, max_size=6).map("".join)
)
