//! librolecall: the whole of rolecall for C. `include/rolecall.h` is generated from this crate, and is
//! its documentation.
//!
//! There is no logic here: each function checks its pointers, calls the facade and hands over what
//! comes of it.

#![allow(non_camel_case_types, reason = "types are named as in C")]
#![allow(clippy::missing_safety_doc, reason = "the header says once what holds for every function")]
#![warn(missing_docs)]

mod answer;
mod auth;
mod boundary;
mod callback;
mod configure;
mod credentials;
mod error;
mod explain;
mod fork;
mod identity;
mod leases;
mod options;
mod roles_anywhere;
mod session;
mod status;
mod sts;
mod worker;
