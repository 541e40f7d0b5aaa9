//! `bench plot`: what `bench peers` measured, as a picture.
//!
//! One line for each comparison, on one logarithmic axis: postern is at 1, and a mark to the right of it costs so many times more.

use std::fmt::Write;
use std::path::Path;

use postern_tests::{Failure, files};
use serde::Deserialize;

use crate::comparison::{BARE, Comparison, Figure};
use crate::report::Spread;

/// What `bench peers --json` wrote.
#[derive(Deserialize)]
struct Report {
    version: String,
    date: String,
    cores: usize,
    kernel: String,
    processor: String,
    figures: Figures,
}

#[derive(Deserialize)]
struct Figures {
    peers: serde_json::Map<String, serde_json::Value>,
    comparisons: Vec<Comparison>,
}

const COLOURS: [(&str, &str); 4] =
    [("postern", "#1d5fbf"), ("nginx", "#1f9254"), ("haproxy", "#d07a00"), ("envoy", "#a03cc0")];

const WIDTH: f64 = 960.0;
/// From here to there goes the axis.
const AXIS: (f64, f64) = (395.0, 860.0);
const TOP: f64 = 84.0;
const LINE: f64 = 30.0;

pub(crate) fn run(json: &Path, svg: &Path) -> Result<(), Failure> {
    let text = String::from_utf8_lossy(&files::read(json)?).into_owned();
    let report: Report = serde_json::from_str(&text).map_err(|source| Failure::Json {
        what: "what `bench peers --json` writes",
        source,
        text: text.clone(),
    })?;
    let drawn = draw(&report).map_err(|error| Failure::Missing(format!("a picture ({error})")))?;
    files::write(svg, drawn)
}

/// Where a multiple of postern's figure is.
struct Scale {
    least: f64,
    most: f64,
}

impl Scale {
    fn of(report: &Report) -> Self {
        let all = report.figures.comparisons.iter().flat_map(others);
        let all = all.map(|figure| 1.0 / figure.ratio.median).filter(|it| it.is_finite());
        let (least, most) =
            all.fold((1.0, 1.0), |(least, most): (f64, f64), it| (least.min(it), most.max(it)));
        // Some room beyond the outermost.
        Self { least: (least * 0.8).log10(), most: (most * 1.25).log10() }
    }

    /// Beyond the axis there is nothing.
    fn x(&self, multiple: f64) -> f64 {
        let at = (multiple.log10() - self.least) / (self.most - self.least);
        AXIS.0 + at.clamp(0.0, 1.0) * (AXIS.1 - AXIS.0)
    }

    fn ticks(&self) -> impl Iterator<Item = f64> {
        let all: [f64; 13] = [0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1000.0];
        let (least, most) = (self.least, self.most);
        all.into_iter().filter(move |tick| tick.log10() >= least && tick.log10() <= most)
    }
}

fn others(comparison: &Comparison) -> impl Iterator<Item = &Figure> {
    comparison.figures.iter().skip(1).filter(|figure| colour(figure).is_some())
}

/// Of its make; none if it is postern itself in another state.
fn colour(figure: &Figure) -> Option<&'static str> {
    let make = figure.proxy.trim_end_matches(BARE);
    COLOURS.iter().find(|(name, _)| *name == make).map(|&(_, colour)| colour)
}

