//! The log, handed to JavaScript. The function is called on the event loop, is never waited for, and keeps no process
//! alive.

use crate::data::Data;
use crate::outcome::Outcome;
use mailbearer::logging::{self, LogSink};
use mailbearer::model::{LogLevel, LogRecord};
use napi::Status;
use napi::bindgen_prelude::Function;
use napi::threadsafe_function::{ThreadsafeFunction, ThreadsafeFunctionCallMode};
use napi_derive::napi;
use std::sync::Arc;

/// Called with one record; weak, so that it keeps no process alive.
type Listener = ThreadsafeFunction<Data<LogRecord>, (), Data<LogRecord>, Status, false, true>;

struct Sink(Listener);

impl LogSink for Sink {
    fn record(&self, record: LogRecord) {
        // What cannot be handed over any more, because the thread has ended, nobody misses.
        self.0
            .call(Data(record), ThreadsafeFunctionCallMode::NonBlocking);
    }
}

/// Hands every record of `level` and above to `listener`, in place of an earlier one.
#[napi]
pub fn forward_log(
    level: Data<LogLevel>,
    listener: Function<'_, Data<LogRecord>, ()>,
) -> napi::Result<Outcome<()>> {
    let listener = listener
        .build_threadsafe_function()
        .weak::<true>()
        .build()?;
    Ok(logging::forward(level.0, Arc::new(Sink(listener))).into())
}

/// Lets go of the listener.
#[napi]
pub fn stop_log() {
    logging::stop();
}
