//! The keyboard: what a terminal sends for a key, and what each key does.

mod map;
mod press;

pub use map::{KeyMap, UiAction};
pub use press::KeyPress;
pub(super) use press::TypedKeys;
