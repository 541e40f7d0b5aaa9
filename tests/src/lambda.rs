//! `crl-tool` as an AWS Lambda function: the real binary, and the Runtime API that it asks for events.

use std::collections::VecDeque;
use std::io::{self, BufReader, Write};
use std::net::TcpStream;
use std::process::Command;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use serde_json::Value;

use crate::disk::Disk;
use crate::http_head::Head;
use crate::loopback::Loopback;
use crate::process::Process;
use crate::wait::{PATIENCE, until};
use crate::{Failure, binary};

/// The function. Dropping it kills the process, as Lambda does with one that it no longer needs.
pub struct Function {
    process: Process,
    api: Arc<Api>,
    _server: Loopback,
}

/// What came of an invocation.
#[derive(Clone, Debug)]
pub enum Reply {
    /// The function's answer.
    Done(Value),
    /// The function's error, which makes Lambda try again.
    Failed(Value),
}

impl Reply {
    /// The answer.
    ///
    /// # Errors
    ///
    /// When it is an error.
    pub fn done(self) -> Result<Value, Failure> {
        match self {
            Self::Done(answer) => Ok(answer),
            Self::Failed(error) => {
                Err(Failure::Missing(format!("the answer of the function: it said {error}; it")))
            }
        }
    }

    /// The message of the error, if it is one.
    #[must_use]
    pub fn error(&self) -> Option<&str> {
        match self {
            Self::Done(_) => None,
            Self::Failed(error) => error.get("errorMessage").and_then(Value::as_str),
        }
    }
}

#[derive(Default)]
struct Api {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    events: VecDeque<String>,
    replies: VecDeque<Reply>,
    stopped: bool,
}

impl Function {
    /// Starts it, with nothing of AWS in its environment but `environment`.
    ///
    /// # Errors
    ///
    /// When it is not built.
    pub fn start(environment: &[(&str, String)]) -> Result<Self, Failure> {
        Self::start_as(binary::crl_tool_with_aws()?, environment)
    }

    /// As [`Function::start`], with its temporary files on `disk`.
    ///
    /// # Errors
    ///
    /// As [`Function::start`].
    pub fn start_on(disk: &Disk, environment: &[(&str, String)]) -> Result<Self, Failure> {
        let mut command = disk.command(&binary::crl_tool_with_aws()?);
        command.env("TMPDIR", disk.path());
        Self::start_as(command, environment)
    }

    /// As [`Function::start`], by `command`.
    ///
    /// # Errors
    ///
    /// When it cannot be started.
    pub fn start_as(mut command: Command, environment: &[(&str, String)]) -> Result<Self, Failure> {
        let api = Arc::new(Api::default());
        let served = api.clone();
        let server = Loopback::start(move |stream| served.serve(stream))?;
        let address = server.address().to_string();
        let ambient = std::env::vars_os().map(|(name, _)| name);
        for name in ambient.filter(|name| name.to_string_lossy().starts_with("AWS_")) {
            command.env_remove(name);
        }
        command.envs([
            ("AWS_LAMBDA_RUNTIME_API", address.as_str()),
            ("AWS_LAMBDA_FUNCTION_NAME", "crl"),
            ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
            ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "512"),
        ]);
        let process = Process::spawn("the function", command.envs(environment.iter().cloned()))?;
        Ok(Self { process, api, _server: server })
    }

    /// Gives it an event, and waits for what comes of it.
    ///
    /// # Errors
    ///
    /// When it ends or says nothing in time.
    pub fn invoke(&mut self, event: &Value) -> Result<Reply, Failure> {
        self.send(event);
        self.reply()
    }

    /// Gives it an event.
    pub fn send(&self, event: &Value) {
        self.api.lock().events.push_back(event.to_string());
        self.api.changed.notify_all();
    }

    /// Waits for what comes of the oldest event without a reply.
    ///
    /// # Errors
    ///
    /// As [`Function::invoke`].
    pub fn reply(&mut self) -> Result<Reply, Failure> {
        let reply = until("the function's reply", || {
            if !self.process.is_running()? {
                return Err(Failure::Missing("the function has ended; it".to_owned()));
            }
            Ok(self.api.lock().replies.pop_front())
        });
        reply.map_err(|failure| failure.with_output(&self.process.output()))
    }

    /// The lines of its log, once there are so many: a reply may be faster than the line about it.
    ///
    /// # Errors
    ///
    /// When they do not come.
    pub fn log(&self, lines: usize) -> Result<Vec<Value>, Failure> {
        until("the function's log", || {
            let all = self.process.stdout().all();
            let log: Vec<Value> = all.iter().filter_map(|line| serde_json::from_str(line).ok()).collect();
            Ok((log.len() >= lines).then_some(log))
        })
    }

    /// The process.
    pub fn process(&mut self) -> &mut Process {
        &mut self.process
    }
}

impl Drop for Function {
    fn drop(&mut self) {
        self.api.lock().stopped = true;
        self.api.changed.notify_all();
    }
}

impl Api {
    fn serve(&self, stream: TcpStream) -> io::Result<()> {
        let mut stream = BufReader::new(stream);
        let Some(head) = Head::read(&mut stream)? else { return Ok(()) };
        let body = head.body(&mut stream)?;
        let json = || serde_json::from_str(&body).unwrap_or(Value::String(body.clone()));
        let mut more = String::new();
        let mut content = String::new();
        if head.target.ends_with("/invocation/next") {
            let Some(event) = self.next() else { return Ok(()) };
            let now = SystemTime::UNIX_EPOCH.elapsed().map_err(io::Error::other)?;
            let deadline = (now + PATIENCE).as_millis();
            more = format!("Lambda-Runtime-Aws-Request-Id: 1\r\nLambda-Runtime-Deadline-Ms: {deadline}\r\n");
            more +=
                "Lambda-Runtime-Invoked-Function-Arn: arn:aws:lambda:eu-west-1:123456789012:function:crl\r\n";
            content = event;
        } else if head.target.ends_with("/response") {
            self.lock().replies.push_back(Reply::Done(json()));
        } else if head.target.ends_with("/error") {
            self.lock().replies.push_back(Reply::Failed(json()));
        }
        let length = content.len();
        let head = format!("HTTP/1.1 200 OK\r\nConnection: close\r\n{more}Content-Length: {length}\r\n\r\n");
        stream.get_mut().write_all((head + &content).as_bytes())
    }

    /// The next event, once there is one.
    fn next(&self) -> Option<String> {
        let waiting = |state: &mut State| state.events.is_empty() && !state.stopped;
        let forever = Duration::from_secs(3600);
        let state = self.changed.wait_timeout_while(self.lock(), forever, waiting);
        state.unwrap_or_else(PoisonError::into_inner).0.events.pop_front()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
