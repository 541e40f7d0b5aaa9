//! From the sources to the CRLs in force: read once, proved if they come from elsewhere, and let in if they may follow what was there.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

use crl_tool::{
    Build, BuildError, CrlError, Fault, Index, Input, Issuer, OpenError, Problem, ProofError, PublicKey,
};
use time::OffsetDateTime;

use super::super::crl_signer::CrlSigner;
use super::super::floors::content;
use super::super::guard::{Guard, NotTaken, Why};
use super::super::pem::certificates_in;
use super::{Crl, Revocations};
use crate::config::{Config, Invalid, Revocation};
use crate::sources::{Content, Copy, Mark, SourceFault, Sources};

const KEY: &str = "revocation.crls";
const SIGNERS: &str = "revocation.require_signature_by";
const NO_ISSUER: &str = "add its issuer's certificate to client_auth.trust_bundle, or to revocation.issuers if it is not to be an anchor";

/// What CRLs are proved with.
struct Proofs {
    /// The keys of which one must have signed an index; `None` if no signature is asked for.
    keys: Option<Vec<PublicKey>>,
    /// The CAs whose CRLs can be proved.
    issuers: Vec<Issuer>,
    /// What all that was made of: with something else, other CRLs may be good.
    context: Arc<[Mark]>,
}

impl Revocations {
    /// Brings what the sources have into force. A CRL that cannot be used, or may not follow the one in force, is reported; what `last`
    /// had in its place stays, and so does every CRL that no source has any longer.
    pub(in super::super) fn load(
        config: &Config,
        sources: &Sources,
        last: Option<&Arc<Self>>,
        guard: &mut Guard,
    ) -> (Arc<Self>, Vec<NotTaken>) {
        let settings = &config.revocation;
        let mut not_taken = Vec::new();
        let mut fail = |problem| not_taken.push(NotTaken::fatal(Why::Unusable, problem));
        let mut crl_signers = Vec::new();
        for source in &settings.crl_signers {
            match CrlSigner::load(source, sources) {
                Ok(signer) => crl_signers.push(signer),
                Err(problem) => fail(problem),
            }
        }
        let (proofs, problems) = Proofs::gather(config, sources);
        problems.into_iter().for_each(&mut fail);
        // Without one of them, clients that it speaks for would be refused.
        if let Some(last) = last.filter(|_| !not_taken.is_empty()) {
            crl_signers.clone_from(&last.crl_signers);
        }
        let mut revocations = Self::empty(settings, crl_signers);
        // Without the keys, nothing new can be believed.
        let listed = if not_taken.is_empty() { settings.crls.as_slice() } else { &[] };
        for source in listed {
            for copies in sources.copies(source) {
                match copies {
                    Ok(copies) => not_taken.extend(revocations.take(&copies, &proofs, sources, last, guard)),
                    Err(problem) => {
                        let fatal = !settings.ladder.allow_missing;
                        not_taken.push(NotTaken { fatal, ..NotTaken::fatal(Why::Unusable, problem) });
                    }
                }
            }
        }
        for crl in last.into_iter().flat_map(|last| last.crls()) {
            if revocations.like(crl).is_some() {
                continue;
            }
            if not_taken.is_empty() && !listed.is_empty() {
                let issuer = &crl.index.metadata().issuer;
                let problem = format!("nothing holds the CRL of {issuer} any longer");
                let hint = "put it back; to do without it: postern trust clear";
                not_taken.push(NotTaken::fatal(Why::Unusable, Invalid::new(KEY, problem, hint)));
            }
            revocations.insert(crl.clone());
        }
        guard.forget_others(&not_taken);
        guard.forget_same(&revocations.metadata());
        match last {
            Some(last) if last.is_same(&revocations) => (last.clone(), not_taken),
            _ => (Arc::new(revocations), not_taken),
        }
    }

