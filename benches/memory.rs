//! Credentials from memory, and the work that a warm start does.

#![expect(clippy::unwrap_used, reason = "a benchmark that fails has no figures")]
#![expect(clippy::disallowed_methods, reason = "a benchmark stands outside the seams")]

use std::path::Path;
use std::sync::{Arc, Barrier};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use criterion::{Criterion, criterion_group, criterion_main};
use rolecall::core::Env;
use rolecall::core::cache::{MemoryCache, RoleCacheKey};
use rolecall::core::profile::{FileKind, ProfileSet, plan_profile};
use rolecall::{Context, Credentials, ProvideCredentials, Result};

#[derive(Debug)]
struct AnHour;

#[async_trait]
impl ProvideCredentials for AnHour {
    async fn provide_credentials(&self) -> Result<Credentials> {
        let end = Context::real().clock.now() + Duration::from_secs(3600);
        Ok(Credentials::new("AKID", "secret", "bench")
            .with_session_token(Some("token".into()))
            .with_expires_at(Some(end)))
    }
}

fn warm_cache() -> MemoryCache {
    let cache = MemoryCache::new(&Context::real(), Arc::new(AnHour));
    rolecall::block_on(cache.provide_credentials()).unwrap().unwrap();
    cache
}

fn memory(criterion: &mut Criterion) {
    let cache = Arc::new(warm_cache());
    criterion.bench_function("credentials from memory, ready()", |b| b.iter(|| cache.ready()));
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    criterion.bench_function("credentials from memory, awaited", |b| {
        b.to_async(&runtime).iter(|| cache.provide_credentials());
    });
    criterion.bench_function("credentials from memory, 16 threads, per call", |b| {
        b.iter_custom(|iterations| of_16_threads(&cache, iterations));
    });
}

/// The time of one call in each of 16 threads that all call at once, as each thread sees it per
/// core: with two cores, eight threads share one.
fn of_16_threads(cache: &Arc<MemoryCache>, iterations: u64) -> Duration {
    const THREADS: u32 = 16;
    let start = Arc::new(Barrier::new(THREADS as usize + 1));
    let threads: Vec<_> = (0..THREADS)
        .map(|_| {
            let (cache, start) = (cache.clone(), start.clone());
            std::thread::spawn(move || {
                start.wait();
                for _ in 0..iterations {
                    std::hint::black_box(cache.ready());
                }
            })
        })
        .collect();
    start.wait();
    let began = Instant::now();
    for thread in threads {
        thread.join().unwrap();
    }
    let cores = u32::try_from(std::thread::available_parallelism().unwrap().get()).unwrap();
    began.elapsed() * cores.min(THREADS) / THREADS
}

fn warm_start(criterion: &mut Criterion) {
    let mut config = String::new();
    for number in 0..20 {
        config += &format!(
            "[profile p{number}]\nrole_arn = arn:aws:iam::123456789012:role/R{number}\n\
             source_profile = base\nregion = eu-west-1\n"
        );
    }
    config += "[profile base]\naws_access_key_id = AKID\naws_secret_access_key = secret\n";
    let env = Env::from_pairs([("HOME", "/home/me")]);
    criterion.bench_function("read 20 profiles and plan one", |b| {
        b.iter(|| {
            let file = (FileKind::Config, Path::new("config"), config.as_bytes());
            let set = ProfileSet::parse(&[file]).unwrap();
            plan_profile(&set, "p7", &env).unwrap()
        });
    });
    criterion.bench_function("name of a cache entry", |b| {
        let role_arn = "arn:aws:iam::123456789012:role/R";
        b.iter(|| RoleCacheKey { role_arn, ..RoleCacheKey::default() }.name());
    });
}

criterion_group!(benches, memory, warm_start);
criterion_main!(benches);
