//! Resizing one axis: which input elements an output element is made of, with which weights.
//!
//! In: lengths, scale, and ONNX's rules for coordinates, rounding and kernels. Out: tables. The arithmetic is f32, as in ONNX Runtime,
//! because rounding decides which element a nearest neighbour is.

use crate::{Error, Result};

/// How a place in the output is one in the input (ONNX `coordinate_transformation_mode`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Coordinates {
    HalfPixel,
    HalfPixelSymmetric,
    PytorchHalfPixel,
    TfHalfPixelForNn,
    AlignCorners,
    Asymmetric,
}

impl Coordinates {
    pub(super) fn of(name: &str) -> Result<Self> {
        Ok(match name {
            "half_pixel" => Coordinates::HalfPixel,
            "half_pixel_symmetric" => Coordinates::HalfPixelSymmetric,
            "pytorch_half_pixel" => Coordinates::PytorchHalfPixel,
            "tf_half_pixel_for_nn" => Coordinates::TfHalfPixelForNn,
            "align_corners" => Coordinates::AlignCorners,
            "asymmetric" => Coordinates::Asymmetric,
            "tf_crop_and_resize" => {
                return Err(Error::unsupported("coordinate_transformation_mode tf_crop_and_resize"));
            }
            other => {
                return Err(Error::model(format!("attribute coordinate_transformation_mode is \"{other}\"")));
            }
        })
    }
}

/// Which neighbour is the nearest (ONNX `nearest_mode`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Nearest {
    RoundPreferFloor,
    RoundPreferCeil,
    Floor,
    Ceil,
    /// Before opset 11: down is up, and up is down.
    Simple,
}

impl Nearest {
    pub(super) fn of(name: &str) -> Result<Self> {
        Ok(match name {
            "round_prefer_floor" => Nearest::RoundPreferFloor,
            "round_prefer_ceil" => Nearest::RoundPreferCeil,
            "floor" => Nearest::Floor,
            "ceil" => Nearest::Ceil,
            "simple" => Nearest::Simple,
            other => return Err(Error::model(format!("attribute nearest_mode is \"{other}\""))),
        })
    }
}

/// Weight of an element by its distance.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Kernel {
    Linear,
    Cubic {
        /// ONNX `cubic_coeff_a`.
        a: f32,
    },
}

impl Kernel {
    /// Distance from which on the weight is 0.
    fn support(self) -> f32 {
        match self {
            Kernel::Linear => 1.0,
            Kernel::Cubic { .. } => 2.0,
        }
    }

    fn weight(self, distance: f32) -> f32 {
        let x = distance.abs();
        match self {
            Kernel::Linear => (1.0 - x).max(0.0),
            Kernel::Cubic { a } if x <= 1.0 => ((a + 2.0) * x - (a + 3.0)) * x * x + 1.0,
            Kernel::Cubic { a } if x < 2.0 => ((a * x - 5.0 * a) * x + 8.0 * a) * x - 4.0 * a,
            Kernel::Cubic { .. } => 0.0,
        }
    }
}

/// One axis to resize.
#[derive(Clone, Copy, Debug)]
pub(super) struct Axis {
    pub(super) input: usize,
    pub(super) output: usize,
    /// Output length over input length, as the model gives it.
    pub(super) scale: f32,
    pub(super) coordinates: Coordinates,
}

impl Axis {
    fn is_identity(&self) -> bool {
        self.scale == 1.0 && self.input == self.output
    }

    /// Place in the input of an output element.
    fn source(&self, output: usize) -> f32 {
        let (x, scale) = (output as f32, self.scale);
        match self.coordinates {
            Coordinates::HalfPixel => (x + 0.5) / scale - 0.5,
            Coordinates::PytorchHalfPixel if self.output > 1 => (x + 0.5) / scale - 0.5,
            Coordinates::PytorchHalfPixel => 0.0,
            Coordinates::TfHalfPixelForNn => (x + 0.5) / scale,
            Coordinates::Asymmetric => x / scale,
            Coordinates::AlignCorners if self.output > 1 => {
                x * (self.input as f32 - 1.0) / (self.output as f32 - 1.0)
            }
            Coordinates::AlignCorners => 0.0,
            Coordinates::HalfPixelSymmetric => {
                let adjustment = self.output as f32 / (scale * self.input as f32);
                let offset = self.input as f32 / 2.0 * (1.0 - adjustment);
                offset + (x + 0.5) / scale - 0.5
            }
        }
    }

    fn clamped(&self, index: f32) -> usize {
        index.clamp(0.0, self.input as f32 - 1.0) as usize
    }

