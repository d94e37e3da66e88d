//! Doubles for the tests of this module: an identity provider that follows a script, and a vault that can fail.

use crate::error::{Error, Result};
use crate::host::{Clock, HttpClient, ManualClock};
use crate::model::ProblemKind;
use crate::secret::SecretBytes;
use crate::vault::{MemoryVault, Vault, VaultLock};
use async_trait::async_trait;
use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, Weak};
use tokio::sync::Semaphore;

/// Answers requests with the next line of its script, the last one again and again.
#[derive(Debug)]
pub(super) struct ScriptedProvider {
    script: Mutex<VecDeque<(u16, String)>>,
    seen: Mutex<Vec<Seen>>,
    clock: Arc<ManualClock>,
    /// Every answer takes a permit: none are left while a test wants requests to hang.
    pub(super) permits: Semaphore,
}

/// A request as the provider saw it.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    pub(super) at_unix_ms: i64,
    pub(super) form: HashMap<String, String>,
    pub(super) authorization: Option<String>,
}

impl ScriptedProvider {
    pub(super) fn new(clock: Arc<ManualClock>, script: &[(u16, &str)]) -> Arc<Self> {
        let lines = script
            .iter()
            .map(|(status, body)| (*status, (*body).to_owned()));
        Arc::new(Self {
            script: Mutex::new(lines.collect()),
            seen: Mutex::default(),
            clock,
            permits: Semaphore::new(Semaphore::MAX_PERMITS),
        })
    }

    pub(super) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    fn next_line(&self) -> (u16, String) {
        let mut script = self.script.lock().unwrap();
        if script.len() > 1 {
            script.pop_front().unwrap()
        } else {
            script.front().unwrap().clone()
        }
    }
}

#[async_trait]
impl HttpClient for ScriptedProvider {
    async fn call(&self, request: http::Request<Vec<u8>>) -> Result<http::Response<Vec<u8>>> {
        let authorization = request.headers().get("authorization");
        self.seen.lock().unwrap().push(Seen {
            at_unix_ms: self.clock.now_unix_ms(),
            form: read_form(request.body()),
            authorization: authorization.map(|value| value.to_str().unwrap().to_owned()),
        });
        self.permits.acquire().await.unwrap().forget();
        let (status, body) = self.next_line();
        let response = http::Response::builder()
            .status(status)
            .header("content-type", "application/json");
        Ok(response.body(body.into_bytes()).unwrap())
    }
}

fn read_form(body: &[u8]) -> HashMap<String, String> {
    oauth2::url::form_urlencoded::parse(body)
        .into_owned()
        .collect()
}

/// A vault in memory that refuses writes on demand, and whose locks can be lost.
#[derive(Debug, Default)]
pub(super) struct FailingVault {
    inner: MemoryVault,
    pub(super) is_full: AtomicBool,
    locks: Mutex<HashMap<String, Weak<AtomicBool>>>,
}

impl FailingVault {
    /// Lets go of every lock without asking who holds it, as a database does when it fails over.
    pub(super) fn lose_locks(&self) {
        for (_, lost) in self.locks.lock().unwrap().drain() {
            if let Some(lost) = lost.upgrade() {
                lost.store(true, Ordering::SeqCst);
            }
        }
    }
}

#[async_trait]
impl Vault for FailingVault {
    fn name(&self) -> String {
        "failing".to_owned()
    }

    async fn read(&self, key: &str) -> Result<Option<SecretBytes>> {
        self.inner.read(key).await
    }

    async fn write(&self, key: &str, value: &SecretBytes) -> Result<()> {
        if self.is_full.load(Ordering::SeqCst) {
            return Err(Error::new(
                ProblemKind::Storage,
                "vault-write-failed",
                "full",
                "free space",
            ));
        }
        self.inner.write(key, value).await
    }

    async fn remove(&self, key: &str) -> Result<bool> {
        self.inner.remove(key).await
    }

    async fn keys(&self, prefix: &str) -> Result<Vec<String>> {
        self.inner.keys(prefix).await
    }

    async fn try_lock(&self, name: &str) -> Result<Option<VaultLock>> {
        let mut locks = self.locks.lock().unwrap();
        if locks.get(name).and_then(Weak::upgrade).is_some() {
            return Ok(None);
        }
        let lost = Arc::new(AtomicBool::new(false));
        locks.insert(name.to_owned(), Arc::downgrade(&lost));
        Ok(Some(VaultLock::holding_until((), lost)))
    }
}
