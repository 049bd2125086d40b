//! Files of keys and certificates of any bytes (PEM, DER, PKCS#12, encrypted PKCS#8), without a
//! panic. Files with the password `x` are good to begin with: put them into corpus/key_files.
#![no_main]

use std::path::Path;
use std::sync::LazyLock;
use std::time::{Duration, SystemTime};

use libfuzzer_sys::fuzz_target;
use rolecall_core::{Clock, Context, Env, Fs, Prompt, SecretInput};
use rolecall_rolesanywhere::{IdentityReader, IdentitySource};

/// Where the one file lies, in memory if the machine has such a place.
static FOLDER: LazyLock<String> = LazyLock::new(|| {
    let memory = Path::new("/dev/shm");
    let parent = if memory.is_dir() { memory } else { Path::new("/tmp") };
    let folder = parent.join(format!("rolecall-fuzz-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    folder.display().to_string()
});

fuzz_target!(|file: &[u8]| {
    std::fs::write(Path::new(&*FOLDER).join("file"), file).unwrap();
    // Later, no file is one that may still be being written.
    let clock = Clock::manual(SystemTime::UNIX_EPOCH + Duration::from_secs(4_000_000_000));
    let context = Context {
        clock,
        fs: Fs::rooted(&*FOLDER),
        env: Env::from_pairs::<&str, &str>([]),
        prompt: Prompt::none(),
        ..Context::real()
    };
    let source = IdentitySource {
        certificate: Some(SecretInput::File("/file".into())),
        password: Some(SecretInput::Literal("x".into())),
        ..IdentitySource::default()
    };
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let reader = IdentityReader::new(context, source);
    let _ = runtime.block_on(reader.certificates());
    let _ = runtime.block_on(reader.identity());
    reader.cache_identity();
});
