//! What was learnt of servers that cannot do what they offer: the way that has proved too fast for a host is not used
//! again while the handle is open.

use super::pipeline::Way;
use crate::transport::SmtpRoute;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// The manners of every host, shared by all transports of a handle.
#[derive(Clone, Debug, Default)]
pub(crate) struct MannersOfHosts(Arc<Mutex<HashMap<(String, u16), Manners>>>);

/// The manners of one host.
#[derive(Clone, Debug)]
pub(super) struct Manners(Arc<Mutex<Way>>);

impl MannersOfHosts {
    /// The manners of a route's host.
    pub(super) fn of(&self, route: &SmtpRoute) -> Manners {
        let mut hosts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let manners = hosts.entry((route.host.clone(), route.port));
        manners
            .or_insert_with(|| Manners(Arc::new(Mutex::new(Way::Chunked))))
            .clone()
    }
}

impl Manners {
    /// The fastest way that the host offers and can do.
    pub(super) fn at_most(&self, offered: Way) -> Way {
        offered.min(*self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Notes that the host could not do this.
    pub(super) fn slow_down(&self, from: Way) {
        let slower = match from {
            Way::Chunked => Way::Pipelined,
            Way::Pipelined | Way::OneByOne => Way::OneByOne,
        };
        let mut way = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *way = slower.min(*way);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_goes_one_step_slower_at_a_time_and_never_faster_again() {
        let manners = Manners(Arc::new(Mutex::new(Way::Chunked)));
        assert_eq!(manners.at_most(Way::Pipelined), Way::Pipelined);
        manners.slow_down(Way::Chunked);
        manners.slow_down(Way::Chunked);
        assert_eq!(manners.at_most(Way::Chunked), Way::Pipelined);
        manners.slow_down(Way::Pipelined);
        manners.slow_down(Way::Chunked);
        assert_eq!(manners.at_most(Way::Chunked), Way::OneByOne);
    }
}
