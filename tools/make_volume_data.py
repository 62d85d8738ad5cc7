"""Make tests/volumes: small volumes and signals of every kind, what nibabel, MONAI, pydicom and tifffile make of them, and models to hide parts of them from.

    python tools/make_volume_data.py

Needs what tools/requirements-volumes.txt lists; with those versions the files that are kept were made. The template is the MNI152 that nilearn ships, at 4 mm, its licence beside it.

expected.npz   file_NAME    a file's values as nibabel (or tifffile) has them, f32
               affine_NAME  its affine, f64
               case_N       values after the steps of case N by MONAI, f32 [channel, i, j, k]
               place_N      the affine then
               labels_N     a label volume on the grid of case N, nearest neighbour
cases.json     per case: file, steps (as --preprocess has them), bundle (as a MONAI bundle has them)
"""

import gzip
import json
import shutil
from pathlib import Path

import monai.transforms as mt
import nibabel as nib
import numpy as np
import onnx
import pydicom
import tifffile
from monai.data import PydicomReader
from nibabel.processing import resample_from_to
from nilearn.datasets import load_mni152_template
from onnx import TensorProto, helper, numpy_helper
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, generate_uid
from scipy.io import wavfile
from scipy.ndimage import gaussian_filter

FOLDER = Path(__file__).resolve().parent.parent / "tests" / "volumes"
EXPECTED = {}


def rotation(x, y, z):
    """By so many degrees about each axis."""
    x, y, z = np.radians([x, y, z])
    rx = [[1, 0, 0], [0, np.cos(x), -np.sin(x)], [0, np.sin(x), np.cos(x)]]
    ry = [[np.cos(y), 0, np.sin(y)], [0, 1, 0], [-np.sin(y), 0, np.cos(y)]]
    rz = [[np.cos(z), -np.sin(z), 0], [np.sin(z), np.cos(z), 0], [0, 0, 1]]
    return np.array(rz) @ np.array(ry) @ np.array(rx)


def affine(zooms, turn=(0, 0, 0), at=(0, 0, 0), columns=((1, 0, 0), (0, 1, 0), (0, 0, 1))):
    made = np.eye(4)
    made[:3, :3] = rotation(*turn) @ np.array(columns).T @ np.diag(zooms)
    made[:3, 3] = at
    return made


def blobs(shape, seed, low, high):
    """Smooth, with a border at the least value."""
    rng = np.random.default_rng(seed)
    values = gaussian_filter(rng.normal(size=shape), 1.2)
    values = (values - values.min()) / np.ptp(values) * (high - low) + low
    border = np.ones(shape, bool)
    border[tuple(slice(1, -2) if n > 5 else slice(None) for n in shape[:3])] = False
    values[border] = low
    return values


def save(name, image):
    nib.save(image, FOLDER / name)
    if name.endswith(".gz"):
        # No time and no name in the frame, so that the same bytes come out every time.
        raw = gzip.decompress((FOLDER / name).read_bytes())
        (FOLDER / name).write_bytes(gzip.compress(raw, 9, mtime=0))
    read = nib.load(FOLDER / name)
    EXPECTED[f"file_{name}"] = np.asarray(read.get_fdata(dtype=np.float64)).astype(np.float32)
    EXPECTED[f"affine_{name}"] = read.affine


