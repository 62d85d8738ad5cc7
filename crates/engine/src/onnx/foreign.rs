//! Placeholder.

/// Placeholder.
#[derive(Debug)]
pub struct Foreign;
impl Foreign {
    /// Placeholder.
    pub fn run(&self, _inputs: &[&[f32]], _output: &mut [f32]) -> crate::Result<()> {
        Ok(())
    }
}
