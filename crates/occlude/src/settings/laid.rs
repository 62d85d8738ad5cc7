//! Windows and strides of a run, from what was given and the rules for what was not.

use super::{Channels, Preset, Settings};
use crate::error::{Error, Result};
use crate::tensor::TensorSpec;

impl Settings {
    /// The windows for an input of this spec, one or several sizes: as given, one number repeated for every spatial axis, or by the rule for the default; the channel axis in front where
    /// windows have their own size there.
    ///
    /// # Errors
    /// Argument: a preset without a default window.
    pub fn windows_for(&self, spec: &TensorSpec) -> Result<Vec<Vec<usize>>> {
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
