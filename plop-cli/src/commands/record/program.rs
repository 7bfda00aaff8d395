//! The program to be recorded: where it is, whether it can be sampled, and what to call it.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::Read;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::fs::{Access, StatVfsMountFlags, access, getxattr, statvfs};
use rustix::process::{getegid, geteuid};

use super::elf::{self, Kind};

/// How often one script may be the interpreter of another; the kernel allows no more.
const INTERPRETERS: u32 = 4;

/// Why a program cannot be started, with the exit code that a shell has for it.
#[derive(Debug)]
pub(super) struct Missing {
    pub(super) code: u8,
    pub(super) why: String,
}

/// Why a program that can be started cannot be sampled.
#[derive(Clone, Debug)]
pub(super) struct Obstacle {
    pub(super) why: &'static str,
    /// Whether the agent can be named in its environment all the same, for what it starts.
    pub(super) preload: bool,
}

/// Finds a program as a shell does.
pub(super) fn find(name: &OsStr) -> Result<PathBuf, Missing> {
    let quoted = name.to_string_lossy();
    let missing = |code, why: &str| Missing {
        code,
        why: format!("cannot start {quoted}: {why}"),
    };
    let no_right = || missing(126, "it is not a file that may be executed");
    if name.is_empty() {
        return Err(missing(127, "there is no such command"));
    }
    if name.as_bytes().contains(&b'/') {
        let path = PathBuf::from(name);
        return match path.exists() {
            false => Err(missing(127, "there is no such file")),
            true if is_executable(&path) => Ok(path),
            true => Err(no_right()),
        };
    }
    let path = std::env::var_os("PATH").unwrap_or_else(|| "/bin:/usr/bin".into());
    let mut there = false;
    for folder in path.as_bytes().split(|byte| *byte == b':') {
        let folder = match folder {
            b"" => Path::new("."),
            folder => Path::new(OsStr::from_bytes(folder)),
        };
        let file = folder.join(name);
        if is_executable(&file) {
            return Ok(file);
        }
        there |= file.is_file();
    }
    match there {
        true => Err(no_right()),
        false => Err(missing(127, "there is no such command")),
    }
}

fn is_executable(file: &Path) -> bool {
    file.is_file() && access(file, Access::EXEC_OK).is_ok()
}

/// Looks whether the agent can be loaded into a program; into the interpreter, where it is a script.
pub(super) fn obstacle(file: &Path) -> Option<Obstacle> {
    let mut file = file.to_owned();
    for _ in 0..INTERPRETERS {
        match interpreter(&file) {
            Some(next) => file = next,
            None => break,
        }
    }
    let opened = File::open(&file).ok()?;
    let cannot = |why, preload| Some(Obstacle { why, preload });
    match elf::kind(&opened) {
        Kind::Static => cannot(
            "it is linked statically, so that nothing can be loaded into it",
            true,
        ),
        Kind::Foreign => cannot("it is a program for another processor or word size", false),
        Kind::Dynamic(loader) if loader.windows(7).any(|part| part == b"ld-musl") => cannot(
            "it uses the C library musl, for which the sampler is not made",
            false,
        ),
        _ if gains_rights(&file) => cannot(
            "it runs with more rights than its user (setuid, setgid or file capabilities), so that the \
             system loads nothing into it",
            true,
        ),
        Kind::Dynamic(_) | Kind::Other => None,
    }
}

/// The interpreter that a script names, where it is one. `env` is looked through.
fn interpreter(script: &Path) -> Option<PathBuf> {
    let mut head = Vec::new();
    File::open(script)
        .ok()?
        .take(256)
        .read_to_end(&mut head)
        .ok()?;
    let line = head
        .strip_prefix(b"#!")?
        .split(|byte| *byte == b'\n')
        .next()?;
    let mut words = (line.split(|byte| byte.is_ascii_whitespace())).filter(|word| !word.is_empty());
    let first = Path::new(OsStr::from_bytes(words.next()?));
    if first.file_name() != Some("env".as_ref()) {
        return Some(first.to_owned());
    }
    let command = words.find(|word| !word.starts_with(b"-") && !word.contains(&b'='))?;
    find(OsStr::from_bytes(command)).ok()
}

/// Whether starting the file gives more rights than this process has, which makes the loader ignore
/// `LD_PRELOAD`.
fn gains_rights(file: &Path) -> bool {
    let Ok(meta) = file.metadata() else {
        return false;
    };
    let ignored = statvfs(file).is_ok_and(|mount| mount.f_flag.contains(StatVfsMountFlags::NOSUID))
        || rustix::thread::no_new_privs().unwrap_or(false);
    let setuid = meta.mode() & 0o4000 != 0 && meta.uid() != geteuid().as_raw();
    let setgid = meta.mode() & 0o2010 == 0o2010 && meta.gid() != getegid().as_raw();
    let mut value = [0u8; 64];
    let capable = !geteuid().is_root()
        && getxattr(file, "security.capability", &mut value[..]).is_ok_and(|len| len > 0);
    !ignored && (setuid || setgid || capable)
}

