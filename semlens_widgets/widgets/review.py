"""The labels as a table: to look through them, and to accept, reject and edit many at once."""

from __future__ import annotations

import base64
import binascii
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pandas as pd
import traitlets

from semlens_widgets.errors import LabelsClash
from semlens_widgets.labels.assign import UNKNOWN
from semlens_widgets.widgets import _answers
from semlens_widgets.widgets._base import Doer, Handler, Reply, Told, asset
from semlens_widgets.widgets._columns import PERSON, labels_of, neurons_of, readable, unsure_rows
from semlens_widgets.widgets._messages.reviews import (
    GivenLabels,
    LabelChoice,
    LabelFileName,
    Offer,
    Reviewed,
)
from semlens_widgets.widgets._requests import close_matches
from semlens_widgets.widgets._selection import SelectingWidget
from semlens_widgets.widgets._sheet import sheet_png
from semlens_widgets.widgets._steps import Key, Step, Steps, Word

if TYPE_CHECKING:
    from collections.abc import Mapping

    from semlens_widgets.widgets._lens import Reviewable
    from semlens_widgets.widgets._page.pool import Recorder

SHOWN = ("all", "unknown", "close", "people", "none", "changed", "selected")
SORTINGS = ("neuron", "label", "score", "lead")
_UNSURE, _CHANGED, _DEAD = 1, 2, 4
_EXAMPLES = 3
_CHOICES = 5
_MOST_OFFERS = 64
_MOST_BYTES = 20_000_000
_TRUST = ("layer", "neuron", "label", "runner_up", "lead", "known")
_STILL = 8  # rows