def nifti_files():
    # Stored whole numbers with slope and intercept, tilted, axes LPS.
    ct = nib.Nifti1Image(np.zeros((9, 11, 7), np.int16), None)
    tilted = affine((0.9, 0.9, 2.5), (8, -5, 12), (40, 31, -55), ((-1, 0, 0), (0, -1, 0), (0, 0, 1)))
    ct = nib.Nifti1Image(blobs((9, 11, 7), 1, -1000, 900), tilted)
    ct.set_data_dtype(np.int16)
    ct.header.set_slope_inter(0.5, -24)
    ct.header.set_sform(tilted, 1)
    ct.header.set_qform(None, 0)
    save("ct_lps.nii.gz", ct)
    # Big-endian, only a qform with turned z, axes in another order.
    turned = affine((1.5, 1.0, 2.0), (0, 0, 0), (3, 4, 5), ((0, 1, 0), (0, 0, -1), (1, 0, 0)))
    header = nib.Nifti1Header(endianness=">")
    header.set_data_dtype(">u2")
    mr = nib.Nifti1Image(blobs((8, 6, 10), 2, 0, 4000).astype(np.uint16), turned, header)
    mr.header.set_qform(turned, 1)
    mr.header.set_sform(None, 0)
    save("mr_qform_be.nii", mr)
    # No affine at all.
    bare = nib.Nifti1Image(blobs((5, 4, 6), 3, -1, 1).astype(np.float32), np.eye(4))
    bare.header.set_qform(None, 0)
    bare.header.set_sform(None, 0)
    bare.header["pixdim"][1:4] = (2, 3, 4)
    image = nib.Nifti1Image(bare.get_fdata().astype(np.float32), None, bare.header)
    save("bare.nii.gz", image)
    for kind in ("u1", "i1", "i2", "u4", "i4", "u8", "i8", "f4", "f8"):
        low = 0 if kind[0] == "u" else -100
        values = blobs((3, 4, 2), 4, low, 100).astype(kind)
        save(f"kind_{kind}.nii", nib.Nifti1Image(values, np.diag([1, 2, 3, 1]), dtype=kind))
    series = np.stack([blobs((6, 5, 4), 5 + t, 0, 50) for t in range(3)], -1).astype(np.float32)
    save("series.nii.gz", nib.Nifti1Image(series, affine((2, 2, 2))))
    template = load_mni152_template(resolution=4)
    values = template.get_fdata()
    values = np.round(values / values.max() * 255).astype(np.uint8)
    save("mni152_4mm.nii.gz", nib.Nifti1Image(values, template.affine))


def cases():
    """Steps by both names; MONAI's transforms are made of the bundle's words."""
    orient = ("orient=RAS", {"_target_": "Orientationd", "axcodes": "RAS"})
    ras = [orient]
    return [
        ("ct_lps.nii.gz", ras),
        ("mr_qform_be.nii", ras),
        ("mr_qform_be.nii", [("orient=SPL", {"_target_": "Orientationd", "axcodes": "SPL"})]),
        ("ct_lps.nii.gz", ras + [("spacing=1.5x1.2x2", {"_target_": "Spacingd", "pixdim": [1.5, 1.2, 2.0], "mode": "bilinear"})]),
        ("ct_lps.nii.gz", [("spacing=0.9x0.45x1", {"_target_": "Spacingd", "pixdim": [0.9, 0.45, 1.0]})]),
        ("mr_qform_be.nii", ras + [("spacing=1.37x1.23x1.41:nearest", {"_target_": "Spacingd", "pixdim": [1.37, 1.23, 1.41], "mode": "nearest"})]),
        ("ct_lps.nii.gz", [("range=-160:240:0:1", {"_target_": "ScaleIntensityRanged", "a_min": -160, "a_max": 240, "b_min": 0, "b_max": 1, "clip": True})]),
        ("ct_lps.nii.gz", [("range=-160:240:-1:1:unclipped", {"_target_": "ScaleIntensityRanged", "a_min": -160, "a_max": 240, "b_min": -1, "b_max": 1})]),
        ("mr_qform_be.nii", [("zscore", {"_target_": "NormalizeIntensityd"})]),
        ("mr_qform_be.nii", [("zscore=nonzero", {"_target_": "NormalizeIntensityd", "nonzero": True})]),
        ("series.nii.gz", [("zscore=nonzero+channel-wise", {"_target_": "NormalizeIntensityd", "nonzero": True, "channel_wise": True})]),
        ("mr_qform_be.nii", [("shift=500/250", {"_target_": "NormalizeIntensityd", "subtrahend": 500, "divisor": 250})]),
        ("mr_qform_be.nii", [("percentiles=2:98.5:0:1", {"_target_": "ScaleIntensityRangePercentilesd", "lower": 2, "upper": 98.5, "b_min": 0, "b_max": 1, "clip": True})]),
        ("bare.nii.gz", [("minmax=-1:2", {"_target_": "ScaleIntensityd", "minv": -1, "maxv": 2})]),
        ("mr_qform_be.nii", [("crop-foreground=0", {"_target_": "CropForegroundd", "source_key": "image"})]),
        ("mr_qform_be.nii", ras + [("crop-foreground=2", {"_target_": "CropForegroundd", "source_key": "image", "margin": 2})]),
        ("ct_lps.nii.gz", [("resize=5x16x7:area", {"_target_": "Resized", "spatial_size": [5, 16, 7]})]),
        ("ct_lps.nii.gz", [("resize=12x6x9:linear", {"_target_": "Resized", "spatial_size": [12, 6, 9], "mode": "trilinear"})]),
        ("ct_lps.nii.gz", [("resize=4x13x7:nearest", {"_target_": "Resized", "spatial_size": [4, 13, 7], "mode": "nearest"})]),
        ("ct_lps.nii.gz", [("pad-or-crop=12x6x8", {"_target_": "ResizeWithPadOrCropd", "spatial_size": [12, 6, 8]})]),
        ("mr_qform_be.nii", [("pad-or-crop=5x9x7", {"_target_": "ResizeWithPadOrCropd", "spatial_size": [5, 9, 7]})]),
        (
            "ct_lps.nii.gz",
            ras
            + [
                ("spacing=1.2x1.2x1.7", {"_target_": "Spacingd", "pixdim": [1.2, 1.2, 1.7], "mode": "bilinear"}),
                ("range=-200:300:0:1", {"_target_": "ScaleIntensityRanged", "a_min": -200, "a_max": 300, "b_min": 0, "b_max": 1, "clip": True}),
                ("crop-foreground=1", {"_target_": "CropForegroundd", "source_key": "image", "margin": 1}),
                ("resize=10x10x8:area", {"_target_": "Resized", "spatial_size": [10, 10, 8]}),
                ("pad-or-crop=12x9x8", {"_target_": "ResizeWithPadOrCropd", "spatial_size": [12, 9, 8]}),
            ],
        ),
    ]


