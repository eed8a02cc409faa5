"""One lens and one model, used by a person's cells and by widgets at the same time."""

from __future__ import annotations

import threading

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

import semlens_widgets as slw
from tests.colour_world import colour_images, to_tensor

ROUNDS = 200


def normed_net():
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Conv2d(3, 6, 3, padding=1),
        nn.BatchNorm2d(6),
        nn.ReLU(),
        nn.Conv2d(6, 4, 3, padding=1),
        nn.BatchNorm2d(4),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(4, 2),
    )
    with torch.no_grad():
        for image in colour_images(12):
            net(to_tensor(image)[None].repeat(4, 1, 1, 1))
    net[3].weight.requires_grad_(False)  # a flag of the person's own
    return net.eval()


def all_of(model):
    """Everything about a model that somebody else could have touched."""
    return (
        [(name, value.numpy().tobytes()) for name, value in model.state_dict().items()],
        [(name, value.data_ptr()) for name, value in model.state_dict().items()],
        [(name, p.requires_grad, p.grad) for name, p in model.named_parameters()],
        [(module.training, type(module)) for module in model.modules()],
        [
            (len(module._forward_hooks), len(module._forward_pre_hooks), "forward" in vars(module))
            for module in model.modules()
        ],
    )


@pytest.mark.slow
def test_two_hundred_rounds_are_exact_and_leave_the_model_alone(colour_lens, tmp_path):
    model = normed_net()
    calls = []
    model[1].register_forward_hook(lambda *_: calls.append(threading.get_ident()))

    def make(name):
        target = slw.TargetModel(model, ["2", "5"], transform=to_tensor, outputs=["red", "green"])
        return colour_lens(target=target, path=tmp_path / name).run()

    lens, alone = make("together"), make("alone")
    pairs = [("2" if i % 2 else "5", i % 4, i // 4) for i in range(ROUNDS)]
    maps = {pair: alone.heatmap(*pair) for pair in pairs}
    wanted = [alone.relevance(i % 2, samples=[i % 60]) for i in range(120)]
    batch = torch.stack([to_tensor(image) for image in colour_images(8)])
    with torch.no_grad():
        own = model(batch)
    before = all_of(model)
    done, errors = [], []

    def widgets():
        for i, pair in enumerate(pairs):
            found = lens.heatmap(*pair)
            # Another thread rounds the last bit otherwise; a merged batch norm would be far off.
            off = np.abs(found.values.astype(int) - maps[pair].values)
            assert off.max() <= 1, pair
            assert (found.method, found.box) == (maps[pair].method, maps[pair].box)
            at = i % 120
            pd.testing.assert_frame_equal(
                lens.relevance(at % 2, samples=[at % 60]), wanted[at], rtol=1e-5, atol=1e-6
            )
            done.append(i)

    def cells():
        rounds = 0
        while rounds < ROUNDS or widgets_run.is_alive():
            with torch.no_grad():
                assert torch.equal(model(batch), own)
            if rounds < ROUNDS:
                lens.set_label("2", rounds % 4, f"label {rounds}")
            rounds += 1

    def watched(work):
        try:
            work()
        except BaseException as error:  # noqa: BLE001
            errors.append(error)

    widgets_run = threading.Thread(target=watched, args=(widgets,))
    cells_run = threading.Thread(target=watched, args=(cells,))
    widgets_run.start()
    cells_run.start()
    widgets_run.join()
    cells_run.join()
    assert not errors
    assert len(done) == ROUNDS
    assert all_of(model) == before
    labels = slw.open(lens.store.path).neurons["label"].tolist()
    assert labels[:4] == [f"label {ROUNDS - 4 + i}" for i in range(4)]
    assert calls, "the person's own hook still hears"
