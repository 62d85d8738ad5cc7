//! The one error of this crate: what was found, what was expected, where, whose fault it is, and advice.
//!
//! Opaque: callers ask [`Error::kind`] for the exit code and [`Error::hint`] for advice, and print the rest. Errors of the engine become
//! this one unchanged. A run that fails half-way hands over what it had computed: [`Error::partial_map`].

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

pub use occlude_engine::ErrorKind;

use crate::map::Map;

/// What this crate's fallible functions return.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An error with its kind, the node of the model it belongs to, a hint, and the map computed until then.
#[derive(Clone, Debug)]
pub struct Error(Box<Inner>);

#[derive(Clone, Debug)]
struct Inner {
    kind: ErrorKind,
    message: String,
    node: Option<String>,
    hint: Option<String>,
    partial: Option<Box<Map>>,
    refused: Option<(PathBuf, io::ErrorKind)>,
}

impl Error {
    /// An error of this kind; the message has no trailing period.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        let message = message.into();
        Error(Box::new(Inner { kind, message, node: None, hint: None, partial: None, refused: None }))
    }
    /// [`ErrorKind::File`].
    pub fn file(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::File, message)
    }
    /// [`ErrorKind::File`], about an operation on a path that the system refused.
    pub fn io(doing: &str, path: &Path, error: &io::Error) -> Self {
        let mut made = Self::file(format!("cannot {doing} {}: {}", path.display(), plain_io(error)));
        made.0.refused = Some((path.to_path_buf(), error.kind()));
        made
    }
    /// [`ErrorKind::Model`].
    pub fn model(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Model, message)
    }
    /// [`ErrorKind::Unsupported`].
    pub fn unsupported(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Unsupported, message)
    }
    /// [`ErrorKind::Argument`].
    pub fn argument(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Argument, message)
    }
    /// [`ErrorKind::Limit`].
    pub fn limit(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Limit, message)
    }
    /// [`ErrorKind::Number`].
    pub fn number(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Number, message)
    }
    /// Adds advice, printed after an empty line as `hint: ...`.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.0.hint = Some(hint.into());
        self
    }
    /// Puts what was being done before the message: `context: message`.
    #[must_use]
    pub fn in_context(mut self, context: impl fmt::Display) -> Self {
        self.0.message = format!("{context}: {}", self.0.message);
        self
    }
    /// Hands over what had been computed when it happened.
    #[must_use]
    pub fn with_partial_map(mut self, map: Map) -> Self {
        self.0.partial = Some(Box::new(map));
        self
    }
    /// Whose fault it is.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }
    /// The model node it happened at.
    pub fn node(&self) -> Option<&str> {
        self.0.node.as_deref()
    }
    /// Advice for the user.
    pub fn hint(&self) -> Option<&str> {
        self.0.hint.as_deref()
    }
    /// The path that the system refused, and how, where that is what happened.
    pub fn refused(&self) -> Option<(&Path, io::ErrorKind)> {
        self.0.refused.as_ref().map(|(path, how)| (path.as_path(), *how))
    }
    /// The map as far as it was computed, marked incomplete.
    pub fn partial_map(&self) -> Option<&Map> {
        self.0.partial.as_deref()
    }
}

/// The system's message without its number: `No such file or directory`.
fn plain_io(error: &io::Error) -> String {
    let text = error.to_string();
    match text.find(" (os error") {
        Some(end) => text[..end].to_string(),
        None => text,
    }
}

impl From<occlude_engine::Error> for Error {
    fn from(error: occlude_engine::Error) -> Self {
        Error(Box::new(Inner {
            kind: error.kind(),
            node: error.node().map(str::to_string),
            hint: error.hint().map(str::to_string),
            message: error.to_string(),
            partial: None,
            refused: error.refused().map(|(path, how)| (path.to_path_buf(), how)),
        }))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl std::error::Error for Error {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_engine_error_keeps_kind_node_hint_and_text() {
        let engine = occlude_engine::Error::unsupported("no kernel").at_node("Foo \"n\"").with_hint("use x");
        let error = Error::from(engine);
        assert_eq!(error.kind(), ErrorKind::Unsupported);
        assert_eq!(error.node(), Some("Foo \"n\""));
        assert_eq!(error.to_string(), "Foo \"n\": no kernel");
        assert_eq!(error.hint(), Some("use x"));
        assert_eq!(error.refused(), None);
        assert_eq!(error.in_context("m.onnx").to_string(), "m.onnx: Foo \"n\": no kernel");
        let (path, how) = (Path::new("w.bin"), io::ErrorKind::NotFound);
        let engine = occlude_engine::Error::file("no weights").with_refused(path, how);
        assert_eq!(Error::from(engine).refused(), Some((path, how)));
    }

    #[test]
    fn what_the_system_refused_is_kept_with_its_path() {
        let path = Path::new("nothing/here.npy");
        let refused = std::fs::read(path).expect_err("not there");
        let error = Error::io("read", path, &refused).in_context("regions").with_hint("look");
        assert_eq!(error.refused(), Some((path, io::ErrorKind::NotFound)));
        assert!(error.to_string().contains("No such file"), "{error}");
    }
}
