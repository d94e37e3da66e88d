//! The log, handed record by record to a program whose own log is not Rust's. Rust programs use `tracing` directly.
//! Only Mailbearer's own records pass: what its dependencies log may hold secrets.

use crate::error::{Error, Result};
use crate::host::{Clock as _, SystemClock};
use crate::model::{LogLevel, LogRecord, ProblemKind};
use std::collections::HashMap;
use std::fmt::Debug;
use std::sync::{Arc, OnceLock, PoisonError, RwLock};
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::subscriber::Interest;
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt as _};

/// Where records go. It is called on the thread where something happened, and must not wait.
pub trait LogSink: Send + Sync {
    /// Takes a record.
    fn record(&self, record: LogRecord);
}

/// Hands every record of `level` and above to `sink`, in place of an earlier one. The whole process has one sink.
/// Errors: `Misuse` when the program has a `tracing` subscriber of its own.
pub fn forward(level: LogLevel, sink: Arc<dyn LogSink>) -> Result<()> {
    install()?;
    set(Some(Target { level, sink }));
    Ok(())
}

/// Lets go of the sink. Nothing is recorded from now on.
pub fn stop() {
    set(None);
}

struct Target {
    level: LogLevel,
    sink: Arc<dyn LogSink>,
}

static TARGET: RwLock<Option<Target>> = RwLock::new(None);

fn set(target: Option<Target>) {
    *TARGET.write().unwrap_or_else(PoisonError::into_inner) = target;
    // What is not wanted is skipped where it would be made, so that silence costs nothing.
    tracing::callsite::rebuild_interest_cache();
}

fn wanted() -> LevelFilter {
    let target = TARGET.read().unwrap_or_else(PoisonError::into_inner);
    target.as_ref().map_or(LevelFilter::OFF, |target| {
        LevelFilter::from_level(match target.level {
            LogLevel::Error => Level::ERROR,
            LogLevel::Warn => Level::WARN,
            LogLevel::Info => Level::INFO,
            LogLevel::Debug => Level::DEBUG,
            LogLevel::Trace => Level::TRACE,
        })
    })
}

/// Puts the layer in place, once in a process.
fn install() -> Result<()> {
    static INSTALLED: OnceLock<bool> = OnceLock::new();
    let installed = INSTALLED.get_or_init(|| {
        let subscriber = tracing_subscriber::registry().with(Forwarding);
        tracing::subscriber::set_global_default(subscriber).is_ok()
    });
    installed.then_some(()).ok_or_else(|| {
        Error::new(
            ProblemKind::Misuse,
            "log-taken",
            "this program has a tracing subscriber of its own",
            "read Mailbearer's records there: their target begins with mailbearer",
        )
    })
}

struct Forwarding;

impl Forwarding {
    fn is_wanted(metadata: &Metadata<'_>) -> bool {
        let is_ours = metadata.target().split("::").next() == Some("mailbearer");
        is_ours && *metadata.level() <= wanted()
    }
}

impl<S: Subscriber> Layer<S> for Forwarding {
    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        match Self::is_wanted(metadata) {
            true => Interest::always(),
            false => Interest::never(),
        }
    }

    fn enabled(&self, metadata: &Metadata<'_>, _: Context<'_, S>) -> bool {
        Self::is_wanted(metadata)
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(wanted())
    }

    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let metadata = event.metadata();
        let mut parts = Parts::default();
        event.record(&mut parts);
        let record = LogRecord {
            at_unix_ms: SystemClock::default().now_unix_ms(),
            level: level(*metadata.level()),
            target: metadata.target().to_owned(),
            text: parts.text,
            fields: parts.fields,
        };
        // The lock is let go before the sink is called, which may set another.
        let target = TARGET.read().unwrap_or_else(PoisonError::into_inner);
        let sink = target.as_ref().map(|target| target.sink.clone());
        drop(target);
        if let Some(sink) = sink {
            sink.record(record);
        }
    }
}

fn level(level: Level) -> LogLevel {
    match level {
        Level::ERROR => LogLevel::Error,
        Level::WARN => LogLevel::Warn,
        Level::INFO => LogLevel::Info,
        Level::DEBUG => LogLevel::Debug,
        Level::TRACE => LogLevel::Trace,
    }
}

#[derive(Default)]
struct Parts {
    text: String,
    fields: HashMap<String, String>,
}

impl Parts {
    fn take(&mut self, field: &Field, value: String) {
        if field.name() == "message" {
            self.text = value;
        } else {
            self.fields.insert(field.name().to_owned(), value);
        }
    }
}

impl Visit for Parts {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.take(field, value.to_owned());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.take(field, format!("{value:?}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;

    #[derive(Default)]
    struct Kept(Mutex<Vec<LogRecord>>);

    impl LogSink for Kept {
        fn record(&self, record: LogRecord) {
            self.0.lock().unwrap().push(record);
        }
    }

    impl Kept {
        fn texts(&self) -> Vec<String> {
            let records = self.0.lock().unwrap();
            let texts = records.iter().map(|record| record.text.clone());
            texts
                .filter(|text| text.starts_with("of this test"))
                .collect()
        }
    }

    fn speak() {
        tracing::debug!("of this test: a step");
        tracing::warn!(account = "billing", code = 7, "of this test: refused");
        tracing::warn!(target: "hyper::client", "of this test: foreign");
        tracing::warn!(target: "mailbearer_other", "of this test: a namesake");
    }

    // One test, because the whole process has one sink.
    #[test]
    fn hands_over_our_records_of_the_wanted_level_until_stopped() {
        let (first, second) = (Arc::new(Kept::default()), Arc::new(Kept::default()));
        speak();
        forward(LogLevel::Info, first.clone()).unwrap();
        speak();
        forward(LogLevel::Debug, second.clone()).unwrap();
        speak();
        stop();
        speak();
        assert_eq!(first.texts(), ["of this test: refused"]);
        assert_eq!(
            second.texts(),
            ["of this test: a step", "of this test: refused"]
        );
        let records = first.0.lock().unwrap();
        let record = records.iter().find(|r| r.text.contains("refused")).unwrap();
        assert_eq!(record.level, LogLevel::Warn);
        assert_eq!(record.target, "mailbearer::logging::tests");
        assert_eq!(record.fields["account"], "billing");
        assert_eq!(record.fields["code"], "7");
    }
}
