//! The result of a run, with the picture that it is drawn on.

use std::path::PathBuf;

use numpy::{PyArrayDyn, PyReadonlyArrayDyn};
use occlude::{Direction, Format, Object, OutputPlan, Picture};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::arrays::{array, owned};
use crate::errors::exception;

/// A target: label, class, spec, baseline, unit, full name.
type Target = (String, Option<usize>, String, f32, String, String);
/// A window of a ranking: number, place, sensitivity, score, most probable class, box in the input, box in the source.
type Top = (usize, Vec<usize>, f32, f32, Option<usize>, Vec<(usize, usize)>, Vec<(f64, f64)>);

/// Source size, size in elements, scale and offset per spatial axis, and the source's unit.
type Geometry = (Vec<usize>, Vec<usize>, Vec<(f64, f64)>, String);

/// A map.
#[pyclass(module = "occlude._core", frozen)]
#[derive(Clone)]
pub(crate) struct Map {
    pub(crate) inner: occlude::Map,
    pub(crate) picture: Picture,
}

impl Map {
    pub(crate) fn has_any(&self) -> bool {
        self.inner.computed > 0
    }
    /// `[T, windows...]`, the first axis left out where the map has none.
    fn of_windows<'py>(&self, py: Python<'py>, values: &[f32]) -> PyResult<Bound<'py, PyArrayDyn<f32>>> {
        array(py, &self.of_targets(self.inner.windows.shape()), values.to_vec())
    }
    fn of_targets(&self, mut shape: Vec<usize>) -> Vec<usize> {
        if self.inner.has_target_axis() {
            shape.insert(0, self.inner.targets.len());
        }
        shape
    }
}

