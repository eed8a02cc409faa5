"""The tables of the experiments, drawn."""

from __future__ import annotations

from typing import TYPE_CHECKING

from semlens_widgets.demo.bench_figure import reach
from semlens_widgets.demo.experiments import stored

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd
    from plotly.graph_objects import Figure

#: What the states of a network are drawn in: told apart without red and green, and by shape.
_COLOURS = {
    "shuffled": "#999999",
    "untrained": "#E69F00",
    "equal accuracy": "#56B4E9",
    "trained": "#0072B2",
}
_SYMBOLS = {
    "shuffled": "x-thin-open",
    "untrained": "diamond-open",
    "equal accuracy": "circle-open",
    "trained": "circle",
}
_TITLES = {
    "clarity": "clarity",
    "polysemanticity": "polysemanticity",
    "redundancy": "redundancy",
    "redundancy_of_eight": "redundancy among eight",
    "centred_redundancy_of_eight": "the same, centred",
    "dead": "share of dead neurons",
    "accuracy": "accuracy",
}
_LINE = 26  # pixels of a row
_HEAD = 130


def measures_figure(
    experiment: str, measures: Sequence[str] = ("clarity", "polysemanticity", "redundancy_of_eight")
) -> Figure:
    """Draw what every kind of network reaches, averaged over its depths, with 95 % intervals.

    Parameters
    ----------
    experiment
        Whose stored table is drawn.
    measures
        A column for each.
    """
    table = stored(experiment)
    whole = table[table["depth"].isna()]
    figure = _columns(measures)
    for column, measure in enumerate(measures, 1):
        for state in _COLOURS:
            rows = whole[(whole["state"] == state) & (whole["measure"] == measure)]
            _dots(figure, column, rows, "mean", state)
    return _finished(figure, whole["network"].nunique())


def differences_figure(
    experiment: str,
    state: str = "trained",
    measures: Sequence[str] = ("clarity", "polysemanticity", "redundancy_of_eight"),
) -> Figure:
    """Draw by how much every kind of network differs from the baseline, with 95 % intervals.

    Parameters
    ----------
    experiment
        Whose stored table is drawn.
    state
        In which the networks are compared.
    measures
        A column for each. Grey bars reach as far as a difference that would have been seen four
        times in five.
    """
    from plotly.graph_objects import Bar

    table = stored(f"{experiment}-differences")
    table = table[table["state"] == state]
    figure = _columns(measures)
    for column, measure in enumerate(measures, 1):
        rows = table[table["measure"] == measure]
        bars = Bar(
            x=(2 * rows["detectable"]).tolist(),
            base=(-rows["detectable"]).tolist(),
            y=rows["network"].tolist(),
            orientation="h",
            marker={"color": "rgba(150, 150, 150, 0.3)", "line": {"width": 0}},
            name="too small to be seen",
            legendgroup="detectable",
            showlegend=column == 1,
            hoverinfo="skip",
        )
        figure.add_trace(bars, row=1, col=column)
        _dots(figure, column, rows, "difference", state)
        figure.add_vline(x=0, row=1, col=column, line={"width": 1, "color": "gray"})
    return _finished(figure, table["network"].nunique())


def depths_figure(
    experiment: str, networks: Sequence[str], measure: str = "clarity", state: str = "trained"
) -> Figure:
    """Draw how a measure changes from the first layers to the last, with 95 % intervals.

    Parameters
    ----------
    experiment
        Whose stored table is drawn.
    networks
        A line for each.
    measure, state
        What is drawn of them.
    """
    from plotly.graph_objects import Figure, Scatter

    table = stored(experiment)
    table = table[(table["state"] == state) & (table["measure"] == measure)]
    colours = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00")
    dashes = ("solid", "dash", "dot", "dashdot", "longdash", "longdashdot")
    figure = Figure()
    for at, network in enumerate(networks):
        rows = table[(table["network"] == network) & table["depth"].notna()].sort_values("depth")
        figure.add_trace(
            Scatter(
                # A little apart, so that the intervals can be told from each other.
                x=(rows["depth"] + 0.006 * (at - len(networks) / 2)).tolist(),
                y=rows["mean"].tolist(),
                error_y=_reach(rows, "mean"),
                mode="lines+markers",
                name=network,
                line={"color": colours[at % 6], "dash": dashes[at % 6]},
            )
        )
    figure.update_xaxes(title_text="relative depth", tickvals=[0.25, 0.5, 0.75, 1])
    figure.update_yaxes(title_text=_TITLES[measure])
    figure.update_layout(height=380, template="plotly_white", margin={"t": 20, "r": 20})
    return figure


def _columns(measures: Sequence[str]) -> Figure:
    from plotly.subplots import make_subplots

    return make_subplots(
        1,
        len(measures),
        shared_yaxes=True,
        horizontal_spacing=0.03,
        subplot_titles=[_TITLES[measure] for measure in measures],
    )


def _dots(figure: Figure, column: int, rows: pd.DataFrame, value: str, state: str) -> None:
    from plotly.graph_objects import Scatter

    shown = Scatter(
        x=rows[value].tolist(),
        y=rows["network"].tolist(),
        error_x=_reach(rows, value),
        mode="markers",
        marker={
            "size": 9,
            "symbol": _SYMBOLS[state],
            "color": _COLOURS[state],
            "line": {"width": 2, "color": _COLOURS[state]},
        },
        name=state,
        legendgroup=state,
        showlegend=column == 1,
        hovertemplate="%{y}: %{x:.3f}<extra>" + state + "</extra>",
    )
    figure.add_trace(shown, row=1, col=column)


def _reach(rows: pd.DataFrame, value: str) -> dict[str, object]:
    return reach(rows[value], rows["low"], rows["high"]) | {"thickness": 1.5, "width": 3}


def _finished(figure: Figure, rows: int) -> Figure:
    """Give every row its place, the first on top."""
    figure.update_yaxes(autorange="reversed")
    figure.update_layout(
        height=_HEAD + _LINE * rows,
        template="plotly_white",
        margin={"l": 150, "r": 20, "t": 40, "b": 30},
        legend={"orientation": "h", "y": -0.12, "yanchor": "top"},
        bargap=0.35,
    )
    return figure
