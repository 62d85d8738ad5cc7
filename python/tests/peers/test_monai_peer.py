"""MONAI's `OcclusionSensitivity` and ours on the same networks, in one test: its own cases, and boxes, modes and types beyond them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from monai.data import MetaTensor
from monai.networks.nets import DenseNet, DenseNet121
from monai.visualize import OcclusionSensitivity as Theirs
from peer_vectors import assert_close
from torch import nn

from occlude.monai import OcclusionSensitivity


@pytest.fixture(scope="module")
def flat():
    torch.manual_seed(0)
    return DenseNet(spatial_dims=2, in_channels=1, out_channels=4, init_features=8, growth_rate=4, block_config=(2, 3))


@pytest.fixture(scope="module")
def two_channels():
    torch.manual_seed(1)
    return DenseNet(spatial_dims=2, in_channels=2, out_channels=4, init_features=8, growth_rate=4, block_config=(2, 3))


@pytest.fixture(scope="module")
def solid():
    torch.manual_seed(2)
    return DenseNet(spatial_dims=3, in_channels=1, out_channels=3, init_features=2, growth_rate=2, block_config=(6,))


def image(*shape):
    return torch.rand(1, *shape, generator=torch.Generator().manual_seed(3))


def compared(net, x, b_box=None, kwargs=None, **keywords):
    """Runs both, compares them, and gives ours."""
    kwargs = kwargs or {}
    theirs = Theirs(net, verbose=False, **keywords)(x, b_box, **kwargs)
    ours = OcclusionSensitivity(net, verbose=False, **keywords)
    found = ours(x, b_box, **kwargs)
    for a, b in zip(found, theirs, strict=True):
        assert type(a) is type(b) and a.dtype == b.dtype and a.device == b.device and a.shape == b.shape
    assert_close(found[0], theirs[0])
    # The most probable class, but where two classes are as probable.
    best = theirs[0].sort(dim=1).values
    clear = (best[:, -1:] - best[:, -2:-1] > 1e-5) if best.shape[1] > 1 else torch.ones_like(best, dtype=torch.bool)
    assert (found[1] == theirs[1])[clear].all()
    return found, ours


@pytest.mark.parametrize("mode", ["gaussian", "mean_img", 0.3])
@pytest.mark.parametrize("b_box", [None, [2, 40, 1, 62]])
def test_its_cases_in_2d(flat, mode, b_box, way):
    (found, most_probable), ours = compared(flat, image(1, 48, 64), b_box, mode=mode)
    size = (48, 64) if b_box is None else (38, 61)
    assert found.shape == (1, 4, *size) and most_probable.shape == (1, 1, *size)
    assert (ours.why_not is None) == (way == "incremental")


@pytest.mark.parametrize(
    ("mask", "shape", "b_box"),
    [((16, 13, 14), (64, 32, 16), [2, 43, -1, -1, -1, -1]), (16, (6, 7, 8), [1, 3, -1, -1, -1, -1])],
)
def test_its_cases_in_3d(solid, mask, shape, b_box, way):
    _, ours = compared(solid, image(1, *shape), b_box, mask_size=mask)
    assert (ours.why_not is None) == (way == "incremental")


def test_the_network_of_its_cases(way):
    torch.manual_seed(0)
    _, ours = compared(DenseNet121(spatial_dims=2, in_channels=1, out_channels=4), image(1, 48, 64), [2, 40, 1, 62])
    assert (ours.why_not is None) == (way == "incremental")


def test_its_case_of_two_channels(two_channels, way):
    compared(two_channels, image(2, 48, 64))
    compared(two_channels, image(2, 48, 64), mode="mean_img", overlap=0.25)


class Scaled(nn.Module):
    """A network with an argument that is not its image, as MONAI's case with an adjoint."""

    def __init__(self, net):
        super().__init__()
        self.net = net

    def forward(self, x, scale=None):
        return self.net(x) if scale is None else self.net(x) * scale


def test_its_case_of_further_arguments(flat, way):
    _, ours = compared(Scaled(flat), image(1, 48, 64), kwargs={"scale": 2.0})
    assert ours.why_not == "further arguments of the module"
    _, ours = compared(Scaled(flat), image(1, 48, 64))
    assert (ours.why_not is None) == (way == "incremental")


def test_its_refusals(flat):
    for sensitivity in (Theirs, OcclusionSensitivity):
        with pytest.raises(ValueError):
            sensitivity(flat, mask_size=200, verbose=False)(image(1, 48, 64))
        with pytest.raises(ValueError):
            sensitivity(flat, verbose=False)(torch.rand(2, 1, 48, 64))
        with pytest.raises(NotImplementedError):
            sensitivity(flat, mode="test")
        with pytest.raises(ValueError):
            sensitivity(flat, mask_size=(4, 4, 4), verbose=False)(image(1, 48, 64))
        with pytest.raises(ValueError):
            sensitivity(flat, overlap=1.0, verbose=False)(image(1, 48, 64))


@pytest.mark.parametrize("activate", [True, False, lambda v: v.softmax(1)], ids=["True", "False", "function"])
@pytest.mark.parametrize("mode", ["gaussian", 0.0])
def test_activations(flat, activate, mode, way):
    compared(flat, image(1, 48, 64), [5, 30, -1, -1], activate=activate, mode=mode, mask_size=(8, 13), overlap=0.3)


@pytest.mark.parametrize("b_box", [[0, 5, 60, 64], [0, 1, 20, 30], [40, 48, 0, 3], [-1, -1, 0, 64]], ids=str)
@pytest.mark.parametrize("mode", ["gaussian", 0.5])
def test_small_boxes(flat, b_box, mode, way):
    compared(flat, image(1, 48, 64), b_box, mode=mode)


def test_classes_that_are_few_or_one(way):
    torch.manual_seed(4)
    for channels in (1, 2):
        net = nn.Sequential(nn.Conv2d(channels, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 1))
        compared(net, image(channels, 12, 14), mask_size=4)


def test_the_mode_of_the_module_is_left(flat, way):
    for training in (True, False):
        flat.train(training)
        compared(flat, image(1, 48, 64))
        assert all(part.training == training for part in flat.modules())


def test_tensors_with_meta_data_and_of_other_types(flat, way):
    found, _ = compared(flat, MetaTensor(image(1, 48, 64)))
    assert isinstance(found[0], MetaTensor)
    import copy

    x = image(1, 48, 64).double()
    compared(copy.deepcopy(flat).double(), x)


def test_mean_patch_does_what_monai_documents(flat):
    """The defect of v041: MONAI multiplies the patch by its mean."""
    x = image(1, 16, 16)
    net = nn.Sequential(nn.Flatten(), nn.Linear(256, 2))
    keywords = {"mask_size": 8, "overlap": 0.0, "activate": False, "mode": "mean_patch", "verbose": False}
    with pytest.warns(UserWarning, match="multiplies the patch"):
        found, _ = OcclusionSensitivity(net, **keywords)(x)
    for r in (0, 8):
        for c in (0, 8):
            for factor, sensitivity in ((0, found), (1, Theirs(net, **keywords)(x)[0])):
                hidden = x.clone()
                patch = hidden[..., r : r + 8, c : c + 8]
                mean = patch.mean()
                patch.mul_(mean) if factor else patch.fill_(mean)
                expected = net(hidden).detach().reshape(1, 2, 1, 1).expand(1, 2, 8, 8)
                assert_close(np.asarray(sensitivity[..., r : r + 8, c : c + 8].detach()), expected)
