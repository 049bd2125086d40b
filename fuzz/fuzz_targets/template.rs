//! Templates of user names of any text, and names of any text in them, without a panic; what is made is
//! never longer than it may be, and a name adds no template of its own.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rolecall_secrets::fuzzing::render;

fuzz_target!(|input: (&str, &str)| {
    let (template, name) = input;
    for template in [template.to_owned(), format!("{{{{{template}}}}}")] {
        if let Ok(made) = render(&template, name) {
            assert!(made.len() <= 4096, "{}", made.len());
        }
    }
    if let Ok(alone) = render("{{identity.name}}", name) {
        assert!(alone.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_'), "{alone}");
    }
});
