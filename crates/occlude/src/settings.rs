//! The contract of all fronts: every setting with its name, default and meaning, and how it is read from text.
//!
//! In: names and values as text (command line, Python, page). Out: [`Settings`]. What a value means for a certain input (does the window fit?) is checked
//! where the input is known (`occlusion`, `job`).

mod choices;
mod given;
mod laid;
mod parse;
mod preset;
mod table;
mod text;

use std::ops::Range;
use std::path::PathBuf;

use crate::map::Definition;
use crate::occlusion::{Border, Fill, Shape};
use crate::score::{Classes, ScoreKind};
use crate::target::{Boxes, Target};
use crate::tensor::Layout;

pub use choices::{Channels, EngineChoice, Masks, Runtime};
pub use given::{GivenArray, RegionLabels, RegionNames};
pub use preset::{Preset, StrideRule, WindowRule};
pub use table::Setting;

/// Everything that a run can be told. `None` means "the default, which depends on the model or the input".
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// The definition that the other settings were taken from, before they were changed one by one.
    pub preset: Option<Preset>,
    /// Windows of one size, or of several in one map; each one size per spatial axis (one stands for all of them), or one more in front for the channel axis.
    pub window: Option<Vec<Vec<usize>>>,
    /// Steps, like `window`; one for all windows, or one each.
    pub stride: Option<Vec<Vec<usize>>>,
    /// The same in millimetres, for inputs that know theirs; then `window` is `None`.
    pub window_mm: Option<Vec<Vec<f64>>>,
    /// Steps in millimetres.
    pub stride_mm: Option<Vec<Vec<f64>>>,
    /// The window where none is given.
    pub window_rule: WindowRule,
    /// The stride where none is given.
    pub stride_rule: StrideRule,
    /// What windows do with channels, where `window` does not say it.
    pub channels: Channels,
    /// The input is padded by half a window on every side, with the fill, before the model sees it: kazuto1011.
    pub padded: bool,
    /// A label image whose regions are hidden one by one, instead of windows.
    pub regions: Option<RegionLabels>,
    /// Names for its labels.
    pub region_names: Option<RegionNames>,
    /// Random masks instead of windows.
    pub masks: Option<Masks>,
    /// What is hidden of each window.
    pub shape: Shape,
    /// What happens where the stride does not fit.
    pub border: Border,
    /// What replaces the hidden values; `None` for the usual: [`Settings::fill_for`].
    pub fill: Option<Fill>,
    /// What is measured.
    pub target: Target,
    /// Which quantity of it.
    pub score: Option<ScoreKind>,
    /// Whether classes exclude each other; `None` where the model says it.
    pub classes: Option<Classes>,
    /// How a detector writes its boxes.
    pub boxes: Boxes,
    /// Where the channels are.
    pub layout: Option<Layout>,
    /// Preprocessing in the grammar of `--preprocess`.
    pub preprocess: Option<String>,
    /// Ranges of windows' centres, per spatial axis, in elements.
    pub roi: Option<Vec<Range<usize>>>,
    /// For `noise`.
    pub seed: u64,
    /// Noise fills that the scores of every window are averaged over.
    pub samples: usize,
    /// How the scores become the map.
    pub definition: Definition,
    /// Threads; `None` for all cores.
    pub threads: Option<usize>,
    /// Bytes; `None` for half of the machine's memory.
    pub memory_limit: Option<u64>,
    /// How the engine runs.
    pub engine: EngineChoice,
    /// What runs the model.
    pub runtime: Runtime,
    /// The error (RMSE, as a share of the map's range) that an approximate map may have; `None` for an exact one.
    pub approximate: Option<f64>,
    /// ONNX Runtime's library where the front knows it (`ORT_DYLIB_PATH`); no setting of the table.
    pub ort_library: Option<PathBuf>,
    /// A Python environment to look for ONNX Runtime in (`VIRTUAL_ENV`); no setting of the table.
    pub virtual_env: Option<PathBuf>,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            preset: None,
            window: None,
            stride: None,
            window_mm: None,
            stride_mm: None,
            window_rule: WindowRule::default(),
            stride_rule: StrideRule::default(),
            channels: Channels::default(),
            padded: false,
            regions: None,
            region_names: None,
            masks: None,
            shape: Shape::default(),
            border: Border::default(),
            fill: None,
            target: Target::Top1,
            score: None,
            classes: None,
            boxes: Boxes::default(),
            layout: None,
            preprocess: None,
            roi: None,
            seed: 0,
            samples: 1,
            definition: Definition::default(),
            threads: None,
            memory_limit: None,
            engine: EngineChoice::default(),
            runtime: Runtime::default(),
            approximate: None,
            ort_library: None,
            virtual_env: None,
        }
    }
}

