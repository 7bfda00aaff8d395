//! What a team has settled once for all comparisons: `plop.toml` or `[tool.plop]` in pyproject.toml, and
//! variables of the environment. An option on the command line counts more than a variable, and that more than
//! the file. docs/config.md tells every key.

mod file;

use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow};
use jiff::civil::Date;
use plop_diff::{FunctionRules, Renames};

use self::file::File;

/// A setting that the file may have.
pub(crate) struct Key {
    pub(crate) name: &'static str,
    /// Its variable of the environment.
    variable: Option<&'static str>,
    /// What it is, for people.
    expected: &'static str,
    /// How it may stand in the file.
    form: Form,
}

/// How a setting is written in a file.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Text,
    Number,
    TextOrNumber,
}

const fn key(
    name: &'static str,
    variable: Option<&'static str>,
    expected: &'static str,
    form: Form,
) -> Key {
    Key {
        name,
        variable,
        expected,
        form,
    }
}

const SHARE: &str = "a share such as \"0.5%\" or 0.005";

/// All of them, in the order in which they are told.
pub(crate) const KEYS: [Key; 10] = [
    key("alpha", Some("PLOP_DIFF_ALPHA"), SHARE, Form::TextOrNumber),
    key(
        "min_effect",
        Some("PLOP_DIFF_MIN_EFFECT"),
        SHARE,
        Form::TextOrNumber,
    ),
    key("require_power", None, SHARE, Form::TextOrNumber),
    key(
        "mode",
        Some("PLOP_DIFF_MODE"),
        "a mode such as \"work\"",
        Form::Text,
    ),
    key(
        "by",
        None,
        "the name of a label such as \"route\"",
        Form::Text,
    ),
    key("value", None, "a kind of value such as \"cpu\"", Form::Text),
    key(
        "baseline",
        Some("PLOP_DIFF_BASELINE"),
        "a folder such as \"profiles/shop\"",
        Form::Text,
    ),
    key(
        "last",
        Some("PLOP_DIFF_LAST"),
        "how many deploys, such as 8",
        Form::Number,
    ),
    key(
        "calibration",
        None,
        "a file such as \"shop.json\"",
        Form::Text,
    ),
    key(
        "changed_since",
        Some("PLOP_DIFF_CHANGED_SINCE"),
        "a revision of git such as \"origin/main\"",
        Form::Text,
    ),
];

/// Where a setting comes from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Origin {
    Flag(String),
    Variable(&'static str),
    File { name: String, line: usize },
    Default,
}

impl fmt::Display for Origin {
    fn fmt(&self, out: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Origin::Flag(flag) => out.write_str(flag),
            Origin::Variable(name) => out.write_str(name),
            Origin::File { name, line } => write!(out, "{name}:{line}"),
            Origin::Default => out.write_str("default"),
        }
    }
}

/// A setting.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Setting<T> {
    pub(crate) value: T,
    pub(crate) from: Origin,
}

impl<T> Setting<T> {
    /// What is said where its value turns out to be wrong: where it stands, and which one it is.
    pub(crate) fn place(&self, name: &str) -> String {
        match &self.from {
            from @ Origin::File { .. } => format!("{from}: {name}"),
            from => from.to_string(),
        }
    }
}

/// The file and the variables.
pub(crate) struct Config {
    file: File,
    variables: Vec<(String, OsString)>,
}

impl Config {
    /// Reads the file that is named, or otherwise the nearest one.
    pub(crate) fn read(named: Option<&Path>) -> Result<Config> {
        let folder = std::env::current_dir().context("cannot find the working folder")?;
        let variables = std::env::vars_os().filter_map(|(name, value)| {
            let name = name.into_string().ok()?;
            (name.starts_with("PLOP_DIFF_") && !value.is_empty()).then_some((name, value))
        });
        // A day is over at midnight UTC, on every machine alike.
        let today = jiff::Timestamp::now()
            .to_zoned(jiff::tz::TimeZone::UTC)
            .date();
        Config::of(named, &folder, variables.collect(), today)
    }

    fn of(
        named: Option<&Path>,
        folder: &Path,
        mut variables: Vec<(String, OsString)>,
        today: Date,
    ) -> Result<Config> {
        variables.sort();
        let file = match named {
            Some(path) => file::named(path, today)?,
            None => file::find(folder, today)?.unwrap_or_default(),
        };
        Ok(Config { file, variables })
    }

    /// The name of the file; none where there is none.
    pub(crate) fn file(&self) -> Option<&str> {
        Some(self.file.name.as_str()).filter(|name| !name.is_empty())
    }

    /// What the file says of single functions.
    pub(crate) fn rules(&self) -> &FunctionRules {
        &self.file.rules
    }

    /// What the file says of names that changed.
    pub(crate) fn renames(&self) -> &Renames {
        &self.file.renames
    }

