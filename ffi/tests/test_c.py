"""librolecall from C and C++: every function, linked both ways, under Valgrind and AddressSanitizer."""

import subprocess
from pathlib import Path

import pytest

import nulls
from conftest import BUILT, FFI, HEADER, LONG, ROOT, SHARED, SO_VERSION, STATIC, VERSION
from programs import PYTHON, TIME_OUT

PROGRAMS = FFI / "tests" / "c"
# Reads and writes of memory that is not there, and memory that nobody has any more. Threads of the
# library that end with the process are not lost memory.
VALGRIND = ["valgrind", "--quiet", "--error-exitcode=99", "--leak-check=full",
            "--show-leak-kinds=definite,indirect", "--errors-for-leak-kinds=definite,indirect"]


def run(home, *command, env=None, limit=TIME_OUT):
    done = subprocess.run(command, env={**home.env, **(env or {})}, cwd=home.path,
                          capture_output=True, text=True, timeout=limit)
    assert done.returncode == 0, f"{done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.mark.parametrize("static", [False, True], ids=["so", "a"])
def test_every_function_works(compiler, home, static):
    program = compiler.build(PROGRAMS / "surface.c", static=static)
    assert "every function works" in run(home, program)


def test_every_function_works_under_valgrind(compiler, home):
    run(home, *VALGRIND, compiler.build(PROGRAMS / "surface.c"), limit=LONG)


def test_every_function_works_under_address_sanitizer(compiler, home):
    program = compiler.build(PROGRAMS / "surface.c", "-fsanitize=address,undefined")
    run(home, program, limit=LONG)


def test_cpp_reads_the_header(compiler, home, tmp_path):
    source = tmp_path / "header.cpp"
    source.write_text("""
        #include <rolecall.h>
        #include <cstring>
        static int32_t provide(void *, const rolecall_credentials **, rolecall_error **) {
            return ROLECALL_NOT_CONFIGURED;
        }
        int main() {
            rolecall_provide mine = provide;
            return mine == nullptr || std::strcmp(rolecall_status_name(ROLECALL_OK), "Ok");
        }""")
    for standard in ["-std=c++11", "-std=c++20"]:
        for static in [False, True]:
            run(home, compiler.build(source, standard, program="g++", static=static))


def test_c99_reads_the_header(compiler, home, tmp_path):
    source = tmp_path / "header.c"
    source.write_text("#include <rolecall.h>\nint main(void) { return !rolecall_version(); }")
    for standard in ["-std=c99", "-std=c17"]:
        run(home, compiler.build(source, standard))


@pytest.mark.parametrize("tool", ["", "valgrind", "address"])
def test_null_is_refused_for_every_pointer_of_every_function(compiler, home, tmp_path, tool):
    source = tmp_path / "nulls.c"
    source.write_text(nulls.program(HEADER.read_text()))
    flags = ["-fsanitize=address,undefined"] if tool == "address" else []
    program = compiler.build(source, *flags)
    tool = VALGRIND if tool == "valgrind" else []
    said = run(home, *tool, program, limit=LONG)
    pointers, functions = int(said.split()[0]), int(said.split()[3])
    assert functions == len(exported()) and pointers > 2 * functions


def test_nothing_but_the_header_is_exported():
    said = {name for name, *_ in nulls.functions(HEADER.read_text())}
    assert exported() == said
    assert symbols("--extern-only", STATIC) == said


def exported():
    return symbols("--dynamic", SHARED)


def symbols(which, library):
    table = subprocess.run(["nm", which, "--defined-only", str(library)], capture_output=True,
                           text=True, check=True).stdout
    return {words[2] for words in map(str.split, table.splitlines()) if len(words) == 3}


@pytest.mark.parametrize("static", [False, True], ids=["so", "a"])
def test_a_program_has_an_sqlite_of_its_own(compiler, home, static):
    run(home, compiler.build(PROGRAMS / "sqlite.c", static=static))


def test_16_threads_use_one_session(compiler, home, kit):
    run(home, compiler.build(PROGRAMS / "threads.c"))
    assert kit.count("AssumeRole") == 1