fn draw(report: &Report) -> Result<String, std::fmt::Error> {
    let scale = Scale::of(report);
    let rows: Vec<_> = report.figures.comparisons.iter().filter(|it| others(it).next().is_some()).collect();
    let bottom = rows.iter().fold(TOP, |y, _| y + LINE);
    let (height, mut svg) = (bottom + 74.0, String::new());
    writeln!(
        svg,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" font-family=\"system-ui, sans-serif\" font-size=\"13\">"
    )?;
    writeln!(svg, "<title>What others take, over what postern takes</title>")?;
    writeln!(svg, "<rect width=\"{WIDTH}\" height=\"{height}\" fill=\"#ffffff\"/>")?;
    label(
        &mut svg,
        20.0,
        28.0,
        "start",
        "font-size=\"17\" font-weight=\"600\"",
        "What others take, over what postern takes",
    )?;
    legend(&mut svg)?;
    for tick in scale.ticks() {
        let x = scale.x(tick);
        let stroke = if tick == 1.0 { "#1d5fbf" } else { "#dddddd" };
        writeln!(
            svg,
            "<line x1=\"{x:.1}\" y1=\"{TOP}\" x2=\"{x:.1}\" y2=\"{bottom}\" stroke=\"{stroke}\"/>"
        )?;
        label(&mut svg, x, bottom + 18.0, "middle", "fill=\"#555555\"", &format!("{tick}×"))?;
    }
    let mut y = TOP + LINE / 2.0;
    for row in rows {
        label(&mut svg, AXIS.0 - 12.0, y + 4.0, "end", "", &row.what)?;
        for figure in others(row) {
            mark(&mut svg, &scale, y, figure)?;
        }
        let nearest = others(row).map(|it| it.ratio.median).fold(0.0, f64::max);
        label(
            &mut svg,
            WIDTH - 20.0,
            y + 4.0,
            "end",
            "fill=\"#555555\"",
            &format!("{} ×", short(1.0 / nearest)),
        )?;
        y += LINE;
    }
    label(&mut svg, WIDTH - 20.0, TOP - 8.0, "end", "fill=\"#555555\"", "the best of them")?;
    footer(&mut svg, report, height)?;
    writeln!(svg, "</svg>")?;
    Ok(svg)
}

/// The median, and a line from the least to the most. Hollow: it does less for a request than postern.
fn mark(svg: &mut String, scale: &Scale, y: f64, figure: &Figure) -> std::fmt::Result {
    let Some(colour) = colour(figure) else { return Ok(()) };
    let Spread { median, least, most } = figure.ratio;
    let bare = figure.proxy.ends_with(BARE);
    // Those of less work are a little lower, so that one does not hide the other.
    let (y, fill) = if bare { (y + 4.0, "#ffffff") } else { (y - 4.0, colour) };
    let [from, at, to] = [most, median, least].map(|ratio| scale.x(1.0 / ratio));
    writeln!(
        svg,
        "<line x1=\"{from:.1}\" y1=\"{y}\" x2=\"{to:.1}\" y2=\"{y}\" stroke=\"{colour}\" opacity=\"0.5\"/>"
    )?;
    writeln!(
        svg,
        "<circle cx=\"{at:.1}\" cy=\"{y}\" r=\"4\" fill=\"{fill}\" stroke=\"{colour}\" stroke-width=\"1.6\"><title>{}: {} ×</title></circle>",
        figure.proxy,
        short(1.0 / median)
    )
}

fn legend(svg: &mut String) -> std::fmt::Result {
    let mut x = 20.0;
    for (name, colour) in COLOURS.iter().skip(1) {
        for (bare, fill) in [(false, *colour), (true, "#ffffff")] {
            writeln!(
                svg,
                "<circle cx=\"{x}\" cy=\"50\" r=\"4\" fill=\"{fill}\" stroke=\"{colour}\" stroke-width=\"1.6\"/>"
            )?;
            let words = if bare { format!("{name}, less work") } else { (*name).to_owned() };
            label(svg, x + 9.0, 54.0, "start", "", &words)?;
            x += if bare { 150.0 } else { 80.0 };
        }
    }
    Ok(())
}

fn footer(svg: &mut String, report: &Report, height: f64) -> std::fmt::Result {
    let peers: Vec<_> = report
        .figures
        .peers
        .iter()
        .map(|(name, version)| format!("{name} {}", version.as_str().unwrap_or_default()))
        .collect();
    let [first, second] = [
        "Medians of ratios, round by round, and their spread. CPU time of the proxy for handshakes, requests and bodies. Less work: no headers, no log.",
        &format!(
            "{}: postern {}, {}; {}, {} cores, Linux {}",
            report.date,
            report.version,
            peers.join(", "),
            report.processor,
            report.cores,
            report.kernel
        ),
    ];
    label(svg, 20.0, height - 32.0, "start", "fill=\"#555555\" font-size=\"12\"", first)?;
    label(svg, 20.0, height - 14.0, "start", "fill=\"#555555\" font-size=\"12\"", second)
}

fn label(svg: &mut String, x: f64, y: f64, anchor: &str, style: &str, words: &str) -> std::fmt::Result {
    let words = words.replace('&', "&amp;").replace('<', "&lt;");
    writeln!(svg, "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\" {style}>{words}</text>")
}

fn short(multiple: f64) -> String {
    let decimals = if multiple < 10.0 { 2 } else { 0 };
    format!("{multiple:.decimals$}")
}
