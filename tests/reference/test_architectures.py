"""Every kind of model goes the whole way: layers suggested, collected, localised, cropped."""

import numpy as np
import pytest
import timm
import torch
from open_clip.modified_resnet import ModifiedResNet
from open_clip.transformer import VisionTransformer as ClipTransformer
from PIL import Image
from torch import nn
from torchvision import models
from torchvision.models.convnext import ConvNeXt
from torchvision.models.swin_transformer import SwinTransformer
from torchvision.transforms import v2
from zennit.composites import EpsilonGammaBox, EpsilonPlusFlat
from zennit.torchvision import ResNetCanonizer

import semlens_widgets as slw
from semlens_widgets.attribution.neuron import localise, localise_shares, method_of, method_said
from semlens_widgets.pipeline.collect import collect
from semlens_widgets.pipeline.crops import embed_crops
from semlens_widgets.pipeline.examples import select_examples
from semlens_widgets.pipeline.heatmaps import write_heatmaps
from semlens_widgets.store.store import AnalysisStore, read_heatmaps

IMAGES, EXAMPLES = 5, 2
GATES, NORMS = "; gates take no relevance", "; norms over one image pass relevance on"


def mlp():
    parts = [nn.Flatten(), nn.Linear(3 * 16 * 16, 24), nn.ReLU(), nn.Dropout()]
    return nn.Sequential(*parts, nn.Linear(24, 12), nn.GELU(), nn.Linear(12, 4))


def clip_transformer():
    return ClipTransformer(32, 8, 48, 6, 2, 2.0, output_dim=16)


def timm_vit():
    return timm.create_model("vit_base_patch16_224", img_size=64, embed_dim=48, num_heads=2)


def torchvision_vit():
    return models.VisionTransformer(64, 16, 12, 2, 48, 96, num_classes=5)


STAGES = ["layer1", "layer2", "layer3", "layer4"]
FEATURES = ["features.1", "features.3", "features.5", "features.7"]
BLOCKS = (2, 5, 8, 11)
# name: model, side of its images, suggested layers, axis of channels, method
KINDS = {
    "ResNet-18": (models.resnet18, 64, STAGES, 1, "CRP EpsilonPlusFlat"),
    "ResNet-50": (models.resnet50, 64, STAGES, 1, "CRP EpsilonPlusFlat"),
    "VGG-16-BN": (
        lambda: models.vgg16_bn(num_classes=3),
        32,
        [f"features.{i}" for i in (5, 12, 22, 32, 42)],
        1,
        "CRP EpsilonPlusFlat",
    ),
    "EfficientNet-B0": (
        models.efficientnet_b0,
        64,
        [f"features.{i}" for i in (1, 2, 3, 5, 8)],
        1,
        "CRP EpsilonPlusFlat" + GATES,
    ),
    "MobileNetV3": (
        models.mobilenet_v3_small,
        64,
        [f"features.{i}" for i in (0, 1, 3, 8, 12)],
        1,
        "CRP EpsilonPlusFlat" + GATES,
    ),
    "ConvNeXt-Tiny": (models.convnext_tiny, 64, FEATURES, 1, "CRP EpsilonPlusFlat" + NORMS),
    "Swin-T": (models.swin_t, 64, FEATURES, 3, "activation map"),
    "ViT (torchvision)": (
        torchvision_vit,
        64,
        [f"encoder.layers.encoder_layer_{i}" for i in BLOCKS],
        2,
        "token map",
    ),
    "ViT (timm)": (timm_vit, 64, [f"blocks.{i}" for i in BLOCKS], 2, "token map"),
    "MLP": (mlp, 16, ["2", "5"], 1, "CRP EpsilonPlusFlat"),
    "ModifiedResNet (open_clip)": (
        lambda: ModifiedResNet([1, 1, 1, 1], 16, 4, image_size=64, width=8),
        64,
        STAGES,
        1,
        "CRP EpsilonPlusFlat",
    ),
    "ViT (open_clip)": (
        clip_transformer,
        32,
        [f"transformer.resblocks.{i}" for i in (0, 2, 3, 5)],
        2,
        "token map",
    ),
}


def settled(model, side):
    """Give batch norms the statistics of some images."""
    norms = [module for module in model.modules() if isinstance(module, nn.BatchNorm2d)]
    for norm in norms:
        norm.momentum = None
    if norms:
        model.train()
        with torch.no_grad():
            model(torch.rand(8, 3, side, side, generator=torch.Generator().manual_seed(1)))
    return model.eval()


class Colours:
    """Stands in for a foundation model: an embedding is the mean colour."""

    name, dim = "colours", 3

    def transform(self, image):
        return v2.functional.to_dtype(v2.functional.to_image(image.resize((8, 8))), scale=True)

    def encode_images(self, images):
        return nn.functional.normalize(images.mean((2, 3)), dim=1)


