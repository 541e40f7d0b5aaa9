//! The images that `make image` builds, run by podman as ECS runs them: nothing may be written but the volume, nothing done that needs
//! a capability, and nobody is root.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::Value;

use crate::process::run;
use crate::{Failure, files, tools};

/// An image in the store of `make image`.
#[derive(Clone, Copy, Debug)]
pub enum Image {
    /// The proxy's.
    Proxy,
    /// crl-tool's.
    CrlTool,
}

impl Image {
    fn name(self) -> &'static str {
        match self {
            Self::Proxy => "localhost/postern/proxy:0.1.0",
            Self::CrlTool => "localhost/postern/crl-tool:0.1.0",
        }
    }

    /// What podman knows of it.
    ///
    /// # Errors
    ///
    /// When it is not built.
    pub fn inspect(self) -> Result<Value, Failure> {
        let found =
            run("podman image inspect", podman()?.args(["image", "inspect", self.name()]))?.success()?;
        let images: Value = serde_json::from_str(&found.stdout).map_err(|source| Failure::Json {
            what: "podman image inspect",
            source,
            text: found.stdout.clone(),
        })?;
        images.get(0).cloned().ok_or_else(|| Failure::Missing(self.name().to_owned()))
    }

    /// Every file in it, by its path, with its mode; directories are left out.
    ///
    /// # Errors
    ///
    /// When it is not built.
    pub fn files(self) -> Result<BTreeMap<String, u32>, Failure> {
        let root = self.root()?;
        let (mut found, mut directories) = (BTreeMap::new(), vec![root.clone()]);
        while let Some(directory) = directories.pop() {
            for entry in std::fs::read_dir(directory)? {
                let entry = entry?;
                if entry.file_type()?.is_dir() {
                    directories.push(entry.path());
                } else if let Ok(path) = entry.path().strip_prefix(&root) {
                    found.insert(
                        format!("/{}", path.display()),
                        entry.metadata()?.permissions().mode() & 0o7777,
                    );
                }
            }
        }
        Ok(found)
    }

    /// A file in it.
    ///
    /// # Errors
    ///
    /// When it is not there.
    pub fn read(self, path: &str) -> Result<Vec<u8>, Failure> {
        files::read(&self.root()?.join(path.trim_start_matches('/')))
    }

    /// Its layers, laid upon each other: what the store has as a directory.
    fn root(self) -> Result<PathBuf, Failure> {
        let mounted =
            run("podman image mount", podman()?.args(["image", "mount", self.name()]))?.success()?;
        Ok(PathBuf::from(mounted.stdout.trim()))
    }
}

/// A container. Dropping it stops and removes it.
pub struct Container {
    name: String,
}

impl Container {
    /// One with a name of its own, which does not run yet.
    #[must_use]
    pub fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let nth = NEXT.fetch_add(1, Ordering::Relaxed);
        Self { name: format!("postern-test-{}-{nth}", std::process::id()) }
    }

    /// The command that runs `image`. `readable`: what the container may read, and where it finds it. `variables`: which of the
    /// command's environment are the container's, too; `AWS_*` are all that begin so.
    ///
    /// # Errors
    ///
    /// When podman is not installed, or nothing is built.
    pub fn command(
        &self,
        image: Image,
        readable: &[(&Path, &Path)],
        variables: &[&str],
    ) -> Result<Command, Failure> {
        let mut command = podman()?;
        command.args(["run", "--name", &self.name, "--network", "host", "--read-only", "--cap-drop", "all"]);
        command.args(["--security-opt", "no-new-privileges"]);
        // A test asks for the image's health itself; timers are systemd's, which need not be here.
        command.args(["--health-interval", "disable"]);
        // What podman would ask for is more than some machines allow.
        command.args(["--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1024:1024"]);
        for (from, to) in readable {
            // U: it belongs to whoever the image says that it runs as.
            command.arg("--volume").arg(format!("{}:{}:ro,U", from.display(), to.display()));
        }
        for name in variables {
            command.args(["--env", name]);
        }
        command.arg(image.name());
        Ok(command)
    }

    /// The id of its first process.
    ///
    /// # Errors
    ///
    /// When it does not run.
    pub fn process_id(&self) -> Result<u32, Failure> {
        let asked = podman()?.args(["inspect", "--format", "{{.State.Pid}}", &self.name]).output()?;
        let text = String::from_utf8_lossy(&asked.stdout);
        text.trim()
            .parse()
            .map_err(|_not_a_number| Failure::Missing(format!("the process of {}: {text}", self.name)))
    }

    /// Runs the image's HEALTHCHECK in it: whether all is well.
    ///
    /// # Errors
    ///
    /// When it cannot be asked.
    pub fn is_healthy(&self) -> Result<bool, Failure> {
        let checked = run("podman healthcheck run", podman()?.args(["healthcheck", "run", &self.name]))?;
        Ok(checked.code() == 0)
    }
}

impl Default for Container {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        let removed = podman().map(|mut podman| {
            podman.args(["rm", "--force", "--time", "0", "--volumes", "--ignore", &self.name]).output()
        });
        // Nothing can be done about it, and the test has its own outcome.
        drop(removed);
    }
}

/// crl-tool's zip file for Lambda.
///
/// # Errors
///
/// When nothing is built.
pub fn zip_file() -> Result<PathBuf, Failure> {
    Ok(made()?.join("crl-tool.zip"))
}

/// podman with the store of `make image`.
fn podman() -> Result<Command, Failure> {
    let made = made()?;
    let mut podman = Command::new(tools::path("podman")?);
    podman.args(["--storage-driver", "vfs", "--runtime", "runc", "--cgroup-manager", "cgroupfs"]);
    podman.arg("--root").arg(made.join("store")).arg("--runroot").arg(made.join("run"));
    podman.arg("--tmpdir").arg(made.join("run/podman"));
    Ok(podman)
}

fn made() -> Result<PathBuf, Failure> {
    let here = std::env::current_exe()?;
    let found = here.ancestors().map(|above| above.join("image")).find(|image| image.join("store").is_dir());
    found.ok_or(Failure::NoTool { name: "the images of `make image`" })
}
