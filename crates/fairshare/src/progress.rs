//! Progress of long work: a bar with rate and time left on a terminal, a line every ten seconds
//! elsewhere.

use std::io::IsTerminal;
use std::sync::Mutex;
use std::time::Duration;

use domain::port::Progress;
use indicatif::{HumanCount, HumanDuration, ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::output::note;

/// How often a line is written where there is no terminal.
const LINE_EVERY: Duration = Duration::from_secs(10);

/// Progress on stderr.
#[derive(Default)]
pub(crate) struct TerminalProgress {
    current: Mutex<Option<Current>>,
}

struct Current {
    stage: String,
    unit: String,
    bar: ProgressBar,
    said: Duration,
}

impl Progress for TerminalProgress {
    fn begin(&self, stage: &str, unit: &str, total: Option<u64>) {
        let target = if std::io::stderr().is_terminal() { ProgressDrawTarget::stderr_with_hz(8) } else { ProgressDrawTarget::hidden() };
        let bar = ProgressBar::with_draw_target(total, target);
        let template = if total.is_some() {
            "{spinner} {msg} [{bar:28}] {human_pos}/{human_len} {prefix} · {per_sec} · {eta} left"
        } else {
            "{spinner} {msg} {human_pos} {prefix} · {per_sec}"
        };
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        bar.set_message(stage.to_owned());
        bar.set_prefix(unit.to_owned());
        if let Ok(mut current) = self.current.lock() {
            *current = Some(Current { stage: stage.to_owned(), unit: unit.to_owned(), bar, said: Duration::ZERO });
        }
    }

    fn advance(&self, amount: u64) {
        let Ok(mut current) = self.current.lock() else { return };
        let Some(current) = current.as_mut() else { return };
        current.bar.inc(amount);
        // Asking for the time costs; once in a thousand is enough.
        if current.bar.is_hidden() && (amount > 1 || current.bar.position().is_multiple_of(1_024)) {
            let elapsed = current.bar.elapsed();
            if elapsed >= current.said + LINE_EVERY {
                current.said = elapsed;
                let total = current.bar.length().map_or_else(String::new, |n| format!(" of {}", HumanCount(n)));
                let left = current.bar.length().map_or_else(String::new, |_| format!(", {} left", HumanDuration(current.bar.eta())));
                note(&format!("{}: {}{total} {}, {:.0}/s{left}", current.stage, HumanCount(current.bar.position()), current.unit, current.bar.per_sec()));
            }
        }
    }

    fn finish(&self) {
        if let Ok(mut current) = self.current.lock()
            && let Some(current) = current.take()
        {
            current.bar.finish_and_clear();
        }
    }
}
