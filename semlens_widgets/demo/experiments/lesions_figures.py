"""What the audits of lesions found, drawn."""

from __future__ import annotations

from typing import TYPE_CHECKING

from semlens_widgets.demo.bench_figure import reach
from semlens_widgets.demo.skin.drawing import render
from semlens_widgets.demo.skin.world import ARTEFACTS, SIGNS, STRUCTURES, Lesion

if TYPE_CHECKING:
    import pandas as pd
    from plotly.graph_objects import Figure

# Told apart by people who see red and green alike (Okabe and Ito 2008).
_COLOURS = {"domain": "#0072B2", "general": "#E69F00"}
_WAYS = {
    "zero": "#0072B2",
    "mean": "#56B4E9",
    "project": "#009E73",
    "zero, refit": "#D55E00",
    "project, refit": "#E69F00",
    "random": "#999999",
}
_TRUTH = "#222222"
_SIDE = 96
_WIDE = 8  # pictures in a row


def world_figure(seed: int = 11) -> Figure:
    """Draw one lesion without any sign, then with each sign, structure and artefact alone.

    Returns
    -------
    plotly.graph_objects.Figure
        Pictures in two rows, each under what was added.
    """
    from plotly.graph_objects import Image
    from plotly.subplots import make_subplots

    plain = Lesion("symmetric", "regular border", "single colour", "small diameter", seed=seed)
    large = plain.with_feature("large diameter")
    shown = {"a small nevus": plain, "large diameter": large}
    others = [name for name in dict.fromkeys((*SIGNS, *STRUCTURES)) if name not in shown]
    shown |= {name: large.with_feature(name) for name in others}
    shown |= {name: large.with_artefact(name) for name in ARTEFACTS}
    rows = -(-len(shown) // _WIDE)
    figure = make_subplots(
        rows,
        _WIDE,
        subplot_titles=list(shown),
        horizontal_spacing=0.008,
        vertical_spacing=0.12,
    )
    for place, lesion in enumerate(shown.values()):
        row, column = divmod(place, _WIDE)
        picture = Image(z=render(lesion, _SIDE), hoverinfo="skip")
        figure.add_trace(picture, row=row + 1, col=column + 1)
    figure.update_xaxes(visible=False).update_yaxes(visible=False)
    figure.update_annotations(font_size=12)
    figure.update_layout(
        height=150 * rows, template="plotly_white", margin={"l": 5, "r": 5, "t": 30, "b": 5}
    )
    return figure


def audits_figure(found: pd.DataFrame) -> Figure:
    """Draw how far a melanoma relies on each artefact, and by how much it does in truth.

    Parameters
    ----------
    found
        ``summary`` of the table "lesions-audits".

    Returns
    -------
    plotly.graph_objects.Figure
        Mean reliance with its interval by each foundation model, the classifier with the shortcut
        beside its twin; and how much more often the artefact alone makes a melanoma of a lesion
        that is none.
    """
    from plotly.graph_objects import Scatter
    from plotly.subplots import make_subplots

    names = {"planted": "trained with ink on melanomas", "clean": "its clean twin"}
    figure = make_subplots(
        1, 2, shared_yaxes=True, horizontal_spacing=0.03, subplot_titles=list(names.values())
    )
    for column, classifier in enumerate(names, 1):
        mine = found[found["classifier"] == classifier]
        truth = mine.query("measure == 'taken' and foundation == 'domain'").set_index("of")
        figure.add_trace(
            Scatter(
                x=truth.loc[list(ARTEFACTS), "value"].tolist(),
                y=list(ARTEFACTS),
                mode="markers",
                name="truth: nevi turned into melanomas",
                marker={"symbol": "line-ns-open", "size": 22, "color": _TRUTH},
                hovertemplate="%{y}: %{x:.3f}<extra></extra>",
                showlegend=column == 1,
            ),
            row=1,
            col=column,
        )
        for known, colour in _COLOURS.items():
            rows = mine.query("measure == 'reliance' and foundation == @known").set_index("of")
            rows = rows.loc[list(ARTEFACTS)]
            figure.add_trace(
                Scatter(
                    x=rows["value"].tolist(),
                    y=list(ARTEFACTS),
                    mode="markers",
                    name=f"reliance, {known} CLIP",
                    marker={"size": 9, "color": colour},
                    error_x=reach(rows["value"], rows["low"], rows["high"]) | {"color": colour},
                    hovertemplate="%{y}: %{x:.3f}<extra></extra>",
                    showlegend=column == 1,
                ),
                row=1,
                col=column,
            )
    figure.update_xaxes(title_text="reliance; share of nevi", matches="x", zerolinecolor="#bbbbbb")
    figure.update_yaxes(autorange="reversed", col=1)
    figure.update_layout(
        height=380,
        template="plotly_white",
        margin={"l": 80, "r": 20, "t": 40, "b": 90},
        legend={"orientation": "h", "y": -0.22},
    )
    return figure


def corrections_figure(found: pd.DataFrame) -> Figure:
    """Draw what each way of correcting takes from the shortcut, and what it costs.

    Parameters
    ----------
    found
        ``summary`` of the table "lesions-corrections".

    Returns
    -------
    plotly.graph_objects.Figure
        Across, the share of nevi with ink that are said to be melanomas; upwards, balanced accuracy
        without ink; a point for each number of neurons, with intervals.
    """
    from plotly.graph_objects import Figure, Scatter

    both = {
        measure: found[found["measure"] == measure].set_index(["way", "neurons"])
        for measure in ("false", "accuracy")
    }
    figure = Figure()

    def points(way: str, name: str, colour: str, symbol: str = "circle") -> None:
        across, upwards = (both[measure].loc[[way]] for measure in ("false", "accuracy"))
        counts = [str(count) if count else "" for count in across.index.get_level_values(1)]
        bars = [
            reach(part["value"], part["low"], part["high"])
            | {"color": colour, "thickness": 1, "width": 0}
            for part in (across, upwards)
        ]
        figure.add_trace(
            Scatter(
                x=across["value"].tolist(),
                y=upwards["value"].tolist(),
                mode="lines+markers+text",
                name=name,
                text=counts,
                textposition="top center",
                textfont={"size": 10, "color": colour},
                marker={"size": 9, "color": colour, "symbol": symbol},
                line={"width": 1, "color": colour},
                error_x=bars[0],
                error_y=bars[1],
                hovertemplate="%{text} neurons: %{x:.3f}, %{y:.3f}<extra></extra>",
            )
        )

    for way, colour in _WAYS.items():
        points(way, way, colour)
    points("refit", "refit alone", "#CC79A7", "diamond")
    points("as it is", "as it is", _TRUTH, "x")
    figure.update_xaxes(title_text="nevi with ink said to be melanomas", rangemode="tozero")
    figure.update_yaxes(title_text="balanced accuracy without ink")
    figure.update_layout(
        height=430, template="plotly_white", margin={"l": 70, "r": 20, "t": 20, "b": 60}
    )
    return figure
