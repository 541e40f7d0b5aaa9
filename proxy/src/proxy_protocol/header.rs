//! What stands in a PROXY protocol header, and whether it is all there. Pure: bytes in, a header or what is wrong with it out.

use std::net::SocketAddr;

use thiserror::Error;

use super::{v1, v2};
use crate::config::ProxyVersions;

/// A header, read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// The client's address. `None` when the balancer speaks for itself (a health check) or does not know.
    pub source: Option<SocketAddr>,
    /// The id of the VPC endpoint that the client came through.
    pub vpc_endpoint: Option<String>,
}

/// How far [`parse`] came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Parsed {
    /// All bytes belong to a header, and more of it are to come.
    Incomplete,
    /// A whole header.
    Complete {
        /// Its bytes; what follows them is the client's.
        length: usize,
        /// What it says.
        header: Header,
    },
}

/// Why bytes are not an acceptable header.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Malformed {
    /// They begin otherwise.
    #[error("the first bytes are not those of a PROXY protocol header that is allowed here")]
    NotAHeader,
    /// It is longer than allowed.
    #[error("{length} bytes, and {limit} are allowed")]
    TooLong {
        /// What it says its length is, or how much of it there is.
        length: usize,
        /// The limit.
        limit: usize,
    },
    /// Version 1: the line is not as specified.
    #[error("version 1: {0}")]
    Line(&'static str),
    /// Version 2: neither LOCAL nor PROXY.
    #[error("version and command {0:#04x}: neither LOCAL (0x20) nor PROXY (0x21)")]
    Command(u8),
    /// Version 2: not TCP.
    #[error(
        "family and protocol {0:#04x}: neither TCP over IPv4 (0x11) nor over IPv6 (0x21) nor unspecified (0x00)"
    )]
    Family(u8),
    /// Version 2: too short for the addresses of its family.
    #[error("{length} bytes after the fixed part: too few for two addresses and ports")]
    NoRoomForAddresses {
        /// What the header says.
        length: usize,
    },
    /// Version 2: a TLV that is longer than what is left, or a checksum that is not four bytes.
    #[error("a TLV has a length that cannot be")]
    Tlv,
    /// Version 2: the checksum is another one.
    #[error("its CRC32C is {found:#010x}, and it says {stated:#010x}")]
    Checksum {
        /// In the header.
        stated: u32,
        /// Of the header.
        found: u32,
    },
    /// Version 2: a TLV that may stand there once stands there twice.
    #[error("TLV {0:#04x} twice")]
    Twice(u8),
    /// Version 2: no such id.
    #[error("the VPC endpoint id is not 1 to 64 letters, digits and hyphens")]
    VpcEndpoint,
}

/// Reads the header at the beginning of `bytes`, of at most `limit` bytes. Bytes after it do not matter.
///
/// # Errors
///
/// As soon as the bytes cannot become a good header any more.
pub fn parse(bytes: &[u8], versions: ProxyVersions, limit: usize) -> Result<Parsed, Malformed> {
    let (v1, v2) = match versions {
        ProxyVersions::V1 => (true, false),
        ProxyVersions::V2 => (false, true),
        ProxyVersions::Any => (true, true),
    };
    if v2 && begins(bytes, v2::SIGNATURE) {
        v2::parse(bytes, limit)
    } else if v1 && begins(bytes, v1::SIGNATURE) {
        v1::parse(bytes)
    } else {
        Err(Malformed::NotAHeader)
    }
}

