//! Which key was meant.

use std::collections::BTreeSet;

/// The known key that is the fewest edits away from `key`, if that is few enough to be a slip of the hand.
pub(super) fn nearest<'a>(key: &str, known: &'a BTreeSet<String>) -> Option<&'a str> {
    known
        .iter()
        .map(|candidate| (edits(key, candidate), candidate.as_str()))
        .min()
        .filter(|(distance, _)| *distance <= 1 + key.len() / 5)
        .map(|(_, candidate)| candidate)
}

/// Levenshtein's distance, one row at a time.
fn edits(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, left) in a.bytes().enumerate() {
        let mut next = vec![i + 1];
        for ((j, right), pair) in b.bytes().enumerate().zip(row.windows(2)) {
            let (diagonal, above) = match pair {
                [diagonal, above] => (*diagonal, *above),
                _ => continue,
            };
            let before = next.get(j).copied().unwrap_or(usize::MAX - 1);
            next.push((diagonal + usize::from(left != right)).min(above + 1).min(before + 1));
        }
        row = next;
    }
    row.last().copied().unwrap_or(usize::MAX)
}
