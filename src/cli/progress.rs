//! A bar for work that takes its time.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

/// A bar from 0 to 100 %, shown on a terminal only.
pub(super) struct Bar(ProgressBar);

const STEPS: u64 = 10_000;

impl Bar {
    /// A bar that says what is being done.
    pub(super) fn new(what: &str) -> Self {
        let bar = ProgressBar::new(STEPS);
        let style = ProgressStyle::with_template("{msg} {wide_bar} {percent:>3} % {elapsed}")
            .unwrap_or_else(|_| ProgressStyle::default_bar());
        bar.set_style(style);
        bar.set_message(what.to_owned());
        bar.enable_steady_tick(Duration::from_millis(200));
        Bar(bar)
    }

    /// Shows how far the work has come, from 0 to 1.
    pub(super) fn at(&self, share: f64) {
        self.0.set_position((share.clamp(0.0, 1.0) * STEPS as f64) as u64);
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
