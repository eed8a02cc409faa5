"""What models have answered when they were asked about neurons: one row for each answer."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pyarrow as pa

from semlens_widgets.store.stages import Stage

if TYPE_CHECKING:
    from collections.abc import Mapping

    from semlens_widgets.store.store import AnalysisStore

_TABLE = "answers"


class KeptAnswers:
    """Answers of models, by the fingerprint of their question; on disk as soon as they are there.

    Where nothing may be written they are kept in memory. Any thread may ask and keep.

    Parameters
    ----------
    store
        The analysis.
    """

    def __init__(self, store: AnalysisStore) -> None:
        self._store = store
        self._lock = threading.Lock()
        self._moment: frozenset[tuple[str, int]] | None = None
        self._known: dict[str, str] = {}
        self._unwritten: dict[str, str] = {}

    def refresh(self) -> None:
        """Take over what others have written meanwhile."""
        moment = self._store.moment("answers")
        if moment != self._moment:
            found = _read(self._store)
            with self._lock:
                self._known |= found
            self._moment = moment

    def get(self, question: str) -> str | None:
        """Return the answer to a question; None if there is none yet."""
        return self._known.get(question)

    def __setitem__(self, question: str, answer: str) -> None:
        """Keep an answer, and those that could not be written before.

        Raises
        ------
        StoreError
            If another process is writing. The answer is written with the next one.
        """
        with self._lock:
            self._known[question] = self._unwritten[question] = answer
        if self._store.read_only:
            return
        with self._store.writing():
            with self._lock:
                new = dict(self._unwritten)
            if not new:  # another thread wrote them while this one waited
                return
            _write(self._store, new)
            with self._lock:
                for known in new:
                    self._unwritten.pop(known, None)


def _read(store: AnalysisStore) -> dict[str, str]:
    if not store.has(_TABLE):
        return {}
    table = store.read(_TABLE, ["question", "answer"])
    return dict(zip(table["question"].to_pylist(), table["answer"].to_pylist(), strict=True))


def _write(store: AnalysisStore, answers: Mapping[str, str]) -> None:
    rows = {"question": list(answers), "answer": list(answers.values())}
    store.append(_TABLE, pa.table(rows))


# A fingerprint covers prompt, pictures and model: an answer stays true whatever is made anew.
ANSWERS = Stage(_TABLE, "what models answered about neurons", tables=(_TABLE,), keyed=True)
