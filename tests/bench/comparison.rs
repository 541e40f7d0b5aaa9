//! Postern's figure for something, and what the others' are: round by round, as a ratio.

use serde::{Deserialize, Serialize};

use crate::report::{Spread, table};

/// One thing that was measured of several proxies.
#[derive(Deserialize, Serialize)]
pub(crate) struct Comparison {
    pub(crate) what: String,
    pub(crate) unit: String,
    /// Postern's first.
    pub(crate) figures: Vec<Figure>,
    pub(crate) bar: Option<Bar>,
}

/// What was measured of one proxy.
#[derive(Deserialize, Serialize)]
pub(crate) struct Figure {
    pub(crate) proxy: String,
    /// Of all rounds, and how many of them failed.
    pub(crate) operations: u32,
    pub(crate) errors: u32,
    pub(crate) first_error: Option<String>,
    pub(crate) value: Spread,
    /// Postern's figure over this one, round by round.
    pub(crate) ratio: Spread,
}

/// What postern's figure is to be at most.
#[derive(Clone, Deserialize, Serialize)]
pub(crate) struct Bar {
    /// Times the other's.
    pub(crate) at_most: f64,
    /// Whose; without a name, that of the best of them.
    pub(crate) of: Option<String>,
}

/// What one round gave.
#[derive(Clone, Default)]
pub(crate) struct Measured {
    pub(crate) value: f64,
    pub(crate) operations: u32,
    pub(crate) errors: u32,
    pub(crate) first_error: Option<String>,
}

impl Bar {
    /// Against the best of the others.
    pub(crate) fn of_the_best(at_most: f64) -> Option<Self> {
        Some(Self { at_most, of: None })
    }

    /// Against one of them.
    pub(crate) fn of(name: &str, at_most: f64) -> Option<Self> {
        Some(Self { at_most, of: Some(name.to_owned()) })
    }
}

impl From<f64> for Measured {
    fn from(value: f64) -> Self {
        Self { value, operations: 1, ..Self::default() }
    }
}

impl Comparison {
    /// `rounds` are those of each proxy, postern's first.
    pub(crate) fn new(
        what: impl Into<String>,
        unit: impl Into<String>,
        bar: Option<Bar>,
        rounds: Vec<(String, Vec<Measured>)>,
    ) -> Self {
        let ours: Vec<f64> =
            rounds.iter().take(1).flat_map(|(_, rounds)| rounds).map(|round| round.value).collect();
        let figures = rounds.into_iter().map(|(proxy, rounds)| Figure {
            proxy,
            operations: rounds.iter().map(|round| round.operations).sum(),
            errors: rounds.iter().map(|round| round.errors).sum(),
            first_error: rounds.iter().find_map(|round| round.first_error.clone()),
            value: Spread::of(rounds.iter().map(|round| round.value)),
            ratio: Spread::of(ours.iter().zip(&rounds).map(|(ours, round)| ours / round.value)),
        });
        Self { what: what.into(), unit: unit.into(), figures: figures.collect(), bar }
    }

    /// Everyone else, without those that `bare` is not about.
    fn others(&self, bare: bool) -> impl Iterator<Item = &Figure> {
        self.figures.iter().skip(1).filter(move |figure| figure.proxy.ends_with(BARE) == bare)
    }

    /// The one that postern is furthest from being ahead of, or the one that the bar names.
    fn rival(&self, bare: bool) -> Option<&Figure> {
        let named = self.bar.as_ref().and_then(|bar| bar.of.as_deref());
        let wanted = |figure: &&Figure| named.is_none_or(|name| figure.proxy.starts_with(name));
        self.others(bare).filter(wanted).max_by(|a, b| a.ratio.median.total_cmp(&b.ratio.median))
    }
}

/// What the name of a proxy ends in that does less than postern.
pub(crate) const BARE: &str = " bare";

/// Prints one line for each: ratios, and the bars beside them.
pub(crate) fn print(comparisons: &[Comparison]) {
    let mut rows = table([
        "postern's figure over",
        "postern",
        "nginx",
        "haproxy",
        "envoy",
        "nginx bare",
        "haproxy bare",
        "envoy bare",
        "bar",
        "the bar's, same work",
        "bare",
    ]);
    for comparison in comparisons {
        let Comparison { what, unit, figures, bar } = comparison;
        let ratio = |name: &str| {
            let figure = figures.iter().skip(1).find(|figure| figure.proxy == name);
            figure.map(|figure| short(figure.ratio.median)).unwrap_or_default()
        };
        let against = |bare: bool| match (comparison.rival(bare), bar) {
            (Some(rival), Some(bar)) => {
                let met = if rival.ratio.median <= bar.at_most { "met" } else { "missed" };
                format!("{met}: {}", rival.ratio.show(decimals(rival.ratio.median)))
            }
            _ => String::new(),
        };
        let mut row = vec![
            what.clone(),
            figures.first().map(|ours| format!("{} {unit}", short(ours.value.median))).unwrap_or_default(),
        ];
        row.extend(["nginx", "haproxy", "envoy", "nginx bare", "haproxy bare", "envoy bare"].map(ratio));
        let of = |bar: &Bar| format!("{} of {}", short(bar.at_most), bar.of.as_deref().unwrap_or("the best"));
        row.extend([bar.as_ref().map(of).unwrap_or_default(), against(false), against(true)]);
        rows.add_row(row);
    }
    println!(
        "{rows}\nmedians of ratios, round by round (least–most); \"same work\": headers and log as postern"
    );
    for (what, figure) in
        comparisons.iter().flat_map(|it| it.figures.iter().map(move |figure| (&it.what, figure)))
    {
        if let Some(error) = &figure.first_error {
            println!("{what}, {}: {} errors; the first: {error}", figure.proxy, figure.errors);
        }
    }
}

fn decimals(figure: f64) -> usize {
    if figure < 0.1 { 4 } else { 2 }
}

fn short(figure: f64) -> String {
    if figure >= 100.0 { format!("{figure:.0}") } else { format!("{figure:.*}", decimals(figure)) }
}
