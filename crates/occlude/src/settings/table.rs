//! The contract table: every setting with its name, default and meaning, in the order of help texts and provenance.

use super::Settings;

/// One row of the contract table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Setting {
    /// As in `--window`, `window=`.
    pub name: &'static str,
    /// In words.
    pub default: &'static str,
    /// In words.
    pub meaning: &'static str,
}

impl Settings {
    /// The contract table, in the order of help texts and provenance.
    pub const TABLE: [Setting; 30] = [
        row(
            "preset",
            "none",
            "a definition by the name of its origin, which sets the others unless they are given: mindspore, monai-0.4, monai-0.9, monai-1, captum, xplique, xaitk, pair, deepexplain, tf-explain, mindspore-xai, nolearn, kazuto1011, matlab, rise, zeiler-fergus",
        ),
        row(
            "window",
            "1/8 of the shorter side",
            "size of the hidden window in elements of the input tensor: 16, 16x24, or 3x16x16 to give the channel axis its own; several sizes for one map: 16,32; of volumes also in millimetres: 12mm",
        ),
        row("stride", "half the window", "step between windows, like window"),
        row(
            "regions",
            "none",
            "a label image (.npy of whole numbers, or PNG) whose regions are hidden one by one instead of windows; 0 is the background",
        ),
        row("region-names", "none", "names of its labels: lines of label,name, or JSON"),
        row(
            "masks",
            "none",
            "random masks over the whole input instead of windows, joined by RISE's estimator: how many, cells per axis, probability to keep, as 4000:7:0.5; or a .npy file of masks",
        ),
        row(
            "shape",
            "box",
            "what is hidden of each window: box, ellipse, soft (a Gaussian edge), gaussian (MONAI's, down to nothing at the corners)",
        ),
        row(
            "border",
            "shift",
            "shift: last window moved in so that all is covered; clip: cut off; drop: whole windows only; center: centred on every stride, cut off; and the peers' lag, margin, cell, dense, overhang",
        ),
        row(
            "channels",
            "joint",
            "joint: windows hide all channels; each: one at a time; axis: stepped over like places",
        ),
        row(
            "padded",
            "no",
            "yes: the input is padded by half a window with the fill before the model sees it",
        ),
        row(
            "fill",
            "mean; background for volumes",
            "zero, number(s) in tensor space, rgb:r,g,b in source pixels, mean, patch-mean, overall-mean, overall-patch-mean, blur, inpaint[:RADIUS] (Telea's), inpaint-opencv[:RADIUS], noise, min, background, image:FILE",
        ),
        row(
            "target",
            "top1",
            "class index, class name, top5, a list, all; node:NAME[:strongest-sum|strongest-max|sum|mean|max|channel=K]; output:NAME[i]; segment:CLASS|top1[@OUTPUT]; detect:CLASS[@x0/y0/x1/y1]|top",
        ),
        row("score", "probability for a classifier, else raw", "logit, probability, log-odds, margin, raw"),
        row(
            "classes",
            "from the model",
            "exclusive: probability is the Softmax of the outputs; independent: the Sigmoid of each (multi-label)",
        ),
        row(
            "boxes",
            "from the shapes of the outputs",
            "for detect: what four numbers mean, xyxy, yxyx, cxcywh or xywh, and/or scale=pixels|unit,objectness=yes|no,boxes=OUTPUT,scores=OUTPUT",
        ),
        row("layout", "from the model", "where the channels are: nchw or nhwc"),
        row(
            "preprocess",
            "from the model",
            "how a picture becomes the input: imagenet, unit, tf, inception, caffe, none, and/or resize=256,crop=224,filter=bicubic,scale=1/255,mean=a/b/c,std=a/b/c,channels=rgb",
        ),
        row(
            "roi",
            "all",
            "only windows whose centre lies in this box of input elements: 32:96,32:96 (one range per spatial axis, end exclusive)",
        ),
        row("seed", "0", "for the fill noise"),
        row("samples", "1", "noise fills that every window is averaged over, with the spread reported"),
        row(
            "value",
            "sensitivity",
            "what is written down for a window: sensitivity (baseline minus occluded score), score, loss (1 minus it), change (occluded minus baseline)",
        ),
        row(
            "aggregate",
            "cells",
            "cells: a number per window; or per element of the input, over the windows that cover it: mean, sum, share, gaussian, biased",
        ),
        row("uncovered", "nan", "elements that no window covers: nan or zero"),
        row("normalize", "none", "none, max-abs, abs"),
        row("upsample", "none", "cells enlarged to elements: none, nearest, linear, cubic"),
        row("threads", "all cores", "number of threads; results do not depend on it"),
        row("memory-limit", "half of the memory", "bytes, or with a unit: 512M, 4G"),
        row(
            "engine",
            "incremental",
            "incremental: compute again only what a window can reach; gather: the same, with a full run's bits; full: the whole network for every window",
        ),
        row("runtime", "builtin", "builtin, or ort for ONNX Runtime (always full)"),
        row(
            "approximate",
            "off",
            "off: the map is exact; or the error (RMSE) that it may have, as a share of its range: 0.02. Small changes inside the network are dropped while the error, measured on windows computed both ways, stays below that",
        ),
    ];
}

const fn row(name: &'static str, default: &'static str, meaning: &'static str) -> Setting {
    Setting { name, default, meaning }
}
