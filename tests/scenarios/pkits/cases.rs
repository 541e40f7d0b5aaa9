//! What the PKITS document describes: for each test, the path and the CRLs that there are.

/// One test. Every file is named without its extension.
pub(super) struct Case {
    /// In the PKITS document.
    pub(super) section: &'static str,
    /// The end entity's certificate without `EE`; how it begins is the published result.
    pub(super) leaf: &'static str,
    /// The CAs above it, without the trust anchor.
    pub(super) cas: &'static [&'static str],
    /// The CRLs beside the trust anchor's; `base+delta` are merged.
    pub(super) crls: &'static [&'static str],
    /// `revocation.crl_signers`: a signer and the CAs above it, without the trust anchor.
    pub(super) signers: &'static [&'static str],
    /// `accepted`, or the name of the refusal.
    pub(super) decision: &'static str,
    /// Of a CA's certificate, how the answer of `crl-tool lookup` begins.
    pub(super) status: Option<&'static str>,
}

impl Case {
    const fn signed_by(self, signers: &'static [&'static str]) -> Case {
        Case { signers, ..self }
    }

    const fn of_a_ca(self, status: &'static str) -> Case {
        Case { status: Some(status), ..self }
    }
}

const fn case(
    section: &'static str,
    leaf: &'static str,
    cas: &'static [&'static str],
    crls: &'static [&'static str],
    decision: &'static str,
) -> Case {
    Case { section, leaf, cas, crls, decision, signers: &[], status: None }
}

/// CRLs that must not be used, and what is said about them.
pub(super) const UNUSABLE: &[(&str, &str)] = &[
    ("BadCRLSignatureCACRL", "malformed signature"),
    ("BadCRLIssuerNameCACRL", "the CRL is of `"),
    ("WrongCRLCACRL", "the CRL is of `CN=Trust Anchor,"),
    ("TwoCRLsCABadCRL", "the CRL is of `CN=Bad CRL for Two CRLs CA,"),
    ("UnknownCRLEntryExtensionCACRL", "the unknown critical entry extension"),
    ("UnknownCRLExtensionCACRL", "the unknown critical CRL extension"),
    ("deltaCRLIndicatorNoBaseCACRL", "a delta CRL: it lists changes to another CRL"),
    ("deltaCRLCA3CRL+deltaCRLCA3deltaCRL", "changes in between would be missed"),
];

