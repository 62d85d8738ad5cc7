//! The one error of this crate: what was found, what was expected, at which node, and whose fault it is.
//!
//! Opaque on purpose: callers ask `kind()` for the exit code and `hint()` for advice, and print the rest.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// Whose fault an error is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// A file that is missing, unreadable or not what its name says.
    File,
    /// A model that is damaged or contradicts itself.
    Model,
    /// A valid model that this engine cannot run.
    Unsupported,
    /// A value that the caller passed.
    Argument,
    /// A limit that the caller set, or that memory sets.
    Limit,
    /// A number that may not occur: NaN or infinity out of the model, or a failed self-check.
    Number,
}

/// An error with its kind, the node it belongs to, and a hint.
#[derive(Clone, Debug)]
pub struct Error(Box<Inner>);

#[derive(Clone, Debug)]
struct Inner {
    kind: ErrorKind,
    message: String,
    node: Option<String>,
    hint: Option<String>,
    refused: Option<(PathBuf, io::ErrorKind)>,
}

/// What this crate's fallible functions return.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// An error of this kind; the message has no trailing period.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Error(Box::new(Inner { kind, message: message.into(), node: None, hint: None, refused: None }))
    }
    /// [`ErrorKind::File`].
    pub fn file(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::File, message)
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
    /// Says at which node of the model it happened, for example `Conv "/layer1/conv1/Conv"`. The first node said stays.
    #[must_use]
    pub fn at_node(mut self, node: impl Into<String>) -> Self {
        self.0.node.get_or_insert(node.into());
        self
    }
    /// Adds advice, printed after an empty line as `hint: ...`.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.0.hint = Some(hint.into());
        self
    }
    /// Says which path the system refused, and how.
    #[must_use]
    pub fn with_refused(mut self, path: &Path, how: io::ErrorKind) -> Self {
        self.0.refused = Some((path.to_path_buf(), how));
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
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(node) = &self.0.node {
            write!(f, "{node}: ")?;
        }
        f.write_str(&self.0.message)
    }
}

impl std::error::Error for Error {}
