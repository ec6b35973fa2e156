use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use crate::EngineError;

/// A request to stop, shared between whoever asks and the training loop.
///
/// The loop looks at it between steps: the running step is finished, a checkpoint is written, and
/// [`Trainer::fit`](crate::Trainer::fit) returns with what it has.
#[derive(Debug, Clone, Default)]
pub struct Interrupt {
    requests: Arc<AtomicUsize>,
}

impl Interrupt {
    /// A request nobody has made yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// The request that Ctrl-C makes, and SIGTERM, which `docker stop`, SLURM, Kubernetes and spot instances send.
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
            if heard.requests.fetch_add(1, Ordering::Relaxed) >= 2 {
                std::process::exit(status);
            }
        })
        .map_err(|source| EngineError::Interrupt { source })?;
        Ok(LISTENER.get_or_init(|| interrupt).clone())
    }

    /// Asks to stop.
    pub fn request(&self) {
        self.requests.fetch_add(1, Ordering::Relaxed);
    }

    /// Whether somebody asked.
    pub fn is_requested(&self) -> bool {
        self.requests.load(Ordering::Relaxed) > 0
    }
}

/// Calls `heard` for each signal, with the status by which a process says that this signal ended it.
#[cfg(unix)]
fn listen(heard: impl Fn(i32) + Send + 'static) -> io::Result<()> {
    use signal_hook::consts::{SIGINT, SIGTERM};
    use signal_hook::iterator::Signals;

    // Not SIGHUP: a run under `nohup` goes on when its terminal is closed.
    let mut signals = Signals::new([SIGINT, SIGTERM])?;
    std::thread::Builder::new()
        .name("signals".to_string())
        .spawn(move || {
            for signal in signals.forever() {
                heard(128 + signal);
            }
        })?;
    Ok(())
}

/// Elsewhere Ctrl-C is the only one.
#[cfg(not(unix))]
fn listen(heard: impl Fn(i32) + Send + 'static) -> io::Result<()> {
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
}
