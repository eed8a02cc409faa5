"""The person's model is left alone, and what is computed is that of the model that was given."""

from __future__ import annotations

import pickle
import threading
import warnings
from contextlib import suppress

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations, spectral_norm, weight_norm
from torch.utils.checkpoint import checkpoint

from semlens_widgets.attribution.neuron import localise
from semlens_widgets.attribution.output import output_relevance
from semlens_widgets.errors import ModelChanged, ModelError
from semlens_widgets.inputs.target import TargetModel

SIDE = 10


def images(count=4, seed=0):
    return torch.rand(count, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(seed))


class Net(nn.Module):
    """A batch norm that can be merged, a rectifier in place, a head."""

    def __init__(self, seed=0):
        super().__init__()
        torch.manual_seed(seed)
        self.conv = nn.Conv2d(3, 6, 3)
        self.norm = nn.BatchNorm2d(6)
        self.relu = nn.ReLU(inplace=True)
        self.last = nn.Conv2d(6, 8, 3)
        self.head = nn.Linear(8, 4)
        self.wide = nn.Linear(64, 40)  # large enough to be compared by sums
        self.norm.running_mean.uniform_(-0.2, 0.2)
        self.norm.running_var.uniform_(0.5, 2)

    def forward(self, x):
        x = self.last(self.relu(self.norm(self.conv(x))))
        return self.head(x.relu().mean((2, 3)))


def target(model, layers=("last",), **options):
    return TargetModel(model, list(layers), transform=lambda _: images(1)[0], **options)


def all_of(t, layer="last"):
    """Activations, heatmaps and relevance."""
    return [
        t.units(images())[layer],
        localise(t, images(), layer, [0, 1, 2, 3]),
        output_relevance(t, images())[0][layer],
    ]


def state(model):
    return {
        "modules": [
            (name, module, module.training, dict(vars(module).get("_forward_hooks", {})))
            for name, module in model.named_modules()
        ],
        "pre": [dict(module._forward_pre_hooks) for module in model.modules()],
        "flags": [
            (name, p, p.requires_grad, p.grad, p._version, p.data_ptr())
            for name, p in model.named_parameters()
        ],
        "values": {name: value.clone() for name, value in model.state_dict().items()},
        "own": {name: set(vars(module)) for name, module in model.named_modules()},
    }


def assert_untouched(model, before):
    now = state(model)
    for key in ("modules", "pre", "own"):
        assert now[key] == before[key], key
    for a, b in zip(now["flags"], before["flags"], strict=True):
        assert a[0] == b[0]
        assert a[1] is b[1]
        assert a[2:] == b[2:]
    for name, value in before["values"].items():
        assert torch.equal(now["values"][name], value), name


def same(found, expected):
    for a, b in zip(found, expected, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-6)


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
        made_inside = TargetModel(model, ["last"], transform=lambda _: images(1)[0])
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


def hooked():
    model = Net()
    model.conv.register_forward_hook(lambda _module, _inputs, output: output * 2)
    model.conv.register_forward_pre_hook(lambda _module, inputs: (inputs[0] + 0.1,))
    return model


def replaced():
    model = Net()
    plain = model.forward
    model.forward = lambda x: plain(2 * x) + 1
    return model


class Bound(Net):
    """Hooks itself by methods, and keeps what it saw, with its graph."""

    def __init__(self):
        super().__init__()
        self.kept = []
        self.conv.register_forward_hook(self.keep)
        self.parts = {"last": [self.last]}
        self.lock = threading.Lock()
        self.chance = (i for i in range(3))

    def keep(self, _module, _inputs, output):
        self.kept.append(output)
        self.latest = output
        return output + self.norm.bias[0]

    def forward(self, x):
        with self.lock:
            x = self.relu(self.norm(self.conv(x)))
        (last,) = self.parts["last"]
        return self.head(last(x).relu().mean((2, 3)))


class Silent(Net):
    def train(self, mode=True):  # forgets to return itself
        super().train(mode)
        self.norm.eval()


class Merging(Net):
    """Adds its update to the weight itself when it is evaluated, as LoRA does."""

    def __init__(self):
        super().__init__()
        self.update = nn.Parameter(torch.ones(4, 8))
        self.merged = False

    def train(self, mode=True):
        if mode == self.merged:
            self.head.weight.data += -self.update if mode else self.update
            self.merged = not mode
        return super().train(mode)


class State(Net):
    def get_extra_state(self):
        return {"version": 3, "tensor": torch.ones(2)}

    def set_extra_state(self, _state):
        pass


class Recurrent(Net):
    def __init__(self):
        super().__init__()
        self.rnn = nn.LSTM(8, 8, batch_first=True)

    def forward(self, x):
        x = self.last(self.relu(self.norm(self.conv(x)))).relu().mean((2, 3))
        return self.head(x + self.rnn(x[:, None])[0][:, 0])


class Tied(Net):
    def __init__(self):
        super().__init__()
        self.again = self.last


def inference():
    with torch.inference_mode():
        return Net()


def normed(norm):
    model = Net()
    norm(model.last)
    norm(model.head)
    return model


def used(model):
    """As after a training step: tensors with graphs lie about."""
    model.train()(images(seed=3)).sum().backward()
    return model


