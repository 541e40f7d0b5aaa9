//! What a big CRL costs a handshake.

use postern_tests::Failure;

use super::{Ground, in_turns, traffic};
use crate::comparison::{Bar, Comparison};
use crate::contestant::{Contestant, Who};
use crate::lists::{List, Lists};
use crate::load::Mode;

/// A handshake of another make takes so many times longer with a big CRL that fewer will do.
const FEWER: u32 = 25;

pub(super) fn compare(ground: &Ground<'_>, lists: &mut Lists<'_>) -> Result<Vec<Comparison>, Failure> {
    let effort = ground.effort;
    let mut sizes = vec![10, effort.revoked];
    sizes.extend(Some(effort.most_revoked).filter(|&most| most > 0));
    let made = sizes.iter().map(|&entries| lists.make(entries, None)).collect::<Result<Vec<_>, _>>()?;
    let mut all: Vec<(String, (Contestant, u32))> = Vec::new();
    let full = (effort.operations / Mode::Handshake.weight()).max(1);
    for (at, list) in made.iter().enumerate() {
        let post = ground.post(list);
        for who in Who::bare() {
            let ours = matches!(who, Who::Postern);
            // The biggest would take them minutes.
            if ours || at < 2 {
                let operations = if ours || at == 0 { full } else { (full / FEWER).max(1) };
                all.push((named(&who.name(), list), (who.start(&post)?, operations)));
            }
        }
    }
    let rounds = in_turns(effort.rounds, &mut all, |(proxy, operations)| {
        traffic::cost(ground, proxy.subject(), Mode::Handshake, *operations)
    })?;
    let [small, big, ..] = made.as_slice() else { return Ok(Vec::new()) };
    let of = |who: Who, list: &List, name: String| {
        let (_, rounds) = rounds.iter().find(|(name, _)| *name == named(&who.name(), list))?;
        Some((name, rounds.clone()))
    };
    let against = |ours: &List, theirs: &List| {
        let list = |who: Who| if matches!(who, Who::Postern) { ours } else { theirs };
        Who::bare().into_iter().filter_map(|who| of(who, list(who), who.name())).collect::<Vec<_>>()
    };
    let title = |list: &List| format!("full handshake, {} revoked", grouped(list.entries));
    let mut compared = vec![Comparison::new(title(small), "µs", None, against(small, small))];
    for list in made.iter().skip(1) {
        let alone = ["postern".to_owned(), named("postern", small)];
        let itself = [list, small].into_iter().zip(alone);
        let itself = itself.filter_map(|(list, name)| of(Who::Postern, list, name)).collect();
        compared.push(Comparison::new(
            format!("{}, over 10", title(list)),
            "µs",
            Bar::of("postern", 1.05),
            itself,
        ));
        let others = if list.entries == big.entries {
            title(list)
        } else {
            format!("{} (others {})", title(list), grouped(big.entries))
        };
        compared.push(Comparison::new(others, "µs", Bar::of_the_best(0.02), against(list, big)));
    }
    Ok(compared)
}

fn named(name: &str, list: &List) -> String {
    format!("{name}, {} revoked", grouped(list.entries))
}

/// With commas.
pub(super) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}