pub(super) const BASIC_REVOCATION: &[Case] = &[
    case("4.4.1", "InvalidMissingCRLTest1", &["NoCRLCACert"], &[], "crl_missing"),
    case(
        "4.4.2",
        "InvalidRevokedCATest2",
        &["RevokedsubCACert", "GoodCACert"],
        &["GoodCACRL", "RevokedsubCACRL"],
        "certificate_revoked",
    ),
    case("4.4.3", "InvalidRevokedEETest3", &["GoodCACert"], &["GoodCACRL"], "certificate_revoked"),
    case(
        "4.4.4",
        "InvalidBadCRLSignatureTest4",
        &["BadCRLSignatureCACert"],
        &["BadCRLSignatureCACRL"],
        "crl_missing",
    ),
    case(
        "4.4.5",
        "InvalidBadCRLIssuerNameTest5",
        &["BadCRLIssuerNameCACert"],
        &["BadCRLIssuerNameCACRL"],
        "crl_missing",
    ),
    case("4.4.6", "InvalidWrongCRLTest6", &["WrongCRLCACert"], &["WrongCRLCACRL"], "crl_missing"),
    case(
        "4.4.7",
        "ValidTwoCRLsTest7",
        &["TwoCRLsCACert"],
        &["TwoCRLsCABadCRL", "TwoCRLsCAGoodCRL"],
        "accepted",
    ),
    case(
        "4.4.8",
        "InvalidUnknownCRLEntryExtensionTest8",
        &["UnknownCRLEntryExtensionCACert"],
        &["UnknownCRLEntryExtensionCACRL"],
        "crl_missing",
    ),
    case(
        "4.4.9",
        "InvalidUnknownCRLExtensionTest9",
        &["UnknownCRLExtensionCACert"],
        &["UnknownCRLExtensionCACRL"],
        "crl_missing",
    ),
    case(
        "4.4.10",
        "InvalidUnknownCRLExtensionTest10",
        &["UnknownCRLExtensionCACert"],
        &["UnknownCRLExtensionCACRL"],
        "crl_missing",
    ),
    case(
        "4.4.11",
        "InvalidOldCRLnextUpdateTest11",
        &["OldCRLnextUpdateCACert"],
        &["OldCRLnextUpdateCACRL"],
        "crl_stale",
    ),
    case(
        "4.4.12",
        "Invalidpre2000CRLnextUpdateTest12",
        &["pre2000CRLnextUpdateCACert"],
        &["pre2000CRLnextUpdateCACRL"],
        "crl_stale",
    ),
    case(
        "4.4.13",
        "ValidGeneralizedTimeCRLnextUpdateTest13",
        &["GeneralizedTimeCRLnextUpdateCACert"],
        &["GeneralizedTimeCRLnextUpdateCACRL"],
        "accepted",
    ),
    case(
        "4.4.14",
        "ValidNegativeSerialNumberTest14",
        &["NegativeSerialNumberCACert"],
        &["NegativeSerialNumberCACRL"],
        "accepted",
    ),
    case(
        "4.4.15",
        "InvalidNegativeSerialNumberTest15",
        &["NegativeSerialNumberCACert"],
        &["NegativeSerialNumberCACRL"],
        "certificate_revoked",
    ),
    case(
        "4.4.16",
        "ValidLongSerialNumberTest16",
        &["LongSerialNumberCACert"],
        &["LongSerialNumberCACRL"],
        "accepted",
    ),
    case(
        "4.4.17",
        "ValidLongSerialNumberTest17",
        &["LongSerialNumberCACert"],
        &["LongSerialNumberCACRL"],
        "accepted",
    ),
    case(
        "4.4.18",
        "InvalidLongSerialNumberTest18",
        &["LongSerialNumberCACert"],
        &["LongSerialNumberCACRL"],
        "certificate_revoked",
    ),
    case(
        "4.4.19",
        "ValidSeparateCertificateandCRLKeysTest19",
        &["SeparateCertificateandCRLKeysCertificateSigningCACert"],
        &["SeparateCertificateandCRLKeysCRL"],
        "accepted",
    )
    .signed_by(&["SeparateCertificateandCRLKeysCRLSigningCert"]),
    case(
        "4.4.20",
        "InvalidSeparateCertificateandCRLKeysTest20",
        &["SeparateCertificateandCRLKeysCertificateSigningCACert"],
        &["SeparateCertificateandCRLKeysCRL"],
        "certificate_revoked",
    )
    .signed_by(&["SeparateCertificateandCRLKeysCRLSigningCert"]),
    case(
        "4.4.21",
        "InvalidSeparateCertificateandCRLKeysTest21",
        &["SeparateCertificateandCRLKeysCA2CertificateSigningCACert"],
        &["SeparateCertificateandCRLKeysCA2CRL"],
        "crl_signer_refused",
    )
    .signed_by(&["SeparateCertificateandCRLKeysCA2CRLSigningCert"]),
];

