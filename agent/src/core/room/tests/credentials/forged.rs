//! Rosters of hosts that do not check, or say what is not so: every guest checks for itself.

use super::*;

/// What a host may do to a roster and the credentials beside it, before it signs.
type Forgery = fn(&mut roster::RosterBody, &mut Vec<String>);

/// A room of three whose host forges the roster that the last guest gets; returns why that one refuses it.
fn forged(change: Forgery) -> Failure {
    let mut web = Web::new(&[]);
    let mut table = Table::requiring(3, &mut web);
    table.join(holder(2, good(2)));
    table.carry_on(&mut web);
    let carol = table.join(holder(3, good(3)));
    let did = table.seats[carol].room.member().connection.did.clone();
    let is_roster = |(_, to, message): &(usize, String, Message)| {
        did::did_of(to) == did && message.type_ == types::ROOM_ROSTER
    };
    let at = loop {
        if let Some(at) = table.mail.iter().position(is_roster) {
            break at;
        }
        match table.mail.pop_front() {
            Some((from, to, message)) => table.deliver(from, &to, message),
            None => table.answer_one(&mut web),
        }
    };
    let (from, to, mut message) = table.mail.remove(at).unwrap();
    let mut sent = RosterMessage::try_from(&message).unwrap();
    let mut body: roster::RosterBody = serde_json::from_slice(&sent.roster).unwrap();
    change(&mut body, &mut sent.credentials);
    let forged = Roster::write(body, &lookup::Documents::new()).unwrap();
    sent.signature = forged.sign(&table.seats[0].room.member.identity).to_vec();
    sent.roster = forged.bytes().to_vec();
    message.body = serde_json::to_value(sent).unwrap();
    table.deliver(from, &to, message);
    table.carry_on(&mut web);
    assert!(table.seats[carol].connected.is_empty() && table.seats[carol].ready.is_none());
    table.seats[carol].failed.clone().unwrap()
}

fn digest_of(text: &str) -> Option<Digest32> {
    Some(Digest32(didagent_didcomm::credential::digest(text)))
}

/// Decides CR-24.
#[test]
fn a_host_that_lets_anybody_in_has_a_room_in_which_nobody_begins() {
    let absent = |why: &str| format!("party 1 (party 2) has no credential that counts: {why}");
    let missing = absent("there is no credential, and the invitation requires one");
    let other = absent("the credential is not the one that the roster names");
    let cases: [(String, Forgery); 7] = [
        (missing.clone(), |body, texts| {
            body.parties[1].credential = None;
            texts[1].clear();
        }),
        (missing.clone(), |_, texts| texts[1].clear()),
        (missing, |_, texts| texts.truncate(1)),
        (absent("the credential is about somebody else"), |body, texts| {
            texts[1] = good(3).unwrap();
            body.parties[1].credential = digest_of(&texts[1]);
        }),
        (absent("the credential has expired"), |body, texts| {
            texts[1] = credential_of(2, |what| what.valid_until = UNIX);
            body.parties[1].credential = digest_of(&texts[1]);
        }),
        (other.clone(), |_, texts| texts[1] = credential_of(2, |what| what.id = "urn:uuid:2")),
        (other, |body, _| body.parties[1].credential = None),
    ];
    for (why, change) in cases {
        let failure = forged(change);
        assert_eq!((failure.kind, failure.message), (Kind::CredentialAbsent, why));
    }
    // The host's own is no exception.
    let failure = forged(|body, texts| {
        body.parties[0].credential = None;
        texts[0].clear();
    });
    assert!(failure.message.starts_with("party 0 (party 1) has no credential"), "{failure}");
    assert_eq!(forged(|_, texts| texts.push("x".to_owned())).kind, Kind::RosterRefused);
}

/// Decides CR-24.
#[test]
fn a_host_that_leaves_the_requirement_out_is_refused() {
    let cases: [Forgery; 2] = [
        |body, _| body.require_issuer.clear(),
        |body, _| body.require_issuer.push("did:web:other.example".to_owned()),
    ];
    for change in cases {
        let failure = forged(change);
        assert_eq!(failure.kind, Kind::RosterRefused);
        assert!(failure.message.contains("of others than the invitation"), "{failure}");
    }
}