@pytest.fixture(params=KINDS)
def kind(request):
    make, side, layers, axis, method = KINDS[request.param]
    torch.manual_seed(0)
    return settled(make(), side), side, layers, axis, method


@pytest.mark.filterwarnings("ignore:.*crops are all that the model sees")
def test_from_suggested_layers_to_crops(kind, tmp_path):
    model, side, layers, axis, method = kind
    assert slw.TargetModel.suggest_layers(model) == layers
    rng = np.random.default_rng(0)
    pictures = [
        Image.fromarray(rng.integers(0, 256, (2 * side, 2 * side, 3), np.uint8))
        for _ in range(IMAGES)
    ]
    images = slw.ImageDataset.from_list(pictures)
    transform = v2.Compose([v2.Resize(side), v2.ToImage(), v2.ToDtype(torch.float32, scale=True)])
    target = slw.TargetModel(model, layers, transform=transform, poles="positive")

    store = AnalysisStore(tmp_path)
    store.finish("collect", **collect(store, target, images, batch_size=3))
    widths = store.stages["collect"]["layers"]
    assert list(widths) == layers
    for layer in layers:
        output = target.output(torch.stack([transform(p) for p in pictures]), layer)
        assert target.channel_axis(layer) == axis
        assert widths[layer] == output.shape[axis]
        expected = output.movedim(axis, 1).flatten(2).mean(2) if output.ndim > 2 else output
        units = target.units(torch.stack([transform(p) for p in pictures]))[layer]
        torch.testing.assert_close(units, expected)

    store.finish("examples", **select_examples(store, EXAMPLES))
    last = sum(widths.values()) - widths[layers[-1]]
    rows = [last, last + 1, last + 2]
    examples = store.read("examples", ["row", "sample"]).to_pylist()
    write_heatmaps(store, target, images, [(e["row"], e["sample"]) for e in examples
                                           if e["row"] in rows])  # fmt: skip
    found = read_heatmaps(store.rows("heatmaps", list(range(len(rows) * EXAMPLES))))
    for heatmap in found:
        found_any = bool(heatmap.values.any())
        assert heatmap.method == method_said(method, found=found_any, arrived=heatmap.arrived)
    assert any(heatmap.values.max() > 0 for heatmap in found)
    assert all(0 <= h.box[0] < h.box[2] <= 1 and 0 <= h.box[1] < h.box[3] <= 1 for h in found)

    missing = [e for e in examples if e["row"] not in rows]
    store.write("examples", store.read("examples").filter([e not in missing for e in examples]))
    embed_crops(store, Colours(), images, "crops")
    lengths = np.linalg.norm(store.matrix("crops", "embedding").astype(float), axis=1)
    np.testing.assert_allclose(lengths, 1, atol=0.01)


def test_relevance_arrives_at_the_pixels_or_the_map_says_how_much(kind):
    """At every suggested layer; where the rules cannot lose or gain any, all of it."""
    model, side, layers, _, method = kind
    if not method.startswith("CRP"):
        pytest.skip("no relevance is propagated")
    images = torch.rand(4, 3, side, side, generator=torch.Generator().manual_seed(2))
    target = slw.TargetModel(model, layers, transform=lambda _: images[0], poles="positive")
    for layer in layers:
        output = target.output(images, layer)
        strength = output.flatten(2).sum(2) if output.ndim > 2 else output
        neurons = strength.argmax(1)
        relevance, arrived = localise_shares(target, images, layer, neurons.tolist())
        assert relevance.isfinite().all()
        assert (relevance.amax((1, 2)) > 0).all()
        kept = relevance.sum((1, 2)) / strength[torch.arange(4), neurons]
        torch.testing.assert_close(arrived, kept, rtol=1e-3, atol=1e-4)
        if NORMS in method:  # no bias takes a share there
            torch.testing.assert_close(kept, torch.ones(4), rtol=0, atol=0.05)
        if isinstance(model, models.VGG):  # nor is any sum or negative value to gain from
            assert ((kept > 0.5) & (kept < 1.01)).all(), layer
        for share in kept.tolist():
            said = method_said(method, found=True, arrived=share)
            assert said.endswith("the starting relevance arrived") == (not 0.5 <= share <= 1.5)


def test_inner_layers_with_channels_last_are_told_by_the_operations():
    model = ConvNeXt(
        [models.convnext.CNBlockConfig(8, None, 2)], stochastic_depth_prob=0, num_classes=8
    ).eval()
    images = torch.rand(2, 3, 32, 32)  # a map of 8 × 8 positions with 8 channels: any axis fits
    layers = ["features.1.0.block.0", "features.1.0.block.3", "features.1.0", "features.1"]
    target = slw.TargetModel(model, layers, transform=lambda _: images[0], poles="positive")
    assert target.output(images, layers[0]).shape == (2, 8, 8, 8)
    assert [target.channel_axis(layer) for layer in layers] == [1, 3, 1, 1]
    dense = target.output(images, layers[1])  # (2, 8, 8, 32)
    torch.testing.assert_close(target.units(images)[layers[1]], dense.mean((1, 2)))
    maps = localise(target, images, layers[1], [3, 31])
    assert maps.shape == (2, 32, 32)
    assert maps.flatten(1).any(1).all()


