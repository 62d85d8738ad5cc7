//! `mindspore.train.OcclusionSensitivity` of MindSpore 2.10: `clear`, `update(model, y_pred, label)`, `eval`.
//!
//! In: the origin's arguments. Out: the origin's numbers (baseline minus occluded, squeezed), by the preset `mindspore`; an ONNX model runs incrementally, a function in batches. Repaired:
//! `margin` may be a sequence, one number per axis (accepted and then a crash there); `label` may be a plain number or have one element (a `TypeError` or a wrong shape there); `b_box` may be
//! a tuple or an array, and `pad_val` a whole number (refused there). Windows that hide the same elements run once.

use super::{Argument, Array, Exception, Raises};
use crate::error::Result;
use crate::input::Input;
use crate::job::{Job, Meaning, Watch};
use crate::map::{FileFact, Map};
use crate::model::Model;
use crate::occlusion::Fill;
use crate::scorer::{BatchScorer, Outputs};
use crate::settings::{Preset, Settings};
use crate::target::Target;
use crate::tensor::{Layout, TensorSpec, shape_text};

/// From a batch of examples (row-major, one after the other) and their number to `[count, classes]`.
pub type Function<'a> = dyn Fn(&[f32], usize) -> Result<Vec<f32>> + Sync + 'a;

/// What is asked.
pub enum Classifier<'a> {
    /// An ONNX model.
    Onnx(&'a Model),
    /// Any function from a batch to scores, one vector of classes per example.
    Function(&'a Function<'a>),
}

/// One of the inputs of `update`.
pub enum Given<'a> {
    /// The model.
    Model(Classifier<'a>),
    /// The image or the label.
    Value(Argument),
}

/// The metric.
///
/// ```
/// use occlude::peers::mindspore::{Classifier, Given, OcclusionSensitivity};
/// use occlude::peers::Argument;
/// // The example of MindSpore's documentation: y = x W' + b with W = [[.1, .8, .1, .1], [1, 1, 1, 1]], b = [.3, .6].
/// let dense = |x: &[f32], _: usize| {
///     let one = |x: &[f32]| [0.1 * x[0] + 0.8 * x[1] + 0.1 * x[2] + 0.1 * x[3] + 0.3, x.iter().sum::<f32>() + 0.6];
///     Ok(x.chunks(4).flat_map(one).collect())
/// };
/// let mut metric = OcclusionSensitivity::default();
/// let image = Argument::Array { shape: vec![1, 4], values: vec![0.1, 0.2, 0.3, 0.4] };
/// metric.update(&[Given::Model(Classifier::Function(&dense)), Given::Value(image), Given::Value(Argument::Int(1))])?;
/// let map = metric.eval()?;
/// assert!(map.values.iter().zip([0.3, 0.6, 1.0, 0.9]).all(|(a, b)| (a - b).abs() < 1e-6));
/// # Ok::<(), occlude::peers::Exception>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct OcclusionSensitivity {
    pad_val: f32,
    margin: Vec<usize>,
    n_batch: usize,
    b_box: Option<Vec<i64>>,
    result: Option<Array>,
}

impl Default for OcclusionSensitivity {
    /// `pad_val=0.0, margin=2, n_batch=128, b_box=None`
    fn default() -> Self {
        OcclusionSensitivity { pad_val: 0.0, margin: vec![2], n_batch: 128, b_box: None, result: None }
    }
}

fn wrong_type(name: &str, found: &Argument, expected: &str) -> Exception {
    Exception::new(
        Raises::TypeError,
        format!(
            "For 'OcclusionSensitivity', the type of '{name}' should be {expected}, but got {}.",
            found.type_name()
        ),
    )
}

fn wrong_value(message: String) -> Exception {
    Exception::new(Raises::ValueError, format!("For 'OcclusionSensitivity', {message}"))
}

