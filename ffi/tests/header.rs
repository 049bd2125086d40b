//! `include/rolecall.h` says what the library is. `make header` writes it.

#![allow(clippy::disallowed_methods, reason = "it is about a file of the source tree")]

use std::path::Path;

#[test]
fn the_header_is_that_of_the_library() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let config = cbindgen::Config::from_file(folder.join("cbindgen.toml")).unwrap();
    let made = cbindgen::Builder::new().with_crate(folder).with_config(config).generate();
    let mut text = Vec::new();
    made.unwrap().write(&mut text);
    let text = String::from_utf8(text).unwrap();
    let path = folder.join("include/rolecall.h");
    if std::env::var_os("WRITE_HEADER").is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(kept == text, "include/rolecall.h is out of date: run `make header`");
}