def test_swin_pools_over_positions_even_where_all_axes_are_equal():
    model = SwinTransformer([4, 4], 8, [2], [2], [8, 8], num_classes=3).eval()
    images = torch.rand(2, 3, 32, 32)
    target = slw.TargetModel(model, ["features.1"], transform=lambda _: images[0], poles="positive")
    output = target.output(images, "features.1")
    assert output.shape == (2, 8, 8, 8)
    torch.testing.assert_close(target.units(images)["features.1"], output.mean((1, 2)))
    expected = nn.functional.interpolate(
        output[..., 5][:, None], (32, 32), mode="bilinear", align_corners=False
    )[:, 0]
    torch.testing.assert_close(localise(target, images, "features.1", [5, 5]), expected)


class Shuffled(nn.Module):
    """Mixes its axes beyond recognition."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 6, 2, 2)
        self.block = nn.Identity()

    def forward(self, x):
        x = self.conv(x)
        return self.block(x.transpose(1, 2).reshape(x.shape))


def test_channels_are_followed_through_a_shuffle():
    images = torch.rand(2, 3, 64, 64)
    model = models.shufflenet_v2_x0_5(num_classes=5)
    target = slw.TargetModel(model, ["stage2"], transform=lambda _: images[0], poles="positive")
    with torch.no_grad():
        expected = model.eval().stage2(model.maxpool(model.conv1(images))).mean((2, 3))
    assert target.channel_axis("stage2") == 1
    assert torch.allclose(target.units(images)["stage2"], expected, atol=1e-5)


def test_unclear_channels_are_asked_for_and_can_be_declared():
    images = torch.rand(2, 3, 8, 8)
    unclear = slw.TargetModel(
        Shuffled(), ["block"], transform=lambda _: images[0], poles="positive"
    )
    with pytest.raises(ValueError, match=r"'block'.*channels=\{'block': \"first\"\}"):
        unclear.units(images)
    for place, positions in (("first", (2, 3)), ("last", (1, 2))):
        for channels in (place, {"block": place}):
            target = slw.TargetModel(
                Shuffled(),
                ["block"],
                transform=lambda _: images[0],
                channels=channels,
                poles="positive",
            )
            output = target.output(images, "block")
            torch.testing.assert_close(target.units(images)["block"], output.mean(positions))
    with pytest.raises(ValueError, match="channels='middle'"):
        slw.TargetModel(Shuffled(), ["block"], transform=len, channels="middle", poles="positive")
    with pytest.raises(ValueError, match="channels names 'conv'"):
        slw.TargetModel(
            Shuffled(), ["block"], transform=len, channels={"conv": "last"}, poles="positive"
        )


def test_suggestions_leave_the_model_alone_and_need_an_image_that_it_takes():
    model = models.resnet18().train()
    before = {key: value.clone() for key, value in model.state_dict().items()}
    slw.TargetModel.suggest_layers(model)
    assert model.training
    assert all(module.training for module in model.modules())
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())
    assert not any(module._forward_hooks for module in model.modules())
    odd = nn.Sequential(nn.Conv2d(5, 4, 3), nn.ReLU(), nn.Conv2d(4, 4, 3, 2), nn.ReLU())
    with pytest.raises(ValueError, match=r"Pass one that it takes: suggest_layers\(model, image\)"):
        slw.TargetModel.suggest_layers(odd)
    assert slw.TargetModel.suggest_layers(odd, torch.zeros(1, 5, 20, 20)) == ["1", "3"]


def test_a_composite_of_the_user_replaces_the_rules():
    model = settled(models.resnet18(), 32)
    images = torch.rand(3, 3, 32, 32, generator=torch.Generator().manual_seed(0))

    def maps(composite):
        target = slw.TargetModel(
            model, ["layer3"], transform=lambda _: images[0], composite=composite
        )
        return localise(target, images, "layer3", [1, 2, 3]), method_of(target, "layer3")

    own, method = maps(None)
    same, given = maps(EpsilonPlusFlat([ResNetCanonizer()]))
    torch.testing.assert_close(own, same, rtol=1e-3, atol=1e-4 * float(same.abs().max()))
    assert (method, given) == ("CRP EpsilonPlusFlat", "CRP EpsilonPlusFlat, as given")
    other, name = maps(EpsilonGammaBox(-3.0, 3.0, canonizers=[ResNetCanonizer()]))
    assert name == "CRP EpsilonGammaBox, as given"
    assert not torch.allclose(own, other, rtol=1e-2)
