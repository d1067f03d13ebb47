//! Progress of a running stage: a bar in a terminal, a line every few seconds elsewhere.

use std::{
    io::IsTerminal,
    time::{Duration, Instant},
};

use indicatif::{ProgressBar, ProgressStyle};
use testbed::Reporter;

use super::{plan::Stage, tally::Count};

const LINE_EVERY: Duration = Duration::from_secs(5);

/// Progress of one stage; disappears when dropped.
pub(super) struct Progress {
    bar: Option<ProgressBar>,
    reporter: Reporter,
    name: String,
    orders: u32,
    begun: Instant,
    line_at: Instant,
    before: (Instant, u32),
    rate: f64,
}

impl Progress {
    pub(super) fn of(stage: &Stage, reporter: &Reporter) -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::new(u64::from(stage.orders)).with_prefix(stage.name.clone());
            let style =
                ProgressStyle::with_template("{prefix:>12.bold} {bar:32.cyan/dim} {pos}/{len}  {msg}  {elapsed:.dim}");
            bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
        });
        let now = Instant::now();
        let (name, reporter) = (stage.name.clone(), reporter.clone());
        Progress {
            bar,
            reporter,
            name,
            orders: stage.orders,
            begun: now,
            line_at: now + LINE_EVERY,
            before: (now, 0),
            rate: 0.0,
        }
    }

    /// Updates the display.
    pub(super) fn show(&mut self, count: Count) {
        let now = Instant::now();
        let since = now.duration_since(self.before.0).as_secs_f64();
        if since >= 1.0 {
            self.rate = f64::from(count.ended() - self.before.1) / since;
            self.before = (now, count.ended());
        }
        let Count { completed, refused, failed, .. } = count;
        let says = format!(
            "{:.0}/s  {} in flight  {completed} success  {refused} refused  {failed} failed",
            self.rate,
            count.in_flight()
        );
        match &self.bar {
            Some(bar) => {
                bar.set_position(u64::from(count.ended()));
                bar.set_message(says);
            }
            None if now >= self.line_at => {
                self.line_at = now + LINE_EVERY;
                let seconds = self.begun.elapsed().as_secs();
                self.reporter.note(format!(
                    "  {} {seconds:>3} s  {}/{}  {says}",
                    self.name,
                    count.ended(),
                    self.orders
                ));
            }
            None => {}
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }
}