impl Settings {
    /// Takes over a named definition; what is set after it replaces its choices.
    pub fn take_preset(&mut self, preset: Preset) {
        preset.apply(self);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensor::TensorSpec;

    #[test]
    fn every_row_of_the_table_can_be_set() {
        let values = [
            ("preset", "captum"),
            ("window", "3x16x16"),
            ("stride", "8"),
            ("regions", "organs.npy"),
            ("region-names", "organs.csv"),
            ("masks", "400:7:0.5"),
            ("shape", "ellipse"),
            ("border", "clip"),
            ("channels", "each"),
            ("padded", "yes"),
            ("fill", "0.5,1,2"),
            ("target", "top5"),
            ("score", "log-odds"),
            ("classes", "independent"),
            ("boxes", "cxcywh,scale=unit,objectness=no"),
            ("layout", "nhwc"),
            ("preprocess", "tf"),
            ("roi", "1:2,3:4"),
            ("seed", "7"),
            ("samples", "3"),
            ("value", "score"),
            ("aggregate", "sum"),
            ("uncovered", "zero"),
            ("normalize", "max-abs"),
            ("upsample", "linear"),
            ("threads", "2"),
            ("memory-limit", "2G"),
            ("engine", "full"),
            ("runtime", "ort"),
            ("approximate", "off"),
        ];
        assert_eq!(values.map(|(n, _)| n), Settings::TABLE.map(|s| s.name));
        let mut settings = Settings::default();
        for (name, value) in values {
            settings.set(name, value).expect(name);
        }
        assert_eq!((settings.memory_limit, settings.seed, settings.threads), (Some(2 << 30), 7, Some(2)));
        let spec = spec(&[3, 32, 32]);
        let windows = settings.windows_for(&spec).expect("given");
        assert_eq!(settings.strides_for(&windows, &spec).expect("fits"), [[1, 8, 8]]);
        // What is written into provenance makes the same settings again.
        let mut again = Settings::default();
        for (name, value) in settings.arguments(&spec, ScoreKind::LogOdds) {
            again.set(&name, &value).expect(&name);
        }
        assert_eq!(again.arguments(&spec, ScoreKind::LogOdds), settings.arguments(&spec, ScoreKind::LogOdds));
    }

    fn spec(shape: &[usize]) -> TensorSpec {
        TensorSpec::new("x", shape, Layout::ChannelsFirst)
    }

    /// Windows and strides, by these settings, of an input of this shape.
    fn laid(settings: &[(&str, &str)], shape: &[usize]) -> (Vec<Vec<usize>>, Vec<Vec<usize>>) {
        let mut all = Settings::default();
        settings.iter().for_each(|(name, value)| all.set(name, value).expect(name));
        let windows = all.windows_for(&spec(shape)).expect("has a default");
        let strides = all.strides_for(&windows, &spec(shape)).expect("fits");
        (windows, strides)
    }

    #[test]
    fn defaults_depend_on_the_input() {
        let one = |window: &[usize], stride: &[usize]| (vec![window.to_vec()], vec![stride.to_vec()]);
        assert_eq!(laid(&[], &[3, 224, 320]), one(&[28, 28], &[14, 14]));
        assert_eq!(laid(&[], &[7]), one(&[1], &[1]));
        assert_eq!(
            laid(&[("window", "3x16x16"), ("stride", "8")], &[3, 32, 32]),
            one(&[3, 16, 16], &[3, 8, 8])
        );
        assert_eq!(laid(&[("preset", "mindspore")], &[3, 32, 40]), one(&[4, 4, 4], &[1, 1, 1]));
        assert_eq!(laid(&[("preset", "mindspore")], &[4]), one(&[4], &[1]));
        assert_eq!(
            laid(&[("preset", "monai-0.4"), ("stride", "2")], &[3, 32, 40]),
            one(&[4, 4, 4], &[1, 2, 2])
        );
        assert_eq!(laid(&[("preset", "monai-0.9")], &[3, 32, 40]), one(&[1, 15, 15], &[1, 1, 1]));
        assert_eq!(laid(&[("preset", "monai-1")], &[3, 32, 40]), one(&[16, 16], &[6, 6]));
        assert_eq!(
            laid(&[("preset", "captum"), ("window", "1x2x2")], &[3, 32, 40]),
            one(&[1, 2, 2], &[1, 1, 1])
        );
        assert_eq!(laid(&[("preset", "mindspore-xai")], &[3, 96, 32]), one(&[3, 3], &[3, 1]));
        assert_eq!(laid(&[("preset", "matlab")], &[3, 100, 50]), one(&[20, 10], &[10, 5]));
    }

    #[test]
    fn sizes_in_millimetres_wait_for_an_input_that_knows_its_own() {
        use crate::input::{Input, Placement};
        let mut settings = Settings::default();
        settings.set("window", "12x12x24mm").expect("sizes");
        settings.set("stride", "7.4mm").expect("steps");
        let plain = Input::from_tensor(spec(&[1, 8, 8, 8]), vec![0.0; 512]).expect("fits");
        let error = settings.in_elements(&plain).expect_err("no millimetres").to_string();
        assert!(error.contains("window is given in millimetres"), "{error}");
        assert!(settings.windows_for(&plain.spec).is_err());
        let mut scan = plain;
        let mut affine = crate::input::volume::affine::IDENTITY;
        affine[2][2] = -5.0;
        scan.geometry.placement = Some(Placement::of_file([8, 8, 8], affine));
        let settled = settings.in_elements(&scan).expect("known");
        assert_eq!(
            (&settled.window, &settled.stride),
            (&Some(vec![vec![12, 12, 5]]), &Some(vec![vec![7, 7, 1]]))
        );
        settings.set("window", "4").expect("elements");
        assert_eq!((settings.window_mm.clone(), settings.window.clone()), (None, Some(vec![vec![4]])));
        for text in ["12mm,8", "0mm", "x mm", "1x2mm"] {
            let refused = settings.set("window", text).and_then(|()| settings.in_elements(&scan).map(drop));
            assert!(refused.is_err(), "{text}");
        }
    }

    #[test]
    fn several_sizes() {
        let (windows, strides) = laid(&[("window", "16,32x8"), ("stride", "8")], &[3, 64, 64]);
        assert_eq!((windows, strides), (vec![vec![16, 16], vec![32, 8]], vec![vec![8, 8], vec![8, 8]]));
        assert_eq!(laid(&[("window", "16,32")], &[3, 64, 64]).1, [[8, 8], [16, 16]]);
        let mut settings = Settings::default();
        settings.set("window", "1,2,3").expect("sizes");
        settings.set("stride", "1,2").expect("steps");
        let windows = settings.windows_for(&spec(&[1, 8, 8])).expect("given");
        assert!(settings.strides_for(&windows, &spec(&[1, 8, 8])).is_err());
    }

    #[test]
    fn a_preset_without_a_default_window_says_so() {
        let mut settings = Settings::default();
        settings.set("preset", "captum").expect("known");
        let error = settings.windows_for(&spec(&[3, 8, 8])).expect_err("required");
        assert_eq!(error.to_string(), "captum has no default window");
    }

    #[test]
    fn unknown_names_and_values() {
        let mut settings = Settings::default();
        let mut error = |name: &str, value: &str| settings.set(name, value).expect_err(name);
        assert_eq!(error("windw", "3").hint(), Some("did you mean window?"));
        assert!(error("border", "shfit").hint().expect("hint").contains("shift"));
        assert!(error("fill", "inpaint:0").to_string().contains("inpaint:0"));
        assert!(error("threads", "0").to_string().contains("threads is 0"));
        assert!(error("window", "16x").to_string().contains("16x"));
        assert!(error("roi", "1-2").to_string().contains("1-2"));
    }
}
