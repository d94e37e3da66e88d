//! The environment variables that Azure and GitHub set for the programs they run. Settings of our own are data.

use std::collections::HashMap;
use std::fmt::Debug;

/// Where environment variables are read.
pub trait Environment: Send + Sync + Debug {
    /// A variable's value; `None` when it is not set, empty, or no text.
    fn variable(&self, name: &str) -> Option<String>;
}

/// The process's own environment.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemEnvironment;

impl Environment for SystemEnvironment {
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the part through which everything else reads it"
    )]
    fn variable(&self, name: &str) -> Option<String> {
        std::env::var(name).ok().filter(|value| !value.is_empty())
    }
}

/// Variables of your own, for tests.
impl Environment for HashMap<String, String> {
    fn variable(&self, name: &str) -> Option<String> {
        self.get(name).filter(|value| !value.is_empty()).cloned()
    }
}
