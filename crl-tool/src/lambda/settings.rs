//! What the function is told in its environment. The names of the first four are those of the published sample.

use crate::cli::issuers::Issuers;
use crate::pipeline::{Form, Pipeline, Target};
use crl_tool::{MAX_CRL_BYTES, Write};
use std::path::PathBuf;

/// The variables, each with what it is for.
pub(super) const VARIABLES: [&str; 9] = [
    "COMPRESS_CACHE",
    "USE_ACM_PCA",
    "ACM_PCA_ARN",
    "ALLOW_EXPIRED_CRL",
    "CRL_ISSUERS",
    "JSON_CACHES",
    "MAX_CRL_BYTES",
    "PUBLISH_TO",
    "SIGN_KEY_KMS",
];

/// Reads the settings.
///
/// # Errors
/// All problems at once, one a line.
pub(super) fn read(variable: impl Fn(&str) -> Option<String>) -> Result<Pipeline, String> {
    let mut problems = Vec::new();
    let mut settings = Settings { variable, problems: &mut problems };
    let [compress, use_pca, _, expired, issuers, caches, max_bytes, target, sign_key] = VARIABLES;
    let (compressed, use_pca) = (settings.flag(compress), settings.flag(use_pca));
    let pipeline = Pipeline {
        issuers: settings.issuers(use_pca, issuers),
        target: settings.parsed(target, Target::parse),
        caches: settings.parsed(caches, forms).unwrap_or_else(|| default_caches(compressed)),
        sign_key_kms: settings.text(sign_key),
        allow_expired: settings.flag(expired),
        max_bytes: settings
            .parsed(max_bytes, |text| {
                text.parse().map_err(|_wrong| "a number of bytes below 4 GiB".to_owned())
            })
            .unwrap_or(MAX_CRL_BYTES),
        s3_path_style: false,
        write: Write::Really,
    };
    if problems.is_empty() { Ok(pipeline) } else { Err(problems.join("\n")) }
}

/// The sample writes one; its authorizer and the text about it know it by two names.
fn default_caches(compressed: bool) -> Vec<Form> {
    if compressed { vec![Form::JsonZip] } else { vec![Form::Json, Form::CacheJson] }
}

/// A list of forms, such as `json,json.zip`, or `none`.
fn forms(text: &str) -> Result<Vec<Form>, String> {
    if text == "none" {
        return Ok(Vec::new());
    }
    let form = |name: &str| Form::ALL.into_iter().find(|form| form.suffix().strip_prefix('.') == Some(name));
    let forms: Option<Vec<Form>> = text.split(',').map(|name| form(name.trim())).collect();
    forms.ok_or_else(|| "none, or a list of json, cache.json and json.zip".to_owned())
}

struct Settings<'a, F> {
    variable: F,
    problems: &'a mut Vec<String>,
}

impl<F: Fn(&str) -> Option<String>> Settings<'_, F> {
    /// An empty variable is none: templates cannot leave one out.
    fn text(&self, name: &str) -> Option<String> {
        (self.variable)(name).filter(|text| !text.is_empty())
    }

    fn parsed<T>(&mut self, name: &str, parse: impl Fn(&str) -> Result<T, String>) -> Option<T> {
        match parse(&self.text(name)?) {
            Ok(value) => Some(value),
            Err(wanted) => {
                self.problems.push(format!("{name}: {wanted} is what it should be"));
                None
            }
        }
    }

    /// The words that the sample's `strtobool` knows.
    fn flag(&mut self, name: &str) -> bool {
        let parse = |text: &str| match text.to_ascii_lowercase().as_str() {
            "y" | "yes" | "t" | "true" | "on" | "1" => Ok(true),
            "n" | "no" | "f" | "false" | "off" | "0" => Ok(false),
            _ => Err("true or false".to_owned()),
        };
        self.parsed(name, parse).unwrap_or(false)
    }

    /// AWS Private CA goes first, then the file; without both, each CRL has its issuer's certificate beside it.
    fn issuers(&mut self, use_pca: bool, file: &str) -> Option<Issuers> {
        if !use_pca {
            let issuer = PathBuf::from(self.text(file)?);
            return Some(Issuers { issuer: vec![issuer], issuer_acm_pca: Vec::new() });
        }
        let arns = self.text("ACM_PCA_ARN").unwrap_or_default();
        let arns: Vec<String> = arns.split(',').map(|arn| arn.trim().to_owned()).collect();
        if arns.iter().any(String::is_empty) {
            self.problems
                .push("ACM_PCA_ARN: one ARN, or several with commas, as USE_ACM_PCA is on".to_owned());
        }
        Some(Issuers { issuer: Vec::new(), issuer_acm_pca: arns })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variables: &[(&str, &str)]) -> Result<Pipeline, String> {
        let find = |name: &str| variables.iter().find(|(of, _)| *of == name);
        super::read(|name| find(name).map(|(_, value)| (*value).to_owned()))
    }

    #[test]
    fn nothing_has_to_be_set() {
        let pipeline = read(&[("PUBLISH_TO", "")]).unwrap();
        assert!(pipeline.issuers.is_none() && pipeline.target.is_none() && !pipeline.allow_expired);
        assert_eq!(pipeline.caches, [Form::Json, Form::CacheJson]);
    }

    #[test]
    fn the_variables_of_the_sample_are_known() {
        let arn = "arn:aws:acm-pca:eu-west-1:123456789012:certificate-authority/1";
        let variables = [
            ("COMPRESS_CACHE", "True"),
            ("USE_ACM_PCA", "yes"),
            ("ACM_PCA_ARN", arn),
            ("ALLOW_EXPIRED_CRL", "1"),
            // Not asked then.
            ("CRL_ISSUERS", "s3://crls/ca.pem"),
        ];
        let pipeline = read(&variables).unwrap();
        assert_eq!(pipeline.caches, [Form::JsonZip]);
        assert!(pipeline.allow_expired);
        let issuers = pipeline.issuers.unwrap();
        assert_eq!((issuers.issuer.len(), issuers.issuer_acm_pca), (0, vec![arn.to_owned()]));
    }

    #[test]
    fn all_problems_are_said_at_once() {
        let variables = [
            ("USE_ACM_PCA", "true"),
            ("ALLOW_EXPIRED_CRL", "maybe"),
            ("JSON_CACHES", "json,xml"),
            ("MAX_CRL_BYTES", "-1"),
            ("PUBLISH_TO", "crls"),
        ];
        let said = read(&variables).unwrap_err();
        for name in ["ACM_PCA_ARN", "ALLOW_EXPIRED_CRL", "JSON_CACHES", "MAX_CRL_BYTES", "PUBLISH_TO"] {
            assert!(said.contains(name), "{name}: {said}");
        }
        assert_eq!(said.lines().count(), 5, "{said}");
    }
}
