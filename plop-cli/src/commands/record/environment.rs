//! The environment of a program to be recorded: the agent in `LD_PRELOAD`, and what it is told in
//! `PLOP_AGENT`.

use std::ffi::{OsStr, OsString};
use std::fmt::Write as _;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;
use std::time::Duration;

use super::Mode;

const PRELOAD: &str = "LD_PRELOAD";
const AGENT: &str = "PLOP_AGENT";

/// What the agent is told.
pub(super) struct Orders<'o> {
    /// Where its library lies.
    pub(super) agent: &'o Path,
    /// The folder for what is recorded; none where the agent writes the profile itself.
    pub(super) spool: Option<&'o Path>,
    /// The profile that it writes where there is no folder.
    pub(super) out: &'o Path,
    /// The id of the process that is started, or what becomes it.
    pub(super) root: String,
    pub(super) rate: u32,
    pub(super) mode: Mode,
    pub(super) delay: Duration,
    pub(super) duration: Duration,
    /// Whether children are sampled, too.
    pub(super) children: bool,
    pub(super) timeline: bool,
    pub(super) labels: &'o [(String, String)],
    /// Words for tests.
    pub(super) deflect: &'o str,
}

impl Orders<'_> {
    /// This process's environment with the agent in it.
    pub(super) fn environment(&self) -> Vec<(OsString, OsString)> {
        let ours = [PRELOAD, AGENT];
        let others = std::env::vars_os().filter(|(name, _)| !ours.iter().any(|our| name == our));
        let before = std::env::var_os(PRELOAD).unwrap_or_default();
        // What records this very process has no business in the program.
        let outer = std::env::var_os(AGENT).and_then(|text| agent_of(text.as_bytes()));
        let preload = preload(&before, outer.as_deref(), self.agent.as_os_str());
        others
            .chain([(PRELOAD.into(), preload), (AGENT.into(), self.text())])
            .collect()
    }

    /// The text of `PLOP_AGENT`.
    fn text(&self) -> OsString {
        let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
        let origin = now.tv_sec as i128 * 1_000_000_000 + now.tv_nsec as i128;
        let mut text = String::new();
        let mut add = |key: &str, value: &[u8]| {
            let _ = write!(text, "{key}={};", escaped(value));
        };
        add("agent", self.agent.as_os_str().as_bytes());
        let spool = self.spool.map(|spool| spool.as_os_str().as_bytes());
        add("spool", spool.unwrap_or_default());
        add("out", self.out.as_os_str().as_bytes());
        add("root", self.root.as_bytes());
        add("mode", self.mode.name().as_bytes());
        for (key, number) in [
            ("rate", self.rate.into()),
            ("origin", origin),
            ("delay", self.delay.as_nanos() as i128),
            ("duration", self.duration.as_nanos() as i128),
            ("children", self.children.into()),
            ("timeline", self.timeline.into()),
        ] {
            add(key, number.to_string().as_bytes());
        }
        for (key, value) in self.labels {
            add("label", format!("{key}={value}").as_bytes());
        }
        if !self.deflect.is_empty() {
            add("deflect", self.deflect.as_bytes());
        }
        text.into()
    }
}

/// The list of libraries with ours behind those that are there, less one that is not wanted.
fn preload(before: &OsStr, unwanted: Option<&OsStr>, ours: &OsStr) -> OsString {
    let mut list: Vec<&[u8]> = (before.as_bytes().split(|byte| b": ".contains(byte)))
        .filter(|library| !library.is_empty())
        .filter(|library| *library != ours.as_bytes())
        .filter(|library| unwanted.is_none_or(|unwanted| *library != unwanted.as_bytes()))
        .collect();
    list.push(ours.as_bytes());
    OsString::from_vec(list.join(&b':'))
}

/// The library that a text of `PLOP_AGENT` names. Its path needs no escapes.
fn agent_of(text: &[u8]) -> Option<OsString> {
    let mut fields = text.split(|byte| *byte == b';');
    let path = fields.find_map(|field| field.strip_prefix(b"agent="))?;
    Some(OsStr::from_bytes(path).to_owned())
}

/// A value in which the signs that mean something are `%XX`.
pub(super) fn escaped(value: &[u8]) -> String {
    let mut text = String::with_capacity(value.len());
    for byte in value {
        match byte {
            b';' | b'%' | b'=' | ..=0x20 | 0x7f.. => {
                let _ = write!(text, "%{byte:02X}");
            }
            byte => text.push(*byte as char),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_agent_reads_what_it_is_told() {
        let labels = [("deploy".to_owned(), "a=b; 50 %".to_owned())];
        let orders = Orders {
            agent: Path::new("/var/tmp/plop-0/agent.so"),
            spool: Some(Path::new("/srv/my profiles/.x;y")),
            out: Path::new("/srv/caf\u{e9}.plop"),
            root: "0000000042".into(),
            rate: 250,
            mode: Mode::Cpu,
            delay: Duration::from_millis(1500),
            duration: Duration::from_secs(30),
            children: false,
            timeline: true,
            labels: &labels,
            deflect: "",
        };
        let mut config = plop_agent::Config::new();
        assert!(config.parse(orders.text().as_bytes()));
        assert_eq!(config.agent.as_bytes(), b"/var/tmp/plop-0/agent.so");
        assert_eq!(config.spool.as_bytes(), b"/srv/my profiles/.x;y");
        assert_eq!(config.out.as_bytes(), "/srv/caf\u{e9}.plop".as_bytes());
        assert_eq!((config.root, config.rate), (42, 250));
        assert_eq!(config.mode, plop_agent::Mode::Cpu);
        assert_eq!(
            (config.delay_ns, config.duration_ns),
            (1_500_000_000, 30_000_000_000)
        );
        assert!(config.origin_ns > 0 && !config.children && config.timeline);
        assert_eq!(config.labels.as_bytes(), b"deploy=a=b; 50 %\n");
    }

    #[test]
    fn libraries_that_are_loaded_already_stay() {
        let list = |before: &str, unwanted: Option<&str>| {
            preload(
                before.as_ref(),
                unwanted.map(OsStr::new),
                "/p/new.so".as_ref(),
            )
        };
        assert_eq!(list("", None), "/p/new.so");
        assert_eq!(
            list("libjemalloc.so /a/b.so", None),
            "libjemalloc.so:/a/b.so:/p/new.so"
        );
        assert_eq!(list("/p/new.so:x.so", None), "x.so:/p/new.so");
        assert_eq!(list("x.so:/p/old.so", Some("/p/old.so")), "x.so:/p/new.so");
        let outer = agent_of(b"rate=5;agent=/p/old.so;spool=/s").unwrap();
        assert_eq!(outer, "/p/old.so");
    }
}
