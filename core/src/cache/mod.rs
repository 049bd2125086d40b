//! One cache in memory, one on disk: refreshed by one at a time, in a process and across them.

mod disk;
mod entry;
mod failure;
mod key;
mod memory;
mod window;

pub use disk::{CacheFolder, CachedEntry, DiskCache, Slot};
pub use key::RoleCacheKey;
pub use memory::MemoryCache;
pub use window::{Freshness, RefreshWindow};
