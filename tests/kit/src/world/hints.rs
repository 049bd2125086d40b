//! Finding users quickly among thousands.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

/// Where users were last found, by account and name or by access key id. What a hint says is
/// checked before it is believed, because tests change the world's lists as they like.
#[derive(Debug, Default)]
pub struct Hints {
    places: Mutex<HashMap<(String, String), usize>>,
}

impl Clone for Hints {
    fn clone(&self) -> Hints {
        Hints::default()
    }
}

impl Hints {
    /// The hinted place if it is `right`, or where `search` finds it.
    pub(super) fn find(
        &self,
        key: (&str, &str),
        right: impl Fn(usize) -> bool,
        search: impl FnOnce() -> Option<usize>,
    ) -> Option<usize> {
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (key.0.to_owned(), key.1.to_owned());
        if let Some(place) = places.get(&key).copied()
            && right(place)
        {
            return Some(place);
        }
        let found = search();
        match found {
            Some(place) => places.insert(key, place),
            None => places.remove(&key),
        };
        found
    }
}
