//! The libraries through which tokens are reached.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use arc_swap::{ArcSwap, ArcSwapOption};
use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::error::RvError;
use rolecall_core::{Context, ErrorKind, PerProcess, Result, Secret};
use tokio::sync::oneshot;

use super::failure::{code, fail, invalid, token_failed};
use super::uri::Uri;

/// How long a call may take. A person who must touch the token has fifteen seconds with most.
pub(super) const CALL_LIMIT: Duration = Duration::from_secs(30);

/// How long a person has to type the PIN on the token's own keys.
pub(super) const PIN_PAD_LIMIT: Duration = Duration::from_secs(120);

/// How long the closing of a session is waited for.
const CLOSING_LIMIT: Duration = Duration::from_secs(1);

/// How many refused PINs are remembered.
const REFUSED: usize = 64;

/// The longest file of p11-kit about a module.
const CONFIGURATION_LIMIT: u64 = 64 * 1024;

/// A library that speaks to tokens, once for the process: it must not be initialised twice, its
/// logins count for the whole process, and unloading one is not safe.
pub(super) struct Module {
    path: PathBuf,
    /// The child of a fork must initialise the library itself, and a call of its parent's that was
    /// under way never ends in it.
    state: PerProcess<Arc<tokio::sync::Mutex<State>>>,
    refused: Arc<Refused>,
}

/// What belongs to one module.
pub(super) struct State {
    library: Option<Pkcs11>,
    refused: Arc<Refused>,
}

/// PINs that tokens have refused, with the tokens' serial numbers: another try, also one of a child's,
/// would only bring a token nearer to locking itself.
type Refused = ArcSwap<Vec<(String, Secret)>>;

/// No lock is held on them while the process forks.
static MODULES: ArcSwapOption<BTreeMap<PathBuf, Arc<Module>>> = ArcSwapOption::const_empty();

impl Module {
    /// The module that is given, or the URI's, or p11-kit's, which knows all that are installed.
    ///
    /// # Errors
    /// `InvalidConfiguration` if there is none.
    pub(super) fn find(context: &Context, given: Option<&Path>, uri: &Uri) -> Result<Arc<Self>> {
        let path = match (given, &uri.module_path, &uri.module_name) {
            (Some(path), ..) => path.to_owned(),
            (_, Some(path), name) => match context.fs.facts(path) {
                Ok(Some(facts)) if facts.kind == rolecall_core::PathKind::Folder => {
                    let name = name.as_deref().ok_or_else(|| {
                        let path = path.display();
                        invalid(format!(
                            "module-path is a folder, {path}, and module-name is not given"
                        ))
                    })?;
                    first(context, file_names(name).map(|file| path.join(file)).to_vec())?
                }
                _ => path.clone(),
            },
            (_, None, Some(name)) => by_name(context, name)?,
            (_, None, None) => first(context, proxies()).map_err(|e| {
                e.with_help("name the token's module (--pkcs11-lib), or install p11-kit")
            })?,
        };
        Ok(Self::at(path))
    }

    fn at(path: PathBuf) -> Arc<Self> {
        let known = MODULES.load();
        if let Some(module) = known.as_ref().and_then(|modules| modules.get(&path)) {
            return module.clone();
        }
        let (state, refused) = (PerProcess::empty(), Arc::default());
        let new = Arc::new(Self { path, state, refused });
        let mut module = new.clone();
        MODULES.rcu(|modules| {
            let mut modules = modules.as_deref().cloned().unwrap_or_default();
            // Another thread may have been faster.
            module = modules.entry(new.path.clone()).or_insert_with(|| new.clone()).clone();
            Some(Arc::new(modules))
        });
        module
    }

    fn state(&self) -> Arc<tokio::sync::Mutex<State>> {
        let state = self.state.get_or_make(|| {
            let state = State { library: None, refused: self.refused.clone() };
            Arc::new(tokio::sync::Mutex::new(state))
        });
        Arc::clone(&state)
    }

    /// Runs `f`, which may block, when no other call to this module runs. Waits `limit` for both.
    ///
    /// The thread is none of tokio's: these are waited for when the runtime ends, and a token that
    /// hangs would keep the program from ending. Callers of such a token wait in line, not in a
    /// thread each.
    ///
    /// # Errors
    /// `TimedOut` when time is up; those of `f`.
    pub(super) async fn call<T: Send + 'static>(
        &self,
        context: &Context,
        limit: Duration,
        f: impl FnOnce(&mut State) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let call = async {
            let mut state = self.state().lock_owned().await;
            let (tell, told) = oneshot::channel();
            let run = move || {
                let result = f(&mut state);
                drop(state);
                // Nobody may be waiting any longer.
                let _ = tell.send(result);
            };
            let started = std::thread::Builder::new().name("pkcs11".to_owned()).spawn(run);
            started.map_err(|error| {
                fail(ErrorKind::Internal, "no thread can be started").with_source(error)
            })?;
            told.await.unwrap_or_else(|_| {
                Err(fail(ErrorKind::Internal, format!("{self}: the call was not finished")))
            })
        };
        context.clock.timeout(limit, call).await.unwrap_or_else(|| {
            let message = format!("{self}: no answer within {} s", limit.as_secs());
            Err(fail(ErrorKind::TimedOut, message)
                .with_help("the token may wait for a touch, or its module hangs"))
        })
    }

    #[cfg(test)]
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Drops what a call to the module goes with, when no other call runs, and waits for that: a
    /// program that ends meanwhile takes the library down under the call, and crashes.
    pub(super) fn drop_in_turn(&self, what: impl Send + 'static) {
        let state = self.state();
        let (tell, told) = mpsc::channel::<()>();
        let run = move || {
            let alone = state.blocking_lock();
            drop(what);
            drop((alone, tell));
        };
        // Without a thread, `run` is dropped, and what it holds.
        if std::thread::Builder::new().name("pkcs11".to_owned()).spawn(run).is_ok() {
            let _ = told.recv_timeout(CLOSING_LIMIT);
        }
    }

    /// The library, loaded and initialised.
    pub(super) fn library(&self, state: &mut State) -> Result<Pkcs11> {
        library(&self.path, state)
    }
}

