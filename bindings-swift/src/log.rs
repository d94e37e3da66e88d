//! The core's log, queued for a thread of Swift's: the work that speaks never waits for who listens.

use crate::Result;
use mailbearer::logging::{self, LogSink};
use mailbearer::model::{LogLevel, LogRecord};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};

/// A reader of the log's records. It ends when the log is stopped or given to another reader.
#[derive(uniffi::Object)]
struct LogReader {
    records: Mutex<Receiver<LogRecord>>,
    dropped: Arc<AtomicU64>,
}

#[uniffi::export]
impl LogReader {
    /// Hands every record of `level` and above to a new reader, in place of an earlier one.
    #[uniffi::constructor]
    #[expect(clippy::result_large_err, reason = "called once in a program's life")]
    fn open(level: LogLevel) -> Result<Arc<Self>> {
        let (sender, records) = sync_channel(RECORDS_KEPT);
        let dropped = Arc::new(AtomicU64::new(0));
        let sink = Sink {
            sender,
            dropped: dropped.clone(),
        };
        logging::forward(level, Arc::new(sink))?;
        let records = Mutex::new(records);
        Ok(Arc::new(Self { records, dropped }))
    }

    /// Waits in this thread for the next record; nothing at the end.
    fn next(&self) -> Option<LogRecord> {
        let records = self.records.lock().unwrap_or_else(PoisonError::into_inner);
        records.recv().ok()
    }

    /// How many records were lost since the last time this was asked, because they came faster than they were read.
    fn take_dropped(&self) -> u64 {
        self.dropped.swap(0, Ordering::Relaxed)
    }
}

/// Hands the log to nobody.
#[uniffi::export]
fn stop_log() {
    logging::stop();
}

/// Enough for a burst at `trace`; a reader that is slower than that loses records rather than memory.
const RECORDS_KEPT: usize = 8192;

struct Sink {
    sender: SyncSender<LogRecord>,
    dropped: Arc<AtomicU64>,
}

impl LogSink for Sink {
    fn record(&self, record: LogRecord) {
        if self.sender.try_send(record).is_err() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}
