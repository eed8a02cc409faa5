"""What the benches measured, as it is stored, and drawn."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import pandas as pd

from semlens_widgets.demo.bench_labels import BEST, CONSTANT, RANDOM, STORED

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

Table = Literal[
    "labels-all", "labels-layers", "labels-worlds", "imagenet-labels", "imagenet-search"
]
_WORDS = "and for nothing"
_LABELLER, _BASELINE = "#0072B2", "#999999"  # told apart without red and green


def stored(name: Table) -> pd.DataFrame:
    """Return a table as it was measured; the modules that are called bench_* make them anew."""
    return pd.read_csv(STORED / f"{name}.csv")


def labels_figure() -> Figure:
    """Draw how true the labels of every labeller are, in worlds that nothing was chosen by.

    Returns
    -------
    plotly.graph_objects.Figure
        Mean AUROC of the neurons for what their labels name, with its 95 % interval, the best
        labeller on top, in the held-out drawn worlds and on the real network (judged on the half of
        the photographs that was not analysed).
    """
    from plotly.graph_objects import Scatter
    from plotly.subplots import make_subplots

    worlds = stored("labels-all").query("held_out and words == @_WORDS")
    network = stored("imagenet-labels").query("judged_on == 'the other half'")
    figure = make_subplots(
        1,
        2,
        shared_yaxes=True,
        horizontal_spacing=0.03,
        subplot_titles=["five drawn worlds", "ImageNet network, other half"],
    )
    order = worlds[worlds["labeller"].isin(network["labeller"])].sort_values("auroc")["labeller"]
    for column, table in enumerate((worlds, network), 1):
        rows = table.set_index("labeller").loc[order]
        baseline = rows.index.isin([BEST, CONSTANT, RANDOM])
        shown = Scatter(
            x=rows["auroc"].tolist(),
            y=rows.index.tolist(),
            mode="markers",
            marker={"size": 9, "color": [_BASELINE if one else _LABELLER for one in baseline]},
            error_x=reach(rows["auroc"], rows["auroc_low"], rows["auroc_high"])
            | {"color": "#666666"},
            hovertemplate="%{y}: %{x:.3f}<extra></extra>",
            showlegend=False,
        )
        figure.add_trace(shown, row=1, col=column)
        figure.add_vline(
            x=0.5, row=1, col=column, line={"dash": "dot", "width": 1, "color": "gray"}
        )
    figure.update_xaxes(title_text="mean AUROC of the labels")
    figure.update_layout(
        height=460,
        template="plotly_white",
        margin={"l": 190, "r": 20, "t": 50, "b": 50},
        title_text=None,
    )
    return figure


def reach(value: pd.Series[float], low: pd.Series[float], high: pd.Series[float]) -> dict[str, Any]:
    """Return intervals as plotly's error bars, whose ends it takes as distances."""
    return {"array": (high - value).tolist(), "arrayminus": (value - low).tolist()}
