//! A PKI with editions of one CRL, a real S3, and what should be there of each edition.

use std::path::{Path, PathBuf};

use postern_tests::pki::Pki;
use postern_tests::process::run;
use postern_tests::s3::{BUCKET, S3};
use postern_tests::{Failure, Outcome, binary, crl_tool, files};
use serde_json::{Value, json};

pub(crate) struct Stage {
    pub(crate) pki: Pki,
    pub(crate) s3: S3,
    /// Oldest first. Each revokes one client more.
    pub(crate) editions: Vec<PathBuf>,
}

impl Stage {
    pub(crate) fn new(editions: usize) -> Result<Self, Failure> {
        let pki = Pki::make()?;
        let mut files = vec![pki.path("edition-0")];
        files::copy(&pki.path("crl/intermediate.crl"), &pki.path("edition-0"))?;
        for (number, client) in (1..editions).zip(["good", "expired", "wrong-eku", "not-yet-valid"]) {
            pki.revoke(client)?;
            let file = pki.path(&format!("edition-{number}"));
            files::copy(&pki.path("crl/intermediate.crl"), &file)?;
            files.push(file);
        }
        assert_eq!(files.len(), editions, "there are clients for five editions");
        Ok(Self { pki, s3: S3::start()?, editions: files })
    }

    fn edition(&self, edition: usize) -> Result<&Path, Failure> {
        let file = self.editions.get(edition).map(PathBuf::as_path);
        file.ok_or_else(|| Failure::Missing(format!("edition {edition}")))
    }

    /// Puts an edition where the CA would put it.
    pub(crate) fn upload(&self, edition: usize, key: &str) -> Outcome {
        self.s3.put(&encoded(key), &files::read(self.edition(edition)?)?)
    }

    /// Puts the issuer's certificate beside a CRL.
    pub(crate) fn certify(&self, key: &str) -> Outcome {
        self.s3.put(&format!("{}.crt", encoded(key)), &files::read(&self.pki.path("intermediate.pem"))?)
    }

    /// The content of what is made of an edition, as `crl-tool build` and `convert` make it without AWS.
    pub(crate) fn made_of(&self, edition: usize, suffix: &str) -> Result<Vec<u8>, Failure> {
        let index = self.pki.path("expected.crlx");
        crl_tool::build(self.edition(edition)?, &self.pki.path("intermediate.pem"), &index)?.success()?;
        if suffix == ".crlx" {
            return files::read(&index);
        }
        let out = self.pki.path("expected");
        let kind = if suffix == ".json.zip" { "json-zip" } else { "json" };
        let mut convert = binary::command("crl-tool")?;
        convert.arg("convert").arg(&index).args(["--to", kind]).arg("--out").arg(&out);
        run("crl-tool convert", &mut convert)?.success()?;
        files::read(&out)
    }

    /// Everything that is made of `edition` by default is at `key`.
    pub(crate) fn assert_published(&self, edition: usize, key: &str) -> Outcome {
        for suffix in [".crlx", ".json", ".cache.json"] {
            let there = self.s3.get(&encoded(&format!("{key}{suffix}")))?;
            assert!(there == self.made_of(edition, suffix)?, "{key}{suffix} is of edition {edition}");
        }
        Ok(())
    }

    /// Whether there is nothing at `key`.
    pub(crate) fn is_absent(&self, key: &str) -> bool {
        self.s3.get(&encoded(key)).is_err()
    }
}

/// S3's notification about these keys.
pub(crate) fn uploaded(keys: &[&str]) -> Value {
    let record = |key: &&str| {
        json!({
            "eventVersion": "2.1",
            "eventSource": "aws:s3",
            "eventTime": "2026-01-01T00:00:00.000Z",
            "eventName": "ObjectCreated:Put",
            "s3": {
                "bucket": { "name": BUCKET },
                "object": { "key": form_encoded(key), "size": 1, "sequencer": "0055AED6DCD90281E5" },
            },
        })
    };
    json!({ "Records": keys.iter().map(record).collect::<Vec<_>>() })
}

/// As S3 encodes keys in notifications.
fn form_encoded(key: &str) -> String {
    encoded(key).replace("%20", "+")
}

/// For a URL, as curl does not encode what it uploads to.
pub(crate) fn encoded(key: &str) -> String {
    key.bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'-' | b'.' => char::from(byte).to_string(),
            _ => format!("%{byte:02X}"),
        })
        .collect()
}
