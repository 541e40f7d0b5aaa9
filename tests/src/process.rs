//! A running program: its output line by line, signals, and an end that is always awaited.

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use rustix::process::{Pid, kill_process};

pub use rustix::process::Signal;

use crate::Failure;
use crate::wait::{PATIENCE, until};

/// A child process. Dropping it kills it.
pub struct Process {
    name: String,
    child: Child,
    stdout: Lines,
    stderr: Lines,
}

/// One of [`Process::spawn`] and its kin.
pub type Spawn = fn(&str, &mut Command) -> Result<Process, Failure>;

/// What a finished program left behind.
#[derive(Debug)]
pub struct Finished {
    /// The program, for messages.
    pub name: String,
    /// How it ended.
    pub status: ExitStatus,
    /// All of its standard output.
    pub stdout: String,
    /// All of its standard error.
    pub stderr: String,
}

impl Process {
    /// Starts a program with its output captured and nothing on its input.
    ///
    /// # Errors
    ///
    /// [`Failure::Process`] when it cannot be started.
    pub fn spawn(name: &str, command: &mut Command) -> Result<Self, Failure> {
        Self::start(name, command.stdout(Stdio::piped()), |_line| {})
    }

    /// Starts a program whose output is shown: its standard output is ours, its standard error is captured and repeated.
    ///
    /// # Errors
    ///
    /// [`Failure::Process`] when it cannot be started.
    pub fn spawn_shown(name: &str, command: &mut Command) -> Result<Self, Failure> {
        Self::start(name, command.stdout(Stdio::inherit()), |line| eprintln!("{line}"))
    }

    /// Starts a program whose standard output nobody wants; its standard error is captured.
    ///
    /// # Errors
    ///
    /// [`Failure::Process`] when it cannot be started.
    pub fn spawn_unheard(name: &str, command: &mut Command) -> Result<Self, Failure> {
        Self::start(name, command.stdout(Stdio::null()), |_line| {})
    }

    fn start(name: &str, command: &mut Command, show: fn(&str)) -> Result<Self, Failure> {
        command.stdin(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(|source| failed("start", name, source))?;
        let stdout = Lines::read(child.stdout.take(), |_line| {});
        let stderr = Lines::read(child.stderr.take(), show);
        Ok(Self { name: name.to_owned(), child, stdout, stderr })
    }

    /// The process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Lines of standard output so far.
    #[must_use]
    pub fn stdout(&self) -> &Lines {
        &self.stdout
    }

    /// Lines of standard error so far.
    #[must_use]
    pub fn stderr(&self) -> &Lines {
        &self.stderr
    }

    /// Sends a signal.
    ///
    /// # Errors
    ///
    /// [`Failure::Process`], for example when it has ended already.
    pub fn signal(&self, signal: Signal) -> Result<(), Failure> {
        kill_process(Pid::from_child(&self.child), signal)
            .map_err(|source| failed("signal", &self.name, source.into()))
    }

    /// Whether it still runs.
    ///
    /// # Errors
    ///
    /// [`Failure::Process`] when the operating system does not know.
    pub fn is_running(&mut self) -> Result<bool, Failure> {
        let ended = self.child.try_wait().map_err(|source| failed("wait for", &self.name, source))?;
        Ok(ended.is_none())
    }

    /// Waits for the end of the program.
    ///
    /// # Errors
    ///
    /// [`Failure::Deadline`] when it goes on running.
    pub fn finish(mut self) -> Result<Finished, Failure> {
        let awaited = format!("the end of {}", self.name);
        let status = until(&awaited, || {
            self.child.try_wait().map_err(|source| failed("wait for", &self.name, source))
        })?;
        let (stdout, stderr) = (self.stdout.to_end(), self.stderr.to_end());
        Ok(Finished { name: self.name.clone(), status, stdout, stderr })
    }

    /// Everything it has said, for messages.
    #[must_use]
    pub fn output(&self) -> String {
        let all = [self.stderr.all(), self.stdout.all()].concat();
        if all.is_empty() { "(nothing)".to_owned() } else { all.join("\n") }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Both fail only when it has ended, which is what is wanted.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A command whose process the kernel terminates when the thread that started it ends, however it ends: a test or a measurement
/// that is killed leaves no server behind. SIGTERM lets it end processes of its own. `setpriv` becomes the program, so that the
/// process is the program's own.
#[must_use]
pub fn mortal(program: &Path) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "TERM", "--"]).arg(program);
    command
}

