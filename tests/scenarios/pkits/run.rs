//! Runs cases and counts.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use postern_tests::explain::Question;
use postern_tests::process::{Finished, run};
use postern_tests::{Failure, Outcome, binary};
use tempfile::TempDir;

use super::cases::{Case, UNUSABLE};
use super::vectors::Vectors;

/// Within the validity of the certificates, which ends in 2030.
const AT: &str = "2026-11-21T00:00:00Z";
const ANCHOR: &str = "TrustAnchorRootCertificate";
const ANCHOR_CRL: &str = "TrustAnchorRootCRL";

/// The cases of a section, while they are run.
pub(super) struct Section {
    vectors: Vectors,
    directory: TempDir,
    /// The indexes that were built, by the name of the CRL.
    built: HashMap<String, PathBuf>,
}

impl Section {
    /// Runs `cases`, of which the standard has `published`, and prints the count.
    pub(super) fn run(title: &str, cases: &[Case], published: usize) -> Outcome {
        let directory = tempfile::tempdir()?;
        let mut section = Section { vectors: Vectors::find()?, directory, built: HashMap::new() };
        section.vectors.write_pem(&[ANCHOR], &section.path("anchor.pem"))?;
        let mut wrong = Vec::new();
        for case in cases {
            if let Some(found) = section.decide(case)? {
                wrong.push(format!("{} {}: {found}", case.section, case.leaf));
            } else if let Some(status) = case.status {
                let (section, leaf) = (case.section, case.leaf);
                println!(
                    "{section} {leaf}: a CA's certificate is no client's; crl-tool lookup says: {status}"
                );
            }
        }
        let passed = cases.len() - wrong.len();
        println!("{title}: {} cases run, {passed} passed, 0 not applicable", cases.len());
        assert_eq!(cases.len(), published, "every published case is run");
        assert!(wrong.is_empty(), "{title}: not as published: {wrong:#?}");
        Ok(())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// What a case came to, if not what was published and what this table says about it.
    fn decide(&mut self, case: &Case) -> Result<Option<String>, Failure> {
        let valid = case.leaf.starts_with("Valid");
        let mut indexes = vec![self.index(ANCHOR_CRL, &[ANCHOR])?];
        let issuers: Vec<&str> = case.cas.iter().chain(case.signers).copied().collect();
        for crl in case.crls {
            match UNUSABLE.iter().find(|(name, _)| name == crl) {
                Some((_, message)) => self.refuse(crl, &issuers, message)?,
                None => indexes.push(self.index(crl, &issuers)?),
            }
        }
        let leaf = format!("{}EE", case.leaf);
        if let Some(status) = case.status {
            // A CA's certificate is no client's. Its revocation status is what the case is about.
            let of_the_ca = indexes.get(1..).unwrap_or_default();
            let certificate = self.vectors.certificate(&leaf);
            let looked_up = self.crl_tool("lookup", |command| {
                command.args(of_the_ca).arg("--cert").arg(&certificate);
            })?;
            let good = looked_up.code() == 0;
            if good != valid || !looked_up.stdout.starts_with(status) {
                return Ok(Some(format!("{}: {}", looked_up.code(), looked_up.stdout)));
            }
        }
        let decision = self.explain(case, &leaf, &indexes)?;
        let as_published = case.status.is_some() || valid == (decision == "accepted");
        Ok((decision != case.decision || !as_published).then_some(decision))
    }

    /// `accepted`, or the name of the refusal.
    fn explain(&self, case: &Case, leaf: &str, indexes: &[PathBuf]) -> Result<String, Failure> {
        let chain: Vec<&str> = [leaf].iter().chain(case.cas).copied().collect();
        self.vectors.write_pem(&chain, &self.path("chain.pem"))?;
        let mut signers = Vec::new();
        if !case.signers.is_empty() {
            signers.push(self.path("signer.pem"));
            let chain: Vec<&str> = case.signers.iter().chain(&[ANCHOR]).copied().collect();
            self.vectors.write_pem(&chain, &self.path("signer.pem"))?;
        }
        let question = Question {
            trust_bundle: &self.path("anchor.pem"),
            chain: &self.path("chain.pem"),
            indexes,
            crl_signers: &signers,
            at: Some(AT),
        };
        let said = question.ask()?;
        Ok(said.split_once(':').map_or(said.as_str(), |(name, _)| name).to_owned())
    }

    /// The index of `crl`, proved; `base+delta` is merged.
    fn index(&mut self, crl: &str, issuers: &[&str]) -> Result<PathBuf, Failure> {
        if let Some(built) = self.built.get(crl) {
            return Ok(built.clone());
        }
        let out = self.path(&format!("{crl}.crlx"));
        self.build(crl, issuers, &out)?.success()?;
        self.crl_tool("verify", |command| {
            command.arg(&out).args(self.issuer_arguments(issuers));
        })?
        .success()?;
        let inspected = self.crl_tool("inspect", |command| {
            command.arg(&out);
        })?;
        assert!(inspected.success()?.stdout.starts_with("issuer "), "{crl}");
        self.built.insert(crl.to_owned(), out.clone());
        Ok(out)
    }

    /// `crl` is refused, for the reason that `message` says.
    fn refuse(&self, crl: &str, issuers: &[&str], message: &str) -> Outcome {
        let out = self.path("refused.crlx");
        let finished = self.build(crl, issuers, &out)?;
        assert!(
            finished.code() == 2 && finished.stderr.contains(message),
            "{crl}: {message}: {}",
            finished.stderr
        );
        assert!(!out.exists(), "{crl}");
        Ok(())
    }

    fn build(&self, crl: &str, issuers: &[&str], out: &Path) -> Result<Finished, Failure> {
        let issuers = self.issuer_arguments(issuers);
        match crl.split_once('+') {
            None => self.crl_tool("build", |command| {
                command.arg("--crl").arg(self.vectors.crl(crl)).args(issuers).arg("--out").arg(out);
            }),
            Some((base, delta)) => self.crl_tool("merge", |command| {
                command.arg("--base").arg(self.vectors.crl(base)).arg("--delta").arg(self.vectors.crl(delta));
                command.args(issuers).arg("--out").arg(out);
            }),
        }
    }

    fn issuer_arguments(&self, issuers: &[&str]) -> Vec<PathBuf> {
        issuers.iter().flat_map(|name| ["--issuer".into(), self.vectors.certificate(name)]).collect()
    }

    fn crl_tool(
        &self,
        verb: &str,
        arguments: impl FnOnce(&mut std::process::Command),
    ) -> Result<Finished, Failure> {
        let mut command = binary::command("crl-tool")?;
        command.current_dir(self.directory.path()).arg(verb);
        arguments(&mut command);
        run(&format!("crl-tool {verb}"), &mut command)
    }
}