    /// What is there and does not count.
    pub(crate) fn remarks(&self) -> Vec<String> {
        let known: Vec<&str> = KEYS.iter().filter_map(|key| key.variable).collect();
        let unknown = self
            .variables
            .iter()
            .filter(|(name, _)| !known.contains(&name.as_str()));
        let unknown = unknown
            .map(|(name, _)| format!("{name} is no setting (there are {})", known.join(", ")));
        let beside = self.file.beside.iter().map(|beside| {
            format!(
                "{} counts, and [tool.plop] in {beside} does not",
                self.file.name
            )
        });
        beside.chain(unknown).collect()
    }

    /// A setting: the option if it was given, otherwise the variable, the file, the default. What is wrong in any of
    /// them is told, also where another one counts.
    pub(crate) fn pick<T>(
        &self,
        name: &str,
        flag: Option<T>,
        parse: impl Fn(&str) -> Result<T, String>,
        default: T,
    ) -> Result<Setting<T>> {
        let mut picked = Setting {
            value: default,
            from: Origin::Default,
        };
        if let Some((key, text, line)) =
            self.file.settings.iter().find(|(key, ..)| key.name == name)
        {
            let file = &self.file.name;
            let value =
                parse(text).map_err(|wrong| anyhow!("{file}:{line}: {}: {wrong}", key.name))?;
            picked = Setting {
                value,
                from: Origin::File {
                    name: file.clone(),
                    line: *line,
                },
            };
        }
        let variable = KEYS
            .iter()
            .find(|key| key.name == name)
            .and_then(|key| key.variable);
        let given = |variable: &&str| self.variables.iter().find(|(name, _)| name == variable);
        if let Some((variable, (_, text))) = variable.and_then(|one| Some((one, given(&one)?))) {
            let text = text
                .to_str()
                .ok_or_else(|| anyhow!("{variable}: expected UTF-8"))?;
            let value = parse(text).map_err(|wrong| anyhow!("{variable}: {wrong}"))?;
            picked = Setting {
                value,
                from: Origin::Variable(variable),
            };
        }
        if let Some(value) = flag {
            let from = Origin::Flag(format!("--{}", name.replace('_', "-")));
            picked = Setting { value, from };
        }
        Ok(picked)
    }

    /// A path: one in the file starts from the file's folder.
    pub(crate) fn pick_path(
        &self,
        name: &str,
        flag: Option<PathBuf>,
    ) -> Result<Setting<Option<PathBuf>>> {
        let parse = |text: &str| Ok(Some(PathBuf::from(text)));
        let mut picked = self.pick(name, flag.map(Some), parse, None)?;
        if let (Origin::File { .. }, Some(path)) = (&picked.from, &picked.value) {
            picked.value = Some(self.file.folder.join(path));
        }
        Ok(picked)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;

    /// A folder with a plop.toml.
    fn folder(text: &str) -> tempfile::TempDir {
        let folder = tempfile::tempdir().expect("a folder can be made");
        std::fs::write(folder.path().join("plop.toml"), text).expect("a file can be written");
        folder
    }

    #[test]
    fn an_ignore_holds_on_its_last_day_and_not_on_the_next() {
        let folder = folder(
            "[[ignore]]\nfunction = \"f\"\nreason = \"r\"\nuntil = 2026-03-31\n\
             [[ignore]]\nfunction = \"f\"\nreason = \"r\"\nuntil = \"2026-04-01\"\n",
        );
        for (today, expired) in [
            (date(2026, 3, 31), [false, false]),
            (date(2026, 4, 1), [true, false]),
            (date(2027, 1, 1), [true, true]),
        ] {
            let config = Config::of(None, folder.path(), Vec::new(), today).expect("it is read");
            let found: Vec<bool> = (config.rules().ignores.iter())
                .map(|ignore| ignore.expired)
                .collect();
            assert_eq!(found, expired, "{today}");
        }
    }

    #[test]
    fn a_setting_is_the_option_before_the_variable_before_the_file() {
        let folder = folder("\u{feff}last = 3\n");
        let variables = |names: &[&str]| -> Vec<(String, OsString)> {
            (names.iter())
                .map(|name| ((*name).to_owned(), "4".into()))
                .collect()
        };
        let last = |names: &[&str], flag| {
            let today = date(2026, 1, 1);
            let config = Config::of(None, folder.path(), variables(names), today);
            let number = |text: &str| text.parse::<u16>().map_err(|wrong| wrong.to_string());
            let config = config.expect("it is read");
            config
                .pick("last", flag, number, 8)
                .map(|last| (last.value, last.from.to_string()))
                .expect("it is a number")
        };
        assert_eq!(last(&[], None), (3, "plop.toml:1".into()));
        let variable = ["PLOP_DIFF_LAST"];
        assert_eq!(last(&variable, None), (4, "PLOP_DIFF_LAST".into()));
        assert_eq!(last(&variable, Some(5)), (5, "--last".into()));
        assert_eq!(last(&["PLOP_DIFF_FIRST"], None).0, 3);
    }
}
