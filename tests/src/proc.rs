//! What the kernel's accounting knows about a process.

use std::path::Path;
use std::time::Duration;

use crate::{Failure, files};

/// CPU time of all threads of a process, user and system, to the nanosecond.
///
/// Threads that have ended are not in it: compare two readings of a process whose workers live on.
///
/// # Errors
///
/// When the process has ended.
pub fn cpu_time(pid: u32) -> Result<Duration, Failure> {
    let mut nanoseconds = 0;
    for text in of_threads(pid, "schedstat")? {
        nanoseconds += text.split(' ').next().and_then(|field| field.parse().ok()).unwrap_or(0);
    }
    Ok(Duration::from_nanos(nanoseconds))
}

/// The most physical memory that a process has ever used, in bytes.
///
/// # Errors
///
/// When the process has ended.
pub fn peak_memory_bytes(pid: u32) -> Result<u64, Failure> {
    status_bytes(pid, "VmHWM:")
}

/// Counts the most physical memory of a process anew, from what it uses now.
///
/// # Errors
///
/// When the process has ended, or is another user's.
pub fn forget_peak_memory(pid: u32) -> Result<(), Failure> {
    // proc(5), /proc/pid/clear_refs: 5 resets the peak resident set size.
    files::write(Path::new(&format!("/proc/{pid}/clear_refs")), "5")
}

fn status_bytes(pid: u32, name: &str) -> Result<u64, Failure> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let field = status.lines().find_map(|line| line.strip_prefix(name));
    let kib =
        field.and_then(|rest| rest.trim().strip_suffix(" kB")).and_then(|number| number.parse::<u64>().ok());
    kib.map(|kib| kib * 1024).ok_or_else(|| Failure::Missing(format!("{name} of process {pid}")))
}

/// The physical memory that a process uses now, in bytes.
///
/// # Errors
///
/// When the process has ended.
pub fn memory_bytes(pid: u32) -> Result<u64, Failure> {
    status_bytes(pid, "VmRSS:")
}

/// The physical memory of a process now, what it shares counted in part (PSS), in bytes.
///
/// # Errors
///
/// When the process has ended.
pub fn proportional_memory_bytes(pid: u32) -> Result<u64, Failure> {
    let rollup = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup"))?;
    let field = rollup.lines().find_map(|line| line.strip_prefix("Pss:"));
    let kib =
        field.and_then(|rest| rest.trim().strip_suffix(" kB")).and_then(|number| number.parse::<u64>().ok());
    kib.map(|kib| kib * 1024).ok_or_else(|| Failure::Missing(format!("Pss of process {pid}")))
}

/// The processes that a process has started and that still run.
///
/// # Errors
///
/// When the process has ended.
pub fn children(pid: u32) -> Result<Vec<u32>, Failure> {
    let mut children = Vec::new();
    for text in of_threads(pid, "children")? {
        children.extend(text.split_whitespace().filter_map(|child| child.parse::<u32>().ok()));
    }
    Ok(children)
}

/// The threads of a process: the name of each, and how nice it is to others.
///
/// # Errors
///
/// When the process has ended.
pub fn niceness(pid: u32) -> Result<Vec<(String, i32)>, Failure> {
    // proc(5): `7 (name) S …`, where the state is the third field, and the niceness the 19th.
    let thread = |text: String| {
        let (name, rest) = text.split_once('(')?.1.rsplit_once(')')?;
        Some((name.to_owned(), rest.split_whitespace().nth(19 - 3)?.parse().ok()?))
    };
    Ok(of_threads(pid, "stat")?.into_iter().filter_map(thread).collect())
}

/// What `file` says of each thread.
fn of_threads(pid: u32, file: &str) -> Result<Vec<String>, Failure> {
    let mut texts = Vec::new();
    for task in std::fs::read_dir(format!("/proc/{pid}/task"))? {
        // A thread may end between the listing and the reading.
        texts.extend(std::fs::read_to_string(task?.path().join(file)));
    }
    Ok(texts)
}
