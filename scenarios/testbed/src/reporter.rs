//! Reports on standard error what is being started and stopped: a spinner for each step in a terminal, plain lines elsewhere.

use std::{
    io::IsTerminal,
    time::{Duration, Instant},
};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use owo_colors::{OwoColorize, Stream, Style};

/// Output of the steps of starting and stopping. Cheap to clone; all clones share the screen.
#[derive(Debug, Clone)]
pub struct Reporter(Voice);

#[derive(Debug, Clone)]
enum Voice {
    Terminal(MultiProgress),
    Lines,
    Silent,
}

impl Reporter {
    /// Spinners if standard error is a terminal, plain lines otherwise.
    pub fn on_stderr() -> Self {
        if std::io::stderr().is_terminal() { Self(Voice::Terminal(MultiProgress::new())) } else { Self(Voice::Lines) }
    }

    /// Reports nothing.
    pub fn silent() -> Self {
        Self(Voice::Silent)
    }

    /// Begins a step that takes a while, such as `starting PostgreSQL`.
    pub fn step(&self, doing: impl Into<String>) -> Task {
        let doing = doing.into();
        let spinner = match &self.0 {
            Voice::Terminal(screen) => {
                let spinner = screen.add(ProgressBar::new_spinner().with_message(doing));
                if let Ok(style) = ProgressStyle::with_template("{spinner:.cyan} {msg} {elapsed:.dim}") {
                    spinner.set_style(style);
                }
                spinner.enable_steady_tick(Duration::from_millis(100));
                Some(spinner)
            }
            Voice::Lines => {
                eprintln!("· {doing}");
                None
            }
            Voice::Silent => None,
        };
        Task { reporter: self.clone(), spinner, begun: Instant::now() }
    }

    /// Prints one line between the steps.
    pub fn note(&self, line: impl AsRef<str>) {
        match &self.0 {
            // A screen without spinners is fine too, and so is a line that cannot be written.
            Voice::Terminal(screen) => screen.suspend(|| eprintln!("{}", line.as_ref())),
            Voice::Lines => eprintln!("{}", line.as_ref()),
            Voice::Silent => {}
        }
    }

    /// Lets other code write to the terminal without disturbing a spinner.
    pub fn suspend<T>(&self, write: impl FnOnce() -> T) -> T {
        match &self.0 {
            Voice::Terminal(screen) => screen.suspend(write),
            Voice::Lines | Voice::Silent => write(),
        }
    }
}

/// A step in progress. Dropped before it is [`done`](Task::done), it disappears: the error says why.
#[derive(Debug)]
#[must_use]
pub struct Task {
    reporter: Reporter,
    spinner: Option<ProgressBar>,
    begun: Instant,
}

impl Task {
    /// Changes the spinner's text.
    pub fn now(&self, doing: impl Into<String>) {
        if let Some(spinner) = &self.spinner {
            spinner.set_message(doing.into());
        }
    }

    /// Reports what was reached and how long it took.
    pub fn done(mut self, reached: impl AsRef<str>) {
        self.clear();
        let tick = "✓".if_supports_color(Stream::Stderr, OwoColorize::green);
        let took = format!("{:.1} s", self.begun.elapsed().as_secs_f32());
        let took = took.if_supports_color(Stream::Stderr, |text| text.style(Style::new().dimmed()));
        self.reporter.note(format!("{tick} {} {took}", reached.as_ref()));
    }

    fn clear(&mut self) {
        if let Some(spinner) = self.spinner.take() {
            spinner.finish_and_clear();
        }
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        self.clear();
    }
}