impl State {
    /// Whether the token with this serial number has refused `pin` before.
    pub(super) fn is_refused(&self, serial: &str, pin: &Secret) -> bool {
        self.refused.load().iter().any(|(of, refused)| of == serial && refused == pin)
    }

    pub(super) fn refuse(&mut self, serial: &str, pin: &Secret) {
        self.refused.rcu(|refused| {
            let mut refused = Vec::clone(refused);
            if refused.len() == REFUSED {
                refused.remove(0);
            }
            refused.push((serial.to_owned(), pin.clone()));
            refused
        });
    }
}

fn library(path: &Path, state: &mut State) -> Result<Pkcs11> {
    let place = path.display().to_string();
    let library = match &state.library {
        Some(library) => library.clone(),
        None => Pkcs11::new(path).map_err(|error| {
            invalid(format!("the module {place} cannot be loaded: {error}"))
                .with_help(
                    "give the path of a PKCS#11 module (--pkcs11-lib, or module-path in the URI)",
                )
                .with_source(error)
        })?,
    };
    let is_ready = state.library.is_some()
        // After a fork that nobody told of, the child's is not.
        && !matches!(library.get_library_info(),
            Err(error) if matches!(code(&error), Some(RvError::CryptokiNotInitialized)));
    if !is_ready {
        let initialize = |flags| library.initialize(CInitializeArgs::new(flags));
        let result = match initialize(CInitializeFlags::OS_LOCKING_OK) {
            // Calls come one at a time.
            Err(e) if matches!(code(&e), Some(RvError::CantLock)) => {
                initialize(CInitializeFlags::empty())
            }
            result => result,
        };
        match result {
            Ok(()) => {}
            // By the program that this library is part of.
            Err(e) if matches!(code(&e), Some(RvError::CryptokiAlreadyInitialized)) => {}
            Err(error) => return Err(token_failed("start it", &format!("module {place}"), error)),
        }
    }
    state.library = Some(library.clone());
    Ok(library)
}

impl fmt::Display for Module {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "module {}", self.path.display())
    }
}

impl fmt::Debug for Module {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Module").field(&self.path).finish()
    }
}

/// Where systems keep libraries.
fn folders() -> Vec<PathBuf> {
    let triplet = match std::env::consts::ARCH {
        "arm" => "arm-linux-gnueabihf".to_owned(),
        arch => format!("{arch}-linux-gnu"),
    };
    let mut folders = vec![format!("/usr/lib/{triplet}")];
    let others =
        ["/usr/lib64", "/usr/lib", "/usr/local/lib64", "/usr/local/lib", "/opt/homebrew/lib"];
    folders.extend(others.map(str::to_owned));
    folders.into_iter().map(PathBuf::from).collect()
}

/// p11-kit's module of all modules. It is the library itself, and not every system installs it
/// under the first name.
fn proxies() -> Vec<PathBuf> {
    let names = ["p11-kit-proxy.so", "libp11-kit.so.0", "p11-kit-proxy.dylib"];
    names
        .iter()
        .flat_map(|name| folders().into_iter().map(move |folder| folder.join(name)))
        .collect()
}

fn file_names(name: &str) -> [String; 3] {
    [format!("lib{name}.so"), format!("{name}.so"), format!("lib{name}.dylib")]
}

/// A module by its name: as p11-kit has it configured, or as a file where modules lie.
fn by_name(context: &Context, name: &str) -> Result<PathBuf> {
    if name.contains('/') {
        return Err(invalid("module-name is a path: write module-path"));
    }
    let modules: Vec<_> = folders()
        .into_iter()
        .flat_map(|folder| [folder.join("pkcs11"), folder.join("softhsm"), folder])
        .collect();
    for folder in ["/etc/pkcs11/modules", "/usr/share/p11-kit/modules"] {
        let file = Path::new(folder).join(format!("{name}.module"));
        let Ok(text) = context.fs.read(&file, CONFIGURATION_LIMIT) else { continue };
        let text = String::from_utf8_lossy(&text);
        let path = text.lines().find_map(|line| line.trim().strip_prefix("module:"));
        if let Some(path) = path.map(|path| Path::new(path.trim())) {
            return first(context, modules.iter().map(|folder| folder.join(path)).collect());
        }
    }
    let files = file_names(name);
    let all = modules.iter().flat_map(|folder| files.iter().map(move |file| folder.join(file)));
    first(context, all.collect())
}

