"""Figures for papers and plain notebooks: what an audit, a comparison, a lens have found."""

from __future__ import annotations

from html import escape
from math import lcm
from typing import TYPE_CHECKING, Any

import numpy as np

from semlens_widgets.analysis.audit import VERDICTS, Measured
from semlens_widgets.analysis.compare import mean_of
from semlens_widgets.analysis.effects import COLUMNS, CONTROLS
from semlens_widgets.lens.audit_frames import ERROR
from semlens_widgets.lens.compare import MEASURES
from semlens_widgets.lens.stability import NEAR

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd
    from plotly.graph_objects import Figure

    from semlens_widgets.analysis.effects import Effects
    from semlens_widgets.lens.audited import Audit
    from semlens_widgets.lens.stability import Stability

# Told apart by people who see red and green alike (Okabe and Ito 2008).
_COLOURS = {
    "valid": "#009E73",
    "spurious": "#D55E00",
    "both": "#CC79A7",
    "unexpected": "#E69F00",
    "weak": "#999999",
    ERROR: "#000000",
}
_SERIES = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00")
_LARGEST = 30  # pixels across, of the neuron with the largest share of its layer
_SMALLEST = 4
_MOST_CLASSES = 8


def audit_figure(audit: Audit, layers: Sequence[str]) -> Figure:
    """Draw how neurons fit both sides, above what share of the class lies on each verdict."""
    from plotly.graph_objects import Bar, Scatter

    figure = _grid(
        2, [escape(layer) for layer in layers], [0.68, 0.32], f"On what “{audit.target}” rests"
    )
    neurons, summary = audit.neurons, audit.summary
    neurons = neurons[neurons["layer"].isin(layers)]
    known = neurons["valid"].notna() & neurons["spurious"].notna()
    for column, layer in enumerate(layers, 1):
        of_layer = neurons[neurons["layer"] == layer]
        largest = of_layer["relevance_share"].max() or 1.0
        for verdict in VERDICTS:
            some = of_layer[(of_layer["verdict"] == verdict) & known[of_layer.index]]
            sizes = _LARGEST * np.sqrt(some["relevance_share"] / largest)
            shown = Scatter(
                x=some["valid"].tolist(),
                y=some["spurious"].tolist(),
                mode="markers",
                name=verdict,
                legendgroup=verdict,
                showlegend=column == 1,
                marker={
                    "color": _COLOURS[verdict],
                    "opacity": 0.75,
                    "size": np.maximum(sizes, _SMALLEST).tolist(),
                    "line": {"width": 0.5, "color": "white"},
                },
                text=[_of_neuron(audit, row) for row in some.to_dict("records")],
                hoverinfo="text",
            )
            figure.add_trace(shown, row=1, col=column)
        fit, misfit = audit.chance(layer)
        dotted: dict[str, Any] = {"line": {"dash": "dot", "width": 1, "color": "gray"}}
        if np.isfinite(fit):
            figure.add_vline(x=fit, row=1, col=column, **dotted)
        if np.isfinite(misfit):
            figure.add_hline(y=misfit, row=1, col=column, **dotted)
        shares = summary[summary["layer"] == layer]
        bars = Bar(
            x=shares["verdict"].tolist(),
            y=shares["share"].tolist(),
            error_y=_errors(shares, "share"),
            marker={"color": [_COLOURS[verdict] for verdict in shares["verdict"]]},
            showlegend=False,
            hovertemplate="%{x}: %{y:.3f}<extra></extra>",
        )
        figure.add_trace(bars, row=2, col=column)
        figure.update_xaxes(title_text="fits what it should", row=1, col=column)
    figure.update_yaxes(title_text="fits what it should not", row=1, col=1)
    figure.update_yaxes(title_text="share of relevance", row=2, col=1)
    figure.update_yaxes(range=[0, 1], row=2)
    scorer = escape(str(audit.scored_by.get("scorer", "")))
    _note(
        figure,
        f"{len(audit.images)} images · fit by {scorer} · dotted: what one random draw in twenty "
        "reaches · bars: 95 % of resampled images"
        + (
            f" · {(~known).sum()} neurons that cannot be scored are left out"
            if not known.all()
            else ""
        ),
    )
    return figure