def transform(words):
    words = dict(words)
    kind = getattr(mt, words.pop("_target_"))
    return kind(keys="image", **words)


def monai_cases():
    written = []
    for number, (file, steps) in enumerate(cases()):
        # A 4-D file has its last axis as channels, as LoadImaged and EnsureChannelFirstd make it.
        item = {"image": mt.LoadImage(image_only=True, ensure_channel_first=True)(FOLDER / file)}
        for _, words in steps:
            item = transform(words)(item)
        image = item["image"]
        EXPECTED[f"case_{number}"] = np.asarray(image, np.float32)
        EXPECTED[f"place_{number}"] = np.asarray(image.affine, np.float64)
        bundle = [{**words, "keys": "@image_key"} for _, words in steps]
        written.append({"file": file, "steps": ",".join(text for text, _ in steps), "bundle": bundle})
    (FOLDER / "cases.json").write_text(json.dumps(written, indent=1) + "\n")


def labels():
    """Organs on a grid of their own, and where they lie on the scan's grid and on that of the last case."""
    shape = (14, 12, 13)
    place = affine((0.8, 1.1, 1.6), (8, -5, 12), (42, 33, -57), ((-1, 0, 0), (0, -1, 0), (0, 0, 1)))
    organs = np.zeros(shape, np.uint8)
    organs[2:7, 2:9, 1:8] = 1
    organs[5:12, 6:11, 4:12] = 2
    organs[9:12, 1:4, 3:6] = 7
    image = nib.Nifti1Image(organs, place)
    nib.save(image, FOLDER / "organs.nii.gz")
    raw = gzip.decompress((FOLDER / "organs.nii.gz").read_bytes())
    (FOLDER / "organs.nii.gz").write_bytes(gzip.compress(raw, 9, mtime=0))
    (FOLDER / "organs.csv").write_text("label,name\n1,liver\n2,spleen\n7,left kidney\n")
    last = len(cases()) - 1
    grid = (EXPECTED[f"case_{last}"].shape[1:], EXPECTED[f"place_{last}"])
    for name, grid in (("scan", ((9, 11, 7), EXPECTED["affine_ct_lps.nii.gz"])), (str(last), grid)):
        found = resample_from_to(image, grid, order=0, mode="constant", cval=0)
        EXPECTED[f"labels_{name}"] = np.asarray(found.dataobj).astype(np.uint8)


