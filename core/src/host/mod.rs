//! What the machine gives us, as small traits with defaults: clock, randomness, files,
//! environment, programs, network, HTTP.
//! The only place that touches time, sockets and the system; everything above takes these as parts, so tests replace them.

mod clock;
mod dial;
mod environment;
mod file;
mod http;
mod loopback;
mod network;
mod program;
mod proxy;
mod random;
mod tls;

pub use self::http::{ExtraRoots, HttpClient, MAX_RESPONSE_BYTES, SystemHttp};
pub(crate) use clock::within;
pub use clock::{Clock, ManualClock, SystemClock};
pub use environment::{Environment, SystemEnvironment};
pub(crate) use file::{AttachedFile, OpenFile, read_text};
pub(crate) use loopback::{Loopback, Visit};
pub(crate) use network::client_certificate_refusal;
#[cfg(all(unix, feature = "postgres"))]
pub(crate) use network::connect_unix;
pub use network::{Network, Stream, SystemNetwork};
pub(crate) use program::{ProgramFailure, output_of, run as run_program};
pub use proxy::Proxy;
pub(crate) use random::token as random_token;
pub use random::{Random, SeededRandom, SystemRandom};
pub use tls::{ClientIdentity, TlsParameters};
