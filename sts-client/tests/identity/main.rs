//! Cloud identity from the outside: tokens, the attack table, the kit as STS, JWTs.

#![expect(clippy::unwrap_used, clippy::panic, reason = "all of it is tests")]

mod attack;
mod bounds;
mod cases;
mod config;
mod jwt;
mod kit;
mod modes;
mod support;
mod tokens;
mod vectors;
