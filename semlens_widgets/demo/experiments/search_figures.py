"""What the experiment on searches found, drawn."""

from __future__ import annotations

from typing import TYPE_CHECKING

from semlens_widgets.demo.bench_figure import reach
from semlens_widgets.demo.bench_labels import BEST, RANDOM
from semlens_widgets.demo.bench_search import COSINE
from semlens_widgets.demo.experiments.hits import KNOWN, ONE, RAW, WORD
from semlens_widgets.demo.experiments.search import DEFAULT, IMAGENET, SCENES, SOME, WHOLE

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd
    from plotly.graph_objects import Figure, Scatter

_SEARCH, _BASELINE, _SEEN = "#0072B2", "#777777", "#DDDDDD"  # told apart without red and green
#: Ranks as its centred twin does, whatever is asked.
_TWINS = (RAW, "CSP γ = 1")
#: How the score is told that stays as it is.
_BY = {COSINE: " (cosine)", DEFAULT: " (correlation)"}
_RIGHT = "share of right hits among the first five"
_ROW = 26  # pixels


def ways_figure(told: pd.DataFrame) -> Figure:
    """Draw how many of the first hits are right, by every score, for words and for pictures.

    Parameters
    ----------
    told
        From :func:`semlens_widgets.demo.experiments.search.summary`, of both networks.

    Returns
    -------
    plotly.graph_objects.Figure
        Means over queries with their 95 % intervals, a panel for each network. Grey: what no search
        reaches, and luck.
    """
    some = _plain(told[told["query"].isin(["", WORD]) | (told["score"] == COSINE)])
    names = some["score"].where(some["query"].isin(["", WORD]), some["query"] + ", cosine")
    some = some.assign(name=names)
    order = some[some["world"] == SCENES].sort_values("right_5")["name"].tolist()
    figure = _panels(["drawn world, 36 concepts", "ImageNet network, 18 groups"])
    for column, world in enumerate((SCENES, IMAGENET), 1):
        rows = some[some["world"] == world].set_index("name")
        rows = rows.loc[[name for name in order if name in rows.index]]
        colours = [
            _BASELINE if score in {BEST, KNOWN, RANDOM} else _SEARCH for score in rows["score"]
        ]
        figure.add_trace(_dots(rows, rows.index.tolist(), colours), row=1, col=column)
    figure.update_yaxes(categoryorder="array", categoryarray=order)
    figure.update_xaxes(title_text=_RIGHT, range=[-0.03, 1.03])
    return _laid_out(figure, len(order))


def effects_figure(found: pd.DataFrame) -> Figure:
    """Draw what each change does to the share of the first five hits that are right.

    Parameters
    ----------
    found
        From :func:`semlens_widgets.demo.experiments.search.effects`, of both networks.

    Returns
    -------
    plotly.graph_objects.Figure
        Differences with their 95 % intervals. A grey bar reaches as far as a difference must for so
        many queries to show it in four of five experiments.
    """
    from plotly.graph_objects import Bar

    changed, score = found["changed"], found["score"]
    shown = (changed == "score") & (found["old"] == DEFAULT) & (found["query"] == WORD)
    shown &= found["templates"] == ONE
    shown |= (changed == "templates") & (score == DEFAULT)
    shown |= (changed == "query") & (score == COSINE)
    crops = (changed == "images") & (score == COSINE) & (found["query"] == WORD)
    some = found[((shown & (found["images"] == WHOLE)) | crops) & ~score.isin(_TWINS)]
    names = some["new"].where(some["changed"] != "templates", some["new"] + " templates")
    by = some["score"].map(_BY).where(some["changed"] != "score", "")
    some = some.assign(name=names + " for " + some["old"] + by)
    # Crops are of some of the network's neurons alone.
    there = some["world"].replace(SOME, IMAGENET).where(some["changed"] == "images", some["world"])
    figure = _panels(["drawn world", "ImageNet network"])
    for column, world in enumerate((SCENES, IMAGENET), 1):
        rows = some[there == world]
        seen = rows["right_5_seen"].fillna(0)
        bar = Bar(
            x=(2 * seen).tolist(),
            base=(-seen).tolist(),
            y=rows["name"].tolist(),
            orientation="h",
            marker={"color": _SEEN, "line": {"width": 0}},
            hoverinfo="skip",
            showlegend=False,
        )
        figure.add_trace(bar, row=1, col=column)
        dots = _dots(rows, rows["name"].tolist(), [_SEARCH] * len(rows))
        figure.add_trace(dots, row=1, col=column)
        figure.add_vline(x=0, row=1, col=column, line={"width": 1, "color": "gray"})
    order = list(dict.fromkeys(some["name"]))[::-1]
    figure.update_yaxes(categoryorder="array", categoryarray=order)
    figure.update_xaxes(title_text=f"change of the {_RIGHT}", dtick=0.1, matches="x")
    return _laid_out(figure, len(order))


def _plain(table: pd.DataFrame) -> pd.DataFrame:
    """Return what is asked by a word in no sentence, or a picture, of whole images."""
    plain = (table["images"] == WHOLE) & table["templates"].isin(["", ONE])
    return table[plain & ~table["score"].isin(_TWINS)]


def _panels(titles: Sequence[str]) -> Figure:
    from plotly.subplots import make_subplots

    return make_subplots(
        1, len(titles), shared_yaxes=True, horizontal_spacing=0.03, subplot_titles=titles
    )


def _dots(rows: pd.DataFrame, names: Sequence[str], colours: Sequence[str]) -> Scatter:
    from plotly.graph_objects import Scatter

    return Scatter(
        x=rows["right_5"].tolist(),
        y=list(names),
        mode="markers",
        marker={"size": 9, "color": list(colours)},
        error_x=reach(rows["right_5"], rows["right_5_low"], rows["right_5_high"])
        | {"color": "#666666"},
        hovertemplate="%{y}: %{x:.2f}<extra></extra>",
        showlegend=False,
    )


def _laid_out(figure: Figure, rows: int) -> Figure:
    margin = {"l": 240, "r": 20, "t": 40, "b": 50}
    return figure.update_layout(
        height=_ROW * rows + 110, template="plotly_white", margin=margin, bargap=0.25
    )
