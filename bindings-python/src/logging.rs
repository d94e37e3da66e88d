//! The core's log, queued for a thread of Python's own: the work that speaks never waits for Python.

use crate::data::Data;
use mailbearer::logging::LogSink;
use mailbearer::model::LogRecord;
use pyo3::prelude::*;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};

/// A reader of the log's records. It ends when the log is stopped or given to another reader.
#[pyclass(frozen)]
pub(crate) struct LogReader {
    records: Mutex<Receiver<LogRecord>>,
    dropped: Arc<AtomicU64>,
}

/// A reader, and the sink that feeds it.
pub(crate) fn queue() -> (LogReader, Arc<dyn LogSink>) {
    let (sender, records) = sync_channel(RECORDS_KEPT);
    let dropped = Arc::new(AtomicU64::new(0));
    let sink = Arc::new(Sink {
        sender,
        dropped: dropped.clone(),
    });
    let records = Mutex::new(records);
    (LogReader { records, dropped }, sink)
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

#[pymethods]
impl LogReader {
    /// Waits for the next record; `None` at the end.
    fn next(&self, py: Python<'_>) -> Option<Data<LogRecord>> {
        py.detach(|| {
            let records = self.records.lock().unwrap_or_else(PoisonError::into_inner);
            records.recv().ok().map(Data)
        })
    }

    /// How many records were lost since the last time this was asked, because they came faster than they were read.
    fn take_dropped(&self) -> u64 {
        self.dropped.swap(0, Ordering::Relaxed)
    }
}
