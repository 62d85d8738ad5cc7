//! Other libraries' interfaces with this engine behind them: the same names, defaults, checks, errors and numbers, so that a binding has nothing to decide.
//!
//! In: arguments as a dynamic language gives them ([`Argument`]), a model or a function. Out: the origin's arrays, or an [`Exception`] of the kind that the origin raises. What a definition
//! computes is a preset (`settings`); only the interface is here.

pub mod mindspore;

use std::fmt;

use crate::error::Error;

/// A value as a caller of a dynamic language gives it.
#[derive(Clone, Debug, PartialEq)]
pub enum Argument {
    /// Python's `None`.
    None,
    /// A truth value, which is no number here although Python's is.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A number.
    Float(f64),
    /// Text.
    Text(String),
    /// A list or a tuple.
    List(Vec<Argument>),
    /// An array, row-major; a shape without axes is one number.
    Array {
        /// Its shape.
        shape: Vec<usize>,
        /// Its values.
        values: Vec<f32>,
    },
}

impl Argument {
    /// The name of its type, as Python has it.
    pub fn type_name(&self) -> &'static str {
        match self {
            Argument::None => "NoneType",
            Argument::Bool(_) => "bool",
            Argument::Int(_) => "int",
            Argument::Float(_) => "float",
            Argument::Text(_) => "str",
            Argument::List(_) => "list",
            Argument::Array { .. } => "ndarray",
        }
    }
    /// A list of whole numbers from a list or an array of them; `None` for anything else.
    pub(crate) fn whole_numbers(&self) -> Option<Vec<i64>> {
        match self {
            Argument::List(items) => items.iter().map(Argument::whole_number).collect(),
            Argument::Array { shape, values } if shape.len() <= 1 => {
                values.iter().map(|&v| (v.fract() == 0.0).then_some(v as i64)).collect()
            }
            _ => None,
        }
    }
    /// One whole number: a number, an array without axes or of one element, a list of one.
    pub(crate) fn whole_number(&self) -> Option<i64> {
        match self {
            Argument::Int(n) => Some(*n),
            Argument::Float(v) if v.fract() == 0.0 => Some(*v as i64),
            Argument::Array { values, .. } if values.len() == 1 && values[0].fract() == 0.0 => {
                Some(values[0] as i64)
            }
            Argument::List(items) if items.len() == 1 => items[0].whole_number(),
            _ => None,
        }
    }
    /// How many elements it holds.
    pub(crate) fn count(&self) -> usize {
        match self {
            Argument::List(items) => items.iter().map(Argument::count).sum(),
            Argument::Array { values, .. } => values.len(),
            _ => 1,
        }
    }
}

/// An array that a peer's interface returns, row-major f32.
#[derive(Clone, Debug, PartialEq)]
pub struct Array {
    /// Its shape.
    pub shape: Vec<usize>,
    /// Its values.
    pub values: Vec<f32>,
}

/// Which of Python's exceptions is raised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Raises {
    /// A value of the wrong type.
    TypeError,
    /// A value that cannot be.
    ValueError,
    /// Something that went wrong, or was called too early.
    RuntimeError,
}

/// An error as the origin raises it.
#[derive(Clone, Debug, PartialEq)]
pub struct Exception {
    /// Its class.
    pub raises: Raises,
    /// What was found and what was expected.
    pub message: String,
}

impl Exception {
    pub(crate) fn new(raises: Raises, message: impl Into<String>) -> Exception {
        Exception { raises, message: message.into() }
    }
}

impl fmt::Display for Exception {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Exception {}

impl From<Error> for Exception {
    fn from(error: Error) -> Self {
        let hint = error.hint().map_or(String::new(), |hint| format!(" ({hint})"));
        Exception::new(Raises::RuntimeError, format!("{error}{hint}"))
    }
}