pub(super) const SELF_ISSUED: &[Case] = &[
    case(
        "4.5.1",
        "ValidBasicSelfIssuedOldWithNewTest1",
        &["BasicSelfIssuedNewKeyOldWithNewCACert", "BasicSelfIssuedNewKeyCACert"],
        &["BasicSelfIssuedNewKeyCACRL"],
        "accepted",
    )
    .signed_by(&["BasicSelfIssuedNewKeyCACert"]),
    case(
        "4.5.2",
        "InvalidBasicSelfIssuedOldWithNewTest2",
        &["BasicSelfIssuedNewKeyOldWithNewCACert", "BasicSelfIssuedNewKeyCACert"],
        &["BasicSelfIssuedNewKeyCACRL"],
        "certificate_revoked",
    )
    .signed_by(&["BasicSelfIssuedNewKeyCACert"]),
    case(
        "4.5.3",
        "ValidBasicSelfIssuedNewWithOldTest3",
        &["BasicSelfIssuedOldKeyNewWithOldCACert", "BasicSelfIssuedOldKeyCACert"],
        &["BasicSelfIssuedOldKeyCACRL", "BasicSelfIssuedOldKeySelfIssuedCertCRL"],
        "accepted",
    ),
    case(
        "4.5.4",
        "ValidBasicSelfIssuedNewWithOldTest4",
        &["BasicSelfIssuedOldKeyCACert"],
        &["BasicSelfIssuedOldKeyCACRL", "BasicSelfIssuedOldKeySelfIssuedCertCRL"],
        "accepted",
    )
    .signed_by(&["BasicSelfIssuedOldKeyNewWithOldCACert", "BasicSelfIssuedOldKeyCACert"]),
    case(
        "4.5.5",
        "InvalidBasicSelfIssuedNewWithOldTest5",
        &["BasicSelfIssuedOldKeyCACert"],
        &["BasicSelfIssuedOldKeyCACRL", "BasicSelfIssuedOldKeySelfIssuedCertCRL"],
        "certificate_revoked",
    )
    .signed_by(&["BasicSelfIssuedOldKeyNewWithOldCACert", "BasicSelfIssuedOldKeyCACert"]),
    case(
        "4.5.6",
        "ValidBasicSelfIssuedCRLSigningKeyTest6",
        &["BasicSelfIssuedCRLSigningKeyCACert"],
        &["BasicSelfIssuedCRLSigningKeyCACRL", "BasicSelfIssuedCRLSigningKeyCRLCertCRL"],
        "accepted",
    )
    .signed_by(&["BasicSelfIssuedCRLSigningKeyCRLCert", "BasicSelfIssuedCRLSigningKeyCACert"]),
    case(
        "4.5.7",
        "InvalidBasicSelfIssuedCRLSigningKeyTest7",
        &["BasicSelfIssuedCRLSigningKeyCACert"],
        &["BasicSelfIssuedCRLSigningKeyCACRL", "BasicSelfIssuedCRLSigningKeyCRLCertCRL"],
        "certificate_revoked",
    )
    .signed_by(&["BasicSelfIssuedCRLSigningKeyCRLCert", "BasicSelfIssuedCRLSigningKeyCACert"]),
    case(
        "4.5.8",
        "InvalidBasicSelfIssuedCRLSigningKeyTest8",
        &["BasicSelfIssuedCRLSigningKeyCRLCert", "BasicSelfIssuedCRLSigningKeyCACert"],
        &["BasicSelfIssuedCRLSigningKeyCACRL", "BasicSelfIssuedCRLSigningKeyCRLCertCRL"],
        "unknown_issuer",
    )
    .signed_by(&["BasicSelfIssuedCRLSigningKeyCRLCert", "BasicSelfIssuedCRLSigningKeyCACert"]),
];

