//! Reading a CRL: what surrounds the entries ([`head`], [`tail`]), the entries themselves ([`entry`]), and the one
//! pass over all of it ([`scan`]).

mod common;
pub(crate) mod delta;
pub(crate) mod entry;
pub(crate) mod extension;
pub(crate) mod head;
pub(crate) mod input;
mod pem;
pub(crate) mod scan;
pub(crate) mod scope;
pub(crate) mod stored;
pub(crate) mod tail;
pub(crate) mod unproved;
mod window;