/// What the recording of a command is called: the script or module that a Python interpreter is told to
/// run, or else the command.
pub(super) fn name(words: &[OsString]) -> OsString {
    let base = |word: &OsStr| {
        let name = Path::new(word).file_name().unwrap_or(OsStr::new("program"));
        name.to_owned()
    };
    let mut words = words.iter();
    let Some(mut command) = words.next() else {
        return "program".into();
    };
    if base(command) == "env" {
        let assigned = |word: &&OsString| !word.as_bytes().contains(&b'=');
        match words.find(assigned) {
            Some(next) if !next.as_bytes().starts_with(b"-") => command = next,
            _ => return base(command),
        }
    }
    let command = base(command);
    match is_python(&command) {
        true => script(words).map_or(command, |word| base(&word)),
        false => command,
    }
}

fn is_python(name: &OsStr) -> bool {
    let version = name.as_bytes().strip_prefix(b"python");
    version.is_some_and(|rest| {
        rest.iter()
            .all(|byte| byte.is_ascii_digit() || b".tdm".contains(byte))
    })
}

/// The script or module among the arguments of a Python interpreter.
fn script<'w>(mut words: impl Iterator<Item = &'w OsString>) -> Option<OsString> {
    while let Some(word) = words.next() {
        let bytes = word.as_bytes();
        match bytes {
            b"-" => return None,
            b"--" => return words.next().cloned(),
            b"--check-hash-based-pycs" => {
                words.next();
            }
            [b'-', b'-', ..] => {}
            [b'-', letters @ ..] => {
                // Letters may stand together; the first that takes a value ends them.
                let takes = letters.iter().position(|letter| b"cmWX".contains(letter));
                let Some(at) = takes else {
                    continue;
                };
                let value = match &letters[at + 1..] {
                    [] => words.next().cloned(),
                    attached => Some(OsString::from_vec(attached.to_vec())),
                };
                match letters[at] {
                    b'm' => return value,
                    b'c' => return None,
                    _ => {}
                }
            }
            _ => return Some(word.clone()),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_recording_is_named_after_what_runs() {
        for (command, expected) in [
            ("python app.py --x y", "app.py"),
            ("/usr/bin/python3.11 -u ./src/app.py", "app.py"),
            ("python3 -m http.server 80", "http.server"),
            ("python3 -Im pytest -x", "pytest"),
            ("python -W ignore -X dev -Xutf8 app.py", "app.py"),
            ("python3 --check-hash-based-pycs never app.py", "app.py"),
            ("python -c pass", "python"),
            ("python - x", "python"),
            ("python3.13t app.py", "app.py"),
            ("env A=1 python app.py", "app.py"),
            ("env -i python app.py", "env"),
            ("gunicorn -w 3 app:app", "gunicorn"),
            ("./app.py", "app.py"),
            ("pythonic app.py", "pythonic"),
            ("/", "program"),
        ] {
            let words: Vec<OsString> = command.split(' ').map(OsString::from).collect();
            assert_eq!(name(&words), expected, "{command}");
        }
    }

    #[test]
    fn a_program_is_found_as_a_shell_finds_it() {
        assert!(find("sh".as_ref()).unwrap().ends_with("sh"));
        assert_eq!(find("no-such-command-here".as_ref()).unwrap_err().code, 127);
        assert_eq!(find("./no/such/file".as_ref()).unwrap_err().code, 127);
        assert_eq!(find("/".as_ref()).unwrap_err().code, 126);
        assert_eq!(find("/etc/passwd".as_ref()).unwrap_err().code, 126);
        assert_eq!(find("".as_ref()).unwrap_err().code, 127);
    }

    #[test]
    fn interpreters_of_scripts_are_followed() {
        let folder = tempfile::tempdir().unwrap();
        let script = |name: &str, text: &str| {
            let file = folder.path().join(name);
            fs::write(&file, text).unwrap();
            fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
            file
        };
        let plain = script("plain", "#!/bin/sh -e\n");
        assert_eq!(interpreter(&plain).unwrap(), Path::new("/bin/sh"));
        let through = script("through", "#! /usr/bin/env -S A=1 sh -e\n");
        assert!(interpreter(&through).unwrap().ends_with("sh"));
        assert!(obstacle(&plain).is_none());
        let fixed = script("static", "\x7fELF");
        assert!(obstacle(&fixed).is_none(), "too short to be a program");
        let nested = script("nested", &format!("#!{}\n", plain.display()));
        assert!(obstacle(&nested).is_none());
        let endless = script(
            "endless",
            &format!("#!{}/endless\n", folder.path().display()),
        );
        assert!(obstacle(&endless).is_none());
    }
}
