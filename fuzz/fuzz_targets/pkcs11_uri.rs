//! PKCS#11 URIs of any text, without a panic; what is read is read again from its own text.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rolecall_rolesanywhere::fuzzing::pkcs11_uri;

fuzz_target!(|text: &str| {
    for text in [text.to_owned(), format!("pkcs11:{text}")] {
        if let Some(again) = pkcs11_uri(&text) {
            assert_eq!(pkcs11_uri(&again).as_ref(), Some(&again));
        }
    }
});
