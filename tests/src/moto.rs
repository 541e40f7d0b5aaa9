//! AWS's other services: moto's imitation of them on loopback. It is good for the wiring: it believes any credentials,
//! and does not honour algorithms or extensions of certificates.

use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::pki::Pki;
use crate::process::{Process, run};
use crate::s3::{REGION, isolated_environment};
use crate::wait::until;
use crate::{Failure, files, ports, tools};

/// The server. Dropping it kills it.
pub struct Moto {
    process: Process,
    address: String,
}

impl Moto {
    /// Starts it and waits until it answers.
    ///
    /// # Errors
    ///
    /// When it is not installed or does not come up.
    pub fn start() -> Result<Self, Failure> {
        let [port] = ports::free()?;
        let mut command = tools::command("moto_server")?;
        command.args(["--host", "127.0.0.1", "--port"]).arg(port.to_string());
        let process = Process::spawn_unheard("moto_server", &mut command)?;
        let mut moto = Self { process, address: format!("http://127.0.0.1:{port}") };
        let ready = until("moto to answer", || {
            if !moto.process.is_running()? {
                return Err(Failure::Missing("moto has ended; it".to_owned()));
            }
            let mut command = curl(&moto.address);
            Ok((run("curl", &mut command)?.code() == 0).then_some(()))
        });
        ready.map_err(|failure| failure.with_output(&moto.process.output()))?;
        Ok(moto)
    }

    /// What a program needs in its environment to find this server.
    #[must_use]
    pub fn environment(&self) -> Vec<(&'static str, String)> {
        let mut environment = isolated_environment();
        environment.extend([
            ("AWS_ACCESS_KEY_ID", "anyone".to_owned()),
            ("AWS_SECRET_ACCESS_KEY", "anything".to_owned()),
            ("AWS_ENDPOINT_URL", self.address.clone()),
        ]);
        environment
    }

    /// Calls an operation of a service that speaks JSON, such as `kms` and `TrentService.CreateKey`.
    ///
    /// # Errors
    ///
    /// When moto refuses.
    pub fn call(&self, service: &str, operation: &str, input: &Value) -> Result<Value, Failure> {
        let mut command = curl(&self.address);
        command
            .arg("--aws-sigv4")
            .arg(format!("aws:amz:{REGION}:{service}"))
            .args(["--user", "anyone:anything"]);
        command.arg("--header").arg(format!("X-Amz-Target: {operation}"));
        command
            .args(["--header", "Content-Type: application/x-amz-json-1.1", "--data"])
            .arg(input.to_string());
        let text = run("curl", &mut command)?.success()?.stdout;
        serde_json::from_str(&text).map_err(|source| Failure::Json { what: "moto's answer", source, text })
    }

    /// Makes a CA of AWS Private CA that has the certificate of the intermediate CA of `pki`, and gives its ARN.
    ///
    /// # Errors
    ///
    /// When moto refuses.
    pub fn private_ca(&self, pki: &Pki) -> Result<String, Failure> {
        let configuration = json!({
            "KeyAlgorithm": "EC_prime256v1",
            "SigningAlgorithm": "SHA256WITHECDSA",
            "Subject": { "CommonName": "the certificate that is imported counts" },
        });
        let ca = json!({
            "CertificateAuthorityConfiguration": configuration,
            "CertificateAuthorityType": "SUBORDINATE",
        });
        let made = self.call("acm-pca", "ACMPrivateCA.CreateCertificateAuthority", &ca)?;
        let arn = made.get("CertificateAuthorityArn").and_then(Value::as_str);
        let arn = arn.ok_or_else(|| Failure::Missing(format!("the ARN in {made}")))?;
        let pem = |file: &str| files::read(&pki.path(file)).map(|content| STANDARD.encode(content));
        let certificate = json!({
            "CertificateAuthorityArn": arn,
            "Certificate": pem("intermediate.pem")?,
            "CertificateChain": pem("root.pem")?,
        });
        self.call("acm-pca", "ACMPrivateCA.ImportCertificateAuthorityCertificate", &certificate)?;
        Ok(arn.to_owned())
    }
}

fn curl(url: &str) -> Command {
    let mut command = Command::new("curl");
    command.args(["--disable", "--noproxy", "*", "--silent", "--show-error", "--fail-with-body"]);
    command.args(["--max-time", "60", url]);
    command
}
