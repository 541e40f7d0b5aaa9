use super::super::section::Section;

/// `[upstream.retry]`
#[derive(Debug, Clone, PartialEq)]
pub struct Retry {
    /// How often a request is sent again at most, if sending it twice does no harm.
    pub attempts: u32,
    /// Repeated requests among a hundred.
    pub budget_percent: u32,
    /// Repeated requests at once, on top of that.
    pub burst: u32,
}

impl Retry {
    pub(super) fn read(retry: &mut Section<'_>) -> Self {
        Self {
            attempts: retry.number("attempts", 1, 0..=10),
            budget_percent: retry.number("budget_percent", 20, 0..=100),
            burst: retry.number("burst", 100, 0..=100_000),
        }
    }
}
