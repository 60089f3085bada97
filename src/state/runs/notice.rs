//! What pm says, as it is kept.

use serde::{Deserialize, Serialize};

/// A line of pm's own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptNotice {
    /// Under whose name it stands: `web.1`. `None`: pm's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub about: Option<String>,
    /// The name of the event: `exited`.
    pub event: String,
    /// It tells of a failure.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_failure: bool,
    /// What is said, for people; without the mark before it.
    pub text: String,
    /// What happened, for programs.
    #[serde(default, skip_serializing_if = "serde_json::Map::is_empty")]
    pub facts: serde_json::Map<String, serde_json::Value>,
}

impl KeptNotice {
    /// Returns it as JSON of at most this number of bytes: the facts are left out if they are too long, and then the
    /// end of the text.
    pub(super) fn encode(&self, most: usize) -> Vec<u8> {
        let bytes = serde_json::to_vec(self).unwrap_or_default();
        if bytes.len() <= most {
            return bytes;
        }
        let mut shorter = Self { facts: serde_json::Map::new(), ..self.clone() };
        let mut longest = most;
        loop {
            cut(&mut shorter.text, longest);
            shorter.about.iter_mut().for_each(|name| cut(name, longest));
            let bytes = serde_json::to_vec(&shorter).unwrap_or_default();
            if bytes.len() <= most || longest == 0 {
                return bytes;
            }
            longest /= 2;
        }
    }

    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        serde_json::from_slice(bytes).ok()
    }
}

/// Cuts a text at the end of a character.
fn cut(text: &mut String, most: usize) {
    while text.len() > most {
        text.pop();
    }
}
