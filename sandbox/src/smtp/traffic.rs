//! How many connections there are and were, for tests of clients that keep some open.

use std::sync::{Arc, Mutex};

use crate::sync::lock;

/// The SMTP connections of a sandbox.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SmtpTraffic {
    /// How many are open now.
    pub open: usize,
    /// How many were open at the same time at most.
    pub most: usize,
    /// How many there have been.
    pub total: usize,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Traffic(Arc<Mutex<SmtpTraffic>>);

/// A connection that counts as open until it is dropped.
#[derive(Debug)]
pub(crate) struct Counted(Traffic);

impl Traffic {
    pub(crate) fn enter(&self) -> Counted {
        let mut traffic = lock(&self.0);
        traffic.total += 1;
        traffic.open += 1;
        traffic.most = traffic.most.max(traffic.open);
        Counted(self.clone())
    }

    pub(crate) fn now(&self) -> SmtpTraffic {
        *lock(&self.0)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        lock(&self.0.0).open -= 1;
    }
}
