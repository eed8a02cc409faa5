"""An audit as one page that needs no network and no kernel: for people who decide."""

from __future__ import annotations

import base64
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from semlens_widgets.analysis.audit import LEVEL, VERDICTS
from semlens_widgets.lens.checked import release

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Sequence

    import pandas as pd

    from semlens_widgets.lens.audited import Audit

_NEURONS, _OTHERS, _EXAMPLES, _SAMPLES = 12, 6, 8, 10
_STYLE = Path(__file__).with_name("report.css")


def report(audit: Audit, picture: Callable[[int], bytes | None]) -> str:
    """Return an audit as HTML; see :meth:`Audit.report`.

    Parameters
    ----------
    audit
        The audit.
    picture
        Gives a small JPEG of an image, or None if it is not at hand.
    """
    parts = [
        f"<h1>What “{_said(audit.target)}” rests on</h1>",
        _subtitle(audit),
        *_reliance(audit),
        *_summary(audit),
        *_scatter(audit),
        *_neurons(audit, picture),
        *_images(audit, picture),
        *_proofs(audit),
        *_made(audit),
    ]
    title = f"Audit of {_said(audit.target)}"
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        # Nothing is fetched, whatever a label or a file name holds.
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; '
        "img-src data:; style-src 'unsafe-inline'\">\n"
        f"<title>{title}</title>\n<style>{_STYLE.read_text(encoding='utf-8')}</style></head>\n"
        f"<body>\n{chr(10).join(parts)}\n</body></html>\n"
    )


def _said(value: object) -> str:
    """Return what came from outside as text of a page."""
    return escape(str(value))


def _subtitle(audit: Audit) -> str:
    model = audit.reader.store.settings["model"]
    return (
        f'<p class="muted">{_said(model)} · {_counted(audit)} of the class · '
        f"compared with {_said(', '.join(audit.valid))} (valid) and "
        f"{_said(', '.join(audit.spurious))} (spurious)</p>"
    )


def _counted(audit: Audit) -> str:
    return "1 image" if len(audit.images) == 1 else f"{len(audit.images)} images"


def _reliance(audit: Audit) -> Iterable[str]:
    yield f"<h2>Does it rely on what it should not?</h2><p>{_RELIANCE}</p>"
    found = {one: audit.reliance.of(one, audit.last_layer) for one in audit.spurious}
    ends = [0.1, *(end for one in found.values() if one for end in (one.low, one.high))]
    low, extent = min(0.0, *ends), max(ends) - min(0.0, *ends)
    rows = []
    for concept, one in found.items():
        if one is None:
            rows.append((_said(concept), "", "unknown: too few images of other classes"))
            continue
        place = [(value - low) / extent * 100 for value in (one.low, one.high, one.value)]
        gauge = (
            f'<div class="gauge"><i style="left:{place[0]:.2f}%;'
            f'width:{place[1] - place[0]:.2f}%"></i><b style="left:{place[2]:.2f}%"></b></div>'
        )
        rows.append((_said(concept), gauge, _said(one)))
    yield _table(("concept", "", f"reliance at {_said(audit.last_layer)}"), rows, numbers={2})


_RELIANCE = (
    "By how much each spurious concept raises the class on images of other classes, through the "
    "neurons that fit it. 0: not at all; 1: as much as the class's own images do. With the "
    "interval that holds in 95 of 100 drawings of the images."
)


def _summary(audit: Audit) -> Iterable[str]:
    yield (
        "<h2>Where the evidence lies</h2><p>Share of the layer's positive relevance for the class "
        "on neurons of each verdict, mean over the class's images.</p>"
    )
    rows = []
    for layer, frame in audit.summary.groupby("layer", sort=False):
        share: dict[str, float] = dict(zip(frame["verdict"], frame["share"], strict=True))
        bar = "".join(
            f'<i class="{verdict}" style="width:{100 * share[verdict]:.2f}%"></i>'
            for verdict in VERDICTS
        )
        numbers = [f"{share[verdict]:.3f}" for verdict in VERDICTS]
        rows.append((_said(layer), f'<div class="stack">{bar}</div>', *numbers))
    heads = [f'<span class="verdict {verdict}">{verdict}</span>' for verdict in VERDICTS]
    yield _table(("layer", "", *heads), rows, numbers=range(2, 7))


