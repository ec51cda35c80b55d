//! Rosters that are signed, changed, cut and forged.

use super::*;
use crate::core::party_list::Listed;
use crate::core::test_rng;

pub(crate) fn party(index: usize, identity: &Identity, name: &str) -> Party {
    let connection = identity.connection("did:peer:2.Ez6LSmediator");
    Party {
        index,
        name: name.to_owned(),
        identity: identity.did().to_owned(),
        link: identity.link(&connection, 1_700_000_000),
        did: connection.did,
        kid: connection.kid,
        program: ProgramKind::ByHand,
        commitment: Digest32([u8::try_from(index).unwrap(); 32]),
        confirm: false,
        credential: None,
    }
}

fn three() -> (Vec<Identity>, RosterBody) {
    let identities: Vec<_> = (1..=3).map(|seed| Identity::generate(&mut test_rng(seed))).collect();
    let parties =
        identities.iter().enumerate().map(|(index, identity)| party(index, identity, "somebody")).collect();
    let body = RosterBody {
        v: 1,
        room: "room".to_owned(),
        invitation: URL_SAFE_NO_PAD.encode([7; 32]),
        round: 1,
        m: 3,
        threshold: 1,
        relay: "did:peer:2.Ez6LSmediator".to_owned(),
        manifest: None,
        require_issuer: Vec::new(),
        parties,
    };
    (identities, body)
}

fn mediators() -> [String; 1] {
    ["did:peer:2.Ez6LSmediator".to_owned()]
}

fn expected<'a>(identities: &'a [Identity], body: &'a RosterBody, mediators: &'a [String]) -> Expected<'a> {
    Expected {
        room: "room",
        invitation: &[7; 32],
        host: &body.parties[0].did,
        mediators,
        identity: identities[1].did(),
        did: &body.parties[1].did,
        threshold: Some(1),
        manifest: None,
        commitment: Digest32([1; 32]),
        list: None,
        confirm: false,
        documents: no_documents(),
    }
}

fn no_documents() -> &'static Documents {
    static NONE: std::sync::LazyLock<Documents> = std::sync::LazyLock::new(Documents::new);
    &NONE
}

fn verify(change: impl FnOnce(&mut RosterBody, &[Identity])) -> Result<Roster, RosterError> {
    let (identities, original) = three();
    let mut body = original.clone();
    change(&mut body, &identities);
    let bytes = serde_json::to_vec(&body).map_err(|_| RosterError::Malformed)?;
    let hash: [u8; 32] = Sha256::digest(&bytes).into();
    let signature = identities[0].sign(&[LABEL, &hash].concat());
    RosterIn::new(bytes).verify(&expected(&identities, &original, &mediators()), &signature)
}

/// Decides RM-21.
#[test]
fn an_honest_roster_verifies_and_everybody_can_sign_it() {
    let roster = verify(|_, _| {}).unwrap();
    let (identities, _) = three();
    for (index, identity) in identities.iter().enumerate() {
        roster.verify_signature(index, &roster.sign(identity)).unwrap();
    }
    assert_eq!(
        roster.verify_signature(1, &roster.sign(&identities[2])),
        Err(RosterError::Signature { index: 1 })
    );
}

/// Decides RM-22, SC-05.
#[test]
fn each_lie_is_named() {
    type Change = fn(&mut RosterBody, &[Identity]);
    let lies: [(Change, RosterError); 12] = [
        (|body, _| body.room = "other".into(), RosterError::Wrong { what: "room" }),
        (|body, _| body.invitation.clear(), RosterError::Wrong { what: "invitation hash" }),
        (|body, _| body.relay = "did:peer:2.other".into(), RosterError::Wrong { what: "relay" }),
        (|body, _| body.m = 4, RosterError::Wrong { what: "number of parties" }),
        (|body, _| body.threshold = 2, RosterError::Wrong { what: "threshold" }),
        // Twice this is 0 for whoever counts modulo 2^64.
        (|body, _| body.threshold = 1 << 63, RosterError::Wrong { what: "threshold" }),
        (|body, _| body.threshold = 0, RosterError::Threshold { host: 0, ours: 1 }),
        (|body, _| body.parties[2].index = 1, RosterError::Party { index: 2, what: "index" }),
        (|body, _| body.parties[2].name = "a\u{1b}[2J".into(), RosterError::Party { index: 2, what: "name" }),
        (|body, _| body.parties[2].name = "a\u{202e}b".into(), RosterError::Party { index: 2, what: "name" }),
        (
            |body, _| body.parties[2] = Party { index: 2, ..body.parties[1].clone() },
            RosterError::Party { index: 2, what: "identity that another party has" },
        ),
        (
            // Party 1's identity beside somebody else's keys: the link is for another DID.
            |body, identities| {
                let stranger = party(1, &Identity::generate(&mut test_rng(9)), "somebody");
                body.parties[1] = Party { identity: identities[1].did().to_owned(), ..stranger };
            },
            RosterError::Party { index: 1, what: "identity link" },
        ),
    ];
    for (lie, error) in lies {
        assert_eq!(verify(lie), Err(error));
    }
}

/// Decides RM-22.
#[test]
fn a_stranger_in_the_hosts_seat_or_ours_is_refused() {
    let stranger = || Identity::generate(&mut test_rng(9));
    let host = verify(|body, _| body.parties[0] = party(0, &stranger(), "somebody"));
    assert_eq!(host, Err(RosterError::Signature { index: 0 }));
    let ours = verify(|body, _| body.parties[1] = party(1, &stranger(), "somebody"));
    assert_eq!(ours, Err(RosterError::Wrong { what: "entry for this party" }));
}

