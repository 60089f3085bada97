//! Live control: one Unix socket a session, JSON lines on it. It knows the words of the protocol and the
//! files of a session; what a request means is the supervisor's, and what it does the shell's.

pub mod client;
pub mod frame;
pub mod outbox;
mod peer_credentials;
pub mod proto;
pub mod server;
pub mod socket_paths;
pub mod start_lock;
