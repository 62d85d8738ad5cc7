"""Tensors of other libraries, by stand-ins for their protocols (the libraries themselves are in `make peers`)."""

from __future__ import annotations

import sys
import types

import numpy as np
import pytest

import occlude
from occlude._arrays import to_float32, to_numpy


class DLPack:
    """Anything that speaks DLPack and nothing else."""

    def __init__(self, array):
        self.array = array

    def __dlpack__(self, **keywords):
        return self.array.__dlpack__(**keywords)

    def __dlpack_device__(self):
        return self.array.__dlpack_device__()


def module_of_tensors(name):
    """A library with a tensor that is no NumPy array: values are reached as torch's are."""
    library = types.ModuleType(name)

    class Tensor:
        def __init__(self, array, device="cpu", dtype="float32", tracked=False):
            self.array, self.device, self.dtype, self.tracked = array, device, dtype, tracked

        shape = property(lambda self: self.array.shape)

        def detach(self):
            return Tensor(self.array, self.device, self.dtype)

        def cpu(self):
            return Tensor(self.array, "cpu", self.dtype, self.tracked)

        def numpy(self):
            if self.tracked or self.device != "cpu":
                raise TypeError("detach it, and bring it to the cpu")
            return self.array

        def to(self, device, dtype):
            return Tensor(self.array, device, dtype)

        def __len__(self):
            return len(self.array)

    class NoGrad:
        entered = 0

        def __enter__(self):
            NoGrad.entered += 1

        def __exit__(self, *_):
            return False

    Tensor.__module__ = name
    library.Tensor, library.no_grad, library.from_numpy = Tensor, NoGrad, Tensor
    library.nn = types.SimpleNamespace(Module=type("Module", (), {}))
    return library


@pytest.fixture
def torch(monkeypatch):
    """A stand-in for torch."""
    library = module_of_tensors("torch")
    monkeypatch.setitem(sys.modules, "torch", library)
    return library


def test_dlpack_is_read_where_it_lies(linear, x):
    tensor = DLPack(x)
    assert np.shares_memory(to_numpy(tensor), x)
    assert np.shares_memory(to_float32(x, "x"), x)
    expected = occlude.occlusion(linear, x, window=2, fill=0).values
    np.testing.assert_array_equal(occlude.occlusion(linear, tensor, window=2, fill=0).values, expected)


def test_torch_tensors_come_back_as_torch_tensors_on_their_device_and_without_gradients(linear, x, torch):
    seen = set()

    def f(batch):
        seen.add((type(batch), batch.device, batch.dtype))
        return torch.Tensor(linear(batch.array), device="cuda:1", tracked=True)

    given = torch.Tensor(x, device="cuda:1", dtype="float32", tracked=True)
    map = occlude.occlusion(f, given, window=2, fill=0)
    np.testing.assert_array_equal(map.values, occlude.occlusion(linear, x, window=2, fill=0).values)
    assert seen == {(torch.Tensor, "cuda:1", "float32")}
    assert torch.no_grad.entered > 0


def test_a_torch_module_that_is_given_numpy_gets_tensors(linear, x, torch):
    class Net(torch.nn.Module):
        def parameters(self):
            return iter([types.SimpleNamespace(is_floating_point=lambda: False), Weight(np.zeros(1), device="cuda:0")])

        def __call__(self, batch):
            assert isinstance(batch, torch.Tensor) and batch.device == "cuda:0"
            return torch.Tensor(linear(batch.array))

    class Weight(torch.Tensor):
        def is_floating_point(self):
            return True

    Weight.__module__ = "torch"
    map = occlude.occlusion(Net(), x, window=2, fill=0)
    np.testing.assert_array_equal(map.values, occlude.occlusion(linear, x, window=2, fill=0).values)


def test_other_numbers_than_float32_are_converted_and_given_back(linear, x):
    for dtype in (np.float64, np.float16, np.int16):
        seen = set()

        def f(batch, seen=seen):
            seen.add(batch.dtype)
            return linear(batch)

        typed = (x * 4).astype(dtype)
        map = occlude.occlusion(f, typed, window=2, fill=0)
        assert seen == {np.dtype(dtype)}
        np.testing.assert_allclose(map.baseline, linear(typed)[0].max(), rtol=1e-3)


@pytest.mark.parametrize(
    ("given", "changed"),
    [
        (np.float64(0.5), 0),
        (np.float64(0.1), 60),
        (np.float32(0.1), 0),
        (np.float16(0.1), 0),
        (np.int64(1 << 24), 0),
        (np.int64((1 << 24) + 1), 60),
        (np.int64((1 << 24) + 2), 0),
        (np.uint64((1 << 64) - 1), 60),
        (np.int32(-(1 << 24) - 1), 60),
        (np.int16(12345), 0),
        (np.True_, 0),
    ],
)
def test_numbers_that_change_on_the_way_to_float32_are_noted(given, changed, repository):
    x = np.full((1, 2, 6, 5), given)
    notes = occlude.occlusion(lambda b: b.sum(axis=(1, 2, 3)), x, window=2, fill=0).notes
    said = f"the input was {x.dtype} and is read as float32: {changed} of 60 values are rounded"
    assert [note for note in notes if "float32" in note] == ([said] if changed else [])
    one = x.copy()
    one[0, 1:] = one[0, 0, 1:] = 0
    one[0, 0, 0, 1:] = 0
    notes = occlude.occlusion(lambda b: b.sum(axis=(1, 2, 3)), one, window=2, fill=0).notes
    assert any("1 of 60 value is rounded" in note for note in notes) == bool(changed)


def test_rounded_numbers_are_noted_for_models_too(demo):
    x = np.full((1, 3, 224, 224), 0.1)
    assert any('"image" was float64 and is read as float32: 150528 of 150528' in n for n in demo.occlusion(x, window=112).notes)
    assert not any("float32" in note for note in demo.occlusion(x * 0, window=112).notes)


def test_arrays_that_are_not_contiguous_are_read_right(linear, x, demo):
    strided = np.asfortranarray(np.repeat(x, 2, axis=3))[:, :, :, ::2]
    assert not strided.flags.c_contiguous
    np.testing.assert_array_equal(
        occlude.occlusion(linear, strided, window=2, fill=0).values, occlude.occlusion(linear, x, window=2, fill=0).values
    )


def test_a_model_takes_all_of_them(demo):
    x = np.random.default_rng(0).standard_normal((1, 3, 224, 224)).astype(np.float32)
    expected = demo.outputs(x)["logits"]
    assert expected.shape == (1, 1000)
    for given in (x[0], DLPack(x), x.astype(np.float64), np.asfortranarray(x)):
        np.testing.assert_array_equal(demo.outputs(given)["logits"], expected)
