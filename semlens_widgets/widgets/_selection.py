"""Widgets with a selection of neurons, which others around them share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import traitlets

from semlens_widgets.widgets._base import LensWidget
from semlens_widgets.widgets._columns import pack_rows, unpack_rows

if TYPE_CHECKING:
    import pandas as pd


def buffer(**metadata: Any) -> traitlets.Bytes:
    """Return a trait of bytes: never echoed, and read back from the browser's views."""
    return traitlets.Bytes(b"", **metadata).tag(
        sync=True, echo_update=False, from_json=lambda value, _widget: bytes(value or b"")
    )


class SelectingWidget(LensWidget):
    """A widget with a selection; the browser keeps that of all views around it alike."""

    selection = traitlets.Bytes(b"", help="The selected rows of lens.neurons, uint32.")
    _selected = buffer()

    @property
    def _rows(self) -> pd.DataFrame:
        """The neurons that rows are numbers of."""
        return self.lens.neurons

    @property
    def selected(self) -> pd.DataFrame:
        """The selected neurons: rows of ``lens.neurons``."""
        return self._rows.iloc[np.frombuffer(self.selection, dtype=np.uint32).astype(np.int64)]

    @traitlets.validate("selection")
    def _rows_of_table(self, proposal: dict[str, Any]) -> bytes:
        value: bytes = proposal["value"]
        if len(value) % 4:
            raise traitlets.TraitError("selection: bytes of uint32 row numbers are needed.")
        rows = np.frombuffer(value, dtype=np.uint32)
        if rows.size and int(rows.max()) >= len(self._rows):
            raise traitlets.TraitError(
                f"selection: row {int(rows.max())} is outside the {len(self._rows)} neurons."
            )
        return value

    @traitlets.observe("selection")
    def _tell_selection(self, change: dict[str, Any]) -> None:
        rows = np.frombuffer(change["new"], dtype=np.uint32)
        self._selected = pack_rows(rows, len(self._rows))

    @traitlets.observe("_selected")
    def _hear_selection(self, change: dict[str, Any]) -> None:
        rows = np.frombuffer(self.selection, dtype=np.uint32)
        if pack_rows(rows, len(self._rows)) != change["new"]:
            self.selection = unpack_rows(change["new"], len(self._rows)).tobytes()
