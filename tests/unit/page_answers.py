"""What a page answers by itself: its browser part, run by node on numbers that Python wrote."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from numpy.typing import NDArray

JS = Path(__file__).parents[2] / "js"

_BUNDLE = """
import { build } from 'esbuild';
await build({ entryPoints: ['src/page/scores.ts'], bundle: true, format: 'esm', platform: 'node',
  outfile: process.argv[1] });
"""
_ANSWER = """
import { readFileSync, writeFileSync } from 'node:fs';
const { Scores } = await import(process.argv[1]);
const { meta, arrays, questions } = JSON.parse(readFileSync(process.argv[2], 'utf8'));
const KINDS = { float16: Uint16Array, float32: Float32Array, int16: Int16Array,
  uint16: Uint16Array, int32: Int32Array };
for (const one of Object.values(arrays)) {
  const bytes = Uint8Array.from(Buffer.from(one.data, 'base64'));
  one.data = new KINDS[one.dtype](bytes.buffer);
}
const { answers } = new Scores(meta, arrays);
const found = questions.map(([method, params]) => {
  const start = performance.now();
  try {
    const { result, buffers } = answers[method](params);
    const milliseconds = performance.now() - start;
    const sent = buffers.map(({ buffer }) => Buffer.from(buffer).toString('base64'));
    return { result, buffers: sent, milliseconds };
  } catch (error) {
    if (error.name !== 'Refused') throw error;
    return { error: { type: error.type, message: error.message } };
  }
});
writeFileSync(process.argv[3], JSON.stringify(found));
"""


class PageAnswers:
    """Asks the browser part of pages; without node or its packages tests are skipped, loudly.

    Parameters
    ----------
    folder
        For what is bundled and sent.
    """

    def __init__(self, folder: Path) -> None:
        if shutil.which("node") is None or not (JS / "node_modules" / "esbuild").is_dir():
            pytest.skip("no node, or its packages are not installed: cd js && npm ci")
        self._folder = folder
        self._bundle = folder / "scores.mjs"
        self._node(_BUNDLE, self._bundle)

    def ask(
        self,
        meta: dict[str, Any],
        arrays: dict[str, NDArray[Any]],
        questions: list[tuple[str, dict[str, Any]]],
    ) -> list[dict[str, Any]]:
        """Return ``result``, ``buffers`` (bytes) and ``milliseconds``, or ``error``, of each."""
        asked, answered = self._folder / "asked.json", self._folder / "answered.json"
        sent = {
            name: {
                "dtype": str(values.dtype),
                "shape": values.shape,
                "data": base64.b64encode(values.tobytes()).decode(),
            }
            for name, values in arrays.items()
        }
        text = json.dumps({"meta": meta, "arrays": sent, "questions": questions}, allow_nan=False)
        asked.write_text(text)
        self._node(_ANSWER, self._bundle, asked, answered)
        found: list[dict[str, Any]] = json.loads(answered.read_text())
        for one in found:
            one["buffers"] = [base64.b64decode(data) for data in one.get("buffers", ())]
        return found

    @staticmethod
    def _node(script: str, *arguments: Path) -> None:
        command = ["node", "--input-type=module", "-e", script, *map(str, arguments)]
        subprocess.run(command, cwd=JS, check=True, capture_output=True, text=True)