def test_threads_under_valgrind_and_address_sanitizer(compiler, home):
    run(home, *VALGRIND, compiler.build(PROGRAMS / "threads.c"), limit=LONG)
    run(home, compiler.build(PROGRAMS / "threads.c", "-fsanitize=address,undefined"), limit=LONG)


def test_100_000_calls_leave_no_memory_behind(compiler, home):
    print(run(home, compiler.build(PROGRAMS / "leaks.c"), limit=LONG))
    run(home, *VALGRIND, compiler.build(PROGRAMS / "leaks.c"), "100", limit=LONG)


def test_children_of_a_fork_go_on_with_the_handles(compiler, home):
    run(home, compiler.build(PROGRAMS / "fork.c"), limit=LONG)


def test_a_child_does_not_wait_for_a_call_of_a_token(compiler, home, tmp_path):
    module = tmp_path / "module.so"
    subprocess.run(["gcc", "-shared", "-fPIC", "-Wall", "-Werror", str(PROGRAMS / "module.c"), "-o",
                    str(module)], check=True)
    run(home, compiler.build(PROGRAMS / "token.c"), env={"MODULE": str(module)})


def test_the_library_names_itself():
    table = subprocess.run(["readelf", "-d", str(SHARED)], capture_output=True, text=True,
                           check=True).stdout
    assert f"soname: [librolecall.so.{SO_VERSION}]" in table
    assert "NODELETE" in table


CTYPES = """
import ctypes, os
library = ctypes.CDLL(os.environ["LIBRARY"])
for name in ["version", "error_text", "credentials_access_key_id"]:
    getattr(library, "rolecall_" + name).restype = ctypes.c_char_p
session, credentials, error = ctypes.c_void_p(), ctypes.c_void_p(), ctypes.c_void_p()
status = library.rolecall_session_new(None, ctypes.byref(session), ctypes.byref(error))
assert status == 0, library.rolecall_error_text(error)
status = library.rolecall_session_credentials(session, ctypes.byref(credentials),
                                              ctypes.byref(error))
assert status == 0, library.rolecall_error_text(error)
print(library.rolecall_version().decode(),
      library.rolecall_credentials_access_key_id(credentials).decode())
library.rolecall_credentials_free(credentials)
library.rolecall_session_free(session)
"""

CFFI = """
import os, re, sys, subprocess, cffi
header = open(os.environ["HEADER"]).read()
header = re.sub(r"#include <.*>|#define ROLECALL_H\\n", "", header)
plain = subprocess.run(["gcc", "-E", "-P", "-fdirectives-only", "-"], input=header,
                       capture_output=True, text=True, check=True).stdout
plain = "\\n".join(line for line in plain.splitlines()
                   if not line.startswith("#") or line.startswith("#define ROLECALL_"))
ffi = cffi.FFI()
ffi.cdef(plain)
library = ffi.dlopen(os.environ["LIBRARY"])
def take(call, kind, *given):
    place, error = ffi.new(kind + " *"), ffi.new("rolecall_error **")
    if call(*given, place, error) != library.ROLECALL_OK:
        raise RuntimeError(ffi.string(library.rolecall_error_text(error[0])))
    return place[0]
session = take(library.rolecall_session_new, "rolecall_session *", ffi.NULL)
credentials = take(library.rolecall_session_credentials, "const rolecall_credentials *", session)
print(ffi.string(library.rolecall_version()).decode(),
      ffi.string(library.rolecall_credentials_access_key_id(credentials)).decode())
library.rolecall_credentials_free(credentials)
library.rolecall_session_free(session)
"""


@pytest.mark.parametrize("script", [CTYPES, CFFI], ids=["ctypes", "cffi"])
def test_python_reads_the_header(home, kit, script):
    env = {"AWS_PROFILE": "user", "LIBRARY": str(SHARED), "HEADER": str(HEADER)}
    assert run(home, PYTHON, "-c", script, env=env).split() == [VERSION, kit.key]


INSTALLED = """
#include <rolecall.h>
#include <stdio.h>
int main(void) { puts(rolecall_version()); return 0; }
"""