KINDS = {
    "hooks": hooked,
    "forward replaced": replaced,
    "bound hooks, containers, locks, generators": Bound,
    "used before": lambda: used(Bound()),
    "train returns nothing": Silent,
    "extra state": State,
    "recurrent": Recurrent,
    "alias": Tied,
    "weight norm": lambda: used(normed(weight_norm)),
    "weight norm by parametrization": lambda: normed(parametrizations.weight_norm),
    "spectral norm": lambda: used(normed(spectral_norm)),
    "orthogonal": lambda: normed(parametrizations.orthogonal),
    "made in inference mode": inference,
    "channels last": lambda: Net().to(memory_format=torch.channels_last),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.filterwarnings("ignore:.*weight_norm.*is deprecated:FutureWarning")
def test_the_shadow_computes_what_the_model_computes(kind):
    model = KINDS[kind]()
    before = (
        {
            name: value.clone()
            for name, value in model.state_dict().items()
            if torch.is_tensor(value)
        },
        [module.training for module in model.modules()],
        len(getattr(model, "kept", [])),
    )
    t = target(model)
    units, maps, relevance = all_of(t)
    assert [module.training for module in model.modules()] == before[1]
    assert len(getattr(model, "kept", [])) == before[2]
    for name, value in before[0].items():
        assert torch.equal(model.state_dict()[name], value), name
    model.eval()
    seen = []
    model.last.register_forward_hook(lambda _m, _i, output: seen.append(output.detach()))
    with torch.no_grad():
        logits = model(images())
    torch.testing.assert_close(units, seen[0].mean((2, 3)), rtol=1e-5, atol=1e-6)
    if kind not in {"recurrent", "forward replaced"}:  # a mean and a dense layer behind the last
        chosen = logits.argmax(1)
        expected = seen[0].relu().mean((2, 3)) * model.head.weight[chosen]
        torch.testing.assert_close(relevance, expected.detach(), rtol=1e-3, atol=1e-4)
    assert maps.isfinite().all()


def test_what_is_merged_in_evaluation_mode_is_merged_in_the_shadow_alone():
    model = Merging()
    before = state(model)
    found = all_of(target(model))
    assert_untouched(model, before)
    assert not model.merged
    model.eval()
    same(found, all_of(target(model)))


@pytest.mark.parametrize("wrap", [nn.DataParallel, torch.compile])
def test_wrappers_pass_on(wrap):
    model = Net().eval()
    wrapped = wrap(model)
    name = next(n for n, m in wrapped.named_modules() if m is model.last)
    same(all_of(target(wrapped, [name]), name), all_of(target(model)))
    assert not any(module.training for module in model.modules())


def test_an_alias_is_a_name_and_two_names_of_one_module_are_not():
    model = Tied().eval()
    same(all_of(target(model, ["again"]), "again"), all_of(target(model)))
    with pytest.raises(ValueError, match="'last' and 'again', which are the same module"):
        target(model, ["last", "again"])


def test_encoders_are_left_alone_as_well():
    sae = nn.Sequential(nn.Linear(8, 5), nn.Dropout(0.5), nn.ReLU()).train()
    model = Net()
    t = target(model, units={"last": sae})
    found = t.units(images())["last"]
    assert sae.training
    assert torch.equal(t.units(images())["last"], found)
    sae[0].weight.data.zero_()
    with pytest.raises(ModelChanged, match="encoder of layer 'last'"):
        t.units(images())


# -- what cannot be looked into ------------------------------------------------------------------


class Lazy(nn.Module):
    def __init__(self):
        super().__init__()
        self.last = nn.LazyConv2d(4, 3)


def meta():
    with torch.device("meta"):
        return Net()


def scripted():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return torch.jit.script(Net().eval())


def traced():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return torch.jit.trace(Net().eval(), images(1))


def partly_scripted():
    model = Net()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.head = torch.jit.script(model.head)
    return model


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (scripted, "The model is TorchScript"),
        (traced, "The model is TorchScript"),
        (partly_scripted, "Module 'head' is TorchScript"),
        (Lazy, "Module 'last' is lazy"),
        (meta, "Module 'conv' lies on the meta device"),
    ],
)
def test_models_without_an_inside_are_refused_at_once(make, words):
    with pytest.raises(ModelError, match=words):
        target(make())


class Global(Net):
    def forward(self, x):
        return LIVE[0].conv(x)  # as code in a notebook may refer to the model by its name


LIVE: list[nn.Module] = []


def test_a_forward_that_reaches_the_original_is_refused():
    LIVE[:] = [Global()]
    with pytest.raises(ModelError, match=r"reaches 'conv\.weight' by another way"):
        target(LIVE[0], ["conv"]).units(images())


# -- gradient checkpointing ----------------------------------------------------------------------


class Checkpointed(Net):
    reentrant = False

    def forward(self, x):
        x = checkpoint(
            lambda y: self.relu(self.norm(self.conv(y))), x, use_reentrant=self.reentrant
        )
        return self.head(self.last(x).relu().mean((2, 3)))


class Optional(Net):
    """As models of timm have it."""

    def __init__(self):
        super().__init__()
        self.grad_checkpointing = True

    def forward(self, x):
        if not self.grad_checkpointing:
            return super().forward(x)
        return checkpoint(super().forward, x, use_reentrant=False)


@pytest.mark.parametrize("reentrant", [False, True])
@pytest.mark.filterwarnings("ignore:None of the inputs have requires_grad:UserWarning")
def test_checkpointing_is_refused_where_relevance_is_asked_for(reentrant):
    model = Checkpointed().eval()
    model.reentrant = reentrant
    t = target(model)
    torch.testing.assert_close(t.units(images()), target(Net().eval()).units(images()))
    with pytest.raises(ModelError, match="gradient checkpointing"):
        localise(t, images(), "last", [0] * 4)
    with pytest.raises(ModelError, match="gradient checkpointing"):
        output_relevance(t, images())


def test_known_checkpointing_is_switched_off_in_the_shadow():
    model = Optional().eval()
    same(all_of(target(model)), all_of(target(Net().eval())))
    assert model.grad_checkpointing


# -- sending and sharing -------------------------------------------------------------------------


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
