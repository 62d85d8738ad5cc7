//! A model file, opened.

use std::path::PathBuf;

use numpy::{PyArrayDyn, PyArrayMethods, PyReadonlyArray3, PyReadonlyArrayDyn, PyUntypedArrayMethods};
use occlude::input::labels_of;
use occlude::output::judgement::to_json;
use occlude::{Error, GivenArray, JudgeOptions, Object, StabilityOptions};
use pyo3::prelude::*;

use crate::arrays::{array, owned};
use crate::errors::exception;
use crate::evaluate::{self, Evaluation};
use crate::input::Input;
use crate::map::Map;
use crate::running::{self, Raised};
use crate::settings::Settings;
use crate::words::keywords;

/// An `.onnx` file or a model folder.
#[pyclass(module = "occlude._core", frozen)]
pub(crate) struct Model {
    pub(crate) inner: occlude::Model,
}

#[pymethods]
impl Model {
    #[new]
    fn new(py: Python<'_>, path: PathBuf, settings: &Settings) -> PyResult<Self> {
        let inner =
            py.detach(|| occlude::Model::open_with(path, &settings.inner)).map_err(|e| exception(&e))?;
        Ok(Model { inner })
    }
    /// Name, dimensions without the batch axis (None = open) and layout of each input.
    #[getter]
    fn inputs(&self) -> Vec<(String, Vec<Option<usize>>, String)> {
        let port = |p: &occlude::InputPort| (p.name.clone(), p.dims.clone(), p.layout.to_string());
        self.inner.ports().iter().map(port).collect()
    }
    /// Names of the classes, by index; empty where nothing beside the model says them.
    #[getter]
    fn labels(&self) -> Vec<String> {
        let labels = &self.inner.configuration().labels;
        (0..labels.len()).map(|class| labels.name(class)).collect()
    }
    /// The `.onnx` file.
    #[getter]
    fn path(&self) -> PathBuf {
        self.inner.path().to_path_buf()
    }
    /// Reads a file as the input of this name, or the first.
    #[pyo3(signature = (path, name=None))]
    fn read(&self, py: Python<'_>, path: PathBuf, name: Option<&str>) -> PyResult<Input> {
        let read = || match name {
            None => self.inner.read_input(&path),
            Some(name) => self.inner.read_input_of(name, &path),
        };
        Ok(Input { inner: py.detach(read).map_err(|e| exception(&e))? })
    }
    /// Reads the bytes of a picture file or an `.npy` file as the first input; `name` is what messages and provenance call it.
    fn read_bytes(&self, py: Python<'_>, bytes: &[u8], name: &str) -> PyResult<Input> {
        Ok(Input {
            inner: py.detach(|| self.inner.read_bytes_input(bytes, name)).map_err(|e| exception(&e))?,
        })
    }
    /// Takes an upright picture `[height, width, 3]` as the first input, through the model's preprocessing.
    fn picture(&self, py: Python<'_>, rgb: PyReadonlyArray3<'_, u8>) -> PyResult<Input> {
        let (height, width) = (rgb.shape()[0], rgb.shape()[1]);
        let rgb = owned(&rgb.to_dyn().readonly())?.1;
        let take = || self.inner.picture_input(&rgb, height, width);
        Ok(Input { inner: py.detach(take).map_err(|e| exception(&e))? })
    }
    /// Takes an array without its batch axis as the input of this name, or the first.
    #[pyo3(signature = (values, name=None))]
    fn tensor(
        &self,
        py: Python<'_>,
        values: PyReadonlyArrayDyn<'_, f32>,
        name: Option<&str>,
    ) -> PyResult<Input> {
        let (shape, values) = owned(&values)?;
        let take = || match name {
            None => self.inner.tensor_input(&shape, values),
            Some(name) => self.inner.tensor_input_of(name, &shape, values),
        };
        Ok(Input { inner: py.detach(take).map_err(|e| exception(&e))? })
    }
    /// Makes a map.
    fn run(
        &self,
        py: Python<'_>,
        input: &Input,
        settings: &Settings,
        progress: Option<Py<PyAny>>,
    ) -> PyResult<Map> {
        let (model, input, settings) = (&self.inner, &input.inner, &settings.inner);
        running::run(py, progress, &Raised::default(), &input.picture, |watch| {
            model.occlusion().with(settings).run_watched(input, watch)
        })
    }
    /// Makes a map and holds its signs against those of other choices: fills as the settings write them, sizes of windows, a number of seeds, the share below which there is no sign.
    #[allow(clippy::too_many_arguments, reason = "choices, and what a run needs")]
    fn stability(
        &self,
        py: Python<'_>,
        input: &Input,
        settings: &Settings,
        fills: Vec<String>,
        windows: Vec<String>,
        seeds: usize,
        zero: f64,
        progress: Option<Py<PyAny>>,
    ) -> PyResult<Map> {
        let mut choices = StabilityOptions::default();
        let given = [
            ("fill", fills),
            ("window", windows),
            ("seeds", vec![seeds.to_string()]),
            ("zero", vec![zero.to_string()]),
        ];
        for (name, values) in given {
            for value in values {
                choices.set(name, &value).map_err(|e| exception(&e))?;
            }
        }
        let (model, input, settings) = (&self.inner, &input.inner, &settings.inner);
        running::run(py, progress, &Raised::default(), &input.picture, |watch| {
            model.occlusion().with(settings).stability_watched(input, &choices, watch)
        })
    }
    /// Makes a map and judges it given the object: the map, and what was found as JSON. `boxes`: `(start, end)` in source units per spatial axis; else `mask`, as large as the source or the input.
    /// `options` by the crate's names.
    #[allow(clippy::too_many_arguments, reason = "one object of two kinds, and what a run needs")]
    fn judge(
        &self,
        py: Python<'_>,
        input: &Input,
        settings: &Settings,
        boxes: Option<Vec<Vec<(f64, f64)>>>,
        mask: Option<PyReadonlyArrayDyn<'_, i64>>,
        options: Vec<(String, f64)>,
        progress: Option<Py<PyAny>>,
    ) -> PyResult<(Map, String)> {
        let (model, input, settings) = (&self.inner, &input.inner, &settings.inner);
        let mut chosen = JudgeOptions::default();
        for (name, value) in options {
            chosen.set(&name, value).map_err(|e| exception(&e))?;
        }
        let ranges = |one: Vec<(f64, f64)>| one.into_iter().map(|(start, end)| start..end).collect();
        let object = match mask {
            Some(mask) => {
                let (shape, values) = owned(&mask)?;
                let labels = GivenArray::labels(&shape, values).and_then(|array| labels_of(&array, input));
                let labels = labels.map_err(|e| exception(&e))?;
                Object::Mask(labels.into_iter().map(|label| label != 0).collect())
            }
            None => Object::SourceBoxes(boxes.unwrap_or_default().into_iter().map(ranges).collect()),
        };
        let mut said = None;
        let map = running::run(py, progress, &Raised::default(), &input.picture, |watch| {
            let judged = model.occlusion().with(settings).judge_watched(input, &object, &chosen, watch)?;
            let judged =
                judged.ok_or_else(|| Error::model("the run was stopped before anything was found"))?;
            let mut json = to_json(&judged);
            json["notes"] = judged.map.notes.iter().map(|note| keywords(note)).collect();
            said = Some(json.to_string());
            Ok(judged.map)
        })?;
        Ok((map, said.unwrap_or_default()))
    }
    /// Evaluates maps (with names; of maps the target with this number) or, without any, the map of the settings. `options` by the crate's names.
    #[allow(clippy::too_many_arguments, reason = "maps, options, and what a run needs")]
    fn evaluate(
        &self,
        py: Python<'_>,
        input: &Input,
        settings: &Settings,
        maps: Vec<(String, Bound<'_, PyAny>)>,
        target: usize,
        options: Vec<(String, String)>,
        progress: Option<Py<PyAny>>,
    ) -> PyResult<Evaluation> {
        let options = evaluate::options(options)?;
        let sides =
            maps.iter().map(|(name, map)| evaluate::side(map, target, name)).collect::<PyResult<Vec<_>>>()?;
        let (model, input, settings) = (&self.inner, &input.inner, &settings.inner);
        let raised = Raised::default();
        let found = running::watched(py, progress, &raised, |watch| {
            model.occlusion().with(settings).evaluate_watched(input, &sides, &options, watch)
        });
        if let Some(raised) = raised.take() {
            return Err(raised);
        }
        let found = found.map_err(|e| exception(&e))?;
        let stopped = || exception(&Error::model("the run was stopped before the map was complete"));
        let mut inner = found.ok_or_else(stopped)?;
        inner.notes.iter_mut().for_each(|note| *note = keywords(note));
        Ok(Evaluation { inner })
    }
    /// Name and values `[1, ...]` of each output, by one full run.
    fn outputs<'py>(
        &self,
        py: Python<'py>,
        input: &Input,
    ) -> PyResult<Vec<(String, Bound<'py, PyArrayDyn<f32>>)>> {
        let outputs = py.detach(|| self.inner.outputs(&input.inner)).map_err(|e| exception(&e))?;
        let named = outputs.names.into_iter().zip(outputs.shapes).zip(outputs.values);
        named.map(|((name, shape), values)| Ok((name, array(py, &shape, values)?))).collect()
    }
    /// What is known about the model, as JSON.
    fn inspect(&self, py: Python<'_>) -> PyResult<String> {
        let mut facts = py.detach(|| self.inner.facts()).map_err(|e| exception(&e))?;
        facts.preprocess_source = keywords(&facts.preprocess_source);
        serde_json::to_string(&facts).map_err(|e| pyo3::exceptions::PyValueError::new_err(e.to_string()))
    }
}
