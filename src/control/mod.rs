//! Control of a running session: one Unix socket per session, JSON lines on it. Knows the protocol and the
//! files of a session; the session and the supervisor decide what a request does.

pub mod client;
pub mod frame;
pub(crate) mod incoming;
pub mod last_minute;
pub mod outbox;
mod peer_credentials;
pub mod proto;
pub mod server;
pub mod socket_paths;
pub mod start_lock;
