//! CRLs that are not about all certificates of their issuer (RFC 5280 §5.2.5, §6.3.3), through the binary.

use crate::der::{element, entry, extension, reason, sequence};
use crate::forge::{Crl, pem};
use crate::stage::{Stage, code, stderr, stdout};
use rcgen::{BasicConstraints, CertificateParams, CustomExtension, IsCa, KeyPair, SerialNumber};

const HERE: &str = "http://crl.example/partition-1.crl";
const ELSEWHERE: &str = "http://crl.example/partition-2.crl";
const USERS: &[u8] = &[0x81, 1, 0xff];
const CAS: &[u8] = &[0x82, 1, 0xff];
const ATTRIBUTES: &[u8] = &[0x85, 1, 0xff];
/// keyCompromise and cACompromise.
const COMPROMISES: &[u8] = &[5, 0x60];
/// All the others.
const OTHERS: &[u8] = &[7, 0x1f, 0x80];

pub(crate) fn uri(address: &str) -> Vec<u8> {
    element(0x86, &[address.as_bytes()])
}

/// The field of a distribution point's names.
pub(crate) fn named(names: &[u8]) -> Vec<u8> {
    element(0xa0, &[&element(0xa0, &[names])])
}

fn reasons(tag: u8, flags: &[u8]) -> Vec<u8> {
    element(tag, &[flags])
}

impl Stage {
    /// Builds `NAME.crlx` from a CRL of this scope that revokes 1.
    fn scoped(&self, name: &str, scope: &[&[u8]]) {
        let point = extension(28, true, &sequence(scope));
        let crl = Crl::of(&self.ca)
            .entries(&[entry(&[1], &[reason(1)])])
            .change(|crl| crl.extensions.push(point))
            .signed_by(&self.ca);
        self.write(&format!("{name}.crl"), &crl);
        let (crl, out) = (format!("{name}.crl"), format!("{name}.crlx"));
        let built = self.run(&["build", "--crl", &crl, "--issuer", "ca.pem", "--out", &out]);
        assert_eq!(code(&built), 0, "{name}: {}", stderr(&built));
    }

    /// Writes a certificate of the CA with these distribution points.
    fn certificate(&self, file: &str, serial: u64, ca: bool, points: &[Vec<u8>]) {
        let mut params = CertificateParams::default();
        params.serial_number = Some(SerialNumber::from(serial));
        if ca {
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        }
        if !points.is_empty() {
            let points = sequence(&[&points.concat()]);
            params.custom_extensions.push(CustomExtension::from_oid_content(&[2, 5, 29, 31], points));
        }
        let issuer =
            rcgen::Issuer::from_ca_cert_der(&self.ca.certificate.clone().into(), &self.ca.key).unwrap();
        let certificate = params.signed_by(&KeyPair::generate().unwrap(), &issuer).unwrap();
        self.write(file, pem("CERTIFICATE", certificate.der()).as_bytes());
    }

    /// The exit code of a lookup of `certificate` in these indexes.
    fn status(&self, indexes: &[&str], certificate: &str) -> i32 {
        let output = self.run(&[&["lookup"], indexes, &["--cert", certificate]].concat());
        let word = match code(&output) {
            0 => "not revoked: ",
            1 => "revoked: ",
            3 => "not covered: ",
            other => panic!("{other}: {}", stderr(&output)),
        };
        assert!(stdout(&output).starts_with(word), "{}", stdout(&output));
        code(&output)
    }
}

pub(crate) fn point(fields: &[&[u8]]) -> Vec<u8> {
    sequence(fields)
}

