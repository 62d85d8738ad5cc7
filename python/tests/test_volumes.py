"""Volumes and signals from Python: the same files, steps and outputs; maps as nibabel reads them."""

from __future__ import annotations

import json

import numpy as np
import pytest

import occlude


@pytest.fixture(scope="module")
def volumes(repository):
    return repository / "tests" / "volumes"


@pytest.fixture(scope="module")
def expected(volumes):
    with np.load(volumes / "expected.npz") as arrays:
        return dict(arrays)


@pytest.fixture(scope="module")
def last(volumes):
    cases = json.loads((volumes / "cases.json").read_text())
    return len(cases) - 1, cases[-1]["steps"]


def test_a_map_lies_over_the_scan(volumes, expected, last, tmp_path):
    nibabel = pytest.importorskip("nibabel")
    number, steps = last
    model = occlude.Model(volumes / "linear.onnx", preprocess=steps)
    map = model.occlusion(volumes / "ct_lps.nii.gz", window=(3, 3, 2), stride=(3, 3, 2), fill=0, target=0)
    map.save(tmp_path / "map.nii.gz", tmp_path / "map.nii")
    packed, plain = nibabel.load(tmp_path / "map.nii.gz"), nibabel.load(tmp_path / "map.nii")
    scan = nibabel.load(volumes / "ct_lps.nii.gz")
    assert packed.shape == scan.shape
    np.testing.assert_allclose(packed.affine, scan.affine, atol=1e-5)
    assert nibabel.aff2axcodes(packed.affine) == ("L", "P", "S")
    values = packed.get_fdata(dtype=np.float32)
    np.testing.assert_array_equal(values, plain.get_fdata(dtype=np.float32))
    # The attribution on MONAI's grid, brought to the scan by nibabel and SciPy.
    processing = pytest.importorskip("nibabel.processing")
    on_tensor = nibabel.Nifti1Image(map.attribution, expected[f"place_{number}"])
    back = processing.resample_from_to(on_tensor, scan, order=0, mode="constant", cval=0).get_fdata(dtype=np.float32)
    # SciPy leaves out the half voxel beyond the outermost centres.
    known = back != 0
    differing = np.mean(back[known] != values[known])
    assert differing < 0.01, f"{differing:.3f} of the voxels lie elsewhere"
    assert known.sum() > 200
    assert np.count_nonzero(values) > 300


def test_geometry_and_settings(volumes):
    model = occlude.Model(volumes / "conv3d.onnx")
    map = model.occlusion(volumes / "ct_lps.nii.gz", window="2.7mm", stride="2.7mm", target=1)
    assert map.geometry.unit == "voxels"
    said = map.to_dict()
    assert said["geometry"]["orientation"] == "LPS"
    np.testing.assert_allclose(said["geometry"]["millimetres"], [0.9, 0.9, 2.5], rtol=1e-6)
    assert said["provenance"]["arguments"]["window"] == "3x3x1"
    assert said["provenance"]["arguments"]["fill"] == "background"
    assert said["unchanged"]["elements"] > 0


def test_a_dicom_folder_and_a_label_volume(volumes, tmp_path):
    model = occlude.Model(volumes / "conv3d.onnx")
    map = model.occlusion(volumes / "dicom", window=4, target=0)
    assert map.geometry.source_size == (8, 6, 5)
    organs = model.occlusion(
        volumes / "ct_lps.nii.gz", regions=volumes / "organs.nii.gz", region_names={1: "liver", 2: "spleen", 7: "kidney"}, target=0
    )
    organs.save(tmp_path / "organs.csv")
    lines = (tmp_path / "organs.csv").read_text().splitlines()
    assert len(lines) == 4
    assert any("spleen" in line for line in lines)


def test_slices_and_signals(volumes, expected):
    model = occlude.Model(volumes / "conv2d.onnx", preprocess="minmax,resize=11x9,crop=no,slice=axial:3")
    map = model.occlusion(volumes / "ct_lps.nii.gz", window=4, target=0)
    assert map.attribution.shape == (11, 9)
    signal = occlude.Model(volumes / "conv1d.onnx").occlusion(volumes / "ecg.csv", window=40, target=0)
    assert signal.attribution.shape == (200,)


def test_what_does_not_fit(volumes, tmp_path):
    model = occlude.Model(volumes / "conv3d.onnx")
    with pytest.raises(occlude.exceptions.ArgumentError, match="it has 3 frames"):
        model.occlusion(volumes / "series.nii.gz")
    (tmp_path / "cut.nii.gz").write_bytes((volumes / "ct_lps.nii.gz").read_bytes()[:300])
    with pytest.raises(occlude.exceptions.FileError, match="truncated"):
        model.occlusion(tmp_path / "cut.nii.gz")
    with pytest.raises(occlude.OccludeError, match="is a volume, which is read from its file"):
        model.occlusion((volumes / "kind_i2.nii").read_bytes())
