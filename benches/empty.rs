//! The least a Rust program can do: what the others are measured against.
fn main() {}
