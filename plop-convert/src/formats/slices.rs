//! Slices as JSON: an object of columns, one number for each slice.

use std::collections::BTreeMap;

use plop_core::{Error, Notes, Place, Result, Slice, Slices};

use super::header::unknown_member;
use super::json::{Members, Object, of, plain, push_list};

/// The names of counters take no more memory than this, and 64 times what their JSON takes.
const MAX_NAMES: usize = 16 << 20;

/// The slices as columns; `{}` when there is none.
pub(super) fn write(slices: &Slices) -> String {
    let Some(first) = slices.0.first() else {
        return "{}".into();
    };
    let slices = &slices.0;
    let mut json = String::new();
    let mut object = Object::open(&mut json);
    if slices
        .iter()
        .all(|slice| slice.length_ns == first.length_ns)
    {
        object.number("length_ns", Some(first.length_ns));
    } else {
        push_list(slices, object.key("length_ns"), |slice, out| {
            out.push_str(&slice.length_ns.to_string());
        });
    }
    let push_number = |number: Option<i64>, out: &mut String| match number {
        Some(number) => out.push_str(&number.to_string()),
        None => out.push_str("null"),
    };
    type Counter = fn(&Slice) -> Option<i64>;
    let counters: [(&str, Counter); 3] = [
        ("ticks", |slice| slice.ticks),
        ("cpu_ns", |slice| slice.cpu_ns),
        ("wall_ns", |slice| slice.wall_ns),
    ];
    for (key, counter) in counters {
        if slices.iter().any(|slice| counter(slice).is_some()) {
            push_list(slices, object.key(key), |slice, out| {
                push_number(counter(slice), out)
            });
        }
    }
    let mut work: BTreeMap<&str, Vec<(usize, i64)>> = BTreeMap::new();
    for (n, slice) in slices.iter().enumerate() {
        for (counter, amount) in &slice.work {
            let column = work.entry(counter).or_default();
            if column.last().is_none_or(|(last, _)| *last < n) {
                column.push((n, *amount));
            }
        }
    }
    if !work.is_empty() {
        let mut members = Object::open(object.key("work"));
        for (counter, column) in work {
            let mut column = column.into_iter().peekable();
            push_list(0..slices.len(), members.key(counter), |n, out| {
                let amount = column.next_if(|(of, _)| *of == n);
                push_number(amount.map(|(_, amount)| amount), out);
            });
        }
        members.close();
    }
    push_list(slices, object.key("run"), |slice, out| {
        out.push_str(&slice.run.to_string())
    });
    object.close();
    json
}

/// Reads what [`write`] writes.
pub(super) fn read(json: &[u8], place: Option<&Place>, notes: &mut Notes) -> Result<Vec<Slice>> {
    let broken = |error: serde_json::Error| Error::new(format!("slices: {}", plain(&error)));
    let Members(members) = serde_json::from_slice(json).map_err(broken)?;
    type Column = Vec<Option<i64>>;
    let (mut all, mut each, mut runs) = (None, Column::new(), Vec::<u32>::new());
    let (mut ticks, mut cpu_ns, mut wall_ns) = (Column::new(), Column::new(), Column::new());
    let mut work: Vec<(String, Column)> = Vec::new();
    for (key, raw) in members {
        match key.as_str() {
            "length_ns" if raw.get().starts_with('[') => each = of(raw).map_err(broken)?,
            "length_ns" => all = of(raw).map_err(broken)?,
            "ticks" => ticks = of(raw).map_err(broken)?,
            "cpu_ns" => cpu_ns = of(raw).map_err(broken)?,
            "wall_ns" => wall_ns = of(raw).map_err(broken)?,
            "run" => runs = of(raw).map_err(broken)?,
            "work" => {
                let Members(counters) = of(raw).map_err(broken)?;
                for (counter, raw) in counters {
                    work.push((counter, of(raw).map_err(broken)?));
                }
            }
            _ => unknown_member(place, notes),
        }
    }
    work.sort_by(|a, b| a.0.cmp(&b.0));
    if let Some(twice) = work.windows(2).find(|pair| pair[0].0 == pair[1].0) {
        return Err(Error::new(format!(
            "slices: work counter `{}` stands there twice",
            twice[0].0
        )));
    }
    let columns = [
        each.len(),
        ticks.len(),
        cpu_ns.len(),
        wall_ns.len(),
        runs.len(),
    ];
    let lengths = || {
        columns
            .into_iter()
            .chain(work.iter().map(|(_, column)| column.len()))
    };
    let count = lengths().max().unwrap_or(0);
    if let Some(short) = lengths().find(|len| *len != 0 && *len != count) {
        return Err(Error::new(format!(
            "slices: one column has {short} numbers, another {count}"
        )));
    }
    work.retain(|(_, column)| !column.is_empty());
    // Every slice has its own copy of the names.
    let names = (work.iter()).map(|(counter, column)| counter.len().saturating_mul(column.len()));
    if names.fold(0, usize::saturating_add) > MAX_NAMES + 64 * json.len() {
        return Err(Error::new(
            "slices: names of work counters are too long for so many slices",
        ));
    }
    let at = |column: &Column, n: usize| column.get(n).copied().flatten();
    Ok((0..count)
        .map(|n| Slice {
            run: runs.get(n).copied().unwrap_or(0),
            length_ns: all.or(at(&each, n)).unwrap_or(0),
            ticks: at(&ticks, n),
            cpu_ns: at(&cpu_ns, n),
            wall_ns: at(&wall_ns, n),
            work: (work.iter())
                .filter_map(|(counter, column)| Some((counter.clone(), at(column, n)?)))
                .collect(),
        })
        .collect())
}
