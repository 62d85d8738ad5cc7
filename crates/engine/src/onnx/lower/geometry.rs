//! Where windows of convolutions and pools lie: kernel, stride, dilation, padding, and how many fit.
//!
//! In: a node's attributes and the spatial sizes of what it reads. Out: a [`Window`] with all of ONNX's ways to say padding resolved.

use super::super::site::Site;
use crate::graph::Geometry;
use crate::{Error, Result};

/// Sizes from here on are damage, and would overflow.
const LARGEST: i64 = 1 << 24;

/// A sliding window, one entry per spatial axis.
#[derive(Clone, Debug)]
pub(super) struct Window {
    pub(super) kernel: Vec<usize>,
    pub(super) stride: Vec<usize>,
    pub(super) dilation: Vec<usize>,
    pub(super) before: Vec<usize>,
    pub(super) after: Vec<usize>,
}

impl Window {
    /// Resolves the attributes for spatial sizes `input`.
    pub(super) fn of(site: &Site, kernel: &[usize], input: &[usize]) -> Result<Self> {
        let rank = kernel.len();
        let stride = positive(site, "strides", rank)?;
        let dilation = positive(site, "dilations", rank)?;
        let extent = |i: usize| (kernel[i] - 1) * dilation[i] + 1;
        let auto = site.text_or("auto_pad", "NOTSET")?;
        let (mut before, mut after) = (vec![0; rank], vec![0; rank]);
        match auto {
            "NOTSET" | "" => (before, after) = pads(site, rank)?,
            "VALID" => {}
            "SAME_UPPER" | "SAME_LOWER" => {
                for i in 0..rank {
                    let outputs = input[i].div_ceil(stride[i]);
                    let total = (outputs.saturating_sub(1) * stride[i] + extent(i)).saturating_sub(input[i]);
                    before[i] = if auto == "SAME_UPPER" { total / 2 } else { total - total / 2 };
                    after[i] = total - before[i];
                }
            }
            other => return Err(Error::model(format!("attribute auto_pad is \"{other}\""))),
        }
        Ok(Window { kernel: kernel.to_vec(), stride, dilation, before, after })
    }

    /// Elements from the first tap to the last.
    pub(super) fn extent(&self, axis: usize) -> usize {
        (self.kernel[axis] - 1) * self.dilation[axis] + 1
    }

    /// How many windows fit. With `ceil` one more may hang over the end, if it starts before the padding there.
    pub(super) fn outputs(&self, input: &[usize], ceil: bool) -> Result<Vec<usize>> {
        (0..input.len())
            .map(|i| {
                let padded = input[i] + self.before[i] + self.after[i];
                let Some(room) = padded.checked_sub(self.extent(i)) else {
                    return Err(Error::model(format!(
                        "a kernel of {:?} (dilation {:?}) is larger than the padded input: {input:?} with padding {:?} and {:?}",
                        self.kernel, self.dilation, self.before, self.after
                    )));
                };
                let mut count = room / self.stride[i] + 1;
                if ceil && !room.is_multiple_of(self.stride[i]) && count * self.stride[i] < input[i] + self.before[i] {
                    count += 1;
                }
                Ok(count)
            })
            .collect()
    }

    pub(super) fn geometry(&self) -> Geometry {
        Geometry {
            kernel: self.kernel.clone(),
            stride: self.stride.clone(),
            dilation: self.dilation.clone(),
            pad_before: self.before.clone(),
        }
    }
}

/// `strides` or `dilations`: ones where the attribute is missing.
pub(super) fn positive(site: &Site, name: &str, rank: usize) -> Result<Vec<usize>> {
    let Some(list) = site.ints(name)? else { return Ok(vec![1; rank]) };
    let ok = list.len() == rank && list.iter().all(|&v| (1..LARGEST).contains(&v));
    if !ok {
        return Err(Error::model(format!("attribute {name} is {list:?}, expected {rank} positive numbers")));
    }
    Ok(list.iter().map(|&v| v as usize).collect())
}

/// Padding before and after each spatial axis.
pub(super) fn pads(site: &Site, rank: usize) -> Result<(Vec<usize>, Vec<usize>)> {
    let Some(list) = site.ints("pads")? else { return Ok((vec![0; rank], vec![0; rank])) };
    if list.len() != 2 * rank {
        return Err(Error::model(format!("attribute pads is {list:?}, expected {} numbers", 2 * rank)));
    }
    if list.iter().any(|&v| v < 0) {
        return Err(Error::unsupported(format!("negative padding: pads {list:?}")));
    }
    if list.iter().any(|&v| v >= LARGEST) {
        return Err(Error::model(format!("attribute pads is {list:?}")));
    }
    let list: Vec<usize> = list.iter().map(|&v| v as usize).collect();
    Ok((list[..rank].to_vec(), list[rank..].to_vec()))
}

/// `kernel_shape`, checked against the weight's if there is one.
pub(super) fn kernel(site: &Site, weight: Option<&[usize]>) -> Result<Vec<usize>> {
    let given = site.ints("kernel_shape")?;
    let kernel: Vec<usize> = match (given, weight) {
        (Some(list), None) if list.iter().all(|&v| (1..LARGEST).contains(&v)) => {
            list.iter().map(|&v| v as usize).collect()
        }
        (Some(list), Some(w))
            if list.len() == w.len() && list.iter().zip(w).all(|(&a, &b)| a == b as i64) =>
        {
            w.to_vec()
        }
        (None, Some(w)) => w.to_vec(),
        (Some(list), Some(w)) => {
            return Err(Error::model(format!(
                "attribute kernel_shape is {list:?}, but the weight's kernel is {w:?}"
            )));
        }
        (list, None) => {
            return Err(Error::model(format!(
                "attribute kernel_shape is {list:?}, expected positive numbers"
            )));
        }
    };
    if !(1..=3).contains(&kernel.len()) || kernel.contains(&0) {
        return Err(Error::unsupported(format!("a kernel of {kernel:?}: 1 to 3 spatial axes are supported")));
    }
    Ok(kernel)
}
