//! One module per command: from arguments to calls of the library and lines of text.

pub(crate) mod audit;
pub(crate) mod compare;
pub(crate) mod completions;
pub(crate) mod correspondence;
pub(crate) mod evaluate;
pub(crate) mod inspect;
pub(crate) mod judge;
pub(crate) mod map;
pub(crate) mod plan;
pub(crate) mod serve;
pub(crate) mod verify;
pub(crate) mod zeiler;

pub(crate) use map::quoted;
