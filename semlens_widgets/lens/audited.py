"""What an audit found: of neurons, of concepts, of images, of the model's behaviour."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

import numpy as np

from semlens_widgets.analysis.audit import verdicts
from semlens_widgets.lens import checked
from semlens_widgets.lens.audit_frames import (
    MISFITS,
    SET_ASIDE,
    chance_of,
    check_concept,
    concepts_frame,
    images_frame,
    images_listed,
    neurons_frame,
    samples_frame,
    summary_frame,
)
from semlens_widgets.lens.decided import import_decisions
from semlens_widgets.lens.listeners import Listeners
from semlens_widgets.lens.proof import Proof, prove
from semlens_widgets.lens.report import report
from semlens_widgets.store.decisions import DECISIONS, write_decision

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import pandas as pd
    from numpy.typing import NDArray
    from plotly.graph_objects import Figure

    from semlens_widgets.analysis.audit import Aligned, Shares
    from semlens_widgets.analysis.conditions import CheckResult
    from semlens_widgets.analysis.reliance import Reliance
    from semlens_widgets.inputs.images import ImageDataset
    from semlens_widgets.labels.concepts import Concepts
    from semlens_widgets.lens.labelling import KeptLabels
    from semlens_widgets.lens.lens import SemanticLens
    from semlens_widgets.lens.reader import AnalysisReader
    from semlens_widgets.lens.texts import TextCheck
    from semlens_widgets.pipeline.settings import Plan
    from semlens_widgets.widgets import AuditView
    from semlens_widgets.widgets import options as of


class Audit:
    """On what a class rests; made by :meth:`SemanticLens.audit`.

    Attributes
    ----------
    target : str or int
        The class.
    output : int
        Its number among the model's outputs.
    valid, spurious : dict
        The concepts, each with its phrases.
    images : numpy.ndarray
        Numbers of the images looked at.
    method : str
        How relevance was propagated, with what in it is not exact.
    scored_by : dict
        How well neurons fit phrases: the scorer and its settings.
    unread : TextCheck
        Which phrases the foundation model cuts, or does not tell from other words.
    aligned : Aligned
        How well neurons fit both sides.
    verdicts : numpy.ndarray
        What it says of each neuron, see :data:`semlens_widgets.analysis.audit.VERDICTS`.
    proofs : list of Proof
        What :meth:`prove` found, in order.
    shares : Shares
        What each neuron carries of its layer's relevance, image by image.
    reliance : Reliance
        What the spurious concepts do to the class on images of other classes.
    """

    def __init__(
        self,
        lens: SemanticLens,
        reader: AnalysisReader,
        labels: KeptLabels,
        need_plan: Callable[[str], Plan],
        *,
        target: str | int,
        output: int,
        sides: tuple[Concepts, Concepts],
        images: NDArray[np.int64],
        shares: Shares,
        method: str,
        aligned: Aligned,
        reliance: Reliance,
        shown: dict[str, NDArray[np.int64]],
        picture: Callable[[int], bytes | None],
        scored_by: dict[str, Any],
        unread: TextCheck,
    ) -> None:
        self.lens = lens
        self.reader = reader
        self.labels = labels
        self._need_plan = need_plan
        self.target = target
        self.output = output
        self.valid, self.spurious = sides
        self.images = images
        self.method = method
        self.scored_by = scored_by
        self.unread = unread
        self.aligned = aligned
        self.reliance = reliance
        self.proofs: list[Proof] = []
        self._shown = shown
        self.picture = picture
        self.shares = shares
        self._listeners = Listeners()
        self.verdicts = verdicts(aligned, shares.mean, list(shares.layers.values()))

    def __repr__(self) -> str:
        return f"Audit({self.target!r}, {len(self.images)} images)"

    # -- neurons ---------------------------------------------------------------------------------

    @property
    def neurons(self) -> pd.DataFrame:
        """One row per neuron, in the order of the lens.

        Columns: layer, neuron, label; relevance_share (mean over the images of its share of its
        layer's positive relevance), share_low and share_high (95 % bootstrap interval); valid and
        spurious (how well it fits the best phrase of each side), valid_concept and
        spurious_concept, valid_phrase and spurious_phrase; reliance (its part in how far that
        spurious concept raises the class elsewhere, see `concepts`); null (how probable so good a
        fit is among random words, the better of both sides), valid_null and spurious_null; verdict
        (see :data:`semlens_widgets.analysis.audit.VERDICTS`); decision, note and decided (of a
        person).
        """
        return neurons_frame(self)

    @property
    def flagged(self) -> list[tuple[str, int]]:
        """The neurons that fit something spurious, largest share first, less those set aside."""
        frame = self.neurons
        theirs = frame[frame["verdict"].isin(MISFITS) & ~frame["decision"].isin(SET_ASIDE)]
        theirs = theirs.sort_values("relevance_share", ascending=False, kind="stable")
        return list(zip(theirs["layer"], theirs["neuron"].tolist(), strict=True))

    def decide(self, layer: str, neuron: int, decision: str, note: str = "") -> None:
        """Keep what a person says of a verdict, on disk when this returns.

        Parameters
        ----------
        layer, neuron
            The neuron.
        decision
            ``"accept"``: the verdict is right; ``"reject"``: it is wrong; ``"ignore"``: it shall
            not count; ``""`` takes an earlier decision back. Rejected and ignored neurons are left
            out of what :meth:`check` counts, and named there.
        note
            Why.

        Raises
        ------
        ValueError
            If there is no such decision, or the note holds half a character.
        KeyError, IndexError
            If there is no such neuron.
        StoreError
            If the analysis is open for reading only.
        """
        if decision not in DECISIONS:
            raise ValueError(f"decision={decision!r} must be one of {DECISIONS}.")
        self.reader.row(layer, neuron)
        write_decision(self.reader.store, self.key, layer, int(neuron), decision, note)
        self._listeners.tell()

    def import_decisions(self, path: str | Path) -> int:
        """Take decisions from a file that a page saved; see :mod:`semlens_widgets.lens.decided`."""
        return import_decisions(self, path)

    def on_decision(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Call `callback` whenever :meth:`decide` was called; what is returned ends it."""
        return self._listeners.on_labels(callback)

    @property
    def key(self) -> str:
        """What decisions are kept under."""
        return str(self.output)

    # -- sums ------------------------------------------------------------------------------------

    @cached_property
    def summary(self) -> pd.DataFrame:
        """Share of the class's relevance on each verdict, in each layer.

        Columns: layer, verdict, share, low, high (95 % bootstrap over the images), neurons. The
        shares of a layer sum to 1, less the images on which nothing in it speaks for the class.
        Units of an encoder leave something to its ``"error"``, which has a row of its own.
        """
        return summary_frame(self)

    @cached_property
    def concepts(self) -> pd.DataFrame:
        """Which concepts carry it, by layer.

        Columns: side, concept, layer; share, low, high and neurons of the neurons that fit it best
        and whose verdict is of its side or both; and of spurious ones, reliance with
        reliance_low and reliance_high: by how much the concept raises the class through the neurons
        that fit it, on images of other classes; NaN where that is unknown. See
        :class:`semlens_widgets.analysis.reliance.Reliance`.
        """
        return concepts_frame(self)

    def figure(self, layer: str | None = None) -> Figure:
        """Draw how neurons fit both sides and what share of the class lies on each verdict.

        Parameters
        ----------
        layer
            A layer or a pattern of layers; all by default, side by side.

        Returns
        -------
        plotly.graph_objects.Figure
            Size is relevance; dotted lines are what one random draw in twenty reaches.
        """
        from semlens_widgets.lens.figures import audit_figure

        return audit_figure(
            self, [*self.shares.layers] if layer is None else self.reader.layers_like(layer)
        )

    @property
    def unchecked(self) -> list[str]:
        """What was not checked, in sentences; empty if everything was."""
        return checked.unchecked(self)

    # -- images and behaviour --------------------------------------------------------------------

    def samples(self, concept: str, top: int = 20, *, layer: str | None = None) -> pd.DataFrame:
        """Find the images in which neurons of a spurious concept speak for the class.

        Parameters
        ----------
        concept
            One of the spurious concepts.
        top
            How many images.
        layer
            Whose neurons; by default those of the last layer.

        Returns
        -------
        pandas.DataFrame
            rank, sample, share (of the layer's relevance, on these neurons), class_name, uri;
            largest share first. Images without any are left out.

        Raises
        ------
        ValueError
            If there is no such concept or layer.
        """
        return samples_frame(self, concept, top, self.last_layer if layer is None else layer)

    def class_images(self, layer: str, neuron: int, top: int = 20) -> pd.DataFrame:
        """Find the images in which one neuron speaks for the class; as :meth:`samples`."""
        return images_frame(self, layer, neuron, top)

    def shown(self, concept: str) -> pd.DataFrame:
        """Return the images of other classes that were taken for showing a spurious concept.

        They are the data set's most like its phrases, by the foundation model: have a look.

        Returns
        -------
        pandas.DataFrame
            sample, class_name, uri.

        Raises
        ------
        ValueError
            If there is no such concept.
        """
        check_concept(self, concept)
        return images_listed(self, self._shown.get(concept, np.empty(0, np.int64)))

    @property
    def last_layer(self) -> str:
        """The layer nearest the output."""
        return list(self.shares.layers)[-1]

    def chance(self, layer: str) -> tuple[float, float]:
        """Return the fit to either side that one random draw in twenty reaches; NaN: unknown."""
        return chance_of(self, layer)

    def prove(
        self,
        concept: str,
        shown: ImageDataset | Sequence[Any],
        controls: ImageDataset | Sequence[Any] | None = None,
    ) -> Proof:
        """Let the model itself say whether a concept raises the class.

        Parameters
        ----------
        concept
            One of the spurious concepts, which the report lists the proof under.
        shown
            Images that show the concept and not the class: an ``ImageDataset``, or a list of
            pictures, paths, or numbers of images of the data set.
        controls
            Images that show neither; by default the data set's readable images of other classes.

        Returns
        -------
        Proof
            By how much the class's logit is higher, how often the model says the class (false
            targets), and the AUROC of the logit, each with its interval.

        Raises
        ------
        ValueError
            If there is no such concept, there are fewer than two images, or images given by number
            are of the class.
        LensUnavailable
            If the analysis was opened without the model.
        """
        check_concept(self, concept)
        plan = self._need_plan("Proofs")
        proof = prove(self, plan, self.reader, concept, shown, controls)
        self.proofs.append(proof)
        return proof

    def check(
        self,
        *,
        max_spurious: float | None = None,
        min_valid: float | None = None,
        max_unexpected: float | None = None,
        layer: str | None = None,
        allow: Sequence[str | tuple[str, int]] = (),
        baseline: str | Path | None = None,
    ) -> CheckResult:
        """Ask conditions of the audit, as a test in a pipeline does.

        A condition fails if all of its figure's interval misses the bound, so that it does not
        change with every new image; if only the figure does, it warns.

        Parameters
        ----------
        max_spurious
            Bound of the class's reliance on every spurious concept, see `concepts`.
        min_valid, max_unexpected
            Bounds of the share of its relevance on valid neurons, and on unexpected ones.
        layer
            Where; by default the last layer, whose neurons are what the class is made of. What an
            early layer sees (edges, colours) is neither valid nor spurious.
        allow
            Spurious concepts, or neurons as ``(layer, neuron)``, that are known and accepted.
        baseline
            An earlier audit as :meth:`to_json` wrote it: no reliance may have grown.

        Returns
        -------
        CheckResult
            All conditions, if every one holds.

        Raises
        ------
        CheckFailed
            If one fails, or cannot be told. The message is the table of all.
        ValueError
            If nothing is asked, a bound is no share, or what is allowed does not exist.
        """
        bounds = {"spurious": max_spurious, "valid": min_valid, "unexpected": max_unexpected}
        where = self.last_layer if layer is None else layer
        return checked.check(self, bounds, where, allow, baseline)

    def to_json(self, path: str | Path | None = None) -> str:
        """Return the audit as JSON, without paths, and write it to a file if one is named."""
        return checked.to_json(self, path)

    def report(self, path: str | Path) -> Path:
        """Write the audit as one page that needs no network and no kernel.

        What the class rests on, the neurons with pictures, the images to look at, proofs made so
        far, what was not checked, and what it was all made with; no paths. Returns the file.
        """
        file = Path(path)
        file.write_text(report(self, self.picture), encoding="utf-8")
        return file

    def view(self, **options: Unpack[of.AuditOptions]) -> AuditView:
        """Return a widget: scatter, table, the neurons' pictures, and decisions by key."""
        from semlens_widgets.widgets import AuditView

        return AuditView(self.lens, self, **options)