class LabelTable(SelectingWidget):
    """Go through labels row by row, and accept, reject, edit or set many at once.

    What is done is a person's: it is kept with the analysis at once, and undone and done again
    step by step. Labels that people gave before are replaced only if that is asked for.

    Parameters
    ----------
    lens : SemanticLens
        The analysis to look at.
    trust : pandas.DataFrame, optional
        What ``lens.trust()`` returned, for runner-up and lead; also an attribute, which may be set
        at any time, as a button does. What it says of labels that have changed since is left out.
    selection : bytes
        The selected neurons, which are changed together: rows of ``lens.neurons``, uint32. In an
        explorer they are the map's selection.
    layer : str or None
        The layer shown; None for all.
    show : {"all", "unknown", "close", "people", "none", "changed", "selected"}
        Which neurons: those with no label that is better than chance, the tenth with the smallest
        lead, those that people labelled, those where people said that none fits, those that were
        changed here, or the selected.
    sort_by : {"neuron", "label", "score", "lead"}
        The order; the lowest score and the smallest lead come first.
    """

    view_title = "Review"
    view_traits = ("layer", "show", "sort_by")

    _esm = asset("review.js")
    _css = asset("review.css")

    lens: Reviewable
    layer = traitlets.Unicode(None, allow_none=True, help="The layer shown.").tag(sync=True)
    show = traitlets.Enum(SHOWN, "all", help="Which neurons are shown.").tag(sync=True)
    sort_by = traitlets.Enum(SORTINGS, "neuron", help="The order of the table.").tag(sync=True)
    #: What can be undone and done again, for people; empty if nothing.
    _undo = traitlets.Unicode("").tag(sync=True)
    _redo = traitlets.Unicode("").tag(sync=True)
    _revision = traitlets.Int(0).tag(sync=True)

    def __init__(self, lens: Reviewable, trust: pd.DataFrame | None = None, **options: Any) -> None:
        self._steps = Steps()
        self._trust = _checked_trust(trust)
        super().__init__(lens, **options)

    @property
    def trust(self) -> pd.DataFrame | None:
        """How far to trust the labels, as ``lens.trust()`` said; None before that is known."""
        return self._trust

    @trust.setter
    def trust(self, trust: pd.DataFrame | None) -> None:
        self._trust = _checked_trust(trust)
        self._revision += 1

    @traitlets.validate("layer")
    def _known_layer(self, proposal: dict[str, Any]) -> str | None:
        layer: str | None = proposal["value"] or None
        layers = [str(name) for name in self.lens.layers]
        if layer is not None and layer not in layers:
            raise traitlets.TraitError(
                f"layer: there is no layer {layer!r}.{close_matches(layer, layers)}"
            )
        return layer

    def refresh(self) -> None:
        """Ask the browser to fetch the labels again."""
        self._revision += 1

    # -- what the browser asks -------------------------------------------------------------------

    def _review(self, _params: Mapping[str, Any]) -> Reply:
        """Answer the labels of all neurons, as columns."""
        table = self.lens.neurons
        trust = self._trust_of(table)
        said = self.lens.scorer_labels()["label"]
        texts = pd.concat([table["label"], said, trust["runner_up"]], ignore_index=True)
        codes, names = labels_of(pd.DataFrame({"label": texts}))
        layers, layer_names = labels_of(pd.DataFrame({"label": table["layer"]}))
        sources, source_names = labels_of(pd.DataFrame({"label": table["source"]}))
        columns = [layers, table["neuron"].to_numpy(), sources, *np.split(codes, 3)]
        numbers = [table[name] for name in ("score", "margin", "chance")] + [trust["lead"]]
        flags = np.zeros(len(table), np.uint8)
        flags[self._unsure(table, trust)] |= _UNSURE
        changed = self._steps.changed
        flags[[key in changed for key in neurons_of(table)]] |= _CHANGED
        flags[table["dead"].to_numpy(bool)] |= _DEAD
        return Reviewed(
            layers=layer_names, sources=source_names, names=names, judged=self._trust is not None
        ), [
            np.concatenate(columns).astype(np.uint32).tobytes(),
            np.concatenate([one.to_numpy(np.float32) for one in numbers]).tobytes(),
            flags.tobytes(),
        ]

    def _unsure(self, table: pd.DataFrame, trust: pd.DataFrame) -> Any:
        """Return which labels are none, or no better than chance; never a person's."""
        unsure = np.zeros(len(table), bool)
        unsure[unsure_rows(table)] = True
        unsure |= table["label"].isin(["", UNKNOWN]).to_numpy() | ~trust["known"].to_numpy(bool)
        return unsure & (table["source"] != PERSON).to_numpy()

    def _trust_of(self, table: pd.DataFrame) -> pd.DataFrame:
        """Return runner-up, lead and known of every row, where they are of the label in force."""
        if self._trust is None:
            return pd.DataFrame({"runner_up": "", "lead": np.nan, "known": True}, table.index)
        keys = ["layer", "neuron", "label"]
        known = self._trust[list(_TRUST)].drop_duplicates(keys)
        found = table[keys].merge(known, on=keys, how="left")
        return found.assign(runner_up=found["runner_up"].fillna(""), known=found["known"].ne(False))

    def _offers(self, params: Mapping[str, Any]) -> Reply:
        """Answer examples of some neurons, and other labels to choose."""
        keys = self._named(params)
        if len(keys) > _MOST_OFFERS:
            raise ValueError(f"rows: at most {_MOST_OFFERS} at once, got {len(keys)}.")
        choices: dict[Key, list[LabelChoice]] = {key: [] for key in keys}
        for row in self.lens.label_choices(keys, top=_CHOICES).to_dict("records"):
            one = LabelChoice(
                label=_answers.text(row["label"]), score=_answers.number(row["score"])
            )
            choices[(row["layer"], row["neuron"])].append(one)
        offers = [Offer(samples=self._samples(key), choices=choices[key]) for key in keys]
        return offers, []

    def _samples(self, key: Key, most: int = _EXAMPLES) -> list[int]:
        return [int(sample) for sample in self.lens.examples(*key)["sample"].head(most)]

    def _label_file(self, _params: Mapping[str, Any]) -> Reply:
        """Answer the labels in force as a CSV file."""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "labels.csv"
            self.lens.export_labels(path)
            return LabelFileName(name=path.name), [path.read_bytes()]

    # -- what the browser does -------------------------------------------------------------------

    def _give(self, params: Mapping[str, Any], _tell: Told) -> Reply:
        """Accept, reject, set or take back the labels of some neurons."""
        keys, how = self._named(params), str(params.get("how"))
        label = " ".join(str(params.get("label") or "").split())
        if how == "accept":
            said = dict(
                zip(neurons_of(self._rows), self.lens.scorer_labels()["label"], strict=True)
            )
            wanted: dict[Key, Word] = {
                key: said[key] for key in keys if said[key] not in ("", UNKNOWN)
            }
        elif how == "set":
            if not label:
                raise ValueError("Which label? Type one, or reject the labels if none fits.")
            wanted = dict.fromkeys(keys, label)
        elif how in {"reject", "clear"}:
            wanted = dict.fromkeys(keys, "" if how == "reject" else None)
        else:
            raise ValueError(f"how={how!r} must be accept, reject, set or clear.")
        people = self._people()
        new = {key: word for key, word in wanted.items() if people.get(key) != word}
        theirs = {key for key in new if key in people and not self._steps.own(key, people[key])}
        given = GivenLabels(
            changed=0, people=len(theirs), without=len(keys) - len(wanted), asked=False
        )
        if theirs and params.get("theirs") != "replace":
            if params.get("theirs") != "keep":
                return GivenLabels(**given | {"asked": True}), []
            new = {key: word for key, word in new.items() if key not in theirs}
        else:
            given["people"] = 0
        if new:
            with self.hold_sync():
                before = self.lens.set_labels(new)
                self._did(_TITLES[how].format(label=label), before)
        given["changed"] = len(new)
        return given, []

    def _step(self, params: Mapping[str, Any], _tell: Told) -> Reply:
        """Undo the last step, or do it again; what was changed since elsewhere stays."""
        back = bool(params.get("back"))
        words = self._steps.to_say(self._people(), back=back)
        with self.hold_sync():
            if words:
                self.lens.set_labels(words)
            total = self._steps.stepped(back=back)
            self._tell_steps()
            self.refresh()
        return GivenLabels(
            changed=len(words), people=0, without=total - len(words), asked=False
        ), []

    def _read(self, params: Mapping[str, Any], _tell: Told) -> Reply:
        """Take labels from a CSV file."""
        theirs = params.get("theirs")
        try:
            data = base64.b64decode(str(params.get("data") or ""), validate=True)
        except binascii.Error:
            raise ValueError("The file did not arrive whole. Choose it again.") from None
        if len(data) > _MOST_BYTES:
            raise ValueError(f"The file is larger than {_MOST_BYTES // 10**6} MB: no label file.")
        before = self._people()
        with tempfile.TemporaryDirectory() as folder, self.hold_sync():
            path = Path(folder) / "The file"  # as what is wrong with it begins
            path.write_bytes(data)
            how: Any = "refuse" if theirs == "ask" else theirs
            try:
                changed = self.lens.import_labels(path, theirs=how)
            except LabelsClash as clash:
                people = len(clash.neurons)
                return GivenLabels(changed=0, people=people, without=0, asked=True), []
            keys = neurons_of(changed)
            if keys:
                self._did("labels from a file", {key: before.get(key) for key in keys})
        return GivenLabels(changed=len(keys), people=0, without=0, asked=False), []

    def _judge(self, _params: Mapping[str, Any], tell: Told) -> Reply:
        """Find out how far to trust the labels."""
        self.trust = self.lens.trust(progress=tell)
        return {}, []

    def _did(self, title: str, before: Mapping[Key, Word]) -> None:
        """Keep a step that has changed labels."""
        now = self._people()
        self._steps.did(Step(title, before, {key: now.get(key) for key in before}))
        self._tell_steps()

    def _tell_steps(self) -> None:
        self._undo, self._redo = map(readable, self._steps.titles)

    def _people(self) -> dict[Key, Word]:
        """Return what people say of neurons."""
        table = self.lens.neurons
        theirs = table[table["source"] == PERSON]
        return dict(zip(neurons_of(theirs), theirs["label"], strict=True))

    def _named(self, params: Mapping[str, Any]) -> list[Key]:
        """Return the neurons of the rows that a request names."""
        table, rows = self._rows, params.get("rows")
        if not isinstance(rows, list) or not rows or not all(type(row) is int for row in rows):
            raise ValueError("rows: name one or more rows of the neurons.")
        if min(rows) < 0 or max(rows) >= len(table):
            raise ValueError(f"rows: they must lie between 0 and {len(table) - 1}.")
        return neurons_of(table.iloc[list(dict.fromkeys(rows))])

    _requests: ClassVar[Mapping[str, Handler]] = {
        "review": _review,
        "offers": _offers,
        "label_file": _label_file,
        "thumbnails": _answers.thumbnails,
    }
    _actions: ClassVar[Mapping[str, Doer]] = {
        "give_labels": _give,
        "step_labels": _step,
        "read_labels": _read,
        "judge_labels": _judge,
    }

    def _record(self, page: Recorder) -> None:
        page.ask(self, "review", {})
        page.ask(self, "label_file", {})
        rows = page.rows(neurons_of(self._rows))
        for _, offer in page.ask(self, "offers", {"rows": rows}):
            page.pictures(self, offer["samples"])

    def _summary(self) -> str:
        table = self.lens.neurons
        labelled = int((~table["label"].isin(["", UNKNOWN])).sum())
        return f"{labelled} of {len(table)} neurons labelled"

    def _preview(self) -> bytes | None:
        table = self.lens.neurons
        if self.layer is not None:
            table = table[table["layer"] == self.layer]
        shown = table.head(_STILL)
        return sheet_png(self.lens, [self._samples(key, 6) for key in neurons_of(shown)])


#: What a step is called where it can be undone.
_TITLES = {
    "accept": "accept",
    "reject": "reject",
    "clear": "take back",
    "set": "set “{label}”",
}


def _checked_trust(trust: pd.DataFrame | None) -> pd.DataFrame | None:
    if trust is None:
        return None
    if not isinstance(trust, pd.DataFrame):
        raise TypeError(f"trust: expected what lens.trust() returns, got {type(trust).__name__}.")
    missing = [name for name in _TRUST if name not in trust]
    if missing:
        raise ValueError(f"trust: no column {missing[0]!r}. Give what lens.trust() returns.")
    return trust