#[test]
fn a_partition_covers_the_certificates_that_name_it() {
    let stage = Stage::set();
    stage.scoped("one", &[&named(&uri(HERE))]);
    stage.certificate("good.pem", 7, false, &[point(&[&named(&uri(HERE))])]);
    stage.certificate("revoked.pem", 1, false, &[point(&[&named(&uri(HERE))])]);
    stage.certificate("other.pem", 7, false, &[point(&[&named(&uri(ELSEWHERE))])]);
    stage.certificate("other-listed.pem", 1, false, &[point(&[&named(&uri(ELSEWHERE))])]);
    stage.certificate("none.pem", 7, false, &[]);
    let both = [point(&[&named(&uri(ELSEWHERE))]), point(&[&named(&[uri("ldap://x"), uri(HERE)].concat())])];
    stage.certificate("both.pem", 7, false, &both);
    // Another CA's CRLs are there.
    let foreign = point(&[&named(&uri(HERE)), &element(0xa2, &[&element(0xa4, &[&sequence(&[])])])]);
    stage.certificate("foreign.pem", 7, false, &[foreign]);
    stage.certificate("malformed.pem", 7, false, &[vec![0x30, 0x05, 0xa0]]);
    for (certificate, expected) in [
        ("good.pem", 0),
        ("revoked.pem", 1),
        ("both.pem", 0),
        ("other.pem", 3),
        ("other-listed.pem", 3),
        ("none.pem", 3),
        ("foreign.pem", 3),
        ("malformed.pem", 3),
    ] {
        assert_eq!(stage.status(&["one.crlx"], certificate), expected, "{certificate}");
    }
    // Whatever they name, the complete CRL covers them.
    assert_eq!(code(&stage.run(&crate::stage::BUILD)), 0);
    for certificate in ["good.pem", "other.pem", "none.pem", "foreign.pem", "malformed.pem"] {
        assert_eq!(stage.status(&["ca.crlx"], certificate), 0, "{certificate}");
        assert_eq!(stage.status(&["one.crlx", "ca.crlx"], certificate), 0, "{certificate}");
    }
}

#[test]
fn the_partitions_of_a_ca_cover_all_of_it_together() {
    let stage = Stage::set();
    stage.scoped("one", &[&named(&uri(HERE)), USERS]);
    stage.scoped("two", &[&named(&uri(ELSEWHERE))]);
    stage.certificate("one.pem", 7, false, &[point(&[&named(&uri(HERE))])]);
    stage.certificate("two.pem", 7, false, &[point(&[&named(&uri(ELSEWHERE))])]);
    stage.certificate("three.pem", 7, false, &[point(&[&named(&uri("http://crl.example/3"))])]);
    let both = ["one.crlx", "two.crlx"];
    for (certificate, expected) in [("one.pem", 0), ("two.pem", 0), ("three.pem", 3)] {
        assert_eq!(stage.status(&both, certificate), expected, "{certificate}");
    }
    assert_eq!(stage.status(&both[..1], "two.pem"), 3);
    // Indexes of different issuers are not one set.
    let other = Stage::set();
    assert_eq!(code(&other.run(&crate::stage::BUILD)), 0);
    stage.write("other.crlx", &other.read("ca.crlx"));
    let mixed = stage.run(&["lookup", "one.crlx", "other.crlx", "--serial", "7"]);
    assert_eq!(code(&mixed), 2);
    assert!(stderr(&mixed).contains("several issuers"), "{}", stderr(&mixed));
}

#[test]
fn a_kind_of_certificates_is_covered_alone() {
    let stage = Stage::set();
    stage.certificate("user.pem", 7, false, &[]);
    stage.certificate("ca-below.pem", 7, true, &[]);
    for (name, scope, user, ca) in
        [("users", USERS, 0, 3), ("cas", CAS, 3, 0), ("attributes", ATTRIBUTES, 3, 3)]
    {
        stage.scoped(name, &[scope]);
        let index = format!("{name}.crlx");
        assert_eq!(stage.status(&[&index], "user.pem"), user, "{name}");
        assert_eq!(stage.status(&[&index], "ca-below.pem"), ca, "{name}");
    }
}

