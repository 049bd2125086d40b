//! One cache in memory, one on disk: refreshed by one at a time, in a process and across them.

mod disk;
mod entry;
mod failure;
mod interactive;
mod key;
mod memory;
mod ownership;
mod turn;
mod window;

pub use disk::{CacheFolder, CachedEntry, DiskCache, Slot};
pub use interactive::Interactive;
pub use key::{RoleCacheKey, SsoCacheKey, own_name};
pub use memory::MemoryCache;
pub use ownership::Ownership;
pub use turn::Turn;
pub use window::{Freshness, RefreshWindow};