#[pymethods]
impl Map {
    /// The map and its picture as bytes, for `from_bytes` of the same version.
    fn to_bytes<'py>(&self, py: Python<'py>) -> (Bound<'py, PyBytes>, Bound<'py, PyBytes>) {
        (PyBytes::new(py, &self.inner.to_bytes()), PyBytes::new(py, &self.picture.to_bytes()))
    }
    #[staticmethod]
    fn from_bytes(map: &[u8], picture: &[u8]) -> PyResult<Map> {
        let inner = occlude::Map::from_bytes(map).map_err(|e| exception(&e))?;
        Ok(Map { inner, picture: Picture::from_bytes(picture).map_err(|e| exception(&e))? })
    }
    fn values<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyArrayDyn<f32>>> {
        let (shape, values) = py.detach(|| {
            let view = self.inner.view();
            (view.shape(), view.values.into_owned())
        });
        array(py, &shape, values)
    }
    fn attribution<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyArrayDyn<f32>>> {
        let attribution = py.detach(|| self.inner.attribution());
        let first = usize::from(!self.inner.has_target_axis());
        array(py, &attribution.shape[first..], attribution.values)
    }
    fn sensitivity<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyArrayDyn<f32>>> {
        self.of_windows(py, &self.inner.sensitivity)
    }
    fn scores<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyArrayDyn<f32>>> {
        self.of_windows(py, &self.inner.scores)
    }
    fn spread<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyArrayDyn<f32>>>> {
        self.inner.noise_spread.as_ref().map(|spread| self.of_windows(py, spread)).transpose()
    }
    fn most_probable<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyArrayDyn<i32>>>> {
        let shape = self.inner.windows.shape();
        self.inner.most_probable.as_ref().map(|m| array(py, &shape, m.windows.clone())).transpose()
    }
    /// The class with the greatest number of a joined map of scores, per element.
    fn map_most_probable<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyArrayDyn<i32>>>> {
        let view = self.inner.view();
        let shape = view.grid.shape();
        view.most_probable.map(|classes| array(py, &shape, classes.into_owned())).transpose()
    }
    #[getter]
    fn most_probable_baseline(&self) -> Option<usize> {
        self.inner.most_probable.as_ref().map(|m| m.baseline)
    }
    #[getter]
    fn targets(&self) -> Vec<Target> {
        let target = |t: &occlude::MapTarget| {
            let name = t.class.filter(|_| t.spec.parse::<usize>().is_ok());
            let name = name.map_or_else(|| t.label.clone(), |class| self.inner.labels.name(class));
            (t.label.clone(), t.class, t.spec.clone(), t.baseline, t.unit.clone(), name)
        };
        self.inner.targets.iter().map(target).collect()
    }
    /// Whether arrays have the targets as their first axis.
    #[getter]
    fn has_target_axis(&self) -> bool {
        self.inner.has_target_axis()
    }
    #[getter]
    fn computed(&self) -> usize {
        self.inner.computed
    }
    #[getter]
    fn windows(&self) -> usize {
        self.inner.windows.len()
    }
    #[getter]
    fn notes(&self) -> Vec<String> {
        self.inner.notes.clone()
    }
    #[getter]
    fn input_shape(&self) -> Vec<usize> {
        self.inner.input.shape.clone()
    }
    /// Share of the multiply-adds of full runs that was saved.
    #[getter]
    fn saved(&self) -> Option<f64> {
        self.inner.work.map(|work| work.saved())
    }
    /// `[T, windows...]`, the share of the other maps that have this one's sign, and whether any two contradict each other; nothing where that was not looked at.
    #[allow(clippy::type_complexity, reason = "two arrays")]
    fn signs<'py>(
        &self,
        py: Python<'py>,
    ) -> PyResult<Option<(Bound<'py, PyArrayDyn<f32>>, Bound<'py, PyArrayDyn<bool>>)>> {
        let Some(found) = &self.inner.stability else { return Ok(None) };
        let mut shape = self.inner.windows.shape();
        shape.insert(0, self.inner.targets.len());
        Ok(Some((array(py, &shape, found.agreement.clone())?, array(py, &shape, found.depends.clone())?)))
    }
    /// What was found of the signs, as JSON: `zero_below`, `variants`, `targets`.
    fn stability(&self) -> Option<String> {
        let found = self.inner.stability.as_ref()?;
        let said = serde_json::json!({
            "zero_below": found.zero_below, "variants": found.variants, "targets": found.targets
        });
        Some(said.to_string())
    }
    /// The name of a class.
    fn class_name(&self, class_: usize) -> String {
        self.inner.labels.short(class_)
    }
    /// `(start, end)` in elements per axis of the input.
    fn window_in_input(&self, window: usize) -> Vec<(usize, usize)> {
        self.inner.windows.bounds(window).into_iter().map(|range| (range.start, range.end)).collect()
    }
    /// `(start, end)` in source units per spatial axis.
    fn window_in_source(&self, window: usize) -> Vec<(f64, f64)> {
        self.inner.window_in_source(window).into_iter().map(|range| (range.start, range.end)).collect()
    }
    /// Source size, size in elements, scale and offset per spatial axis, and the source's unit.
    #[getter]
    fn geometry(&self) -> Geometry {
        let geometry = &self.inner.geometry;
        let axes = geometry.axes.iter().map(|axis| (axis.scale, axis.offset)).collect();
        (geometry.source_size.clone(), geometry.size.clone(), axes, geometry.unit.to_string())
    }
    fn top(&self, target: usize, against: bool, count: usize) -> Vec<Top> {
        let direction = if against { Direction::Against } else { Direction::For };
        let top = |w: occlude::TopWindow| {
            let elements = w.window_in_input.into_iter().map(|r| (r.start, r.end)).collect();
            let source = w.window_in_source.into_iter().map(|r| (r.start, r.end)).collect();
            (w.window, w.place, w.sensitivity, w.score, w.most_probable, elements, source)
        };
        self.inner.top_windows(target, direction, count).into_iter().map(top).collect()
    }
    /// Judgements, one per target, as JSON. `boxes`: `(start, end)` in source units per spatial axis; else `mask`, over the input's spatial axes.
    fn judge(
        &self,
        py: Python<'_>,
        boxes: Option<Vec<Vec<(f64, f64)>>>,
        mask: Option<PyReadonlyArrayDyn<'_, bool>>,
        tolerance: f64,
    ) -> PyResult<String> {
        let ranges = |one: Vec<(f64, f64)>| one.into_iter().map(|(start, end)| start..end).collect();
        let object = match (boxes, mask) {
            (Some(boxes), _) => Object::SourceBoxes(boxes.into_iter().map(ranges).collect()),
            (None, Some(mask)) => Object::Mask(owned(&mask)?.1),
            (None, None) => Object::SourceBoxes(Vec::new()),
        };
        let judged = py.detach(|| self.inner.judge(&object, tolerance)).map_err(|e| exception(&e))?;
        serde_json::to_string(&judged).map_err(|e| pyo3::exceptions::PyValueError::new_err(e.to_string()))
    }
    /// The bytes of a file of this format.
    fn encode<'py>(&self, py: Python<'py>, ending: &str) -> PyResult<Bound<'py, PyBytes>> {
        let encode = || {
            let format = Format::of(PathBuf::from(format!("map.{ending}")).as_path())?;
            occlude::output::encode(&self.inner, &self.picture, format)
        };
        Ok(PyBytes::new(py, &py.detach(encode).map_err(|e| exception(&e))?))
    }
    /// Writes files, each beside its place and renamed; the ending chooses the format.
    fn save(&self, py: Python<'_>, paths: Vec<String>) -> PyResult<()> {
        let write = || {
            let plan = OutputPlan::prepare(&paths, &[PathBuf::from("map")])?;
            plan.write(0, &self.inner, &self.picture)
        };
        py.detach(write).map(drop).map_err(|e| exception(&e))
    }
    /// `[height, width, 3]` u8: the picture that the map is drawn on, over the extent of the input's last two spatial axes.
    fn picture<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyArrayDyn<u8>>> {
        array(py, &[self.picture.height, self.picture.width, 3], self.picture.rgb.clone())
    }
}
