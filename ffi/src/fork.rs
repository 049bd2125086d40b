//! Children of a fork.

use std::sync::Once;

use crate::boundary::shielded;

/// Has the system tell of forks, from the first handle on.
pub(crate) fn watch() {
    static WATCHED: Once = Once::new();
    // A thread that forks in here leaves the child a `Once` that is not done: its own first handle
    // finds it so and does it again.
    WATCHED.call_once(|| {
        // SAFETY: the functions live as long as the library, which is never unloaded (`nodelete`),
        // and the child's does nothing but add to an atomic number. Without memory for them,
        // children are not told, and are as before.
        unsafe { libc::pthread_atfork(Some(before), Some(in_parent), Some(in_child)) };
    });
}

unsafe extern "C" fn before() {
    shielded((), rolecall::before_fork);
}

unsafe extern "C" fn in_parent() {
    shielded((), rolecall::after_fork);
}

unsafe extern "C" fn in_child() {
    rolecall::forked();
}