    /// The nearest input element of each output element.
    pub(super) fn nearest(&self, rule: Nearest) -> Vec<Option<usize>> {
        if self.is_identity() {
            return (0..self.output).map(Some).collect();
        }
        let round = |x: f32| match rule {
            Nearest::RoundPreferFloor if x == x.floor() + 0.5 => x.floor(),
            Nearest::RoundPreferFloor | Nearest::RoundPreferCeil => x.round(),
            Nearest::Floor => x.floor(),
            Nearest::Ceil => x.ceil(),
            Nearest::Simple if self.scale < 1.0 => x.ceil(),
            Nearest::Simple => x.trunc(),
        };
        (0..self.output).map(|o| Some(self.clamped(round(self.source(o))))).collect()
    }

    /// Weighted input elements of each output element, without smoothing.
    pub(super) fn taps(&self, kernel: Kernel, excludes_outside: bool) -> Vec<Vec<(usize, f32)>> {
        if self.is_identity() {
            return (0..self.output).map(|o| vec![(o, 1.0)]).collect();
        }
        (0..self.output)
            .map(|o| {
                let at = self.source(o);
                match kernel {
                    Kernel::Linear => {
                        let at = at.clamp(0.0, self.input as f32 - 1.0);
                        let low = self.clamped(at.floor());
                        let high = (low + 1).min(self.input - 1);
                        let part = at - low as f32;
                        merged([(low, 1.0 - part), (high, part)])
                    }
                    Kernel::Cubic { .. } => {
                        let low = at.floor();
                        let near = (-1..=2).map(|k| (low + k as f32, kernel.weight(at - (low + k as f32))));
                        self.gathered(near, excludes_outside)
                    }
                }
            })
            .collect()
    }

    /// Weighted input elements with the kernel widened for shrinking (ONNX `antialias`).
    pub(super) fn antialiased(&self, kernel: Kernel, excludes_outside: bool) -> Vec<Vec<(usize, f32)>> {
        if self.is_identity() {
            return (0..self.output).map(|o| vec![(o, 1.0)]).collect();
        }
        let widening = (1.0 / self.scale).max(1.0);
        let support = kernel.support() * widening;
        (0..self.output)
            .map(|o| {
                let centre = self.source(o) + 0.5;
                let from = (centre - support + 0.5).floor() as i64;
                let to = (centre + support + 0.5).floor() as i64;
                let near =
                    (from..to).map(|i| (i as f32, kernel.weight((i as f32 + 0.5 - centre) / widening)));
                self.gathered(near, excludes_outside)
            })
            .collect()
    }

    /// Brings neighbours into the input, at its ends or not at all, and makes the weights sum to one.
    fn gathered(&self, near: impl Iterator<Item = (f32, f32)>, excludes_outside: bool) -> Vec<(usize, f32)> {
        let inside = |at: f32| (0.0..self.input as f32).contains(&at);
        let near: Vec<(f32, f32)> = near.filter(|&(at, _)| !excludes_outside || inside(at)).collect();
        let total: f32 = near.iter().map(|(_, w)| w).sum();
        merged(near.into_iter().map(|(at, weight)| (self.clamped(at), weight / total)))
    }
}

/// One entry per element, without zeros (but never empty).
fn merged(taps: impl IntoIterator<Item = (usize, f32)>) -> Vec<(usize, f32)> {
    let mut list: Vec<(usize, f32)> = Vec::new();
    for (at, weight) in taps {
        match list.iter_mut().find(|(i, _)| *i == at) {
            Some((_, sum)) => *sum += weight,
            None => list.push((at, weight)),
        }
    }
    let first = list.first().copied();
    list.retain(|(_, weight)| *weight != 0.0);
    if list.is_empty() {
        list.extend(first);
    }
    list
}

#[cfg(test)]
mod tests {
    use super::*;

    fn axis(input: usize, output: usize, coordinates: Coordinates) -> Axis {
        Axis { input, output, scale: output as f32 / input as f32, coordinates }
    }

    #[test]
    fn doubling_by_nearest_and_linear() {
        let nearest = axis(2, 4, Coordinates::HalfPixel).nearest(Nearest::RoundPreferFloor);
        assert_eq!(nearest, [Some(0), Some(0), Some(1), Some(1)]);
        let linear = axis(2, 4, Coordinates::HalfPixel).taps(Kernel::Linear, false);
        assert_eq!(
            linear,
            [vec![(0, 1.0)], vec![(0, 0.75), (1, 0.25)], vec![(0, 0.25), (1, 0.75)], vec![(1, 1.0)]]
        );
    }

    #[test]
    fn weights_sum_to_one() {
        for coordinates in [Coordinates::HalfPixel, Coordinates::AlignCorners, Coordinates::Asymmetric] {
            for kernel in [Kernel::Linear, Kernel::Cubic { a: -0.5 }] {
                for excludes in [false, true] {
                    let axis = axis(7, 5, coordinates);
                    for taps in axis.taps(kernel, excludes).iter().chain(&axis.antialiased(kernel, excludes))
                    {
                        let sum: f32 = taps.iter().map(|(_, w)| w).sum();
                        assert!((sum - 1.0).abs() < 1e-6, "{coordinates:?} {kernel:?} {taps:?}");
                    }
                }
            }
        }
    }
}
