//! Names the shared library: programs that were linked with one version go on with the next ones
//! that keep its name. From 1.0 on that is the major version and before it the minor one too,
//! as cargo-c has it.

#![allow(clippy::disallowed_methods, reason = "a build script has no Context")]

use std::env;

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    let system = env::var("CARGO_CFG_TARGET_OS").unwrap_or_default();
    if system != "linux" {
        return;
    }
    let part = |name: &str| env::var(format!("CARGO_PKG_VERSION_{name}")).unwrap_or_default();
    let name = match (part("MAJOR"), part("MINOR")) {
        (major, minor) if major == "0" => format!("{major}.{minor}"),
        (major, _) => major,
    };
    println!("cargo:rustc-cdylib-link-arg=-Wl,-soname,librolecall.so.{name}");
    // Threads may be in it, and the system calls it after a fork: it stays where it is.
    println!("cargo:rustc-cdylib-link-arg=-Wl,-z,nodelete");
}
