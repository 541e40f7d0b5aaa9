//! Ports for programs that must be told theirs.

use std::net::{Ipv4Addr, TcpListener};

use crate::Failure;

/// Free ports of the loopback address, all different. Another program may take one before it is used: start again then.
///
/// # Errors
///
/// When the operating system has none.
pub fn free<const N: usize>() -> Result<[u16; N], Failure> {
    // All are held together, so that none comes twice.
    let listeners: Vec<TcpListener> =
        (0..N).map(|_| TcpListener::bind((Ipv4Addr::LOCALHOST, 0))).collect::<Result<_, _>>()?;
    let mut ports = [0; N];
    for (port, listener) in ports.iter_mut().zip(&listeners) {
        *port = listener.local_addr()?.port();
    }
    Ok(ports)
}
