//! What killed writers left, and caches that only grow.

use std::path::Path;
use std::time::Duration;

use rolecall_core::Context;
use rolecall_core::cache::CacheFolder;
use rolecall_core::profile::aws_folder;

use super::Finding;

const CHECK: &str = "leftovers";
/// A writer that lives is done with its temporary file by then.
const OLD: Duration = Duration::from_secs(60);
/// More entries than anyone has roles.
const MANY: usize = 500;

pub(super) fn check(context: &Context) -> Vec<Finding> {
    let Some(folder) = aws_folder(&context.env) else { return Vec::new() };
    let cache = CacheFolder::below(&folder);
    let sso = folder.join("sso").join("cache");
    let mut findings = Vec::new();
    for (path, fix) in [
        (cache.entries(), "run rolecall cache clear"),
        (&sso, "remove them"),
        (&folder, "remove them"),
    ] {
        findings.extend(temporary(context, path, fix));
    }
    let names = context.fs.list(cache.entries()).unwrap_or_default();
    let count = names.iter().filter(|name| name.ends_with(".json")).count();
    if count > MANY {
        findings.push(
            Finding::warning(CHECK, format!("the cache holds {count} entries, which none removes"))
                .evidence(cache.entries().display().to_string())
                .fix("run rolecall cache clear"),
        );
    }
    findings
}

/// They may hold secrets.
fn temporary(context: &Context, folder: &Path, fix: &str) -> Option<Finding> {
    let names = context.fs.list(folder).ok()?;
    let now = context.clock.local_now();
    let is_old = |name: &&String| {
        let facts = context.fs.facts(&folder.join(name)).ok().flatten();
        let written = facts.and_then(|facts| facts.modified);
        written.and_then(|at| now.duration_since(at).ok()).is_some_and(|age| age > OLD)
    };
    let is_temporary = |name: &&String| name.starts_with('.') && name.ends_with(".tmp");
    let left: Vec<_> = names.iter().filter(is_temporary).filter(is_old).collect();
    let first = left.first()?;
    Some(
        Finding::warning(CHECK, format!("{} temporary files of killed writers", left.len()))
            .evidence(folder.join(first).display().to_string())
            .fix(fix),
    )
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Machine, has, has_not};
    use super::*;

    const LEFT: &str = "/home/.aws/cli/cache/.a.json.0123456789abcdef.tmp";

    #[test]
    fn old_temporary_files_are_told_and_new_ones_are_somebody_s() {
        let machine = Machine::new(&[]).file(LEFT, "x").file("/home/.aws/cli/cache/a.json", "{}");
        machine.files_are_from(Duration::from_secs(30));
        has_not(&check(&machine.context), "temporary");
        machine.files_are_from(Duration::from_secs(90));
        has(&check(&machine.context), "1 temporary files", LEFT, "rolecall cache clear");
    }

    #[test]
    fn a_cache_that_only_grows_is_told() {
        let mut machine = Machine::new(&[]);
        for number in 0..=MANY {
            let said = check(&machine.context);
            assert_eq!(said, [], "{number}");
            machine = machine.file(&format!("/home/.aws/cli/cache/{number}.json"), "{}");
        }
        has(&check(&machine.context), "501 entries", "cli/cache", "rolecall cache clear");
    }
}
