//! Occlusion sensitivity: hide a part of the input, ask the model again, see how the answer changes (Zeiler and Fergus, ECCV 2014).
//!
//! Rooms: `input` reads pictures, volumes, signals and tensors; `occlusion` lays windows and fills; `scorer` runs models; `target` and `score` say what is measured; `job` runs it all
//! to a `map`; `output` writes it; `judge` says whether its evidence lies in the object, `compare` how alike two maps are; `settings` holds every name and default that fronts share. Nothing here prints, exits or reads the environment.

mod archive;
pub mod colour;
pub mod compare;
mod error;
mod hash;
pub mod input;
mod job;
pub mod judge;
mod machine;
pub mod map;
mod model;
mod model_folder;
pub mod occlusion;
pub mod output;
pub mod peers;
pub mod score;
pub mod scorer;
mod settings;
mod target;
mod tensor;
pub mod zeiler;

pub use compare::{Comparison, Correlation, Evidence, Overlap, Side, Similarity};
pub use error::{Error, ErrorKind, Result};
pub use input::{
    Beside, Geometry, GreyVolume, Input, InputPort, Picture, Placement, PlaneChoice, Preprocess, Signal,
    SliceChoice, VolumeStep, parse_preprocess, preprocess_to_text,
};
pub use job::{ClassValue, Difference, Growing, Job, Meaning, Probe, Progress, Turns, Verification, Watch};
pub use judge::{
    Direct, Finding, Findings, JudgeOptions, Judged, Judgement, Object, Pointing, Thresholds, Verdict,
};
pub use map::{
    Aggregate, Approximation, Attribution, Cells, Check, Definition, Direction, FileFact, Map, MapTarget,
    MostProbable, Normalize, Provenance, Summary, Timings, TopWindow, Uncovered, Upsample, Value, View, Work,
};
pub use model::{Facts, Model, NodeFact, Occlusion, RunPlan, Sizes, TensorFact};
pub use model_folder::{Configuration, Labels, ModelFolder};
pub use occlusion::{
    AxisRole, Border, Fill, FillValues, Grid, GridAxis, Inpaint, InpaintEdges, InpaintFormula, OccludedInput,
    Occluder, RandomMasks, ReadImage, Region, Regions, RiseEstimate, Shape, Unchanged, Windows,
};
pub use output::{Format, OutputPlan, Written};
pub use score::{Activation, Classes, Readout, ScoreKind, Scores};
pub use scorer::{
    BatchScorer, EngineOptions, EngineScorer, FullRuns, MemoryPlan, MultiplyAdds, Outputs, RunBatch, Scorer,
    Sink, WorkPlan,
};
#[cfg(feature = "ort")]
pub use scorer::{OrtModel, find_onnxruntime};
pub use settings::{
    Channels, EngineChoice, GivenArray, Masks, Preset, RegionLabels, RegionNames, Runtime, Setting, Settings,
    StrideRule, WindowRule,
};
pub use target::{
    BoxForm, BoxScale, Boxes, Known, Measure, NodeReduce, Pick, Resolved, Target, resolve as resolve_targets,
};
pub use tensor::{Layout, TensorSpec, for_each_run, shape_text};
pub use zeiler::{Correspondence, Part, Strongest, Zeiler, ZeilerOptions};
