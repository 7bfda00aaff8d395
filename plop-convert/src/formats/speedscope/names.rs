//! What the names of profiles say that py-spy and Austin write: which thread it is, and what was measured.

/// What a name says.
#[derive(PartialEq, Eq, Debug)]
pub(super) struct Told<'n> {
    pub(super) pid: i64,
    pub(super) tid: i64,
    pub(super) thread: &'n str,
    /// What was measured, if the name says so.
    pub(super) kind: Option<&'static str>,
}

/// Reads `Thread 12 "main"` and `Process 7 Thread 12 "main"` of py-spy and
/// `Wall time profile for 7:0:12` of Austin; `None` for any other name.
pub(super) fn read(name: &str) -> Option<Told<'_>> {
    by_py_spy(name).or_else(|| by_austin(name))
}

fn by_py_spy(name: &str) -> Option<Told<'_>> {
    let (pid, rest) = match name.strip_prefix("Process ") {
        Some(rest) => {
            let (pid, rest) = rest.split_once(' ')?;
            (pid.parse().ok()?, rest)
        }
        None => (0, name),
    };
    let (tid, thread) = rest.strip_prefix("Thread ")?.split_once(' ')?;
    Some(Told {
        pid,
        tid: number(tid)?,
        thread: thread.strip_prefix('"')?.strip_suffix('"')?,
        kind: None,
    })
}

fn by_austin(name: &str) -> Option<Told<'_>> {
    let (what, thread) = name.split_once(" profile for ")?;
    let kind = match what {
        "CPU time" => "cpu",
        "Wall time" => "wall",
        "Memory allocation" => "alloc_space",
        _ => return None,
    };
    let (pid, rest) = thread.split_once(':')?;
    // Between process and thread stands the interpreter.
    let (_, tid) = rest.split_once(':')?;
    Some(Told {
        pid: pid.parse().ok()?,
        tid: number(tid)?,
        thread: "",
        kind: Some(kind),
    })
}

fn number(text: &str) -> Option<i64> {
    match text.strip_prefix("0x").or(text.strip_prefix("0X")) {
        Some(digits) => i64::from_str_radix(digits, 16).ok(),
        None => text.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_the_thread_and_what_was_measured() {
        let told = |name| read(name).map(|told| (told.pid, told.tid, told.thread, told.kind));
        assert_eq!(told(r#"Thread 12 "main""#), Some((0, 12, "main", None)));
        assert_eq!(told(r#"Thread 0x1F """#), Some((0, 31, "", None)));
        assert_eq!(
            told(r#"Process 7 Thread 12 "a "b"""#),
            Some((7, 12, "a \"b\"", None))
        );
        assert_eq!(
            told("Wall time profile for 7:0:12"),
            Some((7, 12, "", Some("wall")))
        );
        assert_eq!(
            told("CPU time profile for 7:0:0x10"),
            Some((7, 16, "", Some("cpu")))
        );
        for other in [
            "Thread 12",
            "Thread x \"main\"",
            "CPU time",
            "CPU profile for 'x' at 3",
            "",
        ] {
            assert_eq!(told(other), None, "{other}");
        }
    }
}
