use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

/// A request to stop, shared between whoever asks and the training loop.
///
/// The loop looks at it between steps: the running step is finished, a checkpoint is written, and
/// [`Trainer::fit`](crate::Trainer::fit) returns with what it has.
#[derive(Debug, Clone, Default)]
pub struct Interrupt {
    requests: Arc<AtomicUsize>,
}

/// Why Ctrl-C cannot be listened to.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen for Ctrl-C: {0}")]
pub struct InterruptError(#[from] ctrlc::Error);

impl Interrupt {
    /// A request nobody has made yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// The request that Ctrl-C makes.
    ///
    /// The first signal asks to stop, the third ends the process at once. A process has one such listener, however often
    /// this is called; all calls return the same request. Programs with a listener of their own use
    /// [`new`](Self::new) and [`request`](Self::request).
    ///
    /// # Errors
    ///
    /// Returns an error if the process listens with the crate `ctrlc` already, or the system does not allow it.
    pub fn on_ctrl_c() -> Result<Self, InterruptError> {
        static LISTENER: OnceLock<Interrupt> = OnceLock::new();
        if let Some(interrupt) = LISTENER.get() {
            return Ok(interrupt.clone());
        }
        let interrupt = Self::new();
        let heard = interrupt.clone();
        // Not `try_set_handler`: it takes the ignored signals of a background job for another program's listener.
        ctrlc::set_handler(move || {
            if heard.requests.fetch_add(1, Ordering::Relaxed) >= 2 {
                // The conventional status of a process that was interrupted.
                std::process::exit(130);
            }
        })?;
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
