"""Every kind of model that can be copied computes the same, and the others are refused."""

from __future__ import annotations

import threading
import warnings

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations, spectral_norm, weight_norm
from torch.utils.checkpoint import checkpoint

from semlens_widgets.attribution.neuron import localise
from semlens_widgets.attribution.output import output_relevance
from semlens_widgets.errors import ModelChanged, ModelError
from tests.unit.shadow_world import Net, all_of, assert_untouched, images, same, state, target


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