def dicom():
    """A tilted series whose files are named in no order, rescaled, with an index beside it; and one picture of it as MONOCHROME1."""
    folder = FOLDER / "dicom"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    rng = np.random.default_rng(9)
    turn = rotation(10, 5, -7)
    across, down, normal = turn[:, 0], turn[:, 1], turn[:, 2]
    series = "1.2.826.0.1.3680043.8.498.1"
    for place, number in enumerate([3, 1, 4, 2, 5]):
        meta = FileMetaDataset()
        meta.MediaStorageSOPClassUID = pydicom.uid.CTImageStorage
        meta.MediaStorageSOPInstanceUID = f"{series}.{place + 1}"
        meta.TransferSyntaxUID = ExplicitVRLittleEndian
        one = FileDataset(None, {}, file_meta=meta, preamble=b"\0" * 128)
        one.SOPClassUID, one.SOPInstanceUID = meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID
        one.SeriesInstanceUID, one.Modality, one.InstanceNumber = series, "CT", place + 1
        one.SeriesDescription = "Thorax"
        one.Rows, one.Columns, one.SamplesPerPixel = 6, 8, 1
        one.PhotometricInterpretation = "MONOCHROME2"
        one.BitsAllocated, one.BitsStored, one.HighBit, one.PixelRepresentation = 16, 12, 11, 1
        one.PixelSpacing, one.SliceThickness = ["0.8", "0.6"], "2.5"
        one.RescaleSlope, one.RescaleIntercept = "2", "-1000"
        one.ImageOrientationPatient = [f"{v:.9f}" for v in (*across, *down)]
        one.ImagePositionPatient = [f"{v:.6f}" for v in np.array([-20, -30, 100]) + 2.5 * place * normal]
        one.PixelData = rng.integers(-900, 1500, (6, 8)).astype("<i2").tobytes()
        pydicom.dcmwrite(folder / f"im{number}.dcm", one, enforce_file_format=True)
    (folder / "notes.txt").write_text("No image.\n")
    read = mt.LoadImage(image_only=True, reader=PydicomReader(swap_ij=True), ensure_channel_first=False)(folder)
    EXPECTED["file_dicom"] = np.asarray(read, np.float32)
    EXPECTED["affine_dicom"] = np.asarray(read.affine, np.float64)
    one = pydicom.dcmread(folder / "im3.dcm")
    one.PhotometricInterpretation = "MONOCHROME1"
    one.BitsAllocated, one.BitsStored, one.HighBit, one.PixelRepresentation = 8, 8, 7, 0
    del one.RescaleSlope, one.RescaleIntercept
    pixels = rng.integers(0, 256, (6, 8)).astype(np.uint8)
    one.PixelData = pixels.tobytes()
    one["PixelData"].VR = "OB"
    pydicom.dcmwrite(FOLDER / "monochrome1.dcm", one, enforce_file_format=True)
    EXPECTED["file_monochrome1.dcm"] = (255 - pixels).T[:, :, None].astype(np.float32)


def stacks():
    rng = np.random.default_rng(11)
    for name, values, how in (
        ("stack_u16.tif", rng.integers(0, 65535, (5, 4, 6)).astype(np.uint16), {"compression": "deflate"}),
        ("stack_f32.tif", rng.normal(size=(3, 5, 4)).astype(np.float32), {}),
    ):
        tifffile.imwrite(FOLDER / name, values, photometric="minisblack", metadata=None, **how)
        EXPECTED[f"file_{name}"] = tifffile.imread(FOLDER / name).astype(np.float32)


