use std::io;
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use crate::EngineError;

/// A request to stop, shared between whoever asks and the training loop.
///
/// The loop looks at it between steps: the running step is finished, a checkpoint is written, and
/// [`Trainer::fit`](crate::Trainer::fit) returns with what it has. A validation ends with the running image; the checkpoint
/// of its epoch is there already, and a resumed run validates first.
#[derive(Debug, Clone, Default)]
pub struct Interrupt {
    requests: Arc<AtomicUsize>,
    /// Of the last signal; 0 before one.
    status: Arc<AtomicU8>,
}

impl Interrupt {
    /// A request nobody has made yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// The request that Ctrl-C makes, and SIGTERM, which `docker stop`, SLURM, Kubernetes and spot instances send. SIGUSR1,
    /// SIGUSR2 and SIGXCPU, which queues send before they end a job, are heard too, and under Linux SIGHUP, which a lost
    /// connection sends, unless it was ignored when the process began, as `nohup` does.
    ///
    /// The first signal asks to stop, the third ends the process at once. A process has one such listener, however often
    /// this is called; all calls return the same request. Programs with a listener of their own use
    /// [`new`](Self::new) and [`request`](Self::request).
    ///
    /// # Errors
    ///
    /// Returns an error if the system does not allow it.
    pub fn on_signals() -> Result<Self, EngineError> {
        static LISTENER: OnceLock<Interrupt> = OnceLock::new();
        if let Some(interrupt) = LISTENER.get() {
            return Ok(interrupt.clone());
        }
        let interrupt = Self::new();
        let heard = interrupt.clone();
        listen(move |status| {
            heard.status.store(status, Ordering::Relaxed);
            if heard.requests.fetch_add(1, Ordering::Relaxed) >= 2 {
                std::process::exit(status.into());
            }
        })
        .map_err(|source| EngineError::Interrupt { source })?;
        Ok(LISTENER.get_or_init(|| interrupt).clone())
    }

    /// Asks to stop.
    pub fn request(&self) {
        self.requests.fetch_add(1, Ordering::Relaxed);
    }

    /// The status by which a process says that a signal ended it, 128 more than the signal's number: 130 for Ctrl-C, 143 for
    /// SIGTERM. `None` before a signal.
    pub fn status(&self) -> Option<u8> {
        let status = self.status.load(Ordering::Relaxed);
        (status > 0).then_some(status)
    }

    /// Whether somebody asked.
    pub fn is_requested(&self) -> bool {
        self.requests.load(Ordering::Relaxed) > 0
    }
}

/// Calls `heard` for each signal, with the status by which a process says that this signal ended it.
#[cfg(unix)]
fn listen(heard: impl Fn(u8) + Send + 'static) -> io::Result<()> {
    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGUSR1, SIGUSR2, SIGXCPU};
    use signal_hook::iterator::Signals;

    // The last three are what queues of clusters send before they end a job.
    let mut signals = Signals::new([SIGINT, SIGTERM, SIGUSR1, SIGUSR2, SIGXCPU])?;
    // A run under `nohup` goes on when its terminal is closed.
    if !ignores_hangups(&std::fs::read_to_string("/proc/self/status").unwrap_or_default()) {
        signals.handle().add_signal(SIGHUP)?;
    }
    std::thread::Builder::new()
        .name("signals".to_string())
        .spawn(move || {
            for signal in signals.forever() {
                heard(u8::try_from(128 + signal).unwrap_or(u8::MAX));
            }
        })?;
    Ok(())
}

/// Whether a process of this status ignores SIGHUP; yes where the system does not tell.
#[cfg(unix)]
fn ignores_hangups(status: &str) -> bool {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    mask.is_none_or(|mask| mask & 1 != 0)
}

/// Elsewhere Ctrl-C is the only one.
#[cfg(not(unix))]
fn listen(heard: impl Fn(u8) + Send + 'static) -> io::Result<()> {
    ctrlc::set_handler(move || heard(130)).map_err(io::Error::other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clones_share_the_request() {
        let interrupt = Interrupt::new();
        let other = interrupt.clone();
        assert!(!other.is_requested());
        interrupt.request();
        assert!(other.is_requested());
    }

    #[cfg(unix)]
    #[test]
    fn what_nohup_does_is_seen() {
        let status = |mask: &str| format!("Name:\tx\nSigBlk:\t0\nSigIgn:\t{mask}\n");
        assert!(ignores_hangups(&status("0000000000000001")));
        assert!(ignores_hangups(&status("0000000000001003")));
        assert!(!ignores_hangups(&status("0000000000001002")));
        assert!(ignores_hangups(""));
    }
}
