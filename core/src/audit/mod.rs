//! What happened, handed to whoever pulls, and to `tracing`. Never blocks the work that reports.
//! Above `debug`, logs name accounts and causes only: never addresses, subjects or bodies.

use crate::model::Event;
use std::sync::{Arc, Mutex as SyncMutex, MutexGuard};
use tokio::sync::{Mutex, broadcast};

/// Reports events. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Recorder {
    /// Absent once the handle is closed, which is how readers learn of it.
    sender: Arc<SyncMutex<Option<broadcast::Sender<Event>>>>,
}

impl Recorder {
    pub(crate) fn new() -> Self {
        let (sender, _) = broadcast::channel(EVENTS_KEPT);
        Self {
            sender: Arc::new(SyncMutex::new(Some(sender))),
        }
    }

    /// Reports an event to every open [`Events`]; without one, to the log only.
    pub(crate) fn record(&self, event: Event) {
        log(&event);
        if let Some(sender) = &*self.sender() {
            // An error only says that nobody listens.
            let _ = sender.send(event);
        }
    }

    /// Whether anybody reads what is reported.
    pub(crate) fn has_readers(&self) -> bool {
        let sender = self.sender();
        sender
            .as_ref()
            .is_some_and(|sender| sender.receiver_count() > 0)
    }

    /// A reader from now on; after [`Recorder::close`] one that has ended.
    pub(crate) fn subscribe(&self) -> Events {
        let receiver = match &*self.sender() {
            Some(sender) => sender.subscribe(),
            None => broadcast::channel(1).1,
        };
        Events {
            receiver: Mutex::new(receiver),
        }
    }

    /// Ends every reader once it has read what was recorded before.
    pub(crate) fn close(&self) {
        self.sender().take();
    }

    fn sender(&self) -> MutexGuard<'_, Option<broadcast::Sender<Event>>> {
        self.sender.lock().unwrap_or_else(|e| e.into_inner())
    }
}

/// A reader of events, from the moment it was made. It ends when the handle is closed or gone.
#[derive(Debug)]
pub struct Events {
    receiver: Mutex<broadcast::Receiver<Event>>,
}

impl Events {
    /// Waits for the next event; `None` when the handle is closed or gone. A reader that falls [`EVENTS_KEPT`] events behind
    /// gets one [`Event::Missed`] in their place. May be dropped at any await without losing an event.
    pub async fn next(&self) -> Option<Event> {
        match self.receiver.lock().await.recv().await {
            Ok(event) => Some(event),
            Err(broadcast::error::RecvError::Lagged(count)) => Some(Event::Missed { count }),
            Err(broadcast::error::RecvError::Closed) => None,
        }
    }
}

/// Enough for a reader that looks once a second at the fastest rate a mailbox may send.
pub const EVENTS_KEPT: usize = 4096;

fn log(event: &Event) {
    match event {
        Event::TokenObtained {
            account, origin, ..
        } => tracing::debug!(account, ?origin, "access token obtained"),
        Event::TokenFailed {
            account, problem, ..
        } => tracing::warn!(account, code = problem.code, "no access token"),
        Event::ExpiresSoon {
            account,
            credential,
            days_left,
            ..
        } => tracing::warn!(account, ?credential, days_left, "ends soon"),
        Event::MailAccepted {
            account,
            delivery,
            accepted,
            refused,
            ..
        } => tracing::info!(account, delivery, accepted, refused, "mail accepted"),
        Event::MailFailed {
            account,
            delivery,
            problem,
            ..
        } => tracing::warn!(account, delivery, code = problem.code, "mail not accepted"),
        Event::Missed { .. } => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::TokenOrigin;

    fn obtained(at_unix_ms: i64) -> Event {
        Event::TokenObtained {
            at_unix_ms,
            account: "billing".to_owned(),
            origin: TokenOrigin::ClientSecret,
            expires_at_unix_ms: 0,
        }
    }

    #[tokio::test]
    async fn a_dropped_wait_loses_no_event() {
        let recorder = Recorder::new();
        let events = recorder.subscribe();
        let first_wait = tokio::select! {
            biased;
            event = events.next() => event,
            () = std::future::ready(()) => None,
        };
        assert_eq!(first_wait, None);
        recorder.record(obtained(1));
        assert_eq!(events.next().await, Some(obtained(1)));
    }

    #[tokio::test]
    async fn tells_a_slow_reader_how_many_events_it_missed() {
        let recorder = Recorder::new();
        let events = recorder.subscribe();
        for at_unix_ms in 0..EVENTS_KEPT as i64 + 3 {
            recorder.record(obtained(at_unix_ms));
        }
        assert_eq!(events.next().await, Some(Event::Missed { count: 3 }));
        assert_eq!(events.next().await, Some(obtained(3)));
    }

    #[tokio::test]
    async fn ends_after_what_was_recorded_before_the_handle_was_closed() {
        let recorder = Recorder::new();
        let events = recorder.subscribe();
        recorder.record(obtained(1));
        recorder.clone().close();
        recorder.record(obtained(2));
        assert_eq!(events.next().await, Some(obtained(1)));
        assert_eq!(events.next().await, None);
        assert_eq!(recorder.subscribe().next().await, None);
    }

    #[tokio::test]
    async fn ends_when_the_handle_is_gone() {
        let recorder = Recorder::new();
        let events = recorder.subscribe();
        drop(recorder);
        assert_eq!(events.next().await, None);
    }
}
