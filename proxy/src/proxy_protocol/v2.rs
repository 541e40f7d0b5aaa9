//! Version 2: a fixed part of 16 bytes, the addresses, and TLVs.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crc::{CRC_32_ISCSI, Crc};

use super::header::{Header, Malformed, Parsed};

pub(super) const SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";

/// The signature, version and command, family and protocol, and the length of what follows.
const FIXED: usize = 16;

/// §2.2.4. The checksum goes over the header, with zeros in its own place.
const TLV_CRC32C: u8 = 0x03;
/// Amazon's: one byte of subtype, and the value.
const TLV_AWS: u8 = 0xea;
const AWS_VPC_ENDPOINT_ID: u8 = 0x01;

const CRC32C: Crc<u32> = Crc::<u32>::new(&CRC_32_ISCSI);

pub(super) fn parse(bytes: &[u8], limit: usize) -> Result<Parsed, Malformed> {
    let Some((fixed, rest)) = bytes.split_first_chunk::<FIXED>() else { return Ok(Parsed::Incomplete) };
    let [.., command, family, high, low] = *fixed;
    let following = usize::from(u16::from_be_bytes([high, low]));
    let length = FIXED + following;
    if !matches!(command, 0x20 | 0x21) {
        return Err(Malformed::Command(command));
    }
    if length > limit {
        return Err(Malformed::TooLong { length, limit });
    }
    let Some(block) = rest.get(..following) else { return Ok(Parsed::Incomplete) };
    // §2.2: what a LOCAL header carries is to be skipped, its family included. A Network Load Balancer's health checks say
    // 0x11 and have no addresses.
    let header = if command == 0x20 {
        Header { source: None, vpc_endpoint: None }
    } else {
        let (source, tlvs) = addresses(family, block)?;
        Header { source, vpc_endpoint: vpc_endpoint(bytes.get(..length).unwrap_or_default(), tlvs)? }
    };
    Ok(Parsed::Complete { length, header })
}

/// The source address, and what follows the address block.
fn addresses(family: u8, block: &[u8]) -> Result<(Option<SocketAddr>, &[u8]), Malformed> {
    let short = Malformed::NoRoomForAddresses { length: block.len() };
    match family {
        0x00 => Ok((None, block)),
        0x11 => {
            let ([a, b, c, d, _, _, _, _, high, low, _, _], tlvs) = block.split_first_chunk().ok_or(short)?;
            Ok((Some(address(Ipv4Addr::new(*a, *b, *c, *d), [*high, *low])), tlvs))
        }
        0x21 => {
            let (ip, rest) = block.split_first_chunk::<16>().ok_or(short.clone())?;
            let (_destination, rest) = rest.split_first_chunk::<16>().ok_or(short.clone())?;
            let ([high, low, _, _], tlvs) = rest.split_first_chunk().ok_or(short)?;
            Ok((Some(address(Ipv6Addr::from(*ip), [*high, *low])), tlvs))
        }
        other => Err(Malformed::Family(other)),
    }
}

fn address(ip: impl Into<IpAddr>, port: [u8; 2]) -> SocketAddr {
    SocketAddr::new(ip.into(), u16::from_be_bytes(port))
}

/// Reads `tlvs`, which are the end of `header`; checks the checksum if there is one.
fn vpc_endpoint(header: &[u8], mut tlvs: &[u8]) -> Result<Option<String>, Malformed> {
    let (mut endpoint, mut checked) = (None, false);
    while !tlvs.is_empty() {
        let ([kind, high, low], rest) = tlvs.split_first_chunk().ok_or(Malformed::Tlv)?;
        let length = usize::from(u16::from_be_bytes([*high, *low]));
        let (value, after) = rest.split_at_checked(length).ok_or(Malformed::Tlv)?;
        match (*kind, value) {
            (TLV_CRC32C, _) if checked => return Err(Malformed::Twice(TLV_CRC32C)),
            (TLV_CRC32C, value) => {
                checksum(header, value, header.len() - after.len())?;
                checked = true;
            }
            (TLV_AWS, [AWS_VPC_ENDPOINT_ID, ..]) if endpoint.is_some() => {
                return Err(Malformed::Twice(TLV_AWS));
            }
            (TLV_AWS, [AWS_VPC_ENDPOINT_ID, id @ ..]) => endpoint = Some(identifier(id)?),
            _ => {}
        }
        tlvs = after;
    }
    Ok(endpoint)
}

/// Compares `value`, which ends at `end` in `header`, with the checksum of `header`.
fn checksum(header: &[u8], value: &[u8], end: usize) -> Result<(), Malformed> {
    let stated = u32::from_be_bytes(value.try_into().map_err(|_length| Malformed::Tlv)?);
    let (before, after) = (header.get(..end.saturating_sub(4)), header.get(end..));
    let mut digest = CRC32C.digest();
    digest.update(before.unwrap_or_default());
    digest.update(&[0; 4]);
    digest.update(after.unwrap_or_default());
    let found = digest.finalize();
    if found == stated { Ok(()) } else { Err(Malformed::Checksum { stated, found }) }
}

/// It goes into headers and logs, so it is what such an id can be.
fn identifier(id: &[u8]) -> Result<String, Malformed> {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'-';
    if !(1..=64).contains(&id.len()) || !id.iter().all(plain) {
        return Err(Malformed::VpcEndpoint);
    }
    Ok(String::from_utf8_lossy(id).into_owned())
}
