//! What a speedscope file does to a profile: nothing but put samples that have times in the order of
//! their threads where the times are the same.

use plop_core::{Notes, Profile};

use crate::formats::header;

/// The largest whole number that JavaScript keeps apart from its neighbours.
const LARGEST: i64 = 1 << 53;

/// The profile as a file can hold it; `None` when it can already.
pub(super) fn fit(profile: &Profile, notes: &mut Notes) -> Option<Profile> {
    let large = profile
        .samples
        .values()
        .iter()
        .filter(|v| v.saturating_abs() > LARGEST)
        .count();
    if large > 0 {
        notes.add_many("past-2-53", large as u64, None, || {
            "weights are beyond 2^53: plop reads them back as they are, JavaScript rounds them"
                .into()
        });
    }
    let meta = header::fit(&profile.meta, notes);
    let order = order(profile);
    if meta.is_none() && order.is_none() {
        return None;
    }
    let mut profile = profile.clone();
    if let Some(meta) = meta {
        profile.meta = meta;
    }
    if let Some(order) = order {
        profile.samples = profile.samples.in_order(&order);
    }
    Some(profile)
}

/// The order of samples by time and thread, if it is not the one they are in.
fn order(profile: &Profile) -> Option<Vec<usize>> {
    let samples = &profile.samples;
    if !samples.have_times() {
        return None;
    }
    let mut order: Vec<usize> = (0..samples.len()).collect();
    order.sort_by_cached_key(|n| {
        let sample = samples.get(*n);
        let thread = sample.thread.map(|id| super::thread_key(profile, id));
        (sample.time_ns, thread)
    });
    (!order.is_sorted()).then_some(order)
}