def comparison_figure(similarity: pd.DataFrame, measures: pd.DataFrame) -> Figure:
    """Draw S(A→B) of every pair of layers, above the measures of each analysis."""
    from plotly.graph_objects import Heatmap, Scatter

    pairs = list(dict.fromkeys(zip(similarity["of"], similarity["to"], strict=True)))
    names = list(dict.fromkeys(measures["analysis"]))
    kinds = list(dict.fromkeys(measures["measure"]))
    titles = [escape(f"S({a} → {b})") for a, b in pairs]
    titles += [kind.replace("_", " ") for kind in kinds]
    columns = lcm(len(pairs), len(kinds))
    wide, narrow = columns // len(pairs), columns // len(kinds)
    cells: list[list[dict[str, int] | None]] = [
        [{"colspan": span} if at % span == 0 else None for at in range(columns)]
        for span in (wide, narrow)
    ]
    figure = _grid(2, titles, [0.5, 0.5], "What the models share", cells)
    for at, (a, b) in enumerate(pairs):
        some = similarity[(similarity["of"] == a) & (similarity["to"] == b)]
        table = some.pivot_table(
            index="of_layer", columns="to_layer", values="similarity", sort=False, observed=True
        )
        shown = Heatmap(
            x=[escape(str(one)) for one in table.columns],
            y=[escape(str(one)) for one in table.index],
            z=table.to_numpy().round(4).tolist(),
            zmin=0,
            zmax=1,
            colorscale="Viridis",
            showscale=False,  # the figures stand in the cells
            texttemplate="%{z:.2f}",
            hovertemplate="%{y} → %{x}: %{z:.3f}<extra></extra>",
        )
        figure.add_trace(shown, row=1, col=1 + at * wide)
    figure.update_yaxes(autorange="reversed", row=1)
    for place, kind in enumerate(kinds):
        for at, name in enumerate(names):
            some = measures[(measures["measure"] == kind) & (measures["analysis"] == name)]
            points = Scatter(
                x=[escape(str(layer)) for layer in some["layer"]],
                y=some["mean"].tolist(),
                error_y=_errors(some, "mean"),
                mode="markers+lines",
                name=escape(name),
                legendgroup=name,
                showlegend=place == 0,
                marker={"color": _SERIES[at % len(_SERIES)]},
            )
            figure.add_trace(points, row=2, col=1 + place * narrow)
    _note(figure, "means over neurons, with 95 % of resampled neurons")
    return figure


def measures_figure(neurons: pd.DataFrame, measures: Sequence[str]) -> Figure:
    """Draw how measures are distributed in each layer, with the mean and its interval."""
    from plotly.graph_objects import Box, Scatter

    titles = [measure.replace("_", " ") for measure in measures]
    figure = _grid(1, titles, [1.0], "Measures by layer")
    layers = list(dict.fromkeys(neurons["layer"]))
    for column, measure in enumerate(measures, 1):
        means = []
        for layer in layers:
            values = neurons.loc[neurons["layer"] == layer, measure].to_numpy(np.float64)
            known = values[np.isfinite(values)]
            means.append(mean_of(values))
            box = Box(
                y=known.round(5).tolist(),
                name=escape(str(layer)),
                marker={"color": _SERIES[0], "size": 3},
                line={"width": 1},
                boxpoints="outliers",
                showlegend=False,
            )
            figure.add_trace(box, row=1, col=column)
        points = Scatter(
            x=[escape(str(layer)) for layer in layers],
            y=[mean.value for mean in means],
            error_y={
                "type": "data",
                "symmetric": False,
                "array": [mean.high - mean.value for mean in means],
                "arrayminus": [mean.value - mean.low for mean in means],
            },
            mode="markers",
            name="mean",
            showlegend=column == 1,
            marker={"color": _SERIES[5], "symbol": "diamond", "size": 8},
        )
        figure.add_trace(points, row=1, col=column)
    _note(figure, "boxes: quartiles of the neurons · mean: with 95 % of resampled neurons")
    return figure


def effects_figure(effects: Effects, title: str) -> Figure:
    """Draw what a change does to accuracy and to the classes it moves most, beside chance."""
    from plotly.graph_objects import Scatter

    classes = effects.classes
    recall, false = (
        (classes[f"{kind}_after"] - classes[f"{kind}_before"]).abs().to_numpy()
        for kind in ("recall", "false")
    )
    order = np.argsort(-(recall + false), kind="stable")[:_MOST_CLASSES]
    classes = classes.iloc[order]
    panels = [("accuracy", effects.accuracy.set_index("group"))]
    for kind, words in (("recall", "recall"), ("false", "false targets")):
        columns = {f"{kind}_{one}": one for one in COLUMNS}
        panels.append((words, classes.set_index("class")[[*columns]].rename(columns=columns)))
    figure = _grid(1, [words for words, _ in panels], [1.0], title)
    for column, (_, table) in enumerate(panels, 1):
        names = [escape(str(name)) for name in table.index]
        for name, colour, symbol in (
            ("before", _SERIES[0], "circle-open"),
            ("control", _COLOURS["weak"], "line-ns-open"),
            ("after", _SERIES[5], "circle"),
        ):
            errors = None
            if name == "control":
                errors = {
                    "type": "data",
                    "symmetric": False,
                    "array": (table["high"] - table["control"]).tolist(),
                    "arrayminus": (table["control"] - table["low"]).tolist(),
                }
            points = Scatter(
                x=table[name].tolist(),
                y=names,
                error_x=errors,
                mode="markers",
                name="random neurons" if name == "control" else name,
                legendgroup=name,
                showlegend=column == 1,
                marker={"color": colour, "symbol": symbol, "size": 9, "line": {"width": 2}},
                hovertemplate="%{y}: %{x:.3f}<extra></extra>",
            )
            figure.add_trace(points, row=1, col=column)
    figure.update_yaxes(autorange="reversed", automargin=True)
    figure.update_xaxes(rangemode="tozero")
    every = len(effects.classes)
    _note(
        figure,
        f"{len(effects.truth)} images · random neurons: as many of the same layers, 95 % of "
        f"{len(effects.logits) - CONTROLS} draws"
        + (
            f" · of {every} classes the {len(classes)} that move most"
            if every > len(classes)
            else ""
        ),
    )
    return figure