def _scatter(audit: Audit) -> Iterable[str]:
    """Draw valid against spurious fit of the last layer's neurons, as large as their share."""
    frame = _of_layer(audit, audit.last_layer)
    frame = frame[np.isfinite(frame["valid"]) & np.isfinite(frame["spurious"])]
    if frame.empty:
        return
    span = audit.shares.layers[audit.last_layer]
    levels = [
        float(np.nanmax(one.level[span])) for one in (audit.aligned.valid, audit.aligned.spurious)
    ]
    values = frame[["valid", "spurious"]].to_numpy()
    low = min(float(values.min()), *levels)
    high = max(float(values.max()), *levels)
    extent = (high - low) or 1.0

    def at(value: float) -> float:
        return 40 + (value - low) / extent * 480

    circles = [
        f'<circle class="{row.verdict}" cx="{at(row.valid):.1f}" cy="{560 - at(row.spurious):.1f}" '
        f'r="{2 + 60 * row.relevance_share**0.5 / 2:.1f}"><title>{_said(row.layer)} '
        f"{audit.reader.name(row.layer, row.neuron)}: "
        f"{_said(row.valid_concept)} {row.valid:.2f}, {_said(row.spurious_concept)} "
        f"{row.spurious:.2f}, share {row.relevance_share:.3f}</title></circle>"
        for row in frame.sort_values("relevance_share", ascending=False).itertuples()
    ]
    across, up = at(levels[0]), 560 - at(levels[1])
    yield (
        f"<h2>Neurons of {_said(audit.last_layer)}</h2><p>How well each fits the valid and the "
        "spurious concepts, as large as its share of the class's relevance. Left of and below the "
        "dotted lines is what random words reach.</p>"
        '<svg viewBox="0 0 560 560" role="img" aria-label="Valid against spurious fit of neurons">'
        '<path class="axis" d="M40 20V520H540"/>'
        f'<path class="chance" d="M{across:.1f} 20V520M40 {up:.1f}H540"/>{"".join(circles)}'
        '<text x="290" y="548" text-anchor="middle">fits what it should</text>'
        '<text x="-270" y="22" text-anchor="middle" transform="rotate(-90)">fits what it should '
        f'not</text><text x="40" y="536">{low:.2f}</text><text x="540" y="536" text-anchor="end">'
        f"{high:.2f}</text></svg>"
    )


def _neurons(audit: Audit, picture: Callable[[int], bytes | None]) -> Iterable[str]:
    frame = _of_layer(audit, audit.last_layer).sort_values(
        "relevance_share", ascending=False, kind="stable"
    )
    for title, verdicts, most in (
        ("Neurons that fit what they should not", ("spurious", "both"), _NEURONS),
        ("Unexpected neurons", ("unexpected",), _OTHERS),
        ("What else carries the class", ("valid",), _OTHERS),
    ):
        theirs = frame[frame["verdict"].isin(verdicts)]
        if theirs.empty:
            continue
        more = f", the {most} with the largest share" if len(theirs) > most else ""
        yield f'<h3>{title} <span class="muted">({len(theirs)}{more})</span></h3>'
        rows = [_neuron(audit, row, picture) for row in theirs.head(most).itertuples()]
        yield _table(("neuron", "share", "reliance", "fits", "activates it most"), rows, {1, 2})


def _neuron(audit: Audit, row: Any, picture: Callable[[int], bytes | None]) -> tuple[str, ...]:
    samples = audit.reader.example_samples[row.Index][:_EXAMPLES].tolist()
    pictures = _gallery([(one, "") for one in samples if one >= 0], picture)
    fits = (
        f"{_said(row.spurious_concept)} {row.spurious:.2f}<br>"
        f'<span class="muted">{_said(row.valid_concept)} {row.valid:.2f}</span>'
    )
    label = f'<br><span class="muted">{_said(row.label)}</span>' if row.label else ""
    decided = f"<br>{row.decision}: {_said(row.note)}" if row.decision else ""
    named = audit.reader.name(row.layer, row.neuron)
    neuron = f'<span class="verdict {row.verdict}">{named}</span>{label}{decided}'
    share = f"{row.relevance_share:.3f}"
    return neuron, share, f"{row.reliance:+.3f}", fits, pictures