def signals():
    time = np.arange(200) / 100
    beat = np.exp(-(((time % 0.8) - 0.3) ** 2) / 0.0008)
    two = np.stack([beat + 0.05 * np.sin(9 * time), 0.6 * beat - 0.2 * np.sin(5 * time)], 1)
    lines = ["time,I,II"] + [f"{t:.2f},{a:.5f},{b:.5f}" for t, (a, b) in zip(time, two)]
    (FOLDER / "ecg.csv").write_text("\n".join(lines) + "\n")
    wavfile.write(FOLDER / "tone.wav", 800, (20000 * np.sin(2 * np.pi * 50 * time)).astype(np.int16))


def model(name, shape, nodes, weights, outputs):
    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)]
    outputs = [helper.make_tensor_value_info("y", TensorProto.FLOAT, outputs)]
    tensors = [numpy_helper.from_array(values.astype(np.float32), key) for key, values in weights.items()]
    graph = helper.make_graph(nodes, name, inputs, outputs, tensors)
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(made)
    onnx.save(made, FOLDER / f"{name}.onnx")


def models():
    rng = np.random.default_rng(13)
    node = helper.make_node
    # Weighs every voxel of a fixed size: hiding a window takes sum(W x) of it.
    model(
        "linear",
        [1, 1, 12, 9, 8],
        [node("Flatten", ["x"], ["f"]), node("MatMul", ["f", "w"], ["y"])],
        {"w": rng.normal(size=(12 * 9 * 8, 2))},
        [1, 2],
    )
    for name, rank, channels in (("conv3d", 3, 1), ("conv2d", 2, 1), ("conv1d", 1, 2)):
        last = [2 + axis for axis in range(rank)]
        model(
            name,
            [1, channels, *[f"n{axis}" for axis in range(rank)]],
            [
                node("Conv", ["x", "w0", "b0"], ["c0"], kernel_shape=[3] * rank, pads=[1] * 2 * rank, strides=[2] * rank),
                node("Relu", ["c0"], ["r0"]),
                node("Conv", ["r0", "w1", "b1"], ["c1"], kernel_shape=[3] * rank, pads=[1] * 2 * rank),
                node("Relu", ["c1"], ["r1"]),
                node("ReduceMean", ["r1"], ["m"], axes=last, keepdims=0),
                node("Gemm", ["m", "w2", "b2"], ["y"]),
            ],
            {
                "w0": rng.normal(0, 0.4, (4, channels, *[3] * rank)),
                "b0": rng.normal(0, 0.2, 4),
                "w1": rng.normal(0, 0.3, (6, 4, *[3] * rank)),
                "b1": rng.normal(0, 0.2, 6),
                "w2": rng.normal(0, 1, (6, 3)),
                "b2": rng.normal(0, 0.1, 3),
            },
            [1, 3],
        )


LICENCE = """mni152_4mm.nii.gz is the MNI152 template (ICBM 2009a nonlinear symmetric, brain only) as nilearn ships it, resampled to 4 mm and stored as 8 bits.

Copyright (C) 1993-2009 Louis Collins, McConnell Brain Imaging Centre, Montreal Neurological Institute, McGill University.
Permission to use, copy, modify, and distribute this software and its documentation for any purpose and without fee is hereby granted, provided that the above copyright
notice appear in all copies. The authors and McGill University make no representations about the suitability of this software for any purpose. It is provided "as is" without
express or implied warranty. The authors are not responsible for any data loss, equipment damage, property loss, or injury to subjects or patients resulting from the use or
misuse of this software package.
"""


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    (FOLDER / "MNI152-LICENCE.txt").write_text(LICENCE)
    nifti_files()
    monai_cases()
    labels()
    dicom()
    stacks()
    signals()
    models()
    # The template's values are its own file; only where they differ would another copy say something.
    EXPECTED["file_mni152_4mm.nii.gz"] = EXPECTED["file_mni152_4mm.nii.gz"][::7, ::7, ::7]
    np.savez_compressed(FOLDER / "expected.npz", **EXPECTED)
    for path in sorted(FOLDER.rglob("*")):
        if path.is_file():
            print(f"{path.stat().st_size:8} {path.relative_to(FOLDER)}")
