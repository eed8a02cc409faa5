"""Recognition and correlation against scikit-learn and scipy, image by image."""

import numpy as np
import pytest
import torch
from scipy.stats import pearsonr, rankdata
from sklearn.metrics import roc_auc_score
from torch.nn.functional import normalize

from semlens_widgets.labels import evidence as evidence_module
from semlens_widgets.labels import likeness, recognition
from semlens_widgets.labels.correlation import Correlation
from semlens_widgets.labels.evidence import Evidence, HeldEmbeddings
from semlens_widgets.labels.likeness import Likeness, most_similar
from semlens_widgets.labels.recognition import Recognition, average_ranks

S, N, D, T = 120, 5, 8, 6
UNREADABLE = [7, 50]


def unit(*shape: int, seed: int) -> torch.Tensor:
    return normalize(torch.randn(shape, generator=torch.Generator().manual_seed(seed)), dim=-1)


@pytest.fixture
def world():
    """Activations with many ties; one neuron is as active on every image."""
    images, texts = unit(S, D, seed=0), unit(T, D, seed=1)
    images[UNREADABLE] = 0
    values = (
        torch.randn(N, S, generator=torch.Generator().manual_seed(2)).clamp(min=0).mul(3).ceil()
    )
    values[3] = 0.5
    values[:, UNREADABLE] = torch.nan
    return images, texts, values


def evidence(images, values):
    none = torch.full((len(values), 2), -1)
    return Evidence(
        HeldEmbeddings(images),
        none,
        none,
        none.float(),
        distribution=lambda start, stop: values[start:stop],
    )


@pytest.mark.parametrize("chunk", [1 << 24, 1])
@pytest.mark.parametrize("share", [0.01, 0.02, 0.05, 0.2])
def test_recognition_is_the_auroc_for_the_most_similar_images(world, share, chunk, monkeypatch):
    monkeypatch.setattr(recognition, "_AT_ONCE", chunk)
    monkeypatch.setattr(likeness, "_AT_ONCE", chunk)
    images, texts, values = world
    one, best = (
        Recognition(share=share, wider=wider).score(evidence(images, values), texts)
        for wider in (False, True)
    )
    readable = [i for i in range(S) if i not in UNREADABLE]
    count = max(1, round(share * len(readable)))
    for t in range(T):
        similarity = images[readable].double().numpy() @ texts[t].double().numpy()
        order = np.argsort(-similarity, kind="stable")
        for k in range(N):
            expected = []
            for times in (1, 2, 4, 8):
                shows = np.zeros(len(readable), bool)
                shows[order[: times * count]] = True
                expected.append(roc_auc_score(shows, values[k, readable].numpy()))
                if 2 * count * 2 * times >= len(readable):
                    break
            assert one[k, t] == pytest.approx(expected[0], abs=1e-6)
            assert best[k, t] == pytest.approx(max(expected), abs=1e-6)
    assert one[3].tolist() == best[3].tolist() == [0.5] * T  # it tells nothing from anything


@pytest.mark.parametrize("rows", [1 << 14, 7])
def test_correlation_is_pearsons(world, rows, monkeypatch):
    monkeypatch.setattr(evidence_module, "_ROWS_AT_ONCE", rows)
    images, texts, values = world
    found = Correlation().score(evidence(images, values), texts)
    readable = [i for i in range(S) if i not in UNREADABLE]
    for k in (0, 1, 2, 4):
        for t in range(T):
            similarity = images[readable].double().numpy() @ texts[t].double().numpy()
            expected = pearsonr(values[k, readable].double().numpy(), similarity).statistic
            assert found[k, t] == pytest.approx(expected, abs=1e-5)
    assert found[3].isnan().all()  # nothing varies, so nothing varies together


def test_ties_go_to_the_first_image():
    scores = torch.tensor([[0.1, 0.9, 0.5, 0.5, 0.5, 0.2], [0.0] * 6])
    assert most_similar(scores, 3).tolist() == [[1, 2, 3], [0, 1, 2]]
    assert most_similar(scores, 6).tolist()[0] == [1, 2, 3, 4, 5, 0]


