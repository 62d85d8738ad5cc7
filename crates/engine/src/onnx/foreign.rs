//! Placeholder.

/// Placeholder.
#[derive(Debug)]
pub struct Foreign;