pub(super) const DISTRIBUTION_POINTS: &[Case] = &[
    case(
        "4.14.1",
        "ValiddistributionPointTest1",
        &["distributionPoint1CACert"],
        &["distributionPoint1CACRL"],
        "accepted",
    ),
    case(
        "4.14.2",
        "InvaliddistributionPointTest2",
        &["distributionPoint1CACert"],
        &["distributionPoint1CACRL"],
        "certificate_revoked",
    ),
    case(
        "4.14.3",
        "InvaliddistributionPointTest3",
        &["distributionPoint1CACert"],
        &["distributionPoint1CACRL"],
        "crl_not_covering",
    ),
    case(
        "4.14.4",
        "ValiddistributionPointTest4",
        &["distributionPoint1CACert"],
        &["distributionPoint1CACRL"],
        "accepted",
    ),
    case(
        "4.14.5",
        "ValiddistributionPointTest5",
        &["distributionPoint2CACert"],
        &["distributionPoint2CACRL"],
        "accepted",
    ),
    case(
        "4.14.6",
        "InvaliddistributionPointTest6",
        &["distributionPoint2CACert"],
        &["distributionPoint2CACRL"],
        "certificate_revoked",
    ),
    case(
        "4.14.7",
        "ValiddistributionPointTest7",
        &["distributionPoint2CACert"],
        &["distributionPoint2CACRL"],
        "accepted",
    ),
    case(
        "4.14.8",
        "InvaliddistributionPointTest8",
        &["distributionPoint2CACert"],
        &["distributionPoint2CACRL"],
        "crl_not_covering",
    ),
    case(
        "4.14.9",
        "InvaliddistributionPointTest9",
        &["distributionPoint2CACert"],
        &["distributionPoint2CACRL"],
        "crl_not_covering",
    ),
    case(
        "4.14.10",
        "ValidNoissuingDistributionPointTest10",
        &["NoissuingDistributionPointCACert"],
        &["NoissuingDistributionPointCACRL"],
        "accepted",
    ),
    case(
        "4.14.11",
        "InvalidonlyContainsUserCertsTest11",
        &["onlyContainsUserCertsCACert"],
        &["onlyContainsUserCertsCACRL"],
        "bad_certificate",
    )
    .of_a_ca("not covered"),
    case(
        "4.14.12",
        "InvalidonlyContainsCACertsTest12",
        &["onlyContainsCACertsCACert"],
        &["onlyContainsCACertsCACRL"],
        "crl_not_covering",
    ),
    case(
        "4.14.13",
        "ValidonlyContainsCACertsTest13",
        &["onlyContainsCACertsCACert"],
        &["onlyContainsCACertsCACRL"],
        "bad_certificate",
    )
    .of_a_ca("not revoked"),
    case(
        "4.14.14",
        "InvalidonlyContainsAttributeCertsTest14",
        &["onlyContainsAttributeCertsCACert"],
        &["onlyContainsAttributeCertsCACRL"],
        "crl_not_covering",
    ),
    case(
        "4.14.15",
        "InvalidonlySomeReasonsTest15",
        &["onlySomeReasonsCA1Cert"],
        &["onlySomeReasonsCA1compromiseCRL", "onlySomeReasonsCA1otherreasonsCRL"],
        "certificate_revoked",
    ),
    case(
        "4.14.16",
        "InvalidonlySomeReasonsTest16",
        &["onlySomeReasonsCA1Cert"],
        &["onlySomeReasonsCA1compromiseCRL", "onlySomeReasonsCA1otherreasonsCRL"],
        "certificate_revoked",
    ),
    case(
        "4.14.17",
        "InvalidonlySomeReasonsTest17",
        &["onlySomeReasonsCA2Cert"],
        &["onlySomeReasonsCA2CRL1", "onlySomeReasonsCA2CRL2"],
        "crl_not_covering",
    ),
    case(
        "4.14.18",
        "ValidonlySomeReasonsTest18",
        &["onlySomeReasonsCA3Cert"],
        &["onlySomeReasonsCA3compromiseCRL", "onlySomeReasonsCA3otherreasonsCRL"],
        "accepted",
    ),
    case(
        "4.14.19",
        "ValidonlySomeReasonsTest19",
        &["onlySomeReasonsCA4Cert"],
        &["onlySomeReasonsCA4compromiseCRL", "onlySomeReasonsCA4otherreasonsCRL"],
        "accepted",
    ),
    case(
        "4.14.20",
        "InvalidonlySomeReasonsTest20",
        &["onlySomeReasonsCA4Cert"],
        &["onlySomeReasonsCA4compromiseCRL", "onlySomeReasonsCA4otherreasonsCRL"],
        "certificate_revoked",
    ),
    case(
        "4.14.21",
        "InvalidonlySomeReasonsTest21",
        &["onlySomeReasonsCA4Cert"],
        &["onlySomeReasonsCA4compromiseCRL", "onlySomeReasonsCA4otherreasonsCRL"],
        "certificate_revoked",
    ),
    case(
        "4.14.22",
        "ValidIDPwithindirectCRLTest22",
        &["indirectCRLCA1Cert"],
        &["indirectCRLCA1CRL"],
        "accepted",
    ),
    case(
        "4.14.23",
        "InvalidIDPwithindirectCRLTest23",
        &["indirectCRLCA1Cert"],
        &["indirectCRLCA1CRL"],
        "certificate_revoked",
    ),
    case(
        "4.14.24",
        "ValidIDPwithindirectCRLTest24",
        &["indirectCRLCA2Cert"],
        &["indirectCRLCA1CRL"],
        "accepted",
    )
    .signed_by(&["indirectCRLCA1Cert"]),
    case(
        "4.14.25",
        "ValidIDPwithindirectCRLTest25",
        &["indirectCRLCA2Cert"],
        &["indirectCRLCA1CRL"],
        "accepted",
    )
    .signed_by(&["indirectCRLCA1Cert"]),
    case(
        "4.14.26",
        "InvalidIDPwithindirectCRLTest26",
        &["indirectCRLCA2Cert"],
        &["indirectCRLCA1CRL"],
        "crl_not_covering",
    )
    .signed_by(&["indirectCRLCA1Cert"]),
    case(
        "4.14.27",
        "InvalidcRLIssuerTest27",
        &["indirectCRLCA2Cert"],
        &["indirectCRLCA1CRL"],
        "crl_not_covering",
    )
    .signed_by(&["indirectCRLCA1Cert"]),
    case(
        "4.14.28",
        "ValidcRLIssuerTest28",
        &["indirectCRLCA3Cert"],
        &["indirectCRLCA3CRL", "indirectCRLCA3cRLIssuerCRL"],
        "accepted",
    )
    .signed_by(&["indirectCRLCA3cRLIssuerCert", "indirectCRLCA3Cert"]),
    case(
        "4.14.29",
        "ValidcRLIssuerTest29",
        &["indirectCRLCA3Cert"],
        &["indirectCRLCA3CRL", "indirectCRLCA3cRLIssuerCRL"],
        "accepted",
    )
    .signed_by(&["indirectCRLCA3cRLIssuerCert", "indirectCRLCA3Cert"]),
    case(
        "4.14.30",
        "ValidcRLIssuerTest30",
        &["indirectCRLCA4Cert"],
        &["indirectCRLCA4cRLIssuerCRL"],
        "accepted",
    )
    .signed_by(&["indirectCRLCA4cRLIssuerCert", "indirectCRLCA4Cert"]),
    case(
        "4.14.31",
        "InvalidcRLIssuerTest31",
        &["indirectCRLCA6Cert"],
        &["indirectCRLCA5CRL"],
        "certificate_revoked",
    )
    .signed_by(&["indirectCRLCA5Cert"]),
    case(
        "4.14.32",
        "InvalidcRLIssuerTest32",
        &["indirectCRLCA6Cert"],
        &["indirectCRLCA5CRL"],
        "certificate_revoked",
    )
    .signed_by(&["indirectCRLCA5Cert"]),
    case("4.14.33", "ValidcRLIssuerTest33", &["indirectCRLCA6Cert"], &["indirectCRLCA5CRL"], "accepted")
        .signed_by(&["indirectCRLCA5Cert"]),
    case(
        "4.14.34",
        "InvalidcRLIssuerTest34",
        &["indirectCRLCA5Cert"],
        &["indirectCRLCA5CRL"],
        "certificate_revoked",
    ),
    case(
        "4.14.35",
        "InvalidcRLIssuerTest35",
        &["indirectCRLCA5Cert"],
        &["indirectCRLCA5CRL"],
        "crl_not_covering",
    ),
];

