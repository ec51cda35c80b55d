//! A post on a board as a guest takes it: what its link may lead to, whether it would run the same, and what a person must know.
//!
//! Specification: `spec/lobby.md`, LB-12 to LB-14. Everything in a post is a stranger's words, and the mediator's.
//!
//! Not its concern: how the board is asked (`io::board`), a host's post (`posting`).

use didagent_didcomm::protocols::lobby::{Listed, RoomLink};
use url::Url;

use crate::core::invite::Invitation;
use crate::core::post::websocket_address;
use crate::core::status::host_of;
use crate::failure::{Failure, Kind};

/// Says what a person must know before strangers take part: nobody can tell how many of them there are.
pub fn warning(seats: usize, threshold: usize) -> String {
    match threshold {
        0 => format!(
            "strangers take part, and with threshold 0 each of the {seats} parties alone can open all inputs"
        ),
        _ => {
            let seats_of_one = threshold + 1;
            format!(
                "strangers take part, and one person may hold several of the {seats} seats without anybody noticing; \
                 with {seats_of_one} seats one person can open all inputs"
            )
        }
    }
}

/// Fails unless a post is of the program whose digest is `ours`.
///
/// # Errors
/// [`Kind::LobbyProgram`] with both digests.
pub fn check_program(post: &Listed, ours: &str) -> Result<(), Failure> {
    let theirs = &post.program;
    if theirs.sha256.as_str() == ours {
        return Ok(());
    }
    let message = format!(
        "the program of this room, {}, is not the one given here: SHA-256 {} there, {ours} here",
        theirs.name, theirs.sha256
    );
    Err(Failure::new(Kind::LobbyProgram, message)
        .hint("didagent lobby list    (shows the program of each room; get it from its author and look at it first)"))
}

/// Fails unless the link of a post leads to the mediator whose board it is on: other links a stranger could have put there to have
/// this machine ask anybody (LB-13).
///
/// # Errors
/// [`Kind::LobbyBroken`].
pub fn check_link(link: &RoomLink, mediator: &str) -> Result<(), Failure> {
    let place = |url: Url| (url.scheme().to_owned(), url.host_str().map(str::to_owned), url.port());
    let own = websocket_address(mediator).ok();
    // ws becomes http, wss becomes https.
    let own = own.and_then(|address| Url::parse(&format!("http{}", address.strip_prefix("ws")?)).ok());
    let link = Url::parse(link.as_str()).ok();
    let leads_there = link.map(place).zip(own.map(place)).is_some_and(|(link, own)| link == own);
    leads_there.then_some(()).ok_or_else(|| broken(mediator))
}

/// Fails unless the room of an invitation that was posted can be reached at the mediator of the board.
///
/// # Errors
/// [`Kind::LobbyBroken`].
pub fn check_invitation(invitation: &Invitation, mediator: &str) -> Result<(), Failure> {
    let is_there = invitation.mediators().iter().any(|one| one == mediator);
    is_there.then_some(()).ok_or_else(|| broken(mediator))
}

fn broken(mediator: &str) -> Failure {
    let host = host_of(mediator);
    Failure::new(
        Kind::LobbyBroken,
        format!(
            "the post leads away from {host}, which our mediators do not allow; nobody was asked for a seat"
        ),
    )
}

#[cfg(test)]
mod tests {
    use didagent_didcomm::did::peer2::{ServiceSpec, encode_with};
    use didagent_didcomm::protocols::lobby::{PostId, Program, ProgramDigest, ProgramName, Title};

    use super::*;
    use crate::core::identity::Identity;
    use crate::core::invite::tests::NOW;
    use crate::core::test_rng;

    /// Decides LB-12.
    #[test]
    fn lb_12_another_program_is_refused_with_both_digests() {
        let theirs = "3f".repeat(32);
        let post = Listed {
            id: PostId::new("0123abcd").unwrap(),
            title: Title::new("votes").unwrap(),
            program: Program {
                name: ProgramName::new("vote.py").unwrap(),
                sha256: ProgramDigest::new(theirs.clone()).unwrap(),
            },
            seats: 3,
            free: 2,
            threshold: None,
            link: None,
            expires_time: NOW,
        };
        assert_eq!(check_program(&post, &theirs), Ok(()));
        let ours = format!("{}3e", "3f".repeat(31));
        let failure = check_program(&post, &ours).unwrap_err();
        assert_eq!((failure.kind, failure.kind.exit()), (Kind::LobbyProgram, 4));
        for part in ["vote.py", &theirs, &ours] {
            assert!(failure.message.contains(part), "{failure}");
        }
    }

    /// Decides LB-13.
    #[test]
    fn lb_13_only_links_and_invitations_of_the_boards_mediator_are_followed() {
        let uri = "wss://med.example.org:8443/".to_owned();
        let service = ServiceSpec { uri, accept: Vec::new(), routing_keys: Vec::new() };
        let identity = Identity::generate(&mut test_rng(2));
        let mediator =
            encode_with(&identity.public(), &identity.agreement().public(), [&service].into_iter());
        let check = |link: &str| check_link(&RoomLink::new(link).unwrap(), &mediator);
        for good in ["r/AQEBAQEB#x", "?_oob=e30#c=1", "a/b", ""] {
            assert_eq!(check(&format!("https://med.example.org:8443/{good}")), Ok(()), "{good}");
        }
        for bad in [
            "https://med.example.org/r/AQEBAQEB#x",
            "http://med.example.org:8443/r/AQEBAQEB#x",
            "https://med.example.org.evil.example:8443/r/AQEBAQEB#x",
            "https://med.example.org:8443@evil.example/r/AQEBAQEB#x",
            "https://127.0.0.1:8443/r/AQEBAQEB#x",
            "http://[::1]:8080/r/AQEBAQEB#x",
            "https://",
        ] {
            assert_eq!(check(bad).unwrap_err().kind, Kind::LobbyBroken, "{bad}");
        }
        assert!(check_link(&RoomLink::new("https://a/").unwrap(), "did:example:m").is_err());
        let connection = Identity::generate(&mut test_rng(1)).connection(&mediator);
        let made = Invitation::create(&connection, "MPyC", NOW, NOW + 60, &mut test_rng(3)).unwrap();
        let read = Invitation::read(&made.link("https://elsewhere.example/").unwrap(), NOW).unwrap();
        assert_eq!(check_invitation(&read, &mediator), Ok(()));
        assert_eq!(check_invitation(&read, "did:example:m").unwrap_err().kind, Kind::LobbyBroken);
    }

    /// Decides LB-14.
    #[test]
    fn lb_14_a_person_is_told_how_many_seats_open_everything() {
        assert!(warning(5, 2).contains("with 3 seats one person can open all inputs"));
        assert!(warning(2, 0).contains("each of the 2 parties alone"));
    }
}
