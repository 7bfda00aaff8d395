//! How alike two names are: by the words in them, rare words counting more.

use foldhash::fast::FixedState;
use hashbrown::HashMap;

use crate::tree::Function;

/// A word of the file counts so much, and one of the name 1.
const OF_FILE: f64 = 0.5;
/// Names that are alike but for a last part that no other has, are so much alike.
const BUT_FOR_THE_END: f64 = 0.9;
/// So many names with a word in common are looked at for each.
const NEAREST: usize = 20;
/// Words that more names have than this share of them, and than this many, lead to none.
const COMMON: f64 = 0.1;
const FEW: usize = 20;

/// The words of some functions' names.
pub(super) struct Words {
    /// Of each function, by word: how much it counts. The squares add up to 1.
    of: HashMap<u32, Vec<(u32, f64)>, FixedState>,
    /// The same of names whose last part, behind a `$`, is a word that no other name has: without that part.
    beginnings: HashMap<u32, Vec<(u32, f64)>, FixedState>,
}

impl Words {
    /// The words of those functions that are chosen; how rare a word is, all functions tell.
    pub(super) fn of(functions: &[Function], chosen: impl Iterator<Item = u32>) -> Words {
        let mut numbers: HashMap<String, u32, FixedState> = HashMap::default();
        let mut frequencies: Vec<f64> = Vec::new();
        let all: Vec<Vec<(u32, f64)>> = (functions.iter())
            .map(|function| {
                let mut words: Vec<(u32, f64)> = Vec::new();
                each_word(function, &mut |word, weight| {
                    let next = numbers.len() as u32;
                    let number = *numbers.entry_ref(word).or_insert(next);
                    match words.iter_mut().find(|(known, _)| *known == number) {
                        Some((_, known)) => *known = known.max(weight),
                        None => words.push((number, weight)),
                    }
                });
                frequencies.resize(numbers.len(), 0.0);
                for (word, _) in &words {
                    frequencies[*word as usize] += 1.0;
                }
                words.sort_unstable_by_key(|(word, _)| *word);
                words
            })
            .collect();
        let count = functions.len() as f64;
        let counted = |mut words: Vec<(u32, f64)>| {
            for (word, weight) in &mut words {
                *weight *= (count / frequencies[*word as usize]).ln_1p();
            }
            let norm = (words.iter().map(|(_, weight)| weight * weight))
                .sum::<f64>()
                .sqrt();
            words.iter_mut().for_each(|(_, weight)| *weight /= norm);
            words
        };
        let mut of_names = Words {
            of: HashMap::default(),
            beginnings: HashMap::default(),
        };
        for id in chosen {
            let function = &functions[id as usize];
            of_names.of.insert(id, counted(all[id as usize].clone()));
            let is_only = |word: &str| {
                let mut words = Vec::new();
                split(word, &mut |word| words.push(numbers.get(word).copied()));
                matches!(words[..], [Some(word)] if frequencies[word as usize] == 1.0)
            };
            let Some((start, _)) = (function.name.rsplit_once('$'))
                .filter(|(start, end)| !start.is_empty() && is_only(end))
            else {
                continue;
            };
            let mut words: Vec<(u32, f64)> = Vec::new();
            let beginning = Function {
                name: start.to_owned(),
                file: function.file.clone(),
                ..Function::default()
            };
            each_word(&beginning, &mut |word, weight| {
                let number = numbers[word];
                match words.iter_mut().find(|(known, _)| *known == number) {
                    Some((_, known)) => *known = known.max(weight),
                    None => words.push((number, weight)),
                }
            });
            words.sort_unstable_by_key(|(word, _)| *word);
            of_names.beginnings.insert(id, counted(words));
        }
        of_names
    }

    /// Cosine.
    pub(super) fn alike(&self, one: u32, other: u32) -> f64 {
        let whole = product(&self.of[&one], &self.of[&other]);
        match [one, other].map(|id| self.beginnings.get(&id)) {
            [Some(one), Some(other)] => whole.max(BUT_FOR_THE_END * product(one, other)),
            _ => whole,
        }
    }

    /// For each of `before` the most alike of `after`, by what rare words they have in common.
    pub(super) fn nearest(&self, before: &[u32], after: &[u32]) -> Vec<(u32, u32)> {
        let mut with: HashMap<u32, Vec<(u32, f64)>, FixedState> = HashMap::default();
        for (n, id) in after.iter().enumerate() {
            for (word, weight) in &self.of[id] {
                with.entry(*word).or_default().push((n as u32, *weight));
            }
        }
        let most = FEW.max((COMMON * after.len() as f64) as usize);
        let mut pairs = Vec::new();
        let mut sums = vec![0.0; after.len()];
        let mut met: Vec<u32> = Vec::new();
        for id in before {
            for (word, weight) in &self.of[id] {
                let Some(others) = with.get(word).filter(|others| others.len() <= most) else {
                    continue;
                };
                for (n, other) in others {
                    if sums[*n as usize] == 0.0 {
                        met.push(*n);
                    }
                    sums[*n as usize] += weight * other;
                }
            }
            let by_likeness =
                |a: &u32, b: &u32| (sums[*b as usize].total_cmp(&sums[*a as usize])).then(a.cmp(b));
            if met.len() > NEAREST {
                met.select_nth_unstable_by(NEAREST - 1, by_likeness);
            }
            pairs.extend(met.iter().take(NEAREST).map(|n| (*id, after[*n as usize])));
            for n in met.drain(..) {
                sums[n as usize] = 0.0;
            }
        }
        pairs
    }
}

