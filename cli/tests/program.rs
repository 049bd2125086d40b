//! Tests of the program `rolecall` as a process, against an AWS on loopback.

#![allow(clippy::disallowed_methods, reason = "tests stand outside the product's seams")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "the helpers are tests too")]

mod assume_role;
mod bad_files;
mod bad_network;
mod bad_sources;
mod cold_start;
mod commands;
mod configure;
mod configure_roles_anywhere;
mod doctor;
mod eks;
mod exec_serve;
mod export;
mod identity;
mod killed;
mod leases;
mod mfa_once;
mod roles_anywhere;
mod secrets;
mod serve;
mod serve_load;
mod signing_helper;
mod sts;
mod support;
mod terminal;
mod traces;
mod update;
