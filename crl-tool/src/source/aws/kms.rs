//! Keys of AWS KMS, which sign without ever leaving it.

use super::super::Terms;
use super::super::fault::DownloadFault;
use super::{Session, fault};
use crate::key::{PublicKey, SignError, Signer};
use aws_config::Region;
use aws_sdk_kms::Client;
use aws_sdk_kms::primitives::Blob;
use aws_sdk_kms::types::{MessageType, SigningAlgorithmSpec};

/// What the three kinds of keys that sign indexes sign with.
const ALGORITHMS: [SigningAlgorithmSpec; 3] = [
    SigningAlgorithmSpec::EcdsaSha256,
    SigningAlgorithmSpec::EcdsaSha384,
    SigningAlgorithmSpec::Ed25519Sha512,
];

/// A key pair whose private half is in KMS.
pub(in super::super) struct KmsKey {
    session: Session,
    client: Client,
    id: String,
    algorithm: SigningAlgorithmSpec,
    public: PublicKey,
}

impl KmsKey {
    /// Asks for the public half of the key with this id, alias or ARN.
    pub(in super::super) fn find(id: &str, terms: &Terms) -> Result<KmsKey, DownloadFault> {
        // arn:PARTITION:kms:REGION:ACCOUNT:key/ID; other names are those of the configured region.
        let region = id.strip_prefix("arn:").and_then(|rest| rest.split(':').nth(2));
        let session = Session::start(terms, region.map(|region| Region::new(region.to_owned())))?;
        let client = Client::new(&session.config);
        let key = session.wait(client.get_public_key().key_id(id).send())?.map_err(|error| fault(&error))?;
        let offered = key.signing_algorithms();
        let algorithm = ALGORITHMS.into_iter().find(|known| offered.contains(known));
        let algorithm = algorithm.ok_or(DownloadFault::KmsKey)?;
        let spki = key.public_key().map(Blob::as_ref).unwrap_or_default();
        let public = PublicKey::from_spki(spki).map_err(|_kind| DownloadFault::KmsKey)?;
        Ok(KmsKey { session, client, id: id.to_owned(), algorithm, public })
    }

    fn ask(&self, message: &[u8]) -> Result<Vec<u8>, DownloadFault> {
        let call = self.client.sign().key_id(&self.id).signing_algorithm(self.algorithm.clone());
        let call = call.message_type(MessageType::Raw).message(Blob::new(message));
        let answer = self.session.wait(call.send())?.map_err(|error| fault(&error))?;
        Ok(answer.signature.map(Blob::into_inner).unwrap_or_default())
    }
}

impl Signer for KmsKey {
    fn public_key(&self) -> &PublicKey {
        &self.public
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SignError> {
        self.ask(message).map_err(|fault| SignError(format!("{}: {fault}", self.id)))
    }
}
