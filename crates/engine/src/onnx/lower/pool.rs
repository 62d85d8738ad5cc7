//! Max, average and norm pooling, over windows and over everything.
//!
//! The divisor of an average depends on the place: ONNX counts padding or not, and never what a last window hangs over.

use std::sync::Arc;

use occlude_kernels::Pointwise;

use super::super::importer::Importer;
use super::super::layout::{channels_last, check_size};
use super::super::site::Site;
use super::super::value::{Dynamic, Value};
use super::geometry::{Window, kernel};
use crate::graph::{Op, Pool, PoolKind, ReduceKind};
use crate::{Error, Result};

impl Importer<'_> {
    pub(super) fn pool(&mut self, site: &Site) -> Result<Option<Vec<Value>>> {
        let x = site.dynamic(0)?;
        if site.used.get(1) == Some(&true) {
            return Ok(None);
        }
        let kernel = kernel(site, None)?;
        if x.rank() != kernel.len() + 2 {
            return Err(Error::model(format!(
                "input of shape {:?} does not fit a kernel of {kernel:?}",
                x.shape()
            )));
        }
        let (spatial, channels) = (x.shape()[2..].to_vec(), x.shape()[1]);
        let window = Window::of(site, &kernel, &spatial)?;
        let outputs = window.outputs(&spatial, site.int_or("ceil_mode", 0)? == 1)?;
        check_size(&outputs)?;
        let kind = match site.op() {
            "MaxPool" => PoolKind::Max,
            "LpPool" => PoolKind::Average { divisor: Arc::new(vec![1.0; outputs.iter().product()]) },
            _ => {
                let counts_padding = site.int_or("count_include_pad", 0)? == 1;
                PoolKind::Average { divisor: Arc::new(divisors(&window, &spatial, &outputs, counts_padding)) }
            }
        };
        let mut x = self.channels_last(x)?;
        let power = if site.op() == "LpPool" { Some(site.int_or("p", 2)? as f32) } else { None };
        if let Some(p) = power {
            x = self.magnitudes(&x, p)?;
        }
        let stored = std::iter::once(1).chain(outputs).chain([channels]).collect();
        let op = Op::Pool(Pool { kind, geometry: window.geometry() });
        let mut y = self.emit(op, &[x.id], stored, channels_last(x.rank()), x.dtype)?;
        if let Some(p) = power {
            y = self.apply(&y, root(p))?;
        }
        Ok(Some(vec![Value::Dynamic(y)]))
    }

    /// `|x|^p`
    fn magnitudes(&mut self, x: &Dynamic, p: f32) -> Result<Dynamic> {
        if p == 2.0 {
            return self.apply(x, Pointwise::Power { exponent: 2.0 });
        }
        let size = self.apply(x, Pointwise::Abs)?;
        if p == 1.0 { Ok(size) } else { self.apply(&size, Pointwise::Power { exponent: p }) }
    }

    pub(super) fn global_lp_pool(&mut self, site: &Site) -> Result<Vec<Value>> {
        let p = site.int_or("p", 2)? as f32;
        let x = self.magnitudes(site.dynamic(0)?, p)?;
        let axes: Vec<usize> = (2..x.rank()).collect();
        let sum = self.reduce(&x, ReduceKind::Sum, &axes, true)?;
        Ok(vec![Value::Dynamic(self.apply(&sum, root(p))?)])
    }

    pub(super) fn global_pool(&mut self, site: &Site) -> Result<Vec<Value>> {
        let x = site.dynamic(0)?;
        let kind = if site.op() == "GlobalMaxPool" { ReduceKind::Max } else { ReduceKind::Mean };
        let axes: Vec<usize> = (2..x.rank()).collect();
        Ok(vec![Value::Dynamic(self.reduce(x, kind, &axes, true)?)])
    }
}

/// `x^(1/p)`
fn root(p: f32) -> Pointwise {
    match p {
        1.0 => Pointwise::Identity,
        2.0 => Pointwise::Sqrt,
        p => Pointwise::Power { exponent: 1.0 / p },
    }
}

/// One divisor per output position: the taps that lie in the input, or in the input and its padding.
fn divisors(window: &Window, input: &[usize], outputs: &[usize], counts_padding: bool) -> Vec<f32> {
    let mut all = vec![1.0f32];
    for axis in 0..input.len() {
        let (from, to) = if counts_padding {
            (0, input[axis] + window.before[axis] + window.after[axis])
        } else {
            (window.before[axis], window.before[axis] + input[axis])
        };
        // Taps that lie before a place.
        let below = |output: usize, place: usize| {
            let reach = place.saturating_sub(output * window.stride[axis]);
            reach.div_ceil(window.dilation[axis]).min(window.kernel[axis])
        };
        let count = |output: usize| (below(output, to) - below(output, from)) as f32;
        let counts: Vec<f32> = (0..outputs[axis]).map(count).collect();
        all = all.iter().flat_map(|a| counts.iter().map(move |b| a * b)).collect();
    }
    // A window over padding alone sums nothing; its average is 0.
    all.iter_mut().for_each(|n| *n = n.max(1.0));
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn divisors_count_what_is_there() {
        let window =
            Window { kernel: vec![3], stride: vec![2], dilation: vec![1], before: vec![1], after: vec![1] };
        assert_eq!(divisors(&window, &[6], &[4], false), [2.0, 3.0, 3.0, 1.0]);
        assert_eq!(divisors(&window, &[6], &[4], true), [3.0, 3.0, 3.0, 2.0]);
    }
}
