//! The Python module `occlude._core`: the crate `occlude` as Python objects. Nothing is decided here: names, checks, defaults and messages are the crate's; conversions of other libraries' tensors,
//! types and docstrings are in the Python files of the package.
//!
//! `settings`, `input`, `model`, `function` and `map` wrap one type each; `compare` is one function, `audit` four; `words` puts the crate's texts into Python's spelling; `running` is the one place where the interpreter is let go, signals are looked at and errors become exceptions; `arrays`
//! is the way of numbers to and from NumPy.

mod arrays;
mod audit;
mod compare;
mod errors;
mod evaluate;
mod function;
mod input;
mod map;
mod mindspore;
mod model;
mod running;
mod settings;
mod words;

use pyo3::prelude::*;

#[pymodule]
mod _core {
    #[pymodule_export]
    use super::audit::{audit, audit_columns, audit_rows, audit_summary};
    #[pymodule_export]
    use super::compare::compare;
    #[pymodule_export]
    use super::evaluate::Evaluation;
    #[pymodule_export]
    use super::function::run_function;
    #[pymodule_export]
    use super::input::Input;
    #[pymodule_export]
    use super::map::Map;
    #[pymodule_export]
    use super::mindspore::MindSporeMetric;
    #[pymodule_export]
    use super::model::Model;
    #[pymodule_export]
    use super::settings::Settings;
    #[pymodule_export]
    use super::words::keywords;
    use pyo3::prelude::*;

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        module.add("__version__", env!("CARGO_PKG_VERSION"))
    }
}
