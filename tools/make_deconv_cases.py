"""Make tests/deconv/: small networks with the deconvnet projections that Captum computes for them.

In:  nothing; weights and inputs are seeded.
Out: NAME.onnx (inner layers are outputs of their own) and NAME.npz: `x`, and per layer `LAYER.element` (flat index of
     the element that is kept, batch axis aside), `LAYER.value` (its activation) and `LAYER.projection` (Captum's
     Deconvolution for it, times the activation: Captum starts from 1, Zeiler and Fergus from the activation).

Not here: operators that the deconvnet refuses, and ReLU6, where Captum's rule (for nn.ReLU alone) is another one.

    pip install torch onnx captum matplotlib && python tools/make_deconv_cases.py
"""

from pathlib import Path

import numpy as np
import torch
from captum.attr import Deconvolution
from torch import nn

FOLDER = Path(__file__).resolve().parent.parent / "tests" / "deconv"


class Vgg(nn.Module):
    """Convolutions, max pooling (overlapping and padded too), linear layers."""

    layers = ["conv1", "pool1", "conv3", "pool2", "hidden", "logits"]
    shape = (3, 21, 19)

    def __init__(self):
        super().__init__()
        self.conv1, self.relu1 = nn.Conv2d(3, 8, 3, padding=1), nn.ReLU()
        self.pool1 = nn.MaxPool2d(2)
        self.conv2, self.relu2 = nn.Conv2d(8, 16, 3, padding=2, dilation=2), nn.ReLU()
        self.conv3, self.relu3 = nn.Conv2d(16, 24, 3, groups=2), nn.ReLU()
        self.pool2 = nn.MaxPool2d(3, 2, padding=1, ceil_mode=True)
        self.hidden, self.relu4 = nn.Linear(24 * 5 * 4, 20), nn.ReLU()
        self.logits = nn.Linear(20, 7)

    def forward(self, x):
        conv1 = self.relu1(self.conv1(x))
        pool1 = self.pool1(conv1)
        conv3 = self.relu3(self.conv3(self.relu2(self.conv2(pool1))))
        pool2 = self.pool2(conv3)
        hidden = self.relu4(self.hidden(pool2.flatten(1)))
        return conv1, pool1, conv3, pool2, hidden, self.logits(hidden)


class Block(nn.Module):
    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.norm1, self.relu1 = nn.BatchNorm2d(outputs), nn.ReLU()
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, groups=outputs, bias=False)
        self.norm2, self.relu2 = nn.BatchNorm2d(outputs), nn.ReLU()
        self.short = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))

    def forward(self, x):
        y = self.norm2(self.conv2(self.relu1(self.norm1(self.conv1(x)))))
        return self.relu2(y + self.short(x))


class Resnet(nn.Module):
    """BatchNormalization, strides, depthwise convolution, residual sums, joins, padding, average and global pooling."""

    layers = ["stem", "block1", "block2", "joined", "pooled", "logits"]
    shape = (3, 24, 20)

    def __init__(self):
        super().__init__()
        self.stem, self.norm, self.relu = nn.Conv2d(3, 8, 5, 2, 2, bias=False), nn.BatchNorm2d(8), nn.ReLU()
        self.block1, self.block2 = Block(8, 8, 1), Block(8, 16, 2)
        self.norm3, self.relu3 = nn.BatchNorm2d(24), nn.ReLU()
        self.average = nn.AvgPool2d(3, 1, 1)
        self.maximum = nn.MaxPool2d(2, 2)
        self.logits = nn.Linear(24, 5)

    def forward(self, x):
        stem = self.relu(self.norm(self.stem(x - 0.25)))
        block1 = self.block1(stem)
        block2 = self.block2(block1)
        joined = torch.cat([block2, 0.5 * self.maximum(block1)], 1)
        joined = self.relu3(self.norm3(nn.functional.pad(joined, (1, 0, 0, 2))[:, :, 1:, ::2] / 2))
        pooled = self.average(joined)
        return stem, block1, block2, joined, pooled, self.logits(pooled.mean((2, 3)))


class Line(nn.Module):
    """One axis: dilation, stride, a transposed convolution."""

    layers = ["up", "scores"]
    shape = (4, 40)

    def __init__(self):
        super().__init__()
        self.conv1, self.relu1 = nn.Conv1d(4, 8, 5, 2, 2), nn.ReLU()
        self.pool = nn.MaxPool1d(3, 2)
        self.conv2, self.relu2 = nn.Conv1d(8, 8, 3, dilation=2), nn.ReLU()
        self.up, self.relu3 = nn.ConvTranspose1d(8, 6, 4, 2, 1), nn.ReLU()
        self.scores = nn.Linear(6, 3)

    def forward(self, x):
        up = self.relu3(self.up(self.relu2(self.conv2(self.pool(self.relu1(self.conv1(x)))))))
        return up, self.scores(up.amax(2))


class Volume(nn.Module):
    """Three axes."""

    layers = ["conv2", "scores"]
    shape = (1, 9, 10, 11)

    def __init__(self):
        super().__init__()
        self.conv1, self.relu1 = nn.Conv3d(1, 6, 3, padding=1), nn.ReLU()
        self.pool = nn.MaxPool3d(2)
        self.conv2, self.relu2 = nn.Conv3d(6, 8, (1, 3, 2), (1, 2, 1)), nn.ReLU()
        self.scores = nn.Linear(8, 4)

    def forward(self, x):
        conv2 = self.relu2(self.conv2(self.pool(self.relu1(self.conv1(x)))))
        return conv2, self.scores(conv2.mean((2, 3, 4)))


class Layer(nn.Module):
    """One layer of a network, flat, as Captum wants it."""

    def __init__(self, network, place):
        super().__init__()
        self.network, self.place = network, place

    def forward(self, x):
        return self.network(x)[self.place].flatten(1)


def make(name, network):
    torch.manual_seed(7)
    network = network()
    for module in network.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            nn.init.uniform_(module.weight, -1.5, 1.5)
            nn.init.uniform_(module.bias, -0.3, 0.6)
            nn.init.uniform_(module.running_mean, -0.2, 0.2)
            nn.init.uniform_(module.running_var, 0.3, 2)
    network.eval()
    x = torch.randn(1, *network.shape)
    # BatchNormalization stays in the file, so that the importer has to deal with it.
    torch.onnx.export(
        network, (x,), FOLDER / f"{name}.onnx", input_names=["x"], output_names=network.layers, opset_version=17,
        dynamo=False, do_constant_folding=False, training=torch.onnx.TrainingMode.PRESERVE,
    )
    arrays = {"x": x.numpy()}
    for place, layer in enumerate(network.layers):
        flat = Layer(network, place)
        values = flat(x)[0].detach()
        element = int(values.argmax())
        projection = Deconvolution(flat).attribute(x.clone().requires_grad_(), target=element)
        arrays[f"{layer}.element"] = np.array([element], np.int64)
        arrays[f"{layer}.value"] = values[element : element + 1].numpy()
        arrays[f"{layer}.projection"] = (projection.detach() * values[element]).numpy()
        assert projection.abs().max() > 0, f"{name} {layer}: nothing arrives"
    np.savez_compressed(FOLDER / f"{name}.npz", **arrays)


if __name__ == "__main__":
    FOLDER.mkdir(parents=True, exist_ok=True)
    for case in (Vgg, Resnet, Line, Volume):
        make(case.__name__.lower(), case)