/// Runs a program to its end.
///
/// # Errors
///
/// When it cannot be started or does not end in time; any exit code is fine.
pub fn run(name: &str, command: &mut Command) -> Result<Finished, Failure> {
    Process::spawn(name, command)?.finish()
}

impl Finished {
    /// The exit code; 128 + the signal's number when a signal ended it, as a shell says it.
    #[must_use]
    pub fn code(&self) -> i32 {
        use std::os::unix::process::ExitStatusExt;
        self.status.code().or_else(|| self.status.signal().map(|signal| 128 + signal)).unwrap_or(-1)
    }

    /// Itself, if it ended well.
    ///
    /// # Errors
    ///
    /// [`Failure::Exited`] with all it said.
    pub fn success(self) -> Result<Self, Failure> {
        if self.status.success() {
            return Ok(self);
        }
        let output = format!("{}{}", self.stderr, self.stdout);
        Err(Failure::Exited { program: self.name, status: self.status, output })
    }
}

/// The lines of one stream, as they come.
#[derive(Clone, Default)]
pub struct Lines(Arc<(Mutex<State>, Condvar)>);

#[derive(Default)]
struct State {
    lines: Vec<String>,
    ended: bool,
}

impl Lines {
    fn read(stream: Option<impl Read + Send + 'static>, show: fn(&str)) -> Self {
        let lines = Self::default();
        let writer = lines.clone();
        std::thread::spawn(move || {
            let mut stream = stream.map(BufReader::new);
            let mut line = Vec::new();
            while stream.as_mut().is_some_and(|it| it.read_until(b'\n', &mut line).is_ok_and(|read| read > 0))
            {
                let text = String::from_utf8_lossy(&line).trim_end_matches('\n').to_owned();
                show(&text);
                writer.change(|state| state.lines.push(text));
                line.clear();
            }
            writer.change(|state| state.ended = true);
        });
        lines
    }

    /// The lines so far.
    #[must_use]
    pub fn all(&self) -> Vec<String> {
        self.lock().lines.clone()
    }

    /// Waits for the first line that `wanted` accepts, those already there included.
    ///
    /// # Errors
    ///
    /// [`Failure::Deadline`] with the lines seen, after [`PATIENCE`] or when the stream ends first.
    pub fn find<T>(&self, awaited: &str, mut wanted: impl FnMut(&str) -> Option<T>) -> Result<T, Failure> {
        let start = Instant::now();
        let (mut state, mut seen) = (self.lock(), 0);
        loop {
            if let Some(value) = state.lines.iter().skip(seen).find_map(|line| wanted(line)) {
                return Ok(value);
            }
            seen = state.lines.len();
            let left = PATIENCE.saturating_sub(start.elapsed());
            if state.ended || left.is_zero() {
                let context = format!("; it said:\n{}", state.lines.join("\n"));
                return Err(Failure::Deadline {
                    awaited: awaited.to_owned(),
                    limit: start.elapsed(),
                    context,
                });
            }
            state = self.0.1.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Waits for the end of the stream and gives all of it.
    fn to_end(&self) -> String {
        let state = self.lock();
        let ended = self.0.1.wait_timeout_while(state, PATIENCE, |state| !state.ended);
        let state = ended.unwrap_or_else(PoisonError::into_inner).0;
        state.lines.iter().flat_map(|line| [line, "\n"]).collect()
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.lock());
        self.0.1.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn failed(action: &'static str, program: &str, source: std::io::Error) -> Failure {
    Failure::Process { action, program: program.to_owned(), source }
}