def _images(audit: Audit, picture: Callable[[int], bytes | None]) -> Iterable[str]:
    for concept in audit.spurious:
        own, shown = audit.samples(concept, _SAMPLES), audit.shown(concept).head(_SAMPLES)
        yield f"<h2>Images and “{_said(concept)}”</h2>"
        if len(own):
            yield "<h3>Images of the class in which its neurons speak most</h3>"
            rows = zip(own["sample"], own["share"], strict=True)
            yield _gallery([(one, f"{share:.2f}") for one, share in rows], picture, large=True)
        if len(shown):
            yield (
                "<h3>Images of other classes that were taken for showing it</h3><p class='small "
                "muted'>Chosen by the foundation model: see that they do.</p>"
            )
            rows = zip(shown["sample"], shown["class_name"], strict=True)
            yield _gallery(list(rows), picture, large=True)


def _proofs(audit: Audit) -> Iterable[str]:
    if not audit.proofs:
        return
    yield (
        "<h2>Proofs</h2><p>What the model says of images that show a concept and not the class.</p>"
    )
    rows = [
        (
            _said(one.concept),
            f"{one.images} / {one.controls}",
            _said(one.false_targets),
            _said(one.control_targets),
            f"{one.shift.value:+.2f} [{one.shift.low:+.2f}, {one.shift.high:+.2f}]",
            _said(one.auroc),
        )
        for one in audit.proofs
    ]
    heads = ("concept", "images / controls", "said to be it", "controls", "logit", "AUROC")
    yield _table(heads, rows, numbers={2, 3, 4, 5})


def _made(audit: Audit) -> Iterable[str]:
    unchecked = audit.unchecked or ["Nothing is known to be missing."]
    items = "".join(f"<li>{_said(one)}</li>" for one in unchecked)
    yield f"<h2>What was not checked</h2><ul>{items}</ul>"
    settings = audit.reader.store.settings
    concepts = [
        (side, _said(name), _said(", ".join(phrases)))
        for side, some in (("valid", audit.valid), ("spurious", audit.spurious))
        for name, phrases in some.items()
    ]
    yield "<h2>How it was made</h2>"
    yield _table(("side", "concept", "phrases"), concepts)
    scorer = ", ".join(f"{name} {value}" for name, value in audit.scored_by.items())
    rows = [
        ("fit", _said(scorer)),
        ("better than chance", f"reached by {1 - LEVEL:.0%} of random words at most"),
        ("relevance", _said(audit.method)),
        *((name, f"<code>{_said(_flat(settings.get(name)))}</code>") for name in _FINGERPRINTS),
        *((name, _said(release(name))) for name in ("semlens-widgets", "torch", "zennit")),
    ]
    yield _table(("", ""), rows)


def _flat(value: object) -> object:
    return " ".join(map(str, value)) if isinstance(value, list) else value


_FINGERPRINTS = ("model", "weights", "architecture", "images", "pictures", "foundation")


def _of_layer(audit: Audit, layer: str) -> pd.DataFrame:
    frame: pd.DataFrame = audit.neurons.iloc[audit.shares.layers[layer]]
    return frame


def _gallery(
    samples: Sequence[tuple[int, str]],
    picture: Callable[[int], bytes | None],
    *,
    large: bool = False,
) -> str:
    figures = []
    for sample, caption in samples:
        found = picture(int(sample))
        said = f"<figcaption>{_said(caption)}</figcaption>" if caption else ""
        shown = '<div class="gone">not at hand</div>'
        if found is not None:
            data = base64.b64encode(found).decode("ascii")
            shown = f'<img alt="image {sample}" src="data:image/jpeg;base64,{data}">'
        figures.append(f"<figure>{shown}{said}</figure>")
    return f'<div class="pictures{" large" if large else ""}">{"".join(figures)}</div>'


def _table(
    heads: Sequence[str], rows: Sequence[Sequence[str]], numbers: Collection[int] = ()
) -> str:
    def cells(tag: str, row: Sequence[str]) -> str:
        marked = [' class="number"' if at in numbers else "" for at in range(len(row))]
        return "".join(f"<{tag}{mark}>{one}</{tag}>" for mark, one in zip(marked, row, strict=True))

    head = f"<thead><tr>{cells('th', heads)}</tr></thead>" if any(heads) else ""
    body = "".join(f"<tr>{cells('td', row)}</tr>" for row in rows)
    return f'<div class="wide" tabindex="0"><table>{head}<tbody>{body}</tbody></table></div>'
