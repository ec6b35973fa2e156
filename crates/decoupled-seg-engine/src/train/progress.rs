use std::fmt::Arguments;
use std::io::{self, IsTerminal, Write};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use decoupled_seg_losses::LossValues;

/// How a run reports to a person. Machines read the log.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Progress {
    /// A bar if standard error is a terminal, lines otherwise.
    #[default]
    Auto,
    /// A bar on standard error.
    Bar,
    /// A line on standard error every few seconds.
    Lines,
    /// Nothing.
    Silent,
}

/// As `eprintln!`, but a standard error that is gone does not end the run.
fn tell(text: Arguments<'_>) {
    let _ = writeln!(io::stderr(), "{text}");
}

/// Between two lines.
const LINE_INTERVAL: Duration = Duration::from_secs(10);

pub(crate) struct Reporter {
    kind: Kind,
    total: usize,
    done: usize,
    epochs: usize,
    started: Instant,
    done_before: usize,
}

enum Kind {
    Bar(ProgressBar),
    Lines { last: Option<Instant> },
    Silent,
}

/// Reports on a count that several threads move on; made by [`Progress::count`].
pub struct Counter {
    what: &'static str,
    total: usize,
    kind: CounterKind,
}

enum CounterKind {
    Bar(ProgressBar),
    /// When the last line was written, or the count began.
    Lines(Mutex<Instant>),
    Silent,
}

impl Progress {
    /// Whether to draw a bar; `None`: to say nothing.
    fn wants_bar(self) -> Option<bool> {
        match self {
            Self::Auto => Some(io::stderr().is_terminal()),
            Self::Bar => Some(true),
            Self::Lines => Some(false),
            Self::Silent => None,
        }
    }

    /// Starts reporting on `total` items of which none is done; `what` is done with them, in a word or two.
    pub fn count(self, what: &'static str, total: usize) -> Counter {
        let kind = match self.wants_bar() {
            Some(true) => {
                let bar = bar(0, total);
                bar.set_prefix(what);
                CounterKind::Bar(bar)
            }
            Some(false) => CounterKind::Lines(Mutex::new(Instant::now())),
            None => CounterKind::Silent,
        };
        Counter { what, total, kind }
    }

    /// Something worth a line of its own.
    pub(crate) fn note(self, text: &str) {
        if self != Self::Silent {
            tell(format_args!("{text}"));
        }
    }

    /// Starts reporting on `total` optimizer steps of which `done` are done.
    pub(crate) fn start(self, done: usize, total: usize, epochs: usize) -> Reporter {
        let kind = match self.wants_bar() {
            Some(true) => Kind::Bar(bar(done, total)),
            Some(false) => Kind::Lines { last: None },
            None => Kind::Silent,
        };
        Reporter {
            kind,
            total,
            done,
            epochs,
            started: Instant::now(),
            done_before: done,
        }
    }
}

impl Counter {
    /// Reports that `done` items are done; calls may come out of order.
    pub fn at(&self, done: usize) {
        match &self.kind {
            CounterKind::Bar(bar) if done as u64 > bar.position() => bar.set_position(done as u64),
            CounterKind::Bar(_) | CounterKind::Silent => {}
            CounterKind::Lines(last) => {
                let mut last = last.lock().unwrap_or_else(PoisonError::into_inner);
                if last.elapsed() >= LINE_INTERVAL {
                    *last = Instant::now();
                    tell(format_args!("{}: {done} of {}", self.what, self.total));
                }
            }
        }
    }

    /// Clears the bar: nothing more will be done.
    pub fn finish(&self) {
        if let CounterKind::Bar(bar) = &self.kind {
            bar.finish_and_clear();
        }
    }
}

fn bar(done: usize, total: usize) -> ProgressBar {
    let style = ProgressStyle::with_template(
        "{prefix:>11} {wide_bar:.cyan/blue} {pos}/{len} {per_sec} eta {eta} {msg}",
    )
    .expect("the template is valid")
    .progress_chars("=> ");
    let bar = ProgressBar::with_draw_target(Some(total as u64), ProgressDrawTarget::stderr())
        .with_style(style)
        .with_position(done as u64);
    // The rate and the time left are of this session.
    bar.reset_eta();
    bar
}

impl Reporter {
    /// A step was taken.
    pub fn step(&mut self, epoch: usize) {
        self.done += 1;
        if let Kind::Bar(bar) = &self.kind {
            bar.set_prefix(format!("epoch {}/{}", epoch + 1, self.epochs));
            bar.inc(1);
        }
    }

    /// Losses were read back.
    pub fn losses(&mut self, epoch: usize, learning_rate: f64, values: &LossValues) {
        let text = describe(values, learning_rate);
        match &mut self.kind {
            Kind::Bar(bar) => bar.set_message(text),
            Kind::Lines { last } => {
                if last.is_none_or(|last| last.elapsed() >= LINE_INTERVAL) {
                    *last = Some(Instant::now());
                    let rate = (self.done - self.done_before) as f64
                        / self.started.elapsed().as_secs_f64().max(1e-9);
                    let left = (self.total - self.done) as f64 / rate.max(1e-9);
                    tell(format_args!(
                        "epoch {}/{} step {}/{} {rate:.2} steps/s eta {} {text}",
                        epoch + 1,
                        self.epochs,
                        self.done,
                        self.total,
                        duration(left),
                    ));
                }
            }
            Kind::Silent => {}
        }
    }

    /// Something worth a line of its own.
    pub fn note(&self, text: &str) {
        match &self.kind {
            Kind::Bar(bar) => bar.suspend(|| tell(format_args!("{text}"))),
            Kind::Lines { .. } => tell(format_args!("{text}")),
            Kind::Silent => {}
        }
    }

    pub fn finish(&self) {
        if let Kind::Bar(bar) = &self.kind {
            bar.finish_and_clear();
        }
    }
}

fn describe(values: &LossValues, learning_rate: f64) -> String {
    let mut text = format!("loss {:.4}", values.total);
    for (term, value) in values.iter().skip(1) {
        text.push_str(&format!(" {term} {value:.3}"));
    }
    text.push_str(&format!(" lr {learning_rate:.2e}"));
    text
}

/// `1h02m`, `3m05s` or `7s`.
fn duration(seconds: f64) -> String {
    let seconds = seconds.round() as u64;
    match (seconds / 3600, seconds / 60 % 60, seconds % 60) {
        (0, 0, s) => format!("{s}s"),
        (0, m, s) => format!("{m}m{s:02}s"),
        (h, m, _) => format!("{h}h{m:02}m"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_short() {
        assert_eq!(duration(7.4), "7s");
        assert_eq!(duration(185.0), "3m05s");
        assert_eq!(duration(3725.0), "1h02m");
    }

    #[test]
    fn a_line_names_every_term() {
        let values = LossValues {
            total: 2.0,
            segmentation: 1.5,
            edge: Some(0.5),
            ..LossValues::default()
        };
        assert_eq!(
            describe(&values, 0.01),
            "loss 2.0000 segmentation 1.500 edge 0.500 lr 1.00e-2"
        );
    }
}
