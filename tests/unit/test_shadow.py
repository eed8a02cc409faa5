"""The person's model is left alone, and what is computed is that of the model that was given."""

from __future__ import annotations

import pickle
import threading
from contextlib import suppress

import pytest
import torch
from torch import nn

from semlens_widgets.attribution.neuron import localise
from semlens_widgets.attribution.output import output_relevance
from semlens_widgets.errors import ModelChanged
from semlens_widgets.inputs.target import TargetModel
from tests.unit.shadow_world import Net, all_of, assert_untouched, images, same, state, target


@pytest.mark.parametrize("training", [False, True])
def test_nothing_of_the_model_is_touched(training):
    model = Net().train(training)
    model.last.weight.requires_grad_(False)
    before = state(model)
    t = target(model, ["conv", "last"])
    found = all_of(t)
    assert_untouched(model, before)
    same(found, all_of(target(Net().eval())))


def test_nothing_is_touched_by_an_interrupt_and_the_next_call_is_right():
    class Interrupted(Net):
        after = None

        def forward(self, x):
            if Interrupted.after is not None:
                Interrupted.after -= 1
                if Interrupted.after < 0:
                    raise KeyboardInterrupt
            return super().forward(x)

    model = Interrupted()
    expected = all_of(target(Net().eval()))
    for after in range(8):  # in each of the passes that a heatmap or a relevance takes
        before = state(model)
        t = target(model)
        Interrupted.after = after
        with suppress(KeyboardInterrupt):
            localise(t, images(), "last", [0] * 4)
        with suppress(KeyboardInterrupt):
            output_relevance(t, images())
        Interrupted.after = None
        assert_untouched(model, before)
        same(all_of(t), expected)


def test_merging_writes_to_no_weight_that_is_shared():
    model = Net().eval()
    t = target(model)
    before = state(model)
    with t.shadow() as shadow:
        assert shadow.conv.weight.data_ptr() == model.conv.weight.data_ptr()
        assert not shadow.conv.weight.requires_grad
        assert shadow.norm.running_mean.data_ptr() != model.norm.running_mean.data_ptr()
    localise(t, images(), "last", [0] * 4)
    with t.shadow() as shadow:  # the merge is undone
        assert shadow.conv.weight.data_ptr() == model.conv.weight.data_ptr()
        assert not any(m._forward_hooks or "forward" in vars(m) for m in shadow.modules())
    assert_untouched(model, before)


def edit_head(model):
    with torch.no_grad():
        model.head.bias.add_(1)


EDITS = {
    "in place": edit_head,
    "behind the version": lambda m: m.head.weight.data.mul_(2),
    "one channel": lambda m: m.last.weight.data[3].zero_(),
    "as numpy": lambda m: m.head.weight.detach().numpy().__setitem__(0, 7),
    "other tensor": lambda m: setattr(m.head.weight, "data", torch.zeros(4, 8)),
    "other parameter": lambda m: setattr(m.head, "weight", nn.Parameter(torch.zeros(4, 8))),
    "optimiser": lambda m: (
        m(images()).sum().backward(),
        torch.optim.SGD(m.parameters(), 0.1).step(),
    ),
    "loaded": lambda m: m.load_state_dict(Net(seed=1).state_dict()),
    "statistics": lambda m: m.train()(images()),
    "module": lambda m: setattr(m, "head", nn.Linear(8, 4)),
    "added": lambda m: m.add_module("more", nn.Linear(1, 1)),
    "half": lambda m: m.half(),
    "swapped rows": lambda m: m.head.weight.data.copy_(m.head.weight.data.flip(0)),
    "swapped columns": lambda m: swap(m.wide.weight.data, 1),
    "swapped nearby values": lambda m: swap(m.wide.weight.data.view(-1, 8), 1),
}


def swap(values, axis):
    """Let two rows or columns change places, the first and the third."""
    order = torch.arange(values.shape[axis])
    order[:3] = torch.tensor([2, 1, 0])
    values.copy_(values.index_select(axis, order))


