//! Who may sign CRLs about whose certificates. The questions are those of somebody who owns one of several CAs: can its CRLs
//! let a revoked client of another CA back in, or stand in for a CRL that is missing?

mod forged;

use postern_tests::Outcome;
use time::{Duration, OffsetDateTime};

use self::forged::{Crl, Forge, Holder, Traits, crls_of};

/// A certificate for signing CRLs alone.
fn for_crls(serial: u64) -> Traits {
    Traits { serial, signs_crls: true, ..Traits::default() }
}

fn listing(serials: &[u8]) -> Crl {
    Crl { entries: serials.iter().map(|serial| (*serial, None)).collect(), ..Crl::default() }
}

fn indirect(entries: &[(u8, Option<&'static str>)]) -> Crl {
    Crl { entries: entries.to_vec(), indirect: true, ..Crl::default() }
}

#[test]
fn a_key_for_crls_alone_counts_if_it_is_named() -> Outcome {
    let forge = Forge::new()?;
    let root = Holder::root("Root")?;
    let ca = root.issue("CA", &Traits { serial: 2, is_ca: true, ..Traits::default() })?;
    let of_root = forge.index("root", &root, &Crl::default())?;
    let (good, revoked) = (ca.client(7, None)?, ca.client(8, None)?);
    // Certified by the CA's own key, or beside it by the CA above.
    for (name, signer) in
        [("child", ca.issue("CA", &for_crls(9))?), ("sibling", root.issue("CA", &for_crls(9))?)]
    {
        let listed = forge.index(name, &signer, &listing(&[8]))?;
        let above: &[&Holder] = if name == "child" { &[&signer, &ca, &root] } else { &[&signer, &root] };
        let named = forge.pem(&format!("{name}.pem"), above)?;
        let decide =
            |client, signers: &[_]| forge.decide(&[&root], &[client, &ca], &[&listed, &of_root], signers);
        assert!(decide(&good, &[])?.starts_with("crl_missing"), "{name}: nobody named it");
        // The signer below the CA is in none of the CRLs of the CA's own key, as there are none.
        let expected = if name == "child" { "crl_signer_refused" } else { "accepted" };
        assert!(decide(&good, &[&named])?.starts_with(expected), "{name}: {}", decide(&good, &[&named])?);
        let expected = if name == "child" { "crl_signer_refused" } else { "certificate_revoked" };
        assert!(decide(&revoked, &[&named])?.starts_with(expected), "{name}");
    }
    Ok(())
}

#[test]
fn two_cas_of_one_name_never_mix() -> Outcome {
    let forge = Forge::new()?;
    let root = Holder::root("Root")?;
    let (ours, theirs) = (root.ca("CA", 2)?, root.ca("CA", 3)?);
    let of_root = forge.index("root", &root, &Crl::default())?;
    let (of_ours, of_theirs) =
        (forge.index("ours", &ours, &listing(&[7]))?, forge.index("theirs", &theirs, &Crl::default())?);
    let client = ours.client(7, None)?;
    let chain = [&client, &ours];
    // The other CA of the name is named as a CRL signer, for whatever reason.
    let named = forge.pem("theirs.pem", &[&theirs, &root])?;
    let without = forge.decide(&[&root], &chain, &[&of_theirs, &of_root], &[&named])?;
    assert!(without.starts_with("crl_missing"), "its CRL stands in for nobody's: {without}");
    let both = forge.decide(&[&root], &chain, &[&of_ours, &of_theirs, &of_root], &[&named])?;
    assert!(both.starts_with("certificate_revoked"), "{both}");
    // Nor does one that lists a serial take clients of the other out.
    let other = theirs.client(7, None)?;
    let theirs = forge.decide(&[&root], &[&other, &theirs], &[&of_ours, &of_theirs, &of_root], &[&named])?;
    assert_eq!(theirs, "accepted");
    Ok(())
}

#[test]
fn an_indirect_crl_counts_if_its_signer_is_named_here_and_in_the_certificate() -> Outcome {
    let forge = Forge::new()?;
    let root = Holder::root("Root")?;
    let (ca, lister) = (root.ca("CA", 2)?, root.ca("Lister", 3)?);
    let of_root = forge.index("root", &root, &Crl::default())?;
    let list = forge.index("list", &lister, &indirect(&[(9, None), (8, Some("CA"))]))?;
    let named = forge.pem("lister.pem", &[&lister, &root])?;
    let decide = |serial, points, signers: &[_]| {
        forge.decide(&[&root], &[&ca.client(serial, points)?, &ca], &[&list, &of_root], signers)
    };
    let points = || Some(crls_of("Lister"));
    assert_eq!(decide(7, points(), &[&named])?, "accepted");
    assert_eq!(decide(9, points(), &[&named])?, "accepted", "9 is one of the lister's own");
    assert!(decide(8, points(), &[&named])?.starts_with("certificate_revoked"));
    assert!(decide(7, points(), &[])?.starts_with("crl_missing"), "nobody named it here");
    for points in [None, Some(crls_of("Another"))] {
        let decision = decide(7, points, &[&named])?;
        assert!(decision.starts_with("crl_not_covering"), "the certificate does not name it: {decision}");
    }
    Ok(())
}

#[test]
fn an_indirect_crl_cannot_let_a_revoked_client_back_in() -> Outcome {
    let forge = Forge::new()?;
    let root = Holder::root("Root")?;
    let (ca, lister) = (root.ca("CA", 2)?, root.ca("Lister", 3)?);
    let of_root = forge.index("root", &root, &Crl::default())?;
    let of_ca = forge.index("ca", &ca, &listing(&[7]))?;
    let list = forge.index("list", &lister, &indirect(&[(8, Some("CA"))]))?;
    let named = forge.pem("lister.pem", &[&lister, &root])?;
    let decide = |serial, points| {
        let client = ca.client(serial, points)?;
        forge.decide(&[&root], &[&client, &ca], &[&of_ca, &list, &of_root], &[&named])
    };
    assert!(decide(7, Some(crls_of("Lister")))?.starts_with("certificate_revoked"), "as its own CA says");
    assert!(decide(8, Some(crls_of("Lister")))?.starts_with("certificate_revoked"), "as the lister says");
    assert_eq!(decide(8, None)?, "accepted", "the lister has no say about who does not name it");
    Ok(())
}

#[test]
fn a_signer_below_another_trust_anchor_has_no_say() -> Outcome {
    let forge = Forge::new()?;
    let (ours, theirs) = (Holder::root("Ours")?, Holder::root("Theirs")?);
    let ca = ours.ca("CA", 2)?;
    let of_ours = forge.index("ours", &ours, &Crl::default())?;
    let of_theirs = forge.index("theirs", &theirs, &Crl::default())?;
    let client = ca.client(7, Some(crls_of("Lister")))?;
    // Of the name that the certificate gives, and of the CA's own.
    for (file, name) in [("lister", "Lister"), ("namesake", "CA")] {
        let signer = theirs.issue(name, &for_crls(3))?;
        let list = forge.index(file, &signer, &indirect(&[]))?;
        let named = forge.pem(&format!("{file}.pem"), &[&signer, &theirs])?;
        let indexes = [&list, &of_ours, &of_theirs];
        let decision = forge.decide(&[&ours, &theirs], &[&client, &ca], &indexes, &[&named])?;
        assert!(decision.starts_with("crl_missing"), "{name}: {decision}");
    }
    Ok(())
}

#[test]
fn a_signer_that_is_revoked_or_expired_or_covered_by_nothing_refuses_its_clients() -> Outcome {
    let forge = Forge::new()?;
    let root = Holder::root("Root")?;
    let ca = root.ca("CA", 2)?;
    let client = ca.client(7, Some(crls_of("Lister")))?;
    let expired = Traits { not_after: Some(OffsetDateTime::now_utc() - Duration::days(1)), ..for_crls(3) };
    for (file, traits, of_root, expected) in [
        ("good", for_crls(3), Some(listing(&[4])), "accepted"),
        (
            "revoked",
            for_crls(3),
            Some(listing(&[3])),
            "crl_signer_refused: the CRL of CN=Lister does not count",
        ),
        ("expired", expired, Some(Crl::default()), "crl_signer_refused"),
    ] {
        let signer = root.issue("Lister", &traits)?;
        let list = forge.index(file, &signer, &indirect(&[]))?;
        let named = forge.pem(&format!("{file}.pem"), &[&signer, &root])?;
        let of_root = of_root.map(|crl| forge.index("root", &root, &crl)).transpose()?;
        let indexes: Vec<_> = [&list].into_iter().chain(&of_root).collect();
        let decision = forge.decide(&[&root], &[&client, &ca], &indexes, &[&named])?;
        assert!(decision.starts_with(expected), "{file}: {decision}");
    }
    // Its own CRL cannot vouch for it unless its certificate says so.
    let middle = root.issue("Middle", &Traits { serial: 5, is_ca: true, ..Traits::default() })?;
    let of_root = forge.index("root", &root, &Crl::default())?;
    for (file, points, expected) in
        [("uncovered", None, "crl_signer_refused"), ("own", Some(crls_of("Lister")), "accepted")]
    {
        let signer = middle.issue("Lister", &Traits { points, ..for_crls(3) })?;
        let list = forge.index(file, &signer, &indirect(&[]))?;
        let named = forge.pem(&format!("{file}.pem"), &[&signer, &middle, &root])?;
        let decision = forge.decide(&[&root], &[&client, &ca], &[&list, &of_root], &[&named])?;
        assert!(decision.starts_with(expected), "{file}: {decision}");
    }
    Ok(())
}

#[test]
fn a_file_that_leads_to_no_trust_anchor_is_refused_by_name() -> Outcome {
    let forge = Forge::new()?;
    let (root, impostor, other) = (Holder::root("Root")?, Holder::root("Root")?, Holder::root("Other")?);
    let (ca, leaf) = (root.ca("CA", 2)?, root.client(5, None)?);
    let of_root = forge.index("root", &root, &Crl::default())?;
    let signer = root.issue("Lister", &for_crls(3))?;
    let below_a_leaf = leaf.issue("Lister", &for_crls(3))?;
    let cannot = root.issue("Lister", &Traits { serial: 3, is_ca: true, ..Traits::default() })?;
    let files: [(&[&Holder], &str); 5] = [
        (&[&signer, &impostor], "the next one's key did not sign it"),
        (&[&signer, &other], "it names another issuer"),
        (&[&below_a_leaf, &leaf, &root], "certificate 2 is not a CA's"),
        (&[&cannot, &root], "does not allow its key to sign CRLs"),
        (&[&leaf, &root], "does not allow its key to sign CRLs"),
    ];
    let client = ca.client(7, None)?;
    for (chain, expected) in files {
        let named = forge.pem("named.pem", chain)?;
        let decision = forge.decide(&[&root], &[&client, &ca], &[&of_root], &[&named])?;
        assert!(decision.contains("revocation.crl_signers") && decision.contains(expected), "{decision}");
    }
    Ok(())
}

#[test]
fn a_crl_without_a_next_update_is_refused_by_name() -> Outcome {
    let forge = Forge::new()?;
    let root = Holder::root("Root")?;
    let index = forge.index("root", &root, &Crl { without_next_update: true, ..Crl::default() })?;
    let decision = forge.decide(&[&root], &[&root.client(7, None)?], &[&index], &[])?;
    assert!(decision.contains("the CRL has no nextUpdate"), "{decision}");
    Ok(())
}
