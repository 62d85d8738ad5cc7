"""Makes a randomly initialised network worth testing with: real statistics, and an output that depends on the input.

An untrained net's output hardly changes when a window is hidden, so that a wrong engine would pass. Here
norms get the statistics of real inputs, parts that start switched off (layer scales, zeroed last norms and
heads) are switched on, and the last linear layer's bias is shifted until a map's range is at least
`WANTED_RANGE` of the largest |output|.
"""

import numpy as np
import torch
from torch import nn

WANTED_RANGE = 0.02
# Shares of the mean output to remove, tried in turn.
SHARES = (0, 0.5, 0.7, 0.8, 0.85, 0.9, 0.93, 0.95, 0.965, 0.98, 0.985, 0.99, 0.995)


def switch_on(model):
    """Randomises what architectures initialise to a constant, before the statistics are taken."""
    generator = torch.Generator().manual_seed(2)

    def uniform(tensor, low, high):
        tensor.copy_(torch.rand(tensor.shape, generator=generator) * (high - low) + low)

    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, (nn.modules.batchnorm._BatchNorm, nn.LayerNorm, nn.GroupNorm)) and module.weight is not None:
                uniform(module.weight, 0.8, 1.2)
                uniform(module.bias, -0.2, 0.2)
            if isinstance(module, nn.Linear) and not module.weight.any():
                nn.init.normal_(module.weight, std=module.in_features**-0.5, generator=generator)
        for name, parameter in model.named_parameters():
            last = name.rsplit(".", 1)[-1]
            if last in ("layer_scale", "gamma") and parameter.abs().max() < 0.1:
                uniform(parameter, 0.3, 0.6)
            elif last in ("class_token", "cls_token") and not parameter.any():
                nn.init.normal_(parameter, std=0.5, generator=generator)
            elif last == "in_proj_weight" or name.endswith("attn.qkv.weight"):
                # Attention that is not nearly uniform: larger queries and keys.
                parameter[: 2 * parameter.shape[0] // 3] *= 2


def set_statistics(model, examples, batch=4):
    """Gives every batch norm the plain mean over `examples` of its batches' statistics."""
    norms = [module for module in model.modules() if isinstance(module, nn.modules.batchnorm._BatchNorm)]
    model.eval()
    if not norms:
        return
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None
        norm.train()
    with torch.no_grad():
        for start in range(0, len(examples), batch):
            model(torch.from_numpy(examples[start : start + batch]))
    model.eval()


def last_linear(model):
    """The layer that makes the outputs, and whether it is a 1x1 convolution (SqueezeNet)."""
    layers = [module for module in model.modules() if isinstance(module, (nn.Linear, nn.Conv2d))]
    linear = [layer for layer in layers if isinstance(layer, nn.Linear)]
    return linear[-1] if linear else layers[-1]


def spread_outputs(model, x, occluded):
    """Shifts the head's bias towards minus the mean output; returns (map range / largest |output|, the share removed).

    Shifting all the way would make the outputs differences of nearly equal numbers, in which rounding is
    all one sees; so only as far as needed. The head is then scaled to outputs of about 10.
    """
    head = last_linear(model)
    if isinstance(head, nn.Conv2d):
        return spread_conv_head(model, head, x, occluded)
    with torch.no_grad():
        outputs = np.stack([run(model, x), *(run(model, case) for case in occluded)])
        mean = outputs.mean(axis=0)
        for removed in SHARES:
            shifted = outputs - removed * mean
            if map_range(shifted) >= WANTED_RANGE * np.abs(shifted).max():
                break
        if head.bias is None:
            raise ValueError("the last layer has no bias")
        head.bias -= torch.from_numpy(removed * mean)
        scale = 10 / np.abs(shifted).max()
        head.weight *= scale
        head.bias *= scale
    return ratio(model, x, occluded), removed


def spread_conv_head(model, head, x, occluded):
    """The same where Relu and pooling follow the last convolution, so that outputs don't shift with the bias."""
    seen = []
    hook = head.register_forward_hook(lambda module, given, made: seen.append(made))
    run(model, x)
    hook.remove()
    mean = seen[0].mean(dim=(0, 2, 3))
    for removed in SHARES:
        with torch.no_grad():
            head.bias.copy_(-removed * mean)
        reached = ratio(model, x, occluded)
        if reached >= WANTED_RANGE:
            break
    with torch.no_grad():
        scale = 10 / float(np.abs(run(model, x)).max())
        head.weight *= scale
        head.bias *= scale
    return reached, removed


def run(model, x):
    with torch.no_grad():
        return model(torch.from_numpy(x)).numpy()[0]


def map_range(outputs):
    """Range of the map of the strongest class; the first row is the untouched input."""
    target = int(outputs[0].argmax())
    return float(np.ptp(outputs[1:, target]))


def ratio(model, x, occluded):
    outputs = np.stack([run(model, x), *(run(model, case) for case in occluded)])
    return map_range(outputs) / float(np.abs(outputs).max())