/// The sum of products of what both have; both are sorted.
pub(super) fn product(one: &[(u32, f64)], other: &[(u32, f64)]) -> f64 {
    let (mut a, mut b, mut sum) = (0, 0, 0.0);
    while a < one.len() && b < other.len() {
        match one[a].0.cmp(&other[b].0) {
            std::cmp::Ordering::Less => a += 1,
            std::cmp::Ordering::Greater => b += 1,
            std::cmp::Ordering::Equal => {
                sum += one[a].1 * other[b].1;
                a += 1;
                b += 1;
            }
        }
    }
    sum
}

/// The words of a function, in small letters: those of what qualifies its name as those of its file.
fn each_word(function: &Function, take: &mut impl FnMut(&str, f64)) {
    let name = &function.name;
    let start = (name.rmatch_indices(['.', ':', '/', '$']))
        .map(|(at, _)| at + 1)
        .find(|at| *at < name.len())
        .unwrap_or(0);
    split(&name[start..], &mut |word| take(word, 1.0));
    split(&name[..start], &mut |word| take(word, OF_FILE));
    split(&function.file, &mut |word| take(word, OF_FILE));
}

/// Splits where letters of words do not go on: `parseRow_2` is `parse`, `row`, `2`.
fn split(text: &str, take: &mut impl FnMut(&str)) {
    #[derive(PartialEq, Clone, Copy)]
    enum Letter {
        None,
        Small,
        Large,
        Digit,
    }
    let mut word = String::new();
    let mut last = Letter::None;
    for c in text.chars() {
        let letter = match c {
            _ if c.is_numeric() => Letter::Digit,
            _ if c.is_uppercase() => Letter::Large,
            _ if c.is_alphabetic() => Letter::Small,
            _ => Letter::None,
        };
        let goes_on = letter == last || last == Letter::Large && letter == Letter::Small;
        if !goes_on && !word.is_empty() {
            take(&word);
            word.clear();
        }
        if letter != Letter::None {
            word.extend(c.to_lowercase());
        }
        last = letter;
    }
    if !word.is_empty() {
        take(&word);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(name: &str, file: &str) -> Function {
        Function {
            name: name.into(),
            file: file.into(),
            ..Function::default()
        }
    }

    #[test]
    fn names_are_split_into_words() {
        for (text, words) in [
            ("parse_row", "parse row"),
            ("parseRow2", "parse row 2"),
            ("shop/HTMLParser.py", "shop htmlparser py"),
            ("<lambda>", "lambda"),
            ("Größe_ändern", "größe ändern"),
            ("", ""),
        ] {
            let mut found = Vec::new();
            split(text, &mut |word| found.push(word.to_owned()));
            assert_eq!(found.join(" "), words, "{text}");
        }
    }

    #[test]
    fn a_last_part_that_no_other_has_counts_for_little() {
        let functions = [
            named("find_row$qwpz", "app/csv.py"),
            named("find_row$mnbv", "app/csv.py"),
            named("load_all$lkjh", "lib/all.py"),
            // Inner classes of one name are no such part.
            named("Shop$Cart", "Shop.java"),
            named("Bank$Cart", "Bank.java"),
        ];
        let words = Words::of(&functions, 0..5);
        assert!(words.alike(0, 1) > 0.85);
        assert!(words.alike(0, 2) < 0.2);
        assert!(words.alike(3, 4) < 0.85);
    }

    #[test]
    fn rare_words_count_more_and_files_count_half() {
        let functions = [
            named("parse_row", "app/csv.py"),
            named("parse_line", "app/csv.py"),
            named("parse_row", "lib/table.py"),
            named("get_total", "app/csv.py"),
            named("get_all", "app/x.py"),
            named("get_one", "app/y.py"),
        ];
        let words = Words::of(&functions, 0..6);
        let alike = |a: u32, b: u32| words.alike(a, b);
        assert!((alike(0, 0) - 1.0).abs() < 1e-12);
        assert!(
            alike(0, 2) > alike(0, 1),
            "a moved function keeps all words of its name"
        );
        assert!(alike(0, 1) > alike(0, 3));
        let nearest = words.nearest(&[0], &[1, 2, 5]);
        assert!(nearest.contains(&(0, 2)) && nearest.contains(&(0, 1)));
    }
}