def test_make_install_is_found_by_pkg_config(home, tmp_path):
    stage, prefix = tmp_path / "stage", "/opt/rolecall"
    subprocess.run(["make", "install-c-files", f"DESTDIR={stage}", f"PREFIX={prefix}",
                    f"BUILT={BUILT}"], cwd=ROOT, check=True, capture_output=True, timeout=LONG)
    there = stage / prefix.lstrip("/")
    names = ["librolecall.so", f"librolecall.so.{SO_VERSION}", f"librolecall.so.{VERSION}"]
    assert [(there / "lib" / name).resolve().name for name in names] == [names[2]] * 3
    source = tmp_path / "installed.c"
    source.write_text(INSTALLED)
    env = {**home.env, "PKG_CONFIG_PATH": str(there / "lib" / "pkgconfig"),
           "PKG_CONFIG_SYSROOT_DIR": str(stage)}
    config = ["pkg-config", "rolecall"]
    said = subprocess.run([*config, "--modversion"], env=env, capture_output=True, text=True,
                          check=True).stdout
    assert said.strip() == VERSION
    for flags, library in [([], ["-Wl,-Bdynamic"]), (["--static"], ["-Wl,-Bstatic"])]:
        words = subprocess.run([*config, "--cflags", "--libs", *flags], env=env, text=True,
                               capture_output=True, check=True).stdout.split()
        # Of the two libraries the linker takes the shared one, unless it is told by name.
        words = [str(there / "lib" / "librolecall.a") if flags and word == "-lrolecall" else word
                 for word in words]
        program = tmp_path / f"installed{len(flags)}"
        subprocess.run(["gcc", str(source), "-o", str(program), *words], check=True)
        env["LD_LIBRARY_PATH"] = "" if flags else str(there / "lib")
        assert run(home, str(program), env=env).strip() == VERSION


def test_the_examples_run(compiler, home):
    store = {"ROLECALL_STORE": str(home.path / "leases.db"), "AWS_PROFILE": "user"}
    for name, part in [("credentials", "ASIA"), ("roles_anywhere", "ASIA"),
                       ("prove_identity", "arn:aws:iam::111111111111:user/alice"),
                       ("lease_user", "revoked")]:
        program = compiler.build(ROOT / "examples" / "c" / f"{name}.c")
        said = run(home, program, *EXAMPLES[name](home), env=store)
        assert part in said, said
        valgrind = run(home, *VALGRIND, program, *EXAMPLES[name](home), env=store, limit=LONG)
        assert part in valgrind


EXAMPLES = {
    "credentials": lambda home: ["final"],
    "roles_anywhere": lambda home: [home.env[name] for name in (
        "TRUST_ANCHOR", "RA_PROFILE", "WORKLOAD", "CERTIFICATE", "PRIVATE_KEY")],
    "prove_identity": lambda home: ["111111111111", home.env["KIT_URL"]],
    "lease_user": lambda home: ["admin"],
}


def test_the_page_from_nothing_to_credentials(home, kit, tmp_path):
    """docs/c.md: its files are written, its commands run, in order."""
    page = (ROOT / "docs" / "c.md").read_text()
    stage = tmp_path / "stage"
    subprocess.run(["make", "install-c-files", f"DESTDIR={stage}", "PREFIX=/usr/local",
                    f"BUILT={BUILT}"], cwd=ROOT, check=True, capture_output=True, timeout=TIME_OUT)
    there = stage / "usr" / "local"
    env = {**home.env, "PKG_CONFIG_PATH": str(there / "lib" / "pkgconfig"),
           "PKG_CONFIG_SYSROOT_DIR": str(stage), "LD_LIBRARY_PATH": str(there / "lib"),
           "PATH": "/usr/bin:/bin"}
    blocks = page.split("```")[1::2]
    shown = []
    for block in blocks:
        kind, _, text = block.partition("\n")
        if kind.startswith("c "):
            Path(home.path, kind.split()[1]).write_text(text)
        elif kind == "sh":
            done = subprocess.run(["bash", "-euc", text], cwd=home.path, env=env, text=True,
                                  capture_output=True, timeout=TIME_OUT)
            assert done.returncode == 0, f"{text}\n{done.stdout}{done.stderr}"
            shown.append(done.stdout)
    assert shown[0].strip() == VERSION and shown[1].startswith("ASIA"), shown
    program = (ROOT / "examples" / "c" / "credentials.c").read_text()
    assert f"```c credentials.c\n{program}```" in page
