//! `[upstream.sigv4]`: requests that the proxy signs with AWS credentials of its own.

use super::section::Section;

/// Where a request's body goes into its signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Payload {
    /// Its hash, for which it is buffered.
    Signed,
    /// Nowhere: `UNSIGNED-PAYLOAD`.
    Unsigned,
}

/// What becomes of a request that its client has signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClientSignature {
    /// It is refused.
    Refuse,
    /// It passes as it is, and is not signed again.
    Pass,
}

/// `[upstream.sigv4]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sigv4 {
    /// Of the API: `eu-west-1`.
    pub region: String,
    /// The name that signatures are made for.
    pub service: String,
    /// Whether bodies are signed.
    pub payload: Payload,
    /// How much of a body is buffered for its hash, in bytes.
    pub body_limit: usize,
    /// What becomes of a client's own signature.
    pub client_signature: ClientSignature,
}

impl Sigv4 {
    pub(super) fn read(sigv4: &mut Section<'_>) -> Option<Self> {
        let region = sigv4.optional_string("region");
        let this =
            Self {
                region: region.clone().unwrap_or_default(),
                service: sigv4.optional_string("service").unwrap_or_else(|| "execute-api".to_owned()),
                payload: sigv4.parsed("payload", Payload::Signed, "\"signed\" or \"unsigned\"", |text| {
                    match text {
                        "signed" => Some(Payload::Signed),
                        "unsigned" => Some(Payload::Unsigned),
                        _ => None,
                    }
                }),
                body_limit: sigv4.number("body_limit_bytes", 10_485_760, 0..=104_857_600),
                client_signature: sigv4.parsed(
                    "client_signature",
                    ClientSignature::Refuse,
                    "\"refuse\" or \"pass\"",
                    |text| match text {
                        "refuse" => Some(ClientSignature::Refuse),
                        "pass" => Some(ClientSignature::Pass),
                        _ => None,
                    },
                ),
            };
        // All other keys have defaults: it is the region that switches signing on.
        region?;
        if this.payload == Payload::Unsigned && this.service == "execute-api" {
            let hint = "leave it \"signed\"; unsigned payloads are for services such as vpc-lattice-svcs";
            sigv4.problem("payload", "API Gateway accepts no signature that leaves the body out", hint);
        }
        if !this.region.chars().all(|c| c.is_ascii_alphanumeric() || c == '-') {
            sigv4.problem("region", "not a Region", "such as \"eu-west-1\"");
        }
        if cfg!(not(feature = "aws")) {
            let hint = "use a postern that was built with `--features aws`, or remove [upstream.sigv4]";
            sigv4.problem(
                "region",
                "this postern was built without the feature `aws`, and cannot sign",
                hint,
            );
        }
        Some(this)
    }
}
