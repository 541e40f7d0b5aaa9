//! Prometheus text, read back.

use crate::Failure;

/// One scrape.
#[derive(Debug)]
pub struct Metrics(String);

impl Metrics {
    /// Takes the text of `/metrics`.
    #[must_use]
    pub fn parse(text: String) -> Self {
        Self(text)
    }

    /// The sum over all samples of `name` that carry all of `labels`; 0 without any.
    #[must_use]
    pub fn sum(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        self.samples(name, labels).sum()
    }

    /// Whether there is a sample of `name` with all of `labels`.
    #[must_use]
    pub fn has(&self, name: &str, labels: &[(&str, &str)]) -> bool {
        self.samples(name, labels).next().is_some()
    }

    /// The one sample of `name` with all of `labels`.
    ///
    /// # Errors
    ///
    /// [`Failure::Missing`] when there is none.
    pub fn value(&self, name: &str, labels: &[(&str, &str)]) -> Result<f64, Failure> {
        let missing = || Failure::Missing(format!("metric {name}{labels:?} in\n{}", self.0));
        self.samples(name, labels).next().ok_or_else(missing)
    }

    /// The text itself.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.0
    }

    fn samples(&self, name: &str, labels: &[(&str, &str)]) -> impl Iterator<Item = f64> {
        self.0.lines().filter_map(move |line| {
            let (series, value) = line.rsplit_once(' ')?;
            let (metric, given) = series.split_once('{').unwrap_or((series, ""));
            let carries = |(key, value): &(&str, &str)| given.contains(&format!("{key}=\"{value}\""));
            (metric == name && labels.iter().all(carries)).then(|| value.parse().ok())?
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_are_found_by_name_and_labels() {
        let text =
            "# TYPE a_total counter\na_total{reason=\"x\",k=\"v\"} 2\na_total{reason=\"y\"} 3\nb 0.5\n";
        let metrics = Metrics::parse(text.to_owned());
        assert_eq!(metrics.sum("a_total", &[]), 5.0);
        assert_eq!(metrics.sum("a_total", &[("reason", "x"), ("k", "v")]), 2.0);
        assert_eq!(metrics.sum("a", &[]), 0.0);
        assert_eq!(metrics.value("b", &[]).ok(), Some(0.5));
        assert!(metrics.value("c", &[]).is_err());
    }
}