#[test]
fn only_all_reasons_together_are_good() {
    let stage = Stage::set();
    stage.scoped("compromises", &[&reasons(0x83, COMPROMISES)]);
    stage.scoped("others", &[&reasons(0x83, OTHERS)]);
    stage.scoped("point", &[&named(&uri(HERE))]);
    stage.certificate("user.pem", 7, false, &[]);
    stage.certificate("listed.pem", 1, false, &[]);
    // The certificate says that the CRLs there are about some reasons only.
    let limited = point(&[&named(&uri(HERE)), &reasons(0x81, COMPROMISES)]);
    stage.certificate("limited.pem", 7, false, &[limited]);
    assert_eq!(stage.status(&["compromises.crlx"], "user.pem"), 3);
    assert_eq!(stage.status(&["others.crlx"], "user.pem"), 3);
    assert_eq!(stage.status(&["compromises.crlx", "others.crlx"], "user.pem"), 0);
    assert_eq!(stage.status(&["compromises.crlx"], "listed.pem"), 1);
    assert_eq!(stage.status(&["point.crlx"], "limited.pem"), 3);
    assert_eq!(stage.status(&["point.crlx", "others.crlx"], "limited.pem"), 0);
    let answer = stdout(&stage.run(&["lookup", "compromises.crlx", "--cert", "user.pem"]));
    assert!(answer.contains("keyCompromise, cACompromise"), "{answer}");
}

#[test]
fn names_are_those_of_the_standard() {
    let stage = Stage::set();
    let (_, ca) = x509_parser::parse_x509_certificate(&stage.ca.certificate).unwrap();
    let issuer = ca.subject().as_raw().to_vec();
    let rdn = sequence(&[&element(0x06, &[&[0x55, 4, 3]]), &element(0x0c, &[b"part"])]);
    let directory = |name: &[u8]| element(0xa4, &[name]);
    let content = &issuer[2..];
    let full = directory(&sequence(&[content, &element(0x31, &[&rdn])]));
    // A name relative to the issuer's is the same as the full one.
    stage.scoped("relative", &[&element(0xa0, &[&element(0xa1, &[&rdn])])]);
    stage.certificate("full.pem", 7, false, &[point(&[&named(&full)])]);
    stage.certificate("relative.pem", 7, false, &[point(&[&element(0xa0, &[&element(0xa1, &[&rdn])])])]);
    stage.certificate("none.pem", 7, false, &[]);
    for (certificate, expected) in [("full.pem", 0), ("relative.pem", 0), ("none.pem", 3)] {
        assert_eq!(stage.status(&["relative.crlx"], certificate), expected, "{certificate}");
    }
    // A CRL found elsewhere is one of a point with the issuer's name; a point without a name has its CRL issuer's.
    stage.scoped("issuer", &[&named(&directory(&issuer))]);
    stage.certificate("own.pem", 7, false, &[point(&[&element(0xa2, &[&directory(&issuer)])])]);
    for certificate in ["none.pem", "own.pem", "full.pem"] {
        assert_eq!(stage.status(&["issuer.crlx"], certificate), 0, "{certificate}");
    }
}

#[test]
fn a_serial_alone_is_never_good_in_a_scope() {
    let stage = Stage::set();
    stage.scoped("one", &[&named(&uri(HERE)), USERS]);
    let unknown = stage.run(&["lookup", "one.crlx", "--serial", "7"]);
    assert_eq!(code(&unknown), 3);
    assert!(stdout(&unknown).contains("serial number alone"), "{}", stdout(&unknown));
    assert_eq!(code(&stage.run(&["lookup", "one.crlx", "--serial", "1"])), 1);
    assert_eq!(code(&stage.run(&crate::stage::BUILD)), 0);
    for order in [["one.crlx", "ca.crlx"], ["ca.crlx", "one.crlx"]] {
        assert_eq!(code(&stage.run(&["lookup", order[0], order[1], "--serial", "7"])), 0);
    }
    let text = stdout(&stage.run(&["inspect", "one.crlx"]));
    let expected = format!("scope         distribution point URI:{HERE}; end-entity certificates only\n");
    assert!(text.contains(&expected), "{text}");
    assert!(stdout(&stage.run(&["inspect", "ca.crlx"])).contains("scope         none\n"));
    assert_eq!(code(&stage.run(&["verify", "one.crlx", "--issuer", "ca.pem"])), 0);
}
