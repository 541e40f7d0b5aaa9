//! A real S3: SeaweedFS on loopback, with one bucket.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::process::{Finished, Process, Signal, run};
use crate::wait::until;
use crate::{Failure, files, ports, tools};

/// The bucket that is there.
pub const BUCKET: &str = "crls";
/// The region that clients are told.
pub(crate) const REGION: &str = "eu-west-1";
/// How often it is started, as one of its eight ports may be taken.
const ATTEMPTS: u32 = 3;
const ACCESS_KEY: &str = "scenario";
const SECRET_KEY: &str = "not-a-secret";

/// The server. Dropping it kills it and removes its files.
pub struct S3 {
    process: Process,
    address: String,
    directory: tempfile::TempDir,
}

impl S3 {
    /// Starts it, and waits until an object can be written: its parts come up one after the other, within seconds.
    ///
    /// # Errors
    ///
    /// When it is not installed or does not come up.
    pub fn start() -> Result<Self, Failure> {
        let mut last = Self::start_once();
        for _ in 1..ATTEMPTS {
            // It ends when another program has taken one of its ports in the meantime.
            match last {
                Err(Failure::Missing(_)) => last = Self::start_once(),
                started => return started,
            }
        }
        last
    }

    fn start_once() -> Result<Self, Failure> {
        let directory = files::temporary_directory()?;
        let identities = directory.path().join("s3.json");
        files::write(&identities, IDENTITIES)?;
        let [master, master_grpc, volume, volume_grpc, filer, filer_grpc, s3, s3_grpc] = ports::free()?;
        let mut command = tools::command("weed")?;
        command.args(["server", "-ip", "127.0.0.1", "-ip.bind", "127.0.0.1", "-master.telemetry=false"]);
        command.args(["-volume.max", "100", "-master.volumeSizeLimitMB", "1024", "-s3"]);
        command.args(["-s3.port.iceberg", "0", "-s3.port.lance", "0"]);
        command.arg("-dir").arg(directory.path()).arg("-s3.config").arg(identities);
        for (option, port) in [
            ("-master.port", master),
            ("-master.port.grpc", master_grpc),
            ("-volume.port", volume),
            ("-volume.port.grpc", volume_grpc),
            ("-filer.port", filer),
            ("-filer.port.grpc", filer_grpc),
            ("-s3.port", s3),
            ("-s3.port.grpc", s3_grpc),
        ] {
            command.arg(option).arg(port.to_string());
        }
        let process = Process::spawn_unheard("weed server", &mut command)?;
        let mut server = Self { process, address: format!("http://127.0.0.1:{s3}"), directory };
        server.wait()?;
        Ok(server)
    }

    /// What a program needs in its environment to find this server, and the right to use it.
    #[must_use]
    pub fn environment(&self) -> Vec<(&'static str, String)> {
        let mut environment = isolated_environment();
        environment.extend([
            ("AWS_ACCESS_KEY_ID", ACCESS_KEY.to_owned()),
            ("AWS_SECRET_ACCESS_KEY", SECRET_KEY.to_owned()),
            ("AWS_ENDPOINT_URL_S3", self.address.clone()),
        ]);
        environment
    }

    /// Where it listens: host and port.
    #[must_use]
    pub fn address(&self) -> &str {
        self.address.trim_start_matches("http://")
    }

    /// As [`S3::environment`], on another way to it.
    #[must_use]
    pub fn environment_by(&self, url: &str) -> Vec<(&'static str, String)> {
        let mut environment = self.environment();
        environment.retain(|(name, _)| *name != "AWS_ENDPOINT_URL_S3");
        environment.push(("AWS_ENDPOINT_URL_S3", url.to_owned()));
        environment
    }

    /// Puts an object into the bucket.
    ///
    /// # Errors
    ///
    /// When the server does not take it.
    pub fn put(&self, key: &str, content: &[u8]) -> Result<(), Failure> {
        let file = self.scratch();
        files::write(&file, content)?;
        self.curl(&[OsStr::new("--upload-file"), file.as_os_str()], &format!("{BUCKET}/{key}"))?.success()?;
        Ok(())
    }

    /// Has the bucket keep every version of its objects from now on.
    ///
    /// # Errors
    ///
    /// When the server does not.
    pub fn keep_versions(&self) -> Result<(), Failure> {
        let enabled = "<VersioningConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Status>Enabled</Status></VersioningConfiguration>";
        let file = self.scratch();
        files::write(&file, enabled)?;
        // Signed as it is written: the sign of equality is part of it.
        let path = format!("{BUCKET}?versioning=");
        self.curl(&[OsStr::new("--upload-file"), file.as_os_str()], &path)?.success()?;
        Ok(())
    }

    /// An object of the bucket.
    ///
    /// # Errors
    ///
    /// When it is not there.
    pub fn get(&self, key: &str) -> Result<Vec<u8>, Failure> {
        let file = self.scratch();
        self.curl(&[OsStr::new("--output"), file.as_os_str()], &format!("{BUCKET}/{key}"))?.success()?;
        files::read(&file)
    }

    /// Stops the whole server for a while, connections and all, or lets it go on.
    ///
    /// # Errors
    ///
    /// When it has ended.
    pub fn pause(&self, paused: bool) -> Result<(), Failure> {
        self.process.signal(if paused { Signal::STOP } else { Signal::CONT })
    }

    /// Makes the bucket, and writes into it, once that works.
    fn wait(&mut self) -> Result<(), Failure> {
        let ready = until("the S3 server to take an object", || {
            if !self.process.is_running()? {
                return Err(Failure::Missing("the S3 server has ended; it".to_owned()));
            }
            let made = self.curl(&[OsStr::new("--request"), OsStr::new("PUT")], BUCKET)?;
            // The bucket may be there from the last round, which is a conflict.
            let made = made.code() == 0 || made.stderr.contains("409");
            Ok((made && self.put("ready", b"ready").is_ok()).then_some(()))
        });
        ready.map_err(|failure| failure.with_output(&self.process.output()))
    }

    fn curl(&self, arguments: &[&OsStr], path: &str) -> Result<Finished, Failure> {
        let mut command = Command::new("curl");
        command.args([
            "--disable",
            "--noproxy",
            "*",
            "--silent",
            "--show-error",
            "--fail",
            "--max-time",
            "60",
        ]);
        command.arg("--aws-sigv4").arg(format!("aws:amz:{REGION}:s3"));
        command.arg("--user").arg(format!("{ACCESS_KEY}:{SECRET_KEY}"));
        command.args(arguments).arg(format!("{}/{path}", self.address));
        run("curl", &mut command)
    }

    fn scratch(&self) -> PathBuf {
        self.directory.path().join("scratch")
    }
}

const IDENTITIES: &str = r#"{ "identities": [ {
    "name": "scenario",
    "credentials": [ { "accessKey": "scenario", "secretKey": "not-a-secret" } ],
    "actions": [ "Admin", "Read", "Write", "List", "Tagging" ]
} ] }"#;

/// A region, and nothing of what the machine's own environment or files may say about AWS.
#[must_use]
pub fn isolated_environment() -> Vec<(&'static str, String)> {
    let nowhere = Path::new("/nonexistent").display().to_string();
    vec![
        ("AWS_REGION", REGION.to_owned()),
        ("AWS_CONFIG_FILE", nowhere.clone()),
        ("AWS_SHARED_CREDENTIALS_FILE", nowhere),
        ("AWS_EC2_METADATA_DISABLED", "true".to_owned()),
        ("NO_PROXY", "*".to_owned()),
    ]
}
