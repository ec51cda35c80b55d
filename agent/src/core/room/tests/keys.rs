//! Parties whose DIDs hold several X25519 keys, as those of other implementations may.

use super::*;
use crate::core::identity::ConnectionDid;

/// A party with two X25519 keys. It reads and writes with the second one alone.
fn member_with_two_keys(seed: u8) -> Member {
    let mut member = member(seed, Some(ThresholdRule::Default));
    let other = Identity::generate(&mut test_rng(seed + 100)).connection(&mediator(0));
    let elements = |did: &str| did.split('.').map(str::to_owned).collect::<Vec<_>>();
    let mut ours = elements(&member.connection.did);
    let first_key = elements(&other.did).remove(2);
    assert!(first_key.starts_with('E') && ours[2].starts_with('E'));
    ours.insert(2, first_key);
    let did = ours.join(".");
    let mediator = member.connection.mediator.clone();
    member.connection = ConnectionDid { kid: format!("{did}#key-3"), did, mediator };
    member
}

/// Decides HS-03, RM-33.
#[test]
fn whoever_has_two_keys_gets_everything_for_the_one_that_the_roster_names() {
    for members in [
        [member_with_two_keys(2), member(3, Some(ThresholdRule::Default))],
        [member(3, Some(ThresholdRule::Default)), member_with_two_keys(2)],
        [member_with_two_keys(2), member_with_two_keys(3)],
    ] {
        let mut table = Table::new(3);
        for member in members {
            table.join(member);
            // A message for another key would not open.
            table.carry();
        }
        table.connect();
        table.carry();
        let roster = table.seats[0].ready.clone().unwrap();
        for seat in &table.seats {
            let connection = &seat.room.member().connection;
            assert_eq!(roster.party_of(&connection.did).unwrap().kid, connection.kid);
            assert!(seat.ready.is_some() && seat.failed.is_none());
        }
    }
}