def stability_figure(found: Stability) -> Figure:
    """Draw how near semantic vectors of m examples are to their limit, a panel for each layer."""
    from plotly.graph_objects import Scatter

    summary = found.summary
    layers = list(found.by_layer)
    figure = _grid(1, [escape(one) for one in layers], [1.0], "Semantic vectors of m examples")
    for column, layer in enumerate(layers, 1):
        rows = summary[summary["layer"] == layer]
        for at, (name, words) in enumerate(
            (("q50", "median"), ("q10", "90 % are above"), ("q05", "95 % are above"))
        ):
            line = Scatter(
                x=rows["m"].tolist(),
                y=rows[name].tolist(),
                mode="lines+markers",
                name=words,
                legendgroup=name,
                showlegend=column == 1,
                line={"color": _SERIES[at]},
                hovertemplate="%{x} examples: %{y:.3f}<extra></extra>",
            )
            figure.add_trace(line, row=1, col=column)
        dotted: dict[str, Any] = {"line": {"dash": "dot", "width": 1, "color": "gray"}}
        figure.add_hline(y=1 - NEAR, row=1, col=column, **dotted)
        if (enough := found.by_layer[layer]) is not None:
            figure.add_vline(x=enough, row=1, col=column, **dotted)
    figure.update_xaxes(type="log", tickvals=[1, 3, 10, 30, 100, 300, 1000], tickangle=0)
    figure.update_yaxes(range=[max(0, float(summary["q05"].min()) - 0.05), 1.02])
    figure.update_yaxes(title_text="cosine to the limit", row=1, col=1)
    _note(
        figure,
        f"across: m · limit: infinitely many images like the {found.limit_of} most activating · "
        f"dotted: within {NEAR} of it, and the least number that brings 90 % of the neurons there",
    )
    return figure


def checked_measures(measure: str | Sequence[str] | None) -> list[str]:
    """Return the measures to draw.

    Raises
    ------
    ValueError
        If one is unknown, or none is given.
    """
    given = (
        list(MEASURES) if measure is None else [measure] if isinstance(measure, str) else measure
    )
    if not given or any(one not in MEASURES for one in given):
        raise ValueError(f"measure={measure!r} must be one or some of {MEASURES}.")
    return list(given)


def _grid(
    rows: int,
    titles: Sequence[str],
    heights: Sequence[float],
    title: str,
    cells: list[list[dict[str, int] | None]] | None = None,
) -> Figure:
    from plotly.subplots import make_subplots

    columns = len(cells[0]) if cells else len(titles)
    figure = make_subplots(
        rows=rows,
        cols=columns,
        specs=cells,
        subplot_titles=list(titles),
        row_heights=list(heights),
        vertical_spacing=0.16,
        horizontal_spacing=0.2 / columns if cells else None,
    )
    figure.update_layout(
        title={"text": escape(title)},
        template="plotly_white",
        font={"size": 12},
        legend={"itemsizing": "constant"},
        margin={"l": 60, "r": 30, "t": 90, "b": 80},
        height=340 * rows if rows == 1 else 620,
    )
    return figure


def _errors(frame: pd.DataFrame, column: str) -> dict[str, Any]:
    return {
        "type": "data",
        "symmetric": False,
        "array": (frame["high"] - frame[column]).tolist(),
        "arrayminus": (frame[column] - frame["low"]).tolist(),
        "thickness": 1,
    }


def _of_neuron(audit: Audit, row: dict[Any, Any]) -> str:
    label = f" “{row['label']}”" if isinstance(row["label"], str) and row["label"] else ""
    words = [
        f"{row['layer']} / {audit.reader.name(row['layer'], row['neuron'])}{label}",
        f"share {Measured(row['relevance_share'], row['share_low'], row['share_high'])}",
        f"{row['valid_phrase']}: {row['valid']:.3f}",
        f"{row['spurious_phrase']}: {row['spurious']:.3f}",
    ]
    return "<br>".join(escape(one) for one in words)


def _note(figure: Figure, words: str) -> None:
    figure.add_annotation(
        text=words,
        xref="paper",
        yref="paper",
        x=0,
        y=0,
        yshift=-62,
        xanchor="left",
        showarrow=False,
        font={"size": 11, "color": "#555555"},
    )
