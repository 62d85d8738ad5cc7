"""The architectures of the zoo: name -> how to build, feed and export it. Weights are random, seeded.

Exporters: `script` is torch's TorchScript exporter, `dynamo` the newer one. torch, torchvision, timm and MONAI
are imported when a model is built, so that listing names needs none of them.
"""

from dataclasses import dataclass
from typing import Callable

from . import inputs


@dataclass
class Architecture:
    build: Callable  # -> torch module
    x: Callable = lambda: inputs.chelsea(224)  # -> f32 [1, C, spatial...]
    statistics: Callable = lambda: inputs.crops(224)  # -> f32 [n, C, spatial...], for the norms' statistics
    exporter: str = "script"
    opset: int = 17
    dynamic_batch: bool = True
    window: int = 16
    places_per_axis: int = 4


def torchvision(name, **options):
    def build():
        import torchvision

        return getattr(torchvision.models, name)(weights=None, **options)

    return build


def timm(name, **options):
    def build():
        import timm

        return timm.create_model(name, pretrained=False, **options)

    return build


def monai_densenet121():
    from monai.networks.nets import DenseNet121

    return DenseNet121(spatial_dims=3, in_channels=1, out_channels=4)


def monai_resnet18():
    from monai.networks.nets import resnet18

    return resnet18(spatial_dims=3, n_input_channels=1, num_classes=4, shortcut_type="B")


def monai_unet_encoder(norm):
    """The way down of MONAI's BasicUNet with a classifier behind it."""

    def build():
        from monai.networks.nets import BasicUNet
        from torch import nn

        unet = BasicUNet(spatial_dims=3, in_channels=1, features=(32, 32, 64, 128, 256, 32), norm=norm)
        levels = (unet.conv_0, unet.down_1, unet.down_2, unet.down_3, unet.down_4)
        return nn.Sequential(*levels, nn.AdaptiveAvgPool3d(1), nn.Flatten(), nn.Linear(256, 4))

    return build


def resnet1d():
    """A ResNet for signals: 12 leads, four stages of two basic blocks."""
    from torch import nn

    class Block(nn.Module):
        def __init__(self, channels_in, channels_out, stride):
            super().__init__()
            self.body = nn.Sequential(
                nn.Conv1d(channels_in, channels_out, 7, stride, 3, bias=False), nn.BatchNorm1d(channels_out), nn.ReLU(),
                nn.Conv1d(channels_out, channels_out, 7, 1, 3, bias=False), nn.BatchNorm1d(channels_out))
            self.skip = nn.Identity() if stride == 1 and channels_in == channels_out else nn.Sequential(
                nn.Conv1d(channels_in, channels_out, 1, stride, bias=False), nn.BatchNorm1d(channels_out))
            self.end = nn.ReLU()

        def forward(self, x):
            return self.end(self.body(x) + self.skip(x))

    layers = [nn.Conv1d(12, 32, 15, 2, 7, bias=False), nn.BatchNorm1d(32), nn.ReLU(), nn.MaxPool1d(3, 2, 1)]
    channels = 32
    for width, stride in ((32, 1), (64, 2), (128, 2), (256, 2)):
        layers += [Block(channels, width, stride), Block(width, width, 1)]
        channels = width
    return nn.Sequential(*layers, nn.AdaptiveAvgPool1d(1), nn.Flatten(), nn.Linear(256, 9))


def volumes():
    import numpy as np

    return np.concatenate([inputs.volume(96, seed) for seed in (3, 4, 5, 6)])


def signals():
    import numpy as np

    return np.concatenate([inputs.heartbeat(12, 1000, seed) for seed in range(5, 21)])


VOLUME = dict(x=lambda: inputs.volume(96), statistics=volumes, window=16, places_per_axis=3)

ARCHITECTURES = {
    "resnet50": Architecture(torchvision("resnet50")),
    "vgg16": Architecture(torchvision("vgg16")),
    "mobilenet_v2": Architecture(torchvision("mobilenet_v2")),
    "densenet121": Architecture(torchvision("densenet121")),
    "vit_b_16": Architecture(torchvision("vit_b_16"), exporter="dynamo", opset=18),
    "convnext_tiny": Architecture(torchvision("convnext_tiny")),
    "efficientnet_b0": Architecture(torchvision("efficientnet_b0")),
    "monai_resnet18_3d": Architecture(monai_resnet18, **VOLUME),
    "monai_densenet121_3d": Architecture(monai_densenet121, **VOLUME),
    "monai_unet_encoder_3d": Architecture(monai_unet_encoder("batch"), **VOLUME),
    # MONAI's default: every place of a tensor depends on all of it.
    "monai_unet_encoder_3d_instance": Architecture(monai_unet_encoder(("instance", {"affine": True})), **VOLUME),
    "inception_v3": Architecture(
        torchvision("inception_v3", init_weights=False), x=lambda: inputs.chelsea(299), statistics=lambda: inputs.crops(299)),
    "swin_t": Architecture(torchvision("swin_t")),
    "regnet_y_400mf": Architecture(torchvision("regnet_y_400mf")),
    "regnet_x_400mf": Architecture(torchvision("regnet_x_400mf")),
    "shufflenet_v2_x1_0": Architecture(torchvision("shufflenet_v2_x1_0")),
    "squeezenet1_1": Architecture(torchvision("squeezenet1_1")),
    "mobilenet_v3_large": Architecture(torchvision("mobilenet_v3_large")),
    "resnet1d": Architecture(
        resnet1d, x=lambda: inputs.heartbeat(12, 1000), statistics=signals, window=40, places_per_axis=16),
    "resnet50_batch1": Architecture(torchvision("resnet50"), dynamic_batch=False),
    "resnet50_dynamo": Architecture(torchvision("resnet50"), exporter="dynamo", opset=18),
    "timm_vit_small": Architecture(timm("vit_small_patch16_224")),
    "timm_resnext50": Architecture(timm("resnext50_32x4d")),
    "timm_mixer_s16": Architecture(timm("mixer_s16_224")),
    "timm_convnextv2_nano": Architecture(timm("convnextv2_nano")),
}
