//! Paths by their ends: a tree whose first branches are the last parts of paths, so that what ends alike is
//! found in one walk along a path, however many files there are.

use foldhash::fast::FixedState;
use hashbrown::HashMap;

/// The root of the tree.
const ALL: usize = 0;

/// Files, numbered as they came, by the ends of their paths.
#[derive(Default)]
pub(crate) struct Ends<'f> {
    nodes: HashMap<(usize, &'f str), usize, FixedState>,
    /// Of each node, the file that ends there.
    file: Vec<Option<usize>>,
    /// Of each node, how many files go through it, and the last of them.
    through: Vec<(usize, usize)>,
}

impl<'f> Ends<'f> {
    pub(crate) fn of(files: &[&'f str]) -> Ends<'f> {
        let mut ends = Ends {
            file: vec![None],
            through: vec![(0, 0)],
            ..Ends::default()
        };
        for (number, file) in files.iter().enumerate() {
            let mut node = ALL;
            for part in file.rsplit('/') {
                let next = ends.file.len();
                node = *ends.nodes.entry((node, part)).or_insert(next);
                if node == next {
                    ends.file.push(None);
                    ends.through.push((0, 0));
                }
                ends.through[node] = (ends.through[node].0 + 1, number);
            }
            ends.file[node] = Some(number);
        }
        ends
    }

    /// The one file that shares a longer end with this path than any other does, and how many bytes of the path stand
    /// before that end.
    pub(crate) fn nearest(&self, path: &str) -> Option<(usize, usize)> {
        let mut node = ALL;
        let mut before = path.len() + 1;
        for part in path.rsplit('/') {
            let Some(next) = self.nodes.get(&(node, part)) else {
                break;
            };
            node = *next;
            before -= part.len() + 1;
        }
        let (count, number) = self.through[node];
        (node != ALL && count == 1).then_some((number, before))
    }

    /// The files that are ends of this path, itself left out.
    pub(crate) fn ends_of(&self, path: &str) -> Vec<usize> {
        let mut node = ALL;
        let mut found = Vec::new();
        let mut before = path.len() + 1;
        for part in path.rsplit('/') {
            let Some(next) = self.nodes.get(&(node, part)) else {
                break;
            };
            node = *next;
            before -= part.len() + 1;
            found.extend(self.file[node].filter(|_| before > 0));
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_found_by_their_ends() {
        let ends = Ends::of(&["/a/app/x.py", "/a/app/y.py", "/b/y.py", "y.py"]);
        let shared = "/srv/".len();
        assert_eq!(ends.nearest("/srv/app/x.py"), Some((0, shared)));
        assert_eq!(ends.nearest("/srv/app/y.py"), Some((1, shared)));
        assert_eq!(ends.nearest("/srv/y.py"), None, "three end so");
        assert_eq!(ends.nearest("/srv/z.py"), None);
        assert_eq!(ends.ends_of("/b/y.py"), [3]);
        assert_eq!(ends.ends_of("y.py"), [], "it is no end of itself");
        assert_eq!(ends.ends_of("my.py"), []);
    }
}