@pytest.mark.parametrize("edit", EDITS)
def test_a_changed_model_is_refused_everywhere(edit):
    model = Net().eval()
    t = target(model)
    all_of(t)
    EDITS[edit](model)
    for call in (
        lambda: t.units(images()),
        lambda: t.output(images(), "last"),
        lambda: localise(t, images(), "last", [0] * 4),
        lambda: output_relevance(t, images()),
        lambda: pickle.dumps(t.shadow),
    ):
        with pytest.raises(ModelChanged, match="was changed after the TargetModel was made"):
            call()


@pytest.mark.parametrize(
    "mode",
    [
        torch.no_grad,
        torch.inference_mode,
        lambda: torch.autocast("cpu", torch.bfloat16),
    ],
)
def test_the_mode_that_the_caller_is_in_changes_nothing(mode):
    model = Net().eval()
    expected = all_of(target(model))
    before = state(model)
    with mode():
        made_inside = target(model)
        found = all_of(made_inside)
    assert_untouched(model, before)
    for one, other in zip(found, expected, strict=True):
        assert one.dtype == torch.float32
        assert torch.equal(one, other)


def test_what_is_changed_is_named_and_can_be_undone():
    model = Net().eval()
    t = target(model)
    expected = t.units(images())["last"]
    model.conv.weight.data.mul_(2)
    model.norm.bias.data.add_(1)
    with pytest.raises(ModelChanged, match=r"'conv\.weight' and 1 more"):
        t.units(images())
    model.conv.weight.data.div_(2)
    model.norm.bias.data.sub_(1)
    assert torch.equal(t.units(images())["last"], expected)


def test_an_edit_during_the_computation_is_noticed():
    class Edited(Net):
        now = None

        def forward(self, x):
            if Edited.now is not None:
                Edited.now.data.mul_(2)
            return super().forward(x)

    model = Edited().eval()
    t = target(model)
    t.units(images())
    Edited.now = model.head.weight
    with pytest.raises(ModelChanged, match=r"'head\.weight'"):
        t.units(images())
    Edited.now = None


def test_what_does_not_matter_is_not_refused():
    model = Net().eval()
    t = target(model)
    expected = all_of(t)
    for module in model.modules():
        module.training = True
    model.load_state_dict(model.state_dict())  # the same values
    for parameter in model.parameters():
        parameter.requires_grad_(False)
    model.conv.register_forward_hook(lambda *_: torch.zeros(()))
    model.norm.eps = 100.0
    same(all_of(t), expected)


# -- models of many kinds: the shadow computes what the model computes in evaluation mode ----------


def test_a_target_can_be_sent_to_another_process():
    t = TargetModel(Net(), ["last"], transform=torch.as_tensor)
    expected = t.units(images())["last"]
    again = pickle.loads(pickle.dumps(t))  # noqa: S301
    assert torch.equal(again.units(images())["last"], expected)
    assert again.model.training
    assert t.model.training


def in_threads(*works, rounds=200):
    """Do each of several things again and again, all at once; return what went wrong."""
    errors = []

    def run(work):
        try:
            for _ in range(rounds):
                work()
        except BaseException as error:  # noqa: BLE001 - private ones are what is looked for
            errors.append(error)

    threads = [threading.Thread(target=run, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return errors


def test_threads_on_one_target_and_the_model_itself_do_not_meet():
    """Heatmaps and relevance, activations, and a person's own passes: all exact, 200 rounds."""
    model = Net().train()
    model.norm.eval()
    model.conv.register_forward_hook(lambda _module, _inputs, output: output * 2)
    t = target(model, ["conv", "last"])
    with torch.no_grad():
        own = model(images())
    looked, collected = all_of(t), t.units(images())["conv"]
    before = state(model)

    def look():
        assert all(map(torch.equal, all_of(t), looked))

    def collect():
        assert torch.equal(t.units(images())["conv"], collected)

    def use():
        with torch.no_grad():
            assert torch.equal(model(images()), own)

    assert not in_threads(look, collect, use)
    assert_untouched(model, before)