pub(super) const DELTA_CRLS: &[Case] = &[
    case(
        "4.15.1",
        "InvaliddeltaCRLIndicatorNoBaseTest1",
        &["deltaCRLIndicatorNoBaseCACert"],
        &["deltaCRLIndicatorNoBaseCACRL"],
        "crl_missing",
    ),
    case(
        "4.15.2",
        "ValiddeltaCRLTest2",
        &["deltaCRLCA1Cert"],
        &["deltaCRLCA1CRL+deltaCRLCA1deltaCRL"],
        "accepted",
    ),
    case(
        "4.15.3",
        "InvaliddeltaCRLTest3",
        &["deltaCRLCA1Cert"],
        &["deltaCRLCA1CRL+deltaCRLCA1deltaCRL"],
        "certificate_revoked",
    ),
    case(
        "4.15.4",
        "InvaliddeltaCRLTest4",
        &["deltaCRLCA1Cert"],
        &["deltaCRLCA1CRL+deltaCRLCA1deltaCRL"],
        "certificate_revoked",
    ),
    case(
        "4.15.5",
        "ValiddeltaCRLTest5",
        &["deltaCRLCA1Cert"],
        &["deltaCRLCA1CRL+deltaCRLCA1deltaCRL"],
        "accepted",
    ),
    case(
        "4.15.6",
        "InvaliddeltaCRLTest6",
        &["deltaCRLCA1Cert"],
        &["deltaCRLCA1CRL+deltaCRLCA1deltaCRL"],
        "certificate_revoked",
    ),
    case(
        "4.15.7",
        "ValiddeltaCRLTest7",
        &["deltaCRLCA1Cert"],
        &["deltaCRLCA1CRL+deltaCRLCA1deltaCRL"],
        "accepted",
    ),
    case(
        "4.15.8",
        "ValiddeltaCRLTest8",
        &["deltaCRLCA2Cert"],
        &["deltaCRLCA2CRL+deltaCRLCA2deltaCRL"],
        "accepted",
    ),
    case(
        "4.15.9",
        "InvaliddeltaCRLTest9",
        &["deltaCRLCA2Cert"],
        &["deltaCRLCA2CRL+deltaCRLCA2deltaCRL"],
        "certificate_revoked",
    ),
    case(
        "4.15.10",
        "InvaliddeltaCRLTest10",
        &["deltaCRLCA3Cert"],
        &["deltaCRLCA3CRL+deltaCRLCA3deltaCRL", "deltaCRLCA3CRL"],
        "crl_stale",
    ),
];
