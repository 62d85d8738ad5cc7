//! The choices among a few that settings offer: what runs, what masks are drawn, what windows do with channels.

use std::path::PathBuf;

use super::GivenArray;

/// Which way of running the engine is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum EngineChoice {
    /// Only what a window can reach is computed again.
    #[default]
    Incremental,
    /// The same, every changed output computed again with all its taps: a full run's bits, more work.
    Gather,
    /// The whole network for every window.
    Full,
}

/// What runs the model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Runtime {
    /// The engine of this crate.
    #[default]
    Builtin,
    /// ONNX Runtime, always in full.
    Ort,
}

/// Random masks instead of windows.
#[derive(Clone, Debug, PartialEq)]
pub enum Masks {
    /// RISE's: so many masks, cells along every axis, the probability that a cell is kept.
    Drawn {
        /// Number of masks.
        count: usize,
        /// Cells along every axis.
        cells: usize,
        /// Probability that a cell is kept.
        keep: f64,
    },
    /// A `.npy` file of masks `[N, spatial...]`, 1 = kept, 0 = hidden.
    File(PathBuf),
    /// The same in memory.
    Given(GivenArray<f32>),
}

impl std::fmt::Display for Masks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Masks::Drawn { count, cells, keep } => write!(f, "{count}:{cells}:{keep}"),
            Masks::File(path) => write!(f, "{}", path.display()),
            Masks::Given(array) => array.fmt(f),
        }
    }
}

/// How windows treat the channels of an input.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Channels {
    /// All of them are hidden together.
    #[default]
    Joint,
    /// One at a time.
    Each,
    /// The channel axis is stepped over like the spatial ones, with the window of the first of them, one channel at a step: MindSpore, MONAI 0.4.
    Axis,
}

impl Channels {
    /// All of them with their names.
    pub const ALL: [(&'static str, Channels); 3] =
        [("joint", Channels::Joint), ("each", Channels::Each), ("axis", Channels::Axis)];
}