def test_a_text_looks_at_the_images_once_whatever_else_is_asked(world, monkeypatch):
    images, texts, _ = world
    held = HeldEmbeddings(images)
    looked = []
    monkeypatch.setattr(held, "blocks", lambda: looked.append(1) or iter([images]))
    known = Likeness(held)
    first = known.most_similar(texts[:4], 5)
    again = known.most_similar(texts[[3, 0, 0, 5]], 5)
    assert again[:3].equal(first[[3, 0, 0]])
    assert known.most_similar(texts[:2], 5).equal(first[:2])
    assert len(looked) == 2  # once more for the new text, once for all others
    assert again[3].equal(Likeness(HeldEmbeddings(images)).most_similar(texts[5:], 5)[0])
    assert known.most_similar(texts, 3).shape == (T, 3)  # another question


def test_what_is_remembered_of_texts_is_bounded_and_forgetting_changes_nothing(world, monkeypatch):
    images, texts, _ = world
    whole = Likeness(HeldEmbeddings(images)).most_similar(texts, 5)
    monkeypatch.setattr(likeness, "_KEPT", 12)
    known = Likeness(HeldEmbeddings(images))
    assert known.most_similar(texts, 5).equal(whole)
    assert known.most_similar(texts.flip(0), 5).equal(whole.flip(0))
    assert len(known._known) == 2


def test_a_text_that_all_images_are_as_like_says_nothing(world):
    _, texts, values = world
    images = texts[:1].repeat(S, 1)
    assert Correlation().score(evidence(images, values), texts).isnan().all()


def test_equal_values_share_their_mean_rank():
    values = torch.tensor([[3.0, 1.0, 3.0, 2.0, 3.0], [0.0, 0.0, 0.0, 0.0, -1.0]])
    assert average_ranks(values).tolist() == [[4, 1, 4, 2, 4], [3.5, 3.5, 3.5, 3.5, 1]]


def test_ranks_are_those_of_scipy():
    values = torch.randn(4, 500, generator=torch.Generator().manual_seed(6))
    values[1].clamp_(min=0)
    values[2] = values[2].round()
    values[3, ::3], values[3, 1::3] = 0.0, -0.0
    assert average_ranks(values).numpy().tolist() == rankdata(values.numpy(), axis=1).tolist()


def test_the_ranks_of_very_many_images_add_up_exactly():
    """To the last bit, and the same for a neuron alone: float32 would round on the way."""
    many = 20_000
    images, texts = unit(many, D, seed=3), unit(4, D, seed=4)
    values = torch.randn(3, many, generator=torch.Generator().manual_seed(5))
    values[1].clamp_(min=0)
    found = Recognition().score(evidence(images, values), texts)
    alone = Recognition().score(evidence(images, values[1:2]), texts[2:])
    assert alone.equal(found[1:2, 2:])
    ranks = rankdata(values.numpy(), axis=1)
    for t in range(4):
        similarity = images.double().numpy() @ texts[t].double().numpy()
        order = np.argsort(-similarity, kind="stable")
        expected = []
        for size in (400, 800, 1600, 3200):
            mean = (ranks[:, order[:size]].sum(1) / size).astype(np.float32)
            expected.append((mean - np.float32((size + 1) / 2)) / np.float32(many - size))
        assert found[:, t].tolist() == np.max(expected, axis=0).tolist()


def test_where_every_image_would_count_nothing_is_known():
    images, values = unit(1, D, seed=0), torch.ones(2, 1)
    found = Recognition().score(evidence(images, values), unit(3, D, seed=1))
    assert found.shape == (2, 3)
    assert found.isnan().all()


def test_chance_is_a_half_whatever_the_text():
    """Planted truth: activations that have nothing to do with the images."""
    images, texts = unit(2_000, D, seed=3) + 0.5, unit(50, D, seed=4)
    values = torch.randn(40, 2_000, generator=torch.Generator().manual_seed(5))
    seen = evidence(normalize(images, dim=1), values)
    found = Recognition(share=0.05, wider=False).score(seen, texts)
    spread = np.sqrt((2_000 + 1) / (12 * 100 * 1_900))  # of an AUROC by chance (Mann and Whitney)
    assert found.mean() == pytest.approx(0.5, abs=0.01)
    assert found.std() == pytest.approx(spread, rel=0.15)
    # The best of four is above it by less than that.
    best = Recognition(share=0.05).score(seen, texts)
    assert (best >= found - 1e-6).all()
    assert 0.5 < best.mean() < 0.5 + spread
