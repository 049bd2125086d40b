//! Certificate selectors of any text, without a panic; what is read is read again from its own text.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rolecall_rolesanywhere::CertificateSelector;

fuzz_target!(|text: &str| {
    let _ = CertificateSelector::from_json(text.as_bytes());
    for text in [text.to_owned(), format!("Key=x509Subject,Value=CN={text}")] {
        if let Ok(selector) = text.parse::<CertificateSelector>() {
            let again: CertificateSelector = selector.to_string().parse().unwrap();
            assert_eq!(again.to_string(), selector.to_string());
        }
    }
});