    /// Takes the last of these copies of one thing that may be taken. Before anything is in force, the earlier ones are tried, too, in
    /// their order, as if they had come one after the other.
    fn take(
        &mut self,
        copies: &[Copy],
        proofs: &Proofs,
        sources: &Sources,
        last: Option<&Arc<Self>>,
        guard: &mut Guard,
    ) -> Option<NotTaken> {
        let newest = copies.last()?;
        let known =
            last.and_then(|last| last.crls().find(|crl| guard.is_proved(newest.mark, &proofs.context, crl)));
        if let Some(known) = known {
            self.insert(known.clone());
            return None;
        }
        let from = if last.is_some() { copies.len().saturating_sub(1) } else { 0 };
        let mut refused = None;
        for copy in copies.iter().skip(from) {
            refused = match guard.has_refused(copy.mark, &proofs.context) {
                Some(not_taken) => Some(not_taken),
                None => self.admit(copy, proofs, sources, last, guard).err().inspect(|not_taken| {
                    guard.remember(copy.mark, &proofs.context, not_taken);
                }),
            };
        }
        let stands_in = self.crls().any(|crl| crl.origin == newest.origin);
        refused.map(|not_taken| NotTaken { fatal: not_taken.fatal && !stands_in, ..not_taken })
    }

    fn admit(
        &mut self,
        copy: &Copy,
        proofs: &Proofs,
        sources: &Sources,
        last: Option<&Arc<Self>>,
        guard: &mut Guard,
    ) -> Result<(), NotTaken> {
        let index = proofs.open(copy, sources).map_err(|Unusable { problem, hint, again }| {
            let problem = Invalid::new(KEY, format!("{}: {problem}", copy.origin), hint);
            NotTaken { again, ..NotTaken::fatal(Why::Unusable, problem) }
        })?;
        let crl = Crl::new(copy, index, proofs.context.clone())?;
        // Whatever file it was in: files can be exchanged.
        let before = match self.like(&crl) {
            Some(other) if other.origin != crl.origin => {
                let (one, other) = (&other.origin, &crl.origin);
                let problem = format!("{one} and {other} are both for {}", crl.index.metadata().issuer);
                let hint = "list one CRL for each issuer, or for each partition";
                return Err(NotTaken::fatal(Why::Unusable, Invalid::new(KEY, problem, hint)));
            }
            Some(earlier) => Some(earlier),
            None => last.and_then(|last| last.like(&crl)),
        };
        guard.check(&crl, before)?;
        // The same CRL under another ETag changes nothing. A file is another matter: it may have been damaged since.
        match before.filter(|before| copy.remote && is_same_crl(before, &crl)).cloned() {
            Some(before) => {
                guard.remember_same(&crl);
                self.insert(before);
            }
            None => self.insert(crl),
        }
        Ok(())
    }
}

fn is_same_crl(one: &Crl, other: &Crl) -> bool {
    content(one.index.metadata()) == content(other.index.metadata())
}

impl Crl {
    fn new(copy: &Copy, index: Index, context: Arc<[Mark]>) -> Result<Self, NotTaken> {
        let next_update =
            index.metadata().next_update.map(OffsetDateTime::unix_timestamp).ok_or_else(|| {
                let hint = "let the CA issue CRLs with one, as RFC 5280 §5.1.2.5 requires";
                let problem = Invalid::new(KEY, format!("{}: the CRL has no nextUpdate", copy.origin), hint);
                NotTaken::fatal(Why::Unusable, problem)
            })?;
        Ok(Self {
            origin: copy.origin.clone(),
            mark: copy.mark,
            context,
            index: Arc::new(index),
            next_update,
            version: copy.version.clone(),
            modified: copy.modified,
            fetched: copy.fetched,
            since: OffsetDateTime::now_utc(),
        })
    }
}

