//! Progress bars. They go to the standard error and show nothing where that is no terminal.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

/// Bytes of a file.
pub fn bytes(total: u64) -> ProgressBar {
    let template = "{msg} {wide_bar} {bytes}/{total_bytes} {eta}";
    styled(ProgressBar::new(total), template)
}

/// Days of a virtual clock.
pub fn days(total: u64) -> ProgressBar {
    styled(ProgressBar::new(total), "{msg}day {pos} of {len} {wide_bar} {eta}")
}

/// Things one can count.
pub fn things(total: u64, what: &'static str) -> ProgressBar {
    let bar = styled(ProgressBar::new(total), "{msg} {wide_bar} {pos}/{len} {eta}");
    bar.set_message(what);
    bar
}

fn styled(bar: ProgressBar, template: &str) -> ProgressBar {
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}
