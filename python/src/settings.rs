//! The settings of a run, by the names of the contract table, and the values that text cannot hold.

use std::collections::BTreeMap;
use std::path::PathBuf;

use numpy::PyReadonlyArrayDyn;
use occlude::{Fill, GivenArray, Masks, RegionLabels, RegionNames, Target};
use pyo3::prelude::*;

use crate::arrays::owned;
use crate::errors::exception;

/// Everything that a run can be told.
#[pyclass(module = "occlude._core")]
#[derive(Clone, Default)]
pub(crate) struct Settings {
    pub(crate) inner: occlude::Settings,
}

#[pymethods]
impl Settings {
    #[new]
    fn new() -> Self {
        Settings::default()
    }
    /// Name, default and meaning of every setting.
    #[staticmethod]
    fn table() -> Vec<(&'static str, &'static str, &'static str)> {
        occlude::Settings::TABLE.iter().map(|s| (s.name, s.default, s.meaning)).collect()
    }
    /// A copy that can be changed by itself.
    fn copy(&self) -> Self {
        self.clone()
    }
    /// Sets one by its name.
    fn set(&mut self, name: &str, value: &str) -> PyResult<()> {
        self.inner.set(name, value).map_err(|e| exception(&e))
    }
    /// Several targets, each as text: a class name may hold a comma.
    fn targets(&mut self, targets: Vec<String>) -> PyResult<()> {
        let mut all = Vec::with_capacity(targets.len());
        for target in targets {
            self.set("target", &target)?;
            // Each in a list of its own: names of one class that are given one by one are no whole name.
            all.push(match &self.inner.target {
                Target::List(_) => self.inner.target.clone(),
                one => Target::List(vec![one.clone()]),
            });
        }
        self.inner.target = Target::List(all);
        Ok(())
    }
    /// The fill is a tensor of the input's shape, row-major, batch axis left out.
    fn fill_with(&mut self, values: PyReadonlyArrayDyn<'_, f32>) -> PyResult<()> {
        self.inner.fill = Some(Fill::Tensor(owned(&values)?.1));
        Ok(())
    }
    /// A label image in memory, over the input's spatial axes or the source's pixels, and names of its regions.
    fn regions_of(&mut self, labels: PyReadonlyArrayDyn<'_, i64>) -> PyResult<()> {
        let (shape, labels) = owned(&labels)?;
        let labels = GivenArray::labels(&shape, labels).map_err(|e| exception(&e))?;
        self.inner.regions = Some(RegionLabels::Given(labels));
        Ok(())
    }
    /// Names of regions, by label.
    fn region_names_of(&mut self, names: BTreeMap<u32, String>) {
        self.inner.region_names = Some(RegionNames::Given(names));
    }
    /// Masks in memory, `[N, spatial...]`, 1 = kept.
    fn masks_of(&mut self, kept: PyReadonlyArrayDyn<'_, f32>) -> PyResult<()> {
        let (shape, kept) = owned(&kept)?;
        let kept = GivenArray::masks(&shape, kept).map_err(|e| exception(&e))?;
        self.inner.masks = Some(Masks::Given(kept));
        Ok(())
    }
    /// Where ONNX Runtime's library is looked for.
    fn find_onnxruntime(&mut self, library: Option<PathBuf>, environment: Option<PathBuf>) {
        self.inner.ort_library = library;
        self.inner.virtual_env = environment;
    }
}
