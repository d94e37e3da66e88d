//! The trail of one attempt: the steps taken and how long each took.
//! Durations come from the handle's clock, and names are commands: no address and no secret gets in here.

use crate::host::Clock;
use crate::model::{Step, Trail};
use std::sync::Arc;
use std::time::Duration;

/// Writes a trail.
#[derive(Debug)]
pub(super) struct Journal {
    /// What is written so far.
    pub(super) trail: Trail,
    clock: Arc<dyn Clock>,
}

impl Journal {
    /// Begins a trail.
    pub(super) fn new(trail: Trail, clock: Arc<dyn Clock>) -> Self {
        Self { trail, clock }
    }

    /// Takes a step, and notes it whether it succeeds or not.
    pub(super) async fn step<T>(&mut self, name: &str, work: impl Future<Output = T>) -> T {
        let started = self.clock.elapsed();
        let done = work.await;
        let duration = self.clock.elapsed().saturating_sub(started);
        tracing::debug!(step = name, ?duration);
        self.trail.steps.push(Step {
            name: name.to_owned(),
            duration_us: whole_us(duration),
        });
        done
    }
}

fn whole_us(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
