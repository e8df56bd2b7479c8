//! What a long transfer tells while it goes on. `console` draws it.

/// Receives what happens; every method may be called from any thread and must return at once.
pub trait Progress: Send + Sync {
    /// A step begins: its name for people, and its bytes when they are known.
    fn begin(&self, name: &str, total: Option<u64>);
    /// Bytes of the step that are done in addition.
    fn advance(&self, bytes: u64);
    /// What is being done now, in words.
    fn phase(&self, text: &str);
    /// The step is over, well or not.
    fn finish(&self);
    /// True when the user asked to stop; looked at several times a second.
    fn cancelled(&self) -> bool {
        false
    }
}

/// Says nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Progress for Silent {
    fn begin(&self, _name: &str, _total: Option<u64>) {}
    fn advance(&self, _bytes: u64) {}
    fn phase(&self, _text: &str) {}
    fn finish(&self) {}
}

/// Calls `finish` when dropped, so that a step ends on every way out.
pub(crate) struct Step<'p>(&'p dyn Progress);

impl<'p> Step<'p> {
    pub(crate) fn begin(progress: &'p dyn Progress, name: &str, total: Option<u64>) -> Self {
        progress.begin(name, total);
        Self(progress)
    }
}

impl Drop for Step<'_> {
    fn drop(&mut self) {
        self.0.finish();
    }
}
