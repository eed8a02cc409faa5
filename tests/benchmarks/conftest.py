"""One table of what was measured, after the times that pytest-benchmark prints."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Print every figure of every benchmark: the ratios that the claims are about."""
    session = getattr(config, "_benchmarksession", None)
    rows = [
        (benchmark.name.removeprefix("test_").replace("_", " "), figure, value)
        for benchmark in getattr(session, "benchmarks", [])
        for figure, value in benchmark.extra_info.items()
    ]
    if not rows:
        return
    terminalreporter.section("figures")
    wide = [max(len(str(row[column])) for row in rows) for column in (0, 1)]
    for name, figure, value in rows:
        terminalreporter.write_line(f"{name:<{wide[0]}}  {figure:<{wide[1]}}  {value}")
