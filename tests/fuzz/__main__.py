"""Feed one target with made-up input until the time is over, and stop at the first fault.

``python -m tests.fuzz messages --minutes 10``; what is found goes into an ordinary test. It is no
part of the tests that run with every change.
"""

from __future__ import annotations

import argparse
import importlib
import time

from hypothesis import HealthCheck, given, seed, settings

TARGETS = ("answers", "readers", "pages", "messages")
_EXAMPLES = 200  # of each seed


def main() -> None:
    """Run a target."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("target", choices=TARGETS)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--seed", type=int, default=0, help="where to begin")
    asked = parser.parse_args()
    target = importlib.import_module(f"tests.fuzz.{asked.target}")
    alone = settings(
        max_examples=_EXAMPLES,
        deadline=None,
        database=None,
        print_blob=False,
        report_multiple_bugs=False,
        suppress_health_check=list(HealthCheck),
    )
    end, at = time.monotonic() + 60 * asked.minutes, asked.seed
    while time.monotonic() < end:
        print(f"seed {at}", end="\r", flush=True)
        seed(at)(alone(given(target.CASES)(target.check)))()
        at += 1
    seeds = f"seeds {asked.seed} to {at - 1}, up to {_EXAMPLES} each"
    print(f"{asked.target}: nothing found in {asked.minutes:g} minutes, {seeds}")


if __name__ == "__main__":
    main()