/// Decides RM-22, RM-125, RM-126.
#[test]
fn a_roster_of_known_parties_has_them_in_their_order_and_a_later_round() {
    let (identities, original) = three();
    let listed = |order: [usize; 3], known: u32, round: u32| {
        let party = |at: usize| Listed { did: identities[at].did().to_owned(), name: None, at: None };
        let list = PartyList::remembered(order.map(party).to_vec()).unwrap();
        let bytes = serde_json::to_vec(&RosterBody { round, ..original.clone() }).unwrap();
        let hash: [u8; 32] = Sha256::digest(&bytes).into();
        let signature = identities[0].sign(&[LABEL, &hash].concat());
        let mediators = mediators();
        let expected =
            Expected { list: Some((&list, known)), ..expected(&identities, &original, &mediators) };
        RosterIn::new(bytes).verify(&expected, &signature).map(|roster| roster.body().round)
    };
    assert_eq!(listed([0, 1, 2], 0, 1), Ok(1));
    assert_eq!(listed([0, 1, 2], 4, 9), Ok(9));
    assert_eq!(listed([0, 1, 2], 4, 4), Err(RosterError::Wrong { what: "round" }));
    assert_eq!(listed([0, 2, 1], 0, 1), Err(RosterError::Wrong { what: "list of parties" }));
    assert_eq!(verify(|body, _| body.round = 2), Err(RosterError::Wrong { what: "round" }));
    assert_eq!(verify(|body, _| body.round = 0), Err(RosterError::Wrong { what: "round" }));
}

/// Decides RM-22.
#[test]
fn a_key_of_another_kind_or_did_and_an_impossible_number_are_refused() {
    let key_id = |index| Err(RosterError::Party { index, what: "key id" });
    let signing = verify(|body, _| body.parties[2].kid = format!("{}#key-1", body.parties[2].did));
    assert_eq!(signing, key_id(2));
    assert_eq!(verify(|body, _| body.parties[2].kid = body.parties[1].kid.clone()), key_id(2));
    let number = Err(RosterError::Wrong { what: "number of parties" });
    let alone = verify(|body, _| {
        body.parties.truncate(1);
        (body.m, body.threshold) = (1, 0);
    });
    assert_eq!(alone, number);
    let seventeen = |body: &mut RosterBody, parties: u8| {
        let extra = (4..=parties).map(|seed| Identity::generate(&mut test_rng(seed)));
        for (index, identity) in extra.enumerate() {
            body.parties.push(party(index + 3, &identity, "more"));
        }
        body.m = body.parties.len();
    };
    assert!(verify(|body, _| seventeen(body, 16)).is_ok());
    assert_eq!(verify(|body, _| seventeen(body, 17)), number);
}

/// Decides NA-04, RM-20, RM-21, RM-23.
#[test]
fn the_bytes_as_received_are_hashed_and_signed_and_are_not_endless() {
    let (identities, body) = three();
    let mut bytes = serde_json::to_vec_pretty(&body).unwrap();
    bytes.resize(65_536, b' ');
    let hash: [u8; 32] = Sha256::digest(&bytes).into();
    let signed = [b"didagent-roster/1".as_slice(), &hash].concat();
    let verify = |bytes: &[u8], signed: &[u8]| {
        let signature = identities[0].sign(signed);
        RosterIn::new(bytes.to_vec()).verify(&expected(&identities, &body, &mediators()), &signature)
    };
    let roster = verify(&bytes, &signed).unwrap();
    assert_eq!((roster.bytes(), roster.hash()), (bytes.as_slice(), hash));
    assert_eq!(roster.sign(&identities[1]), identities[1].sign(&signed));
    assert_eq!(verify(&bytes, &hash), Err(RosterError::Signature { index: 0 }));
    // The same content in other bytes is another roster.
    bytes.pop();
    assert_eq!(verify(&bytes, &signed), Err(RosterError::Signature { index: 0 }));
    bytes.resize(65_537, b' ');
    let hash: [u8; 32] = Sha256::digest(&bytes).into();
    let signed = [b"didagent-roster/1".as_slice(), &hash].concat();
    assert_eq!(verify(&bytes, &signed), Err(RosterError::Malformed));
}

/// Decides RM-15.
#[test]
fn a_name_is_short_and_has_nothing_invisible() {
    for name in ["a", "Zoë Müller", "李", &"x".repeat(32), "a b", "0"] {
        assert!(is_showable(name), "{name:?}");
    }
    for name in [
        "",
        &"x".repeat(33),
        " a",
        "a ",
        "a\nb",
        "a\u{0}b",
        "a\u{9b}b",
        "a\u{200b}b",
        "a\u{202e}b",
        "a\u{2028}b",
        "a\u{2029}b",
        "\u{feff}a",
    ] {
        assert!(!is_showable(name), "{name:?}");
    }
}

#[test]
fn every_truncation_is_refused() {
    let (_, body) = three();
    let bytes = serde_json::to_vec(&body).unwrap();
    for length in 0..bytes.len() {
        assert_eq!(
            RosterIn::new(bytes[..length].to_vec()).check(no_documents()),
            Err(RosterError::Malformed)
        );
    }
}