/// The first path at which there is something.
fn first(context: &Context, paths: Vec<PathBuf>) -> Result<PathBuf> {
    let exists = |path: &&PathBuf| matches!(context.fs.facts(path), Ok(Some(_)));
    if let Some(path) = paths.iter().find(exists) {
        return Ok(path.clone());
    }
    let mut tried: Vec<_> = paths.iter().map(|path| path.display().to_string()).collect();
    tried.dedup();
    Err(invalid(format!("no PKCS#11 module is found; tried {}", tried.join(", "))))
}

#[cfg(test)]
mod tests {
    use rolecall_core::Fs;

    use super::*;

    fn find(files: &[(&str, &str)], given: Option<&str>, uri: &str) -> Result<PathBuf> {
        let folder = tempfile::tempdir().unwrap();
        let context = Context { fs: Fs::rooted(folder.path()), ..Context::real() };
        for (path, text) in files {
            context.fs.create_folder(Path::new(path).parent().unwrap()).unwrap();
            context.fs.write(Path::new(path), text.as_bytes()).unwrap();
        }
        let module = Module::find(&context, given.map(Path::new), &uri.parse().unwrap())?;
        Ok(module.path.clone())
    }

    #[test]
    fn the_given_module_is_above_the_uris_and_that_above_p11_kits() {
        let proxy = ("/usr/lib64/p11-kit-proxy.so", "");
        let uri = "pkcs11:?module-path=/opt/token.so";
        assert_eq!(find(&[proxy], Some("/x.so"), uri).unwrap(), Path::new("/x.so"));
        assert_eq!(find(&[proxy], None, uri).unwrap(), Path::new("/opt/token.so"));
        assert_eq!(find(&[proxy], None, "pkcs11:").unwrap(), Path::new(proxy.0));
        let library = ("/usr/lib/libp11-kit.so.0", "");
        assert_eq!(find(&[library], None, "pkcs11:").unwrap(), Path::new(library.0));
    }

    #[test]
    fn a_name_is_found_as_p11_kit_has_it_or_where_modules_lie() {
        let configured = ("/usr/share/p11-kit/modules/hsm.module", "# x\nmodule: /opt/libhsm.so\n");
        let there = ("/opt/libhsm.so", "");
        let uri = "pkcs11:?module-name=hsm";
        assert_eq!(find(&[configured, there], None, uri).unwrap(), Path::new(there.0));
        let plain = ("/usr/lib/softhsm/libhsm.so", "");
        assert_eq!(find(&[plain], None, uri).unwrap(), Path::new(plain.0));
        let in_folder = "pkcs11:?module-name=hsm&module-path=/opt";
        assert_eq!(find(&[there], None, in_folder).unwrap(), Path::new(there.0));
        assert!(find(&[there], None, "pkcs11:?module-path=/opt").is_err());
        assert!(find(&[], None, "pkcs11:?module-name=../x").is_err());
    }

    #[test]
    fn what_was_tried_is_told() {
        let error = find(&[], None, "pkcs11:").unwrap_err().to_string();
        for part in ["/usr/lib64/p11-kit-proxy.so", "/usr/lib/libp11-kit.so.0", "--pkcs11-lib"] {
            assert!(error.contains(part), "{error}");
        }
    }

    #[tokio::test]
    async fn what_is_no_module_is_told() {
        let context = Context::real();
        for path in ["/nonexistent/module.so", "/etc/hostname"] {
            let module = Module::find(&context, Some(Path::new(path)), &Uri::default()).unwrap();
            let shared = module.clone();
            let call = module.call(&context, CALL_LIMIT, move |state| shared.library(state));
            let error = call.await.unwrap_err().to_string();
            assert!(error.contains(path) && error.contains("cannot be loaded"), "{error}");
        }
    }

    #[tokio::test]
    async fn a_call_that_hangs_holds_up_neither_its_caller_nor_those_behind() {
        let context = Context::real();
        let path = Path::new("/hanging/module.so");
        let module = Module::find(&context, Some(path), &Uri::default()).unwrap();
        let (release, held) = std::sync::mpsc::channel::<()>();
        let limit = Duration::from_millis(20);
        let hanging = module.call(&context, limit, move |_| {
            let _ = held.recv();
            Ok(())
        });
        assert_eq!(hanging.await.unwrap_err().kind(), ErrorKind::TimedOut);
        let error = module.call(&context, limit, |_| Ok(())).await.unwrap_err();
        assert!(error.to_string().contains("/hanging/module.so: no answer"), "{error}");
        drop(release);
        module.call(&context, CALL_LIMIT, |_| Ok(())).await.unwrap();
    }
}
