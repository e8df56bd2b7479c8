//! Calls into libraries that may panic on a hostile file: their panics become errors, and nothing of them is printed.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};

thread_local! {
    static GUARDED: Cell<bool> = const { Cell::new(false) };
}

/// True while this thread is in a call whose panic becomes an error. The program's panic hook then says nothing: the message may hold text
/// of a hostile file, and the error tells it.
pub fn is_guarded() -> bool {
    GUARDED.get()
}

/// What a panic said, in one line of bounded length.
fn said(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
    let line: String = text
        .unwrap_or("without a message")
        .chars()
        .take(300)
        .collect();
    format!("it panicked: {line}")
}

/// Marks the thread as guarded until dropped, also by a panic.
struct Mark(bool);

impl Drop for Mark {
    fn drop(&mut self) {
        GUARDED.set(self.0);
    }
}

/// Runs `call`; a panic is what it said. What the call changed is not to be trusted after a panic.
pub(crate) fn caught<T>(call: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(|| {
        let _mark = Mark(GUARDED.replace(true));
        call()
    }))
    .map_err(|panic| said(panic.as_ref()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_one_bounded_line() {
        let text = caught::<()>(|| panic!("index {} out of range", 7)).unwrap_err();
        assert_eq!(text, "it panicked: index 7 out of range");
        let long = caught::<()>(|| panic!("{}", "x".repeat(10_000))).unwrap_err();
        assert_eq!(long.len(), "it panicked: ".len() + 300);
    }

    #[test]
    fn a_thread_is_marked_only_during_the_call() {
        assert!(!is_guarded());
        assert_eq!(caught(is_guarded), Ok(true));
        assert!(caught(|| panic!("x")).is_err());
        assert!(!is_guarded());
    }
}
