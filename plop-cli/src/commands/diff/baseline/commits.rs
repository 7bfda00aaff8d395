//! The names of commits: which ones are one commit, written in full and by the beginning of its hash.

/// With fewer digits than this the beginning of a hash stands for no commit.
const FEWEST_DIGITS: usize = 7;

/// The commits that a folder, its indexes and what is judged speak of.
#[derive(Default)]
pub(in crate::commands) struct Commits(Vec<String>);

impl Commits {
    pub(super) fn of(names: impl IntoIterator<Item = String>) -> Commits {
        let mut names: Vec<String> = names.into_iter().collect();
        names.sort();
        names.dedup();
        Commits(names)
    }

    /// The whole name of a commit, as far as it is known here. One that may be several commits is none of them.
    pub(in crate::commands) fn full<'c>(&'c self, name: &'c str) -> &'c str {
        let longer = self.0.iter().filter(|other| begins(name, other));
        let full = longer.clone().max_by_key(|other| other.len());
        match full {
            Some(full) if longer.into_iter().all(|other| begins(other, full)) => full,
            _ => name,
        }
    }
}

/// Whether two names are those of one commit.
pub(in crate::commands) fn is_same(one: &str, other: &str) -> bool {
    one == other || begins(one, other) || begins(other, one)
}

/// Whether one is the beginning of a hash, or all of it.
fn begins(name: &str, hash: &str) -> bool {
    let is_hash = |text: &str| text.bytes().all(|byte| byte.is_ascii_hexdigit());
    name.len() >= FEWEST_DIGITS && hash.starts_with(name) && is_hash(hash)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_beginning_of_a_hash_is_its_commit() {
        for (one, other, is) in [
            ("abcdef1", "abcdef1", true),
            ("abcdef1", "abcdef12", true),
            ("abcdef12", "abcdef1", true),
            ("abcdef", "abcdef12", false),
            ("abcdef1", "abcdef2", false),
            ("release", "release-2", false),
            ("release-2", "release-2", true),
            ("2026112", "20261128-x", false),
            ("", "abcdef1", false),
        ] {
            assert_eq!(is_same(one, other), is, "{one} {other}");
        }
    }

    #[test]
    fn what_may_be_several_commits_is_none_of_them() {
        let commits = [
            "abcdef1234",
            "abcdef1",
            "abcdef123456",
            "bbbbbbb1",
            "bbbbbbb2",
        ];
        let commits = Commits::of(commits.map(str::to_owned));
        for (name, full) in [
            ("abcdef1", "abcdef123456"),
            ("abcdef1234", "abcdef123456"),
            ("abcdef123456", "abcdef123456"),
            ("abcdef", "abcdef"),
            ("bbbbbbb", "bbbbbbb"),
            ("ccccccc", "ccccccc"),
        ] {
            assert_eq!(commits.full(name), full);
        }
    }
}
