"""A stage of one's own: one object, and a line of registration."""

import numpy as np
import pyarrow as pa
import pytest

from semlens_widgets.pipeline import plan as loop
from semlens_widgets.store.stages import Stage

RUNS = []


def brightest(store, plan, mapper):
    """Write each neuron's largest activation."""
    RUNS.append(plan.n_examples)
    if len(RUNS) == 1:
        raise KeyboardInterrupt
    store.write("brightest", pa.table({"value": store.matrix("activations", "activations").max(1)}))
    return {"scale": 1}


TOY = Stage(
    "brightest",
    "the largest activations",
    settings=("n_examples",),
    after=("collect",),
    tables=("brightest",),
    run=brightest,
)


@pytest.fixture
def registered(monkeypatch):
    RUNS.clear()
    monkeypatch.setattr(loop, "STAGES", (*loop.STAGES, TOY))
    monkeypatch.setattr("semlens_widgets.lens.lens.STAGES", loop.STAGES)


@pytest.mark.usefixtures("registered")
def test_a_stage_is_run_resumed_recorded_and_made_anew(colour_lens):
    lens = colour_lens()
    with pytest.raises(KeyboardInterrupt, match="stage 'brightest'"):
        lens.run()
    assert not lens.store.is_finished("brightest")
    assert lens.store.is_finished("layout")
    lens.run()
    expected = lens.neurons["max"].to_numpy()
    np.testing.assert_array_equal(lens.store.frame("brightest")["value"], expected)
    assert lens.store.stages["brightest"] == {"scale": 1}
    lens.run()
    assert len(RUNS) == 2  # what is finished is not run again

    again = colour_lens(n_examples=3, on_change="recompute")
    assert not again.store.has("brightest")  # a setting it reads has changed
    assert again.store.is_finished("collect")
    again.run()
    assert RUNS[-1] == 3