/// Whether `bytes` begin with `signature`, or are the beginning of it.
fn begins(bytes: &[u8], signature: &[u8]) -> bool {
    bytes.iter().zip(signature).all(|(byte, expected)| byte == expected)
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    /// A Network Load Balancer's health check, as captured: LOCAL, family 0x11, no addresses, a checksum and padding.
    const HEALTH_CHECK: [u8; 100] = {
        let begin = *b"\r\n\r\n\0\r\nQUIT\n\x20\x11\0\x54\x03\0\x04\xbc\xe5\x95\x1f\x04\0\x4a";
        let mut bytes = [0; 100];
        let (start, _) = bytes.split_at_mut(begin.len());
        start.copy_from_slice(&begin);
        bytes
    };

    const ENDPOINT: &str = "vpce-08d2bf15fac5001c9";

    /// PROXY, TCP over IPv4, from 192.0.2.7:40000, with these TLVs.
    fn v2(tlvs: &[u8]) -> Vec<u8> {
        let mut header = b"\r\n\r\n\0\r\nQUIT\n\x21\x11".to_vec();
        header.extend(u16::try_from(12 + tlvs.len()).unwrap().to_be_bytes());
        header.extend([192, 0, 2, 7, 10, 0, 0, 1, 0x9c, 0x40, 0x01, 0xbb]);
        header.extend(tlvs);
        header
    }

    fn tlv(kind: u8, value: &[u8]) -> Vec<u8> {
        let [high, low] = u16::try_from(value.len()).unwrap().to_be_bytes();
        [&[kind, high, low], value].concat()
    }

    fn endpoint() -> Vec<u8> {
        tlv(0xea, &[&[1], ENDPOINT.as_bytes()].concat())
    }

    fn whole(bytes: &[u8]) -> Result<Header, Malformed> {
        let Parsed::Complete { length, header } = parse(bytes, ProxyVersions::Any, 4_096)? else { panic!() };
        assert_eq!(length, bytes.len());
        Ok(header)
    }

    fn from(source: &str, vpc_endpoint: Option<&str>) -> Result<Header, Malformed> {
        Ok(Header { source: source.parse().ok(), vpc_endpoint: vpc_endpoint.map(str::to_owned) })
    }

    #[test]
    fn a_health_check_of_a_network_load_balancer_has_no_addresses() {
        assert_eq!(whole(&HEALTH_CHECK), from("", None));
    }

    #[test]
    fn the_checksum_is_the_one_that_a_network_load_balancer_computes() {
        // Its own header, made to speak for a client of unknown address: the same bytes but two, so another checksum.
        let mut relayed = HEALTH_CHECK;
        relayed[12] = 0x21;
        relayed[13] = 0x00;
        let Err(Malformed::Checksum { stated, found }) = whole(&relayed) else { panic!() };
        assert_eq!(stated, 0xbce5_951f);
        relayed[19..23].copy_from_slice(&found.to_be_bytes());
        assert_eq!(whole(&relayed), from("", None));
        // And the captured one is right about itself.
        let mut zeroed = HEALTH_CHECK;
        zeroed[19..23].fill(0);
        let castagnoli = crc::Crc::<u32>::new(&crc::CRC_32_ISCSI);
        assert_eq!(castagnoli.checksum(&zeroed), 0xbce5_951f);
    }

    #[test]
    fn addresses_of_both_families_are_read() {
        assert_eq!(whole(&v2(&[])), from("192.0.2.7:40000", None));
        let six = [
            &b"\r\n\r\n\0\r\nQUIT\n\x21\x21\0\x24"[..],
            &[0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7],
            &[0; 16],
            &[0x9c, 0x40, 0x01, 0xbb],
        ];
        assert_eq!(whole(&six.concat()), from("[2001:db8::7]:40000", None));
    }

    #[test]
    fn the_vpc_endpoint_is_read_among_other_tlvs() {
        let tlvs = [tlv(0x02, b"name"), tlv(0xea, &[2, 9]), endpoint(), tlv(0x04, &[0; 9])].concat();
        assert_eq!(whole(&v2(&tlvs)), from("192.0.2.7:40000", Some(ENDPOINT)));
    }

    #[test]
    fn text_is_read() {
        for (line, source) in [
            ("PROXY TCP4 192.0.2.7 198.51.100.1 40000 443\r\n", "192.0.2.7:40000"),
            ("PROXY TCP6 2001:db8::7 2001:db8::1 0 65535\r\n", "[2001:db8::7]:0"),
            ("PROXY UNKNOWN\r\n", ""),
            ("PROXY UNKNOWN whatever comes then\r\n", ""),
        ] {
            assert_eq!(whole(line.as_bytes()), from(source, None), "{line}");
        }
    }

    #[test]
    fn what_is_wrong_is_said() {
        let cut = |header: &[u8], at: usize| header[..at].to_vec();
        let with = |at: usize, byte: u8| {
            let mut header = v2(&[]);
            header[at] = byte;
            header
        };
        let line = |text: &str| format!("PROXY {text}\r\n").into_bytes();
        for (bytes, wanted) in [
            (b"\x16\x03\x01".to_vec(), "the first bytes"),
            (b"GET / HTTP/1.1\r\n".to_vec(), "the first bytes"),
            (b"PROXX".to_vec(), "the first bytes"),
            (with(12, 0x31), "version and command 0x31"),
            (with(12, 0x22), "version and command 0x22"),
            (with(13, 0x12), "family and protocol 0x12"),
            (with(13, 0x31), "family and protocol 0x31"),
            (with(14, 0xff), "65308 bytes, and 4096"),
            ([cut(&with(15, 11), 16), vec![0; 11]].concat(), "11 bytes after"),
            (v2(&[1]), "a TLV has"),
            (v2(&[1, 0, 9, 1]), "a TLV has"),
            (v2(&tlv(3, &[1, 2, 3, 4])), "its CRC32C is"),
            (v2(&tlv(3, &[1, 2, 3])), "a TLV has"),
            (v2(&[endpoint(), endpoint()].concat()), "TLV 0xea twice"),
            (v2(&tlv(0xea, b"\x01vpce-\r\nx: y")), "the VPC endpoint id"),
            (v2(&tlv(0xea, b"\x01")), "the VPC endpoint id"),
            (b"PROXY TCP4 ".repeat(10), "110 bytes, and 107"),
            (b"PROXY UNKNOWN\n".to_vec(), "version 1: a line that ends in LF alone"),
            (line("TCP5 1.2.3.4 1.2.3.4 1 2"), "version 1: a protocol"),
            (line("TCP4 1.2.3.4 ::1 1 2"), "version 1: an address"),
            (line("TCP4 1.2.3.04 1.2.3.4 1 2"), "version 1: an address"),
            (line("TCP4  1.2.3.4 1.2.3.4 1 2"), "version 1: an address"),
            (line("TCP4 1.2.3.4 1.2.3.4 1"), "version 1: a port"),
            (line("TCP4 1.2.3.4 1.2.3.4 +1 2"), "version 1: a port"),
            (line("TCP4 1.2.3.4 1.2.3.4 01 2"), "version 1: a port"),
            (line("TCP4 1.2.3.4 1.2.3.4 1 65536"), "version 1: a port"),
            (line("TCP4 1.2.3.4 1.2.3.4 1 2 3"), "version 1: more words"),
        ] {
            let malformed = parse(&bytes, ProxyVersions::Any, 4_096).expect_err(wanted);
            assert!(malformed.to_string().starts_with(wanted), "{malformed}, not {wanted}");
        }
    }

    #[test]
    fn only_the_versions_that_are_allowed_are_taken() {
        let line = b"PROXY UNKNOWN\r\n";
        for (bytes, allowed) in [(&line[..], ProxyVersions::V1), (&HEALTH_CHECK, ProxyVersions::V2)] {
            for versions in [ProxyVersions::V1, ProxyVersions::V2] {
                let parsed = parse(bytes, versions, 4_096);
                assert_eq!(parsed == Err(Malformed::NotAHeader), versions != allowed, "{parsed:?}");
            }
        }
    }

    fn headers() -> impl Strategy<Value = (Vec<u8>, Option<SocketAddr>)> {
        let lines = (any::<SocketAddr>(), any::<u16>()).prop_map(|(source, port)| {
            let (word, ip) = (if source.is_ipv4() { "TCP4" } else { "TCP6" }, source.ip());
            let line = format!("PROXY {word} {ip} {ip} {} {port}\r\n", source.port());
            (line.into_bytes(), Some(SocketAddr::new(ip, source.port())))
        });
        let binary = vec((0x10_u8..0xe0, vec(any::<u8>(), 0..40)), 0..5).prop_map(|tlvs| {
            let tlvs: Vec<_> = tlvs.iter().flat_map(|(kind, value)| tlv(*kind, value)).collect();
            (v2(&tlvs), "192.0.2.7:40000".parse().ok())
        });
        prop_oneof![lines, binary]
    }

    proptest! {
        #[test]
        fn a_header_is_read_wherever_its_bytes_are_cut_and_whatever_follows((bytes, source) in headers(), rest: Vec<u8>) {
            for end in 0..bytes.len() {
                prop_assert_eq!(parse(&bytes[..end], ProxyVersions::Any, 4_096), Ok(Parsed::Incomplete));
            }
            let header = Header { source, vpc_endpoint: None };
            let length = bytes.len();
            let followed = [bytes, rest].concat();
            prop_assert_eq!(parse(&followed, ProxyVersions::Any, 4_096), Ok(Parsed::Complete { length, header }));
        }

        #[test]
        fn nothing_is_taken_that_is_not_there(mut bytes: Vec<u8>, signature in 0..3_usize, limit in 107..300_usize) {
            let signature = [&b""[..], b"PROXY ", b"\r\n\r\n\0\r\nQUIT\n"][signature];
            bytes.splice(0..0, signature.iter().copied());
            if let Ok(Parsed::Complete { length, .. }) = parse(&bytes, ProxyVersions::Any, limit) {
                prop_assert!(length <= bytes.len() && length <= limit);
            }
        }
    }
}
