"""Cases: Resize and Upsample: every coordinate rule, rounding rule and interpolation, scales and sizes."""

import numpy as np

from .build import add

SQUARE = (1, 5, 7, 6)


def resize(name, x=SQUARE, opset=13, scales=None, sizes=None, start=None, **attributes):
    def build(g):
        roi = np.zeros(0, np.float32) if opset < 13 else None
        inputs = [roi]
        if scales is not None:
            inputs.append(np.array(scales, np.float32))
        else:
            # Opset 11 wants an empty scales tensor where sizes are given.
            inputs.append(np.zeros(0, np.float32) if opset < 13 else None)
            inputs.append(np.array(sizes, np.int64))
        return g.op("Resize", g.x, *inputs, **attributes)

    add(name, build, x, opset=opset, corner=start, **({"batch": 1} if sizes is not None else {}))


for rule in ("half_pixel", "asymmetric", "align_corners", "pytorch_half_pixel"):
    for rounding in ("round_prefer_floor", "round_prefer_ceil", "floor", "ceil"):
        resize(f"resize_nearest_{rule}_{rounding}", scales=[1, 1, 1.7, 2], mode="nearest",
               coordinate_transformation_mode=rule, nearest_mode=rounding)
    resize(f"resize_linear_{rule}_up", scales=[1, 1, 2, 1.5], mode="linear", coordinate_transformation_mode=rule)
    resize(f"resize_linear_{rule}_down", scales=[1, 1, 0.6, 0.5], mode="linear", coordinate_transformation_mode=rule)
    resize(f"resize_nearest_{rule}_down", scales=[1, 1, 0.6, 0.5], mode="nearest", coordinate_transformation_mode=rule)
    resize(f"resize_cubic_{rule}", scales=[1, 1, 2, 1.5], mode="cubic", coordinate_transformation_mode=rule)

resize("resize_defaults", scales=[1, 1, 2, 2])
resize("resize_sizes_nearest", sizes=[1, 5, 11, 9], mode="nearest")
resize("resize_sizes_linear", sizes=[1, 5, 11, 4], mode="linear")
resize("resize_sizes_linear_align_corners_to_one", sizes=[1, 5, 1, 4], start=0, mode="linear", coordinate_transformation_mode="align_corners")
resize("resize_sizes_pytorch_half_pixel_to_one", sizes=[1, 5, 1, 9], start=0, mode="linear", coordinate_transformation_mode="pytorch_half_pixel")
resize("resize_opset11_nearest_asymmetric_floor", opset=11, scales=[1, 1, 2, 3], mode="nearest", coordinate_transformation_mode="asymmetric", nearest_mode="floor")
resize("resize_opset11_sizes", opset=11, sizes=[1, 5, 14, 12], mode="linear", coordinate_transformation_mode="align_corners")
resize("resize_opset18_axes", opset=18, scales=[2, 1.5], axes=[2, 3], mode="linear")
resize("resize_opset18_sizes_axes_reversed", opset=18, sizes=[9, 11], axes=[3, 2], mode="nearest")
resize("resize_opset18_not_larger", opset=18, sizes=[10, 10], axes=[2, 3], mode="linear", keep_aspect_ratio_policy="not_larger")
resize("resize_opset18_not_smaller", opset=18, sizes=[10, 10], axes=[2, 3], mode="nearest", keep_aspect_ratio_policy="not_smaller")
resize("resize_opset18_stretch", opset=18, sizes=[10, 10], axes=[2, 3], mode="linear", keep_aspect_ratio_policy="stretch")
resize("resize_opset18_antialias", opset=18, scales=[1, 1, 0.5, 0.6], mode="linear", antialias=1)
resize("resize_opset19_half_pixel_symmetric", opset=19, scales=[1, 1, 1.3, 0.7], mode="linear", coordinate_transformation_mode="half_pixel_symmetric")
resize("resize_cubic_coefficient", scales=[1, 1, 2, 2], mode="cubic", cubic_coeff_a=-0.5)
resize("resize_cubic_exclude_outside", scales=[1, 1, 2, 2], mode="cubic", exclude_outside=1)
resize("resize_1d_linear", x=(1, 5, 13), scales=[1, 1, 2], mode="linear")
resize("resize_1d_nearest", x=(1, 5, 13), scales=[1, 1, 1.5], mode="nearest")
resize("resize_3d_linear", x=(1, 3, 4, 5, 3), scales=[1, 1, 2, 1.5, 2], mode="linear")
resize("resize_3d_nearest", x=(1, 3, 4, 5, 3), scales=[1, 1, 2, 2, 2], mode="nearest", coordinate_transformation_mode="asymmetric", nearest_mode="floor")


def resize_opset10(g):
    return g.op("Resize", g.x, np.array([1, 1, 2, 1.5], np.float32), mode="nearest")


def resize_opset10_linear(g):
    return g.op("Resize", g.x, np.array([1, 1, 2, 1.5], np.float32), mode="linear")


def unet_step(g):
    """Down, up, concatenate with the skip, convolve."""
    down = g.op("MaxPool", g.op("Relu", g.conv(g.x, 5, 8, (3, 3), pads=[1] * 4)), kernel_shape=[2, 2], strides=[2, 2])
    up = g.op("Resize", down, None, np.array([1, 1, 2, 2], np.float32), mode="linear", coordinate_transformation_mode="half_pixel")
    return g.conv(g.op("Concat", up, g.x, axis=1), 13, 7, (3, 3), pads=[1] * 4)


add("resize_opset10_nearest", resize_opset10, SQUARE, opset=10)
add("resize_opset10_linear", resize_opset10_linear, SQUARE, opset=10)
add("resize_unet_step", unet_step, (1, 5, 8, 6))
add("upsample_nearest_opset9", lambda g: g.op("Upsample", g.x, np.array([1, 1, 2, 3], np.float32), mode="nearest"), SQUARE, opset=9)
add("upsample_linear_opset9", lambda g: g.op("Upsample", g.x, np.array([1, 1, 2, 1.5], np.float32), mode="linear"), SQUARE, opset=9)