impl OcclusionSensitivity {
    /// `pad_val`: what is written into the window, a number. `margin`: half of the window along every axis, channels included, a whole number or one per axis. `n_batch`: examples that a
    /// function is given at once, at least 1; numbers do not depend on it. `b_box`: `[min1, max1, min2, max2, ...]` over all axes but the batch, both ends included; a negative min means 0, a
    /// negative max the last element.
    ///
    /// # Errors
    /// `TypeError`: a value of another type, a truth value where a number belongs. `ValueError`: a negative margin, a batch below 1.
    pub fn new(
        pad_val: &Argument,
        margin: &Argument,
        n_batch: &Argument,
        b_box: &Argument,
    ) -> std::result::Result<Self, Exception> {
        let pad_val = match pad_val {
            Argument::Float(value) => *value as f32,
            Argument::Int(value) => *value as f32,
            Argument::Array { values, .. } if values.len() == 1 => values[0],
            other => return Err(wrong_type("pad_val", other, "float")),
        };
        let sizes = match margin {
            Argument::Int(one) => vec![*one],
            Argument::List(items)
                if !items.is_empty() && !items.iter().any(|i| matches!(i, Argument::Bool(_))) =>
            {
                margin.whole_numbers().ok_or_else(|| wrong_type("margin", margin, "int or list of int"))?
            }
            other => return Err(wrong_type("margin", other, "int or list of int")),
        };
        let margin = sizes
            .iter()
            .map(|&m| {
                usize::try_from(m)
                    .map_err(|_| wrong_value(format!("'margin' should not be negative, but got {m}.")))
            })
            .collect::<std::result::Result<_, _>>()?;
        let n_batch = match n_batch {
            Argument::Int(n) if *n > 0 => *n as usize,
            Argument::Int(n) => {
                return Err(wrong_value(format!("'n_batch' should be at least 1, but got {n}.")));
            }
            other => return Err(wrong_type("n_batch", other, "int")),
        };
        let b_box = match b_box {
            Argument::None => None,
            given => Some(given.whole_numbers().ok_or_else(|| wrong_type("b_box", given, "list of int"))?),
        };
        Ok(OcclusionSensitivity { pad_val, margin, n_batch, b_box, result: None })
    }

    /// Forgets the last update.
    pub fn clear(&mut self) {
        self.result = None;
    }

