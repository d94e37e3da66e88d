//! Why a sandbox could not be started or asked for something.
//! Refusals of the simulated servers are not errors: they are answers.

use std::error::Error;
use std::fmt;

/// A sandbox could not do what was asked.
#[derive(Debug)]
pub struct SandboxError {
    action: String,
    source: Option<Box<dyn Error + Send + Sync>>,
}

impl SandboxError {
    /// For `map_err`: names what was being done.
    pub(crate) fn while_<E: Into<Box<dyn Error + Send + Sync>>>(
        action: impl Into<String>,
    ) -> impl Fn(E) -> Self {
        let action = action.into();
        move |source| Self {
            action: action.clone(),
            source: Some(source.into()),
        }
    }

    pub(crate) fn because(reason: impl Into<String>) -> Self {
        Self {
            action: reason.into(),
            source: None,
        }
    }
}

impl fmt::Display for SandboxError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.source {
            Some(_) => write!(formatter, "the sandbox failed while {}", self.action),
            None => formatter.write_str(&self.action),
        }
    }
}

impl Error for SandboxError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source
            .as_ref()
            .map(|source| source.as_ref() as &(dyn Error + 'static))
    }
}
