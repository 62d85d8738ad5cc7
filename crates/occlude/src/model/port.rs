//! What a model wants as its inputs: their open dimensions, and where the channels are.
//!
//! In: the model file's ports and the layout that was said, if any. Out: an [`InputPort`] each; a layout that had to be guessed is said in a note.

use occlude_engine::onnx::{Dim, ModelFile, PortInfo};

use crate::error::{Error, Result};
use crate::input::InputPort;
use crate::tensor::{Layout, TensorSpec, shape_text};

/// The most channels that a channels-last input is guessed to have.
const FEW_CHANNELS: usize = 4;

/// One port per input of the model.
pub(super) fn all(
    file: &ModelFile,
    layout: Option<Layout>,
    notes: &mut Vec<String>,
) -> Result<Vec<InputPort>> {
    if file.inputs().is_empty() {
        return Err(Error::unsupported("the model has no input: there is nothing to hide"));
    }
    file.inputs().iter().map(|info| of(info, layout, notes)).collect()
}

fn of(info: &PortInfo, layout: Option<Layout>, notes: &mut Vec<String>) -> Result<InputPort> {
    let Some(all) = &info.dims else {
        return Err(Error::model(format!("the model's input \"{}\" has no shape", info.name))
            .with_hint("export the model with the shape of its input, at least the number of axes"));
    };
    let fixed = |dim: &Dim| match dim {
        Dim::Fixed(n) => Some(*n),
        Dim::Symbolic(_) | Dim::Unknown => None,
    };
    let dims: Vec<Option<usize>> = all.iter().skip(1).map(fixed).collect();
    if dims.is_empty() || dims.len() > 4 {
        return Err(Error::unsupported(format!(
            "the model's input \"{}\" has {} axes, expected a batch axis and 1 to 4 more (channels and up to 3 spatial axes)",
            info.name,
            all.len()
        )));
    }
    let layout = match layout {
        Some(layout) => layout,
        None => guess(&dims, &info.name, notes),
    };
    Ok(InputPort { name: info.name.clone(), dims, layout })
}

/// Channels first, unless only the last axis looks like channels.
fn guess(dims: &[Option<usize>], name: &str, notes: &mut Vec<String>) -> Layout {
    let (Some(first), Some(last), 2..) = (dims.first(), dims.last(), dims.len()) else {
        return Layout::ChannelsFirst;
    };
    let few = |dim: &Option<usize>| dim.is_some_and(|n| n <= FEW_CHANNELS);
    match (few(first), few(last)) {
        (true, false) => Layout::ChannelsFirst,
        (false, true) => {
            notes.push(format!(
                "layout nhwc: the last axis of \"{name}\" has {} elements (--layout to change)",
                last.unwrap_or(0)
            ));
            Layout::ChannelsLast
        }
        _ => {
            notes.push(format!(
                "layout nchw assumed: the shape of \"{name}\" does not tell (--layout to change)"
            ));
            Layout::ChannelsFirst
        }
    }
}

impl InputPort {
    /// Number of channels where the model fixes it; `None` too for an input without a channel axis.
    pub fn channels(&self) -> Option<usize> {
        let axis = TensorSpec::new("", &vec![0; self.dims.len()], self.layout).channel_axis?;
        self.dims[axis]
    }
    /// The spec for an input of this shape (batch axis left out).
    ///
    /// # Errors
    /// Argument: another number of axes, or a length other than a fixed one.
    pub fn spec(&self, shape: &[usize]) -> Result<TensorSpec> {
        let fits = shape.len() == self.dims.len()
            && shape.iter().zip(&self.dims).all(|(n, want)| *n > 0 && want.is_none_or(|w| w == *n));
        if !fits {
            return Err(Error::argument(format!(
                "the input has shape {}, the model's input \"{}\" is {}",
                shape_text(shape),
                self.name,
                self.shape_text()
            )));
        }
        Ok(TensorSpec::new(&self.name, shape, self.layout))
    }
    /// `[3, ?, ?]`: fixed lengths, and `?` for open ones.
    pub fn shape_text(&self) -> String {
        let dims: Vec<String> =
            self.dims.iter().map(|d| d.map_or("?".to_string(), |n| n.to_string())).collect();
        format!("[{}]", dims.join(", "))
    }
    /// A spec for looking at the model without an input: open channels are 3, open places as preprocessing says, else 224 (64 for volumes).
    pub fn typical_spec(&self, size: Option<[usize; 2]>) -> TensorSpec {
        let mut shape: Vec<usize> = self.dims.iter().map(|d| d.unwrap_or(0)).collect();
        let spec = TensorSpec::new(&self.name, &shape, self.layout);
        let axes = spec.spatial_axes();
        let default = if axes.len() == 3 { 64 } else { 224 };
        for (place, &axis) in axes.iter().enumerate() {
            if self.dims[axis].is_none() {
                shape[axis] = size.filter(|_| axes.len() == 2).map_or(default, |s| s[place]);
            }
        }
        if let Some(axis) = spec.channel_axis.filter(|&a| self.dims[a].is_none()) {
            shape[axis] = 3;
        }
        TensorSpec::new(&self.name, &shape, self.layout)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layouts_are_guessed_and_said() {
        for (dims, layout, said) in [
            (&[Some(3), Some(224), Some(224)][..], Layout::ChannelsFirst, false),
            (&[Some(224), Some(224), Some(3)], Layout::ChannelsLast, true),
            (&[None, None, Some(1)], Layout::ChannelsLast, true),
            (&[Some(1), None, None, None], Layout::ChannelsFirst, false),
            (&[Some(12), Some(5000)], Layout::ChannelsFirst, true),
            (&[Some(30)], Layout::ChannelsFirst, false),
        ] {
            let mut notes = Vec::new();
            assert_eq!((guess(dims, "x", &mut notes), !notes.is_empty()), (layout, said), "{dims:?}");
        }
    }

    #[test]
    fn open_dimensions() {
        let port =
            InputPort { name: "x".into(), dims: vec![None, None, Some(1)], layout: Layout::ChannelsLast };
        assert_eq!(port.typical_spec(None).shape, [224, 224, 1]);
        assert_eq!(port.typical_spec(Some([8, 9])).shape, [8, 9, 1]);
        assert_eq!(port.spec(&[5, 6, 1]).expect("fits").spatial(), [5, 6]);
        assert!(port.spec(&[5, 6, 3]).expect_err("channels").to_string().contains("[?, ?, 1]"));
    }
}