impl Proofs {
    fn gather(config: &Config, sources: &Sources) -> (Self, Vec<Invalid>) {
        let Revocation { require_signature_by, crl_signers, issuers, .. } = &config.revocation;
        let (mut problems, mut context) = (Vec::new(), Vec::new());
        let mut keys = Vec::new();
        for source in require_signature_by {
            let found = sources.read(source).and_then(|(mark, content)| {
                context.push(mark);
                PublicKey::from_file_content(&content).map_err(|error| {
                    Invalid::new(SIGNERS, format!("{}: {error}", source.place), error.hint())
                })
            });
            match found {
                Ok(found) => keys.extend(found),
                Err(problem) => problems.push(problem),
            }
        }
        let bundles = config.servers.iter().filter_map(|server| server.client_auth.trust_bundle());
        let others = bundles.chain(crl_signers).map(|source| (source, false));
        let mut cas = Vec::new();
        for (source, own) in others.chain(issuers.iter().map(|source| (source, true))) {
            let found = sources.read(source).and_then(|(mark, content)| {
                context.push(mark);
                certificates_in(&content, source)
            });
            match found {
                // What cannot be an issuer of CRLs is none.
                Ok(found) => cas.extend(found.iter().filter_map(|der| Issuer::from_der(der).ok())),
                // What is wrong with a bundle, or a signer, those say who need it.
                Err(problem) if own => problems.push(problem),
                Err(_) => {}
            }
        }
        let keys = (!require_signature_by.is_empty()).then_some(keys);
        (Self { keys, issuers: cas, context: context.into() }, problems)
    }

    /// Opens an index or makes one of a CRL: they are told apart by their first bytes, whatever they are called.
    fn open(&self, copy: &Copy, sources: &Sources) -> Result<Index, Unusable> {
        let path = match &copy.content {
            Content::File(path) => path.as_path(),
            Content::Bytes(_) => Path::new(""),
        };
        let file = File::open(path).map_err(|error| Unusable::file(&SourceFault::File(error)))?;
        let mut first = [0; 8];
        let indexed = match file.read_exact_at(&mut first, 0) {
            Ok(()) => Index::is_index(&first),
            Err(_) => false,
        };
        if !indexed {
            return self.build(copy, file, path, sources);
        }
        if self.keys.is_none() && copy.remote {
            let proved = Index::from_proved_file(file, path, &self.issuers);
            return proved.map_err(|error| Unusable::proof(&error));
        }
        let opened = match &self.keys {
            Some(keys) => Index::from_signed_file(file, path, keys),
            None => Index::from_file(file, path),
        };
        let index = opened.map_err(|error| Unusable::index(&error))?;
        index.check_crl().map_err(|error| Unusable::index(&error))?;
        Ok(index)
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "one kind of error has another way out here")]
    fn build(&self, copy: &Copy, crl: File, path: &Path, sources: &Sources) -> Result<Index, Unusable> {
        let failed = |error: &std::io::Error| {
            let (problem, hint) =
                (format!("cannot be indexed: {error}"), "check the space in sources.directory, or TMPDIR");
            Unusable { problem, hint, again: true }
        };
        let scratch = sources.scratch().map_err(|error| failed(&error))?;
        let build = Build::new(&self.issuers).max_bytes(sources.max_bytes());
        let built = build.write(Input::from_reader(&copy.origin, crl), &scratch);
        built.map_err(|error| match &error {
            BuildError::Verify { error, .. } => Unusable::new(error, NO_ISSUER),
            BuildError::Io(error) => failed(error),
            BuildError::Crl(CrlError { problem: Problem::Io(error), .. }) => failed(error),
            _ => Unusable::new(&error, error.hint()),
        })?;
        Index::from_file(scratch, path).map_err(|error| Unusable::index(&error))
    }
}

/// What is wrong with a CRL, and the way out.
struct Unusable {
    problem: String,
    hint: &'static str,
    /// Nothing is wrong with the CRL.
    again: bool,
}

impl Unusable {
    fn new(problem: &impl ToString, hint: &'static str) -> Self {
        Self { problem: problem.to_string(), hint, again: false }
    }

    fn file(fault: &SourceFault) -> Self {
        Self { again: true, ..Self::new(fault, fault.hint()) }
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "what it adds is as its hint says")]
    fn proof(error: &ProofError) -> Self {
        match error {
            ProofError::Verify { error, .. } => Self::new(error, NO_ISSUER),
            ProofError::Open(error) => Self::index(error),
            other => Self::new(other, other.hint()),
        }
    }

    fn index(error: &OpenError) -> Self {
        Self { again: is_of_machine(error), ..Self::new(&error.fault, error.fault.hint()) }
    }
}

/// Whether reading failed, and not what was read.
fn is_of_machine(error: &OpenError) -> bool {
    matches!(&error.fault, Fault::Io(error) if error.kind() != std::io::ErrorKind::UnexpectedEof)
}
