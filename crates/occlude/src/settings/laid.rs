//! Windows, strides and fill of a run, from what was given and the rules for what was not.

use std::borrow::Cow;

use super::{Channels, Preset, Settings};
use crate::error::{Error, Result};
use crate::input::Input;
use crate::occlusion::Fill;
use crate::tensor::TensorSpec;

impl Settings {
    /// The fill for an input of this spec: as given, else the background for volumes (the air around a scan hides nothing and costs nothing) and the mean for everything else.
    pub fn fill_for(&self, spec: &TensorSpec) -> Fill {
        let usual = if spec.spatial().len() == 3 { Fill::Background } else { Fill::Mean };
        self.fill.clone().unwrap_or(usual)
    }

    /// The same settings with sizes in elements where they are given in millimetres: each rounded to whole elements of this input, at least one.
    ///
    /// # Errors
    /// Argument: millimetres for an input that does not know its own, another number of sizes than axes.
    pub fn in_elements(&self, input: &Input) -> Result<Cow<'_, Settings>> {
        if self.window_mm.is_none() && self.stride_mm.is_none() {
            return Ok(Cow::Borrowed(self));
        }
        let elements = |name: &str, all: &Option<Vec<Vec<f64>>>| -> Result<Option<Vec<Vec<usize>>>> {
            let Some(all) = all else { return Ok(None) };
            let spacing = input.geometry.millimetres().ok_or_else(|| {
                Error::argument(format!("{name} is given in millimetres, the input {} has none", input.spec))
                    .with_hint("volumes from NIfTI or DICOM files have; of others give elements: --window 16")
            })?;
            let one = |sizes: &Vec<f64>| match (sizes.len(), spacing.len()) {
                (1, _) => Ok(spacing.iter().map(|mm| rounded(sizes[0] / mm)).collect()),
                (given, axes) if given == axes => {
                    Ok(sizes.iter().zip(&spacing).map(|(size, mm)| rounded(size / mm)).collect())
                }
                (given, axes) => Err(Error::argument(format!(
                    "{name} has {given} sizes in millimetres, the input has {axes} spatial axes"
                ))
                .with_hint("give one size for all axes, or one each: 12x12x24mm")),
            };
            all.iter().map(one).collect::<Result<_>>().map(Some)
        };
        let mut settled = self.clone();
        if self.window_mm.is_some() {
            settled.window = elements("window", &self.window_mm)?;
        }
        if self.stride_mm.is_some() {
            settled.stride = elements("stride", &self.stride_mm)?;
        }
        (settled.window_mm, settled.stride_mm) = (None, None);
        Ok(Cow::Owned(settled))
    }

    /// The windows for an input of this spec, one or several sizes: as given, one number repeated for every spatial axis, or by the rule for the default; the channel axis in front where
    /// windows have their own size there.
    ///
    /// # Errors
    /// Argument: a preset without a default window.
    pub fn windows_for(&self, spec: &TensorSpec) -> Result<Vec<Vec<usize>>> {
        if self.window_mm.is_some() || self.stride_mm.is_some() {
            return Err(Error::argument(
                "windows are given in millimetres, which only a volume turns into elements",
            ));
        }
        let spatial = spec.spatial();
        let with_channels = |mut window: Vec<usize>| {
            match self.channels {
                Channels::Joint => {}
                _ if spec.channel_axis.is_none() || window.len() != spatial.len() => {}
                Channels::Each => window.insert(0, 1),
                Channels::Axis => window.insert(0, window.first().copied().unwrap_or(1)),
            }
            window
        };
        if let Some(windows) = &self.window {
            let all = |sizes: &Vec<usize>| match sizes.as_slice() {
                [one] => vec![*one; spatial.len()],
                sizes => sizes.to_vec(),
            };
            return Ok(windows.iter().map(all).map(with_channels).collect());
        }
        let shorter = spatial.iter().copied().min().unwrap_or(1);
        let sizes = spatial.iter().map(|&length| self.window_rule.size(length, shorter)).collect();
        let window: Option<Vec<usize>> = sizes;
        let window = window.ok_or_else(|| {
            let preset = self.preset.map_or("this definition", Preset::name);
            Error::argument(format!("{preset} has no default window"))
                .with_hint("give its size in elements of the model's input: --window 16, or --window 1x16x16 with the channel axis in front")
        })?;
        Ok(vec![with_channels(window)])
    }

    /// The strides for these windows, one each: as given, one step repeated for every spatial axis, or by the rule for the default.
    ///
    /// # Errors
    /// Argument: neither one stride nor one for every window.
    pub fn strides_for(&self, windows: &[Vec<usize>], spec: &TensorSpec) -> Result<Vec<Vec<usize>>> {
        let spatial = spec.spatial();
        let rule = |window: &Vec<usize>| {
            let own = window.len().saturating_sub(spatial.len());
            let lengths = std::iter::repeat_n(spec.channels(), own).chain(spatial.iter().copied());
            let mut stride: Vec<usize> =
                window.iter().zip(lengths).map(|(&w, n)| self.stride_rule.step(w, n)).collect();
            if let (Channels::Each | Channels::Axis, Some(first), true) =
                (self.channels, stride.first_mut(), own > 0)
            {
                *first = 1;
            }
            stride
        };
        let Some(strides) = &self.stride else { return Ok(windows.iter().map(rule).collect()) };
        if strides.len() != 1 && strides.len() != windows.len() {
            return Err(Error::argument(format!(
                "{} strides for {} sizes of windows",
                strides.len(),
                windows.len()
            ))
            .with_hint("give one stride for all of them, one for each, or none"));
        }
        let all = |(place, window): (usize, &Vec<usize>)| {
            let given = &strides[if strides.len() == 1 { 0 } else { place }];
            let mut stride = match given.as_slice() {
                [one] => vec![*one; spatial.len()],
                steps => steps.to_vec(),
            };
            if stride.len() == spatial.len() && window.len() == spatial.len() + 1 {
                // One window of channels at a time, where the channel axis has no step of its own.
                stride.insert(0, if self.channels == Channels::Joint { window[0].max(1) } else { 1 });
            }
            stride
        };
        Ok(windows.iter().enumerate().map(all).collect())
    }
}

fn rounded(elements: f64) -> usize {
    elements.round().clamp(1.0, 1e9) as usize
}