    /// Makes the map of one image: `inputs` are the model, the image (an array with a batch axis of 1; the origin calls it `y_pred`) and the label. The last update wins.
    ///
    /// # Errors
    /// `ValueError`: not three inputs, a label that is no class, a box that does not fit the image. `TypeError`: an input of another type. `RuntimeError`: a batch of more than one, more labels
    /// than images, and what the model says.
    pub fn update(&mut self, inputs: &[Given<'_>]) -> std::result::Result<(), Exception> {
        self.update_watched(inputs, &mut Watch::default())
    }

    /// Like [`OcclusionSensitivity::update`], with progress and a flag that stops it. A run that was stopped leaves the result of the update before.
    ///
    /// # Errors
    /// As there.
    pub fn update_watched(
        &mut self,
        inputs: &[Given<'_>],
        watch: &mut Watch<'_>,
    ) -> std::result::Result<(), Exception> {
        let [model, image, label] = inputs else {
            return Err(Exception::new(
                Raises::ValueError,
                format!(
                    "For 'OcclusionSensitivity.update', it needs 3 inputs (classification model, image, label), but got {}.",
                    inputs.len()
                ),
            ));
        };
        let Given::Model(model) = model else {
            return Err(Exception::new(
                Raises::TypeError,
                "For 'OcclusionSensitivity.update', the first input should be the model.",
            ));
        };
        let Given::Value(Argument::Array { shape, values }) = image else {
            return Err(Exception::new(
                Raises::TypeError,
                "For 'OcclusionSensitivity.update', the second input (y_pred) should be an array: the image with a batch axis in front.",
            ));
        };
        let Given::Value(label) = label else {
            return Err(Exception::new(
                Raises::TypeError,
                "For 'OcclusionSensitivity.update', the third input should be the label.",
            ));
        };
        let [1, axes @ ..] = shape.as_slice() else {
            return Err(Exception::new(
                Raises::RuntimeError,
                format!("Expected batch size of 1, but got an image of shape {}.", shape_text(shape)),
            ));
        };
        if label.count() != 1 {
            return Err(Exception::new(
                Raises::RuntimeError,
                format!("Expected as many labels as batches, but got {} labels for 1 image.", label.count()),
            ));
        }
        let class = match label {
            Argument::Bool(_) => None,
            label => label.whole_number(),
        };
        let class = class.ok_or_else(|| {
            Exception::new(
                Raises::TypeError,
                format!(
                    "For 'OcclusionSensitivity.update', the label should be a class index, but got {}.",
                    label.type_name()
                ),
            )
        })?;
        let class = usize::try_from(class).map_err(|_| {
            wrong_value(format!("the label should be a class index from 0, but got {class}."))
        })?;
        let settings = self.settings(axes, class)?;
        let map = match model {
            Classifier::Onnx(model) => {
                let input = model.tensor_input(axes, values.clone())?;
                model.occlusion().with(&settings).run_watched(&input, watch)?
            }
            Classifier::Function(function) => self.run(*function, axes, values, &settings, watch)?,
        };
        if map.is_complete() {
            self.result = Some(squeezed(&map));
        }
        Ok(())
    }

    /// The map of the last update: baseline minus occluded score per place of the window, axes of length 1 left out.
    ///
    /// # Errors
    /// `RuntimeError`: before any update.
    pub fn eval(&self) -> std::result::Result<&Array, Exception> {
        self.result.as_ref().ok_or_else(|| {
            Exception::new(
                Raises::RuntimeError,
                "Please call the 'update' method before calling 'eval' method.",
            )
        })
    }

    fn settings(&self, axes: &[usize], class: usize) -> std::result::Result<Settings, Exception> {
        let mut settings = Settings { target: Target::Class(class), ..Settings::default() };
        settings.take_preset(Preset::MindSpore);
        settings.fill = Some(Fill::Value(vec![self.pad_val]));
        let margin = match self.margin.as_slice() {
            [one] => vec![*one; axes.len()],
            several if several.len() == axes.len() => several.to_vec(),
            several => {
                return Err(wrong_value(format!(
                    "'margin' should have one number for each of the {} axes of the image (batch aside), but got {}.",
                    axes.len(),
                    several.len()
                )));
            }
        };
        settings.window = Some(vec![margin.iter().map(|m| 2 * m).collect()]);
        settings.stride = Some(vec![vec![1; axes.len()]]);
        let Some(b_box) = &self.b_box else { return Ok(settings) };
        if b_box.len() != 2 * axes.len() {
            return Err(wrong_value(format!(
                "'b_box' should contain a lower and an upper end for each of the {} axes of the image (batch aside), but got {} numbers.",
                axes.len(),
                b_box.len()
            )));
        }
        let mut roi = Vec::with_capacity(axes.len());
        for (axis, (ends, &length)) in b_box.chunks(2).zip(axes).enumerate() {
            let low = ends[0].max(0);
            let high = if ends[1] < 0 { length as i64 - 1 } else { ends[1] };
            if high >= length as i64 {
                return Err(wrong_value(format!(
                    "the upper end of 'b_box' should be below the size of the image, but got {high} for axis {axis} of {length} elements."
                )));
            }
            if low > high {
                return Err(wrong_value(format!(
                    "the lower end of 'b_box' should be at most the upper one, but got {low} and {high} for axis {axis}."
                )));
            }
            roi.push(low as usize..high as usize + 1);
        }
        settings.roi = Some(roi);
        Ok(settings)
    }

    fn run(
        &self,
        function: &Function<'_>,
        axes: &[usize],
        values: &[f32],
        settings: &Settings,
        watch: &mut Watch<'_>,
    ) -> Result<Map> {
        let spec = TensorSpec::new("y_pred", axes, Layout::ChannelsFirst);
        let scorer =
            BatchScorer::new(vec![spec.clone()], self.n_batch, "function", |x: &[&[f32]], count: usize| {
                let scores = function(x[0], count)?;
                let shape = vec![1, scores.len() / count.max(1)];
                Ok(Outputs { names: vec!["scores".into()], shapes: vec![shape], values: vec![scores] })
            });
        let job = Job {
            scorer: &scorer,
            meaning: Meaning { class_output: Some(0), ..Meaning::default() },
            settings,
            read_image: None,
            model_file: FileFact::default(),
            load_secs: 0.0,
        };
        job.run(&Input::from_tensor(spec, values.to_vec())?, watch)
    }
}

/// `np.squeeze`.
fn squeezed(map: &Map) -> Array {
    let shape = map.windows.shape().into_iter().filter(|&n| n != 1).collect();
    Array { shape, values: map.sensitivity.clone() }
}

#[cfg(test)]
#[path = "mindspore_tests.rs"]
mod tests;
