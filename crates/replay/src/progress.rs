//! Progress bars on standard error; none when nobody looks.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

const TEMPLATE: &str = "{msg:<10} {bar:32} {human_pos:>9}/{human_len:<9} {per_sec:>14}  ETA {eta}";

/// A bar for one phase, counting up to `len`. Hidden when not `shown` or when standard error is
/// not a terminal.
#[must_use]
pub fn bar(name: &'static str, len: u64, shown: bool) -> ProgressBar {
    // `stderr()` draws nothing by itself when it is not a terminal.
    let target = if shown { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
    let style = ProgressStyle::with_template(TEMPLATE);
    ProgressBar::with_draw_target(Some(len), target)
        .with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
        .with_message(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_template_is_valid_and_hidden_bars_count() {
        assert!(ProgressStyle::with_template(TEMPLATE).is_ok());
        let bar = bar("orders", 3, false);
        bar.inc(2);
        assert!(bar.is_hidden());
        assert_eq!((bar.position(), bar.length()), (2, Some(3)));
    }
}
