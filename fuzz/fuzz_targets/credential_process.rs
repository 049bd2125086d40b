//! Command lines of any text and answers of any bytes, without a panic.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rolecall_core::source::ProcessProvider;
use rolecall_core::{Context, Process, ProcessOutput, ProvideCredentials};

fuzz_target!(|input: (&str, &[u8])| {
    let stdout = input.1.to_vec();
    let process = Process::fake(move |_| {
        let stdout = stdout.clone().into();
        Ok(ProcessOutput { status: "exit status: 0".to_owned(), success: true, stdout })
    });
    let context = Context { process, ..Context::fake() };
    let provider = ProcessProvider::new(context, input.0, "fuzz");
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let _ = runtime.block_on(provider.provide_credentials());
});
