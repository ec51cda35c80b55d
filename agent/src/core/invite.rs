//! The first step: from an invitation link to an [`Invitation`], and back.
//!
//! Specification: `spec/invite.md`, out-of-band 2.0. Two kinds of links are read here: a mediator's (goal code
//! `request-mediate`) and a room's (goal code `didagent.room`). Nothing in a link is a secret between the parties: who
//! reads the chat can ask to join, and the host sees who does.
//!
//! Not its concern: whether anybody answers (`connect`, `room`).

use didagent_didcomm::did::{self, DidError};
use didagent_didcomm::protocols::out_of_band::{self, InvitationError, InvitationParts};
use didagent_didcomm::protocols::types::{GOAL_MEDIATE, GOAL_ROOM, PROFILE_DIDCOMM_V2};
use didagent_didcomm::showable;
use rand_core::CryptoRng;

use crate::core::clock::{duration, utc};
use crate::core::did_document::require_key_agreement;
use crate::core::identity::ConnectionDid;
use crate::core::pasted::{Pasted, link_in};
use crate::core::post::{mediators_in, mediators_of};
use crate::failure::{Failure, Kind};

/// How long a room's link works unless `--expires` says otherwise, in seconds: long enough for people to find the
/// message in their chat, short enough that an old link in a chat's history lets nobody in.
pub const DEFAULT_EXPIRY_SECONDS: u64 = 2 * 60 * 60;

/// An invitation to a room, read from a link or made for one.
#[derive(Debug, Clone, PartialEq)]
pub struct Invitation {
    inner: out_of_band::Invitation,
    hash: [u8; 32],
    mediators: Vec<String>,
}

impl Invitation {
    /// Makes the invitation to a new room whose host is `host`. `now` is in UTC seconds.
    ///
    /// # Errors
    /// [`Kind::Other`] when the invitation would be too long, which only absurdly long DIDs can cause.
    pub fn create(
        host: &ConnectionDid,
        goal: &str,
        now: u64,
        expires: u64,
        rng: &mut impl CryptoRng,
    ) -> Result<Self, Failure> {
        Self::create_requiring(&[], host, goal, (now, expires), rng)
    }

    /// Like [`Invitation::create`], to a room whose parties all show a credential of one of `issuers`; from `now` until `expires`.
    ///
    /// # Errors
    /// Those of [`Invitation::create`], also for too many issuers.
    pub fn create_requiring(
        issuers: &[String],
        host: &ConnectionDid,
        goal: &str,
        (now, expires): (u64, u64),
        rng: &mut impl CryptoRng,
    ) -> Result<Self, Failure> {
        let inner = out_of_band::Invitation::new(InvitationParts {
            id: new_id(rng),
            from: host.did.clone(),
            goal_code: Some(GOAL_ROOM.to_owned()),
            goal: Some(goal.to_owned()),
            accept: vec![PROFILE_DIDCOMM_V2.to_owned()],
            created_time: Some(now),
            expires_time: Some(expires),
            require_issuer: issuers.to_vec(),
            attachments: Vec::new(),
        })
        .map_err(|error| Failure::new(Kind::Other, error.to_string()))?;
        let mediators = mediators_of(&host.did).unwrap_or_else(|_| vec![host.mediator.clone()]);
        Ok(Self { hash: inner.hash(), inner, mediators })
    }

    /// Reads a room's link at `now`, in UTC seconds.
    ///
    /// # Errors
    /// One of the `Link...` kinds, each with what to do.
    pub fn read(link: &str, now: u64) -> Result<Self, Failure> {
        Self::of(read_link(link, GOAL_ROOM, "a room", now)?)
    }

    /// Reads the message that was behind a link at `now`, in UTC seconds.
    ///
    /// # Errors
    /// One of the `Link...` kinds, each with what to do.
    pub fn from_message(bytes: Vec<u8>, now: u64) -> Result<Self, Failure> {
        let inner = out_of_band::Invitation::from_bytes(bytes).map_err(|error| link_failure(&error, now))?;
        Self::of(checked(inner, GOAL_ROOM, "a room", now)?)
    }

    fn of(inner: out_of_band::Invitation) -> Result<Self, Failure> {
        let document = did::resolve_offline(inner.from()).map_err(|error| match error {
            // Nothing is damaged: it is somebody whom a room's mail does not reach (CN-02).
            DidError::UnsupportedMethod => {
                let message = format!("the inviter is reached through {}", showable(inner.from(), 200));
                Failure::new(
                    Kind::LinkForeign,
                    message + ", and in a room through a did:peer with a mediator",
                )
                .hint("ask for a link of `didagent invite`; its `--as` shows a did:web as who invites")
            }
            error => damaged(&format!("its DID is not one: {error}")),
        })?;
        require_key_agreement(&document, "the inviter")?;
        let mediators = mediators_in(document.services);
        if mediators.is_empty() {
            return Err(Failure::new(
                Kind::LinkForeign,
                "the inviter's DID names no mediator, so it cannot be reached",
            ));
        }
        Ok(Self { hash: inner.hash(), inner, mediators })
    }

    /// Stands in for the invitation of a room that is not found yet: that of the parties of a list, at the host's connection DID
    /// `host`. Its id and hash are the list's (RM-121).
    ///
    /// # Errors
    /// One of the `Link...` kinds when nobody can be written to at that DID.
    pub fn expected(id: &str, hash: [u8; 32], host: &str) -> Result<Self, Failure> {
        let inner = out_of_band::Invitation::new(InvitationParts {
            id: id.to_owned(),
            from: host.to_owned(),
            goal_code: Some(GOAL_ROOM.to_owned()),
            goal: None,
            accept: vec![PROFILE_DIDCOMM_V2.to_owned()],
            created_time: None,
            expires_time: None,
            attachments: Vec::new(),
            require_issuer: Vec::new(),
        })
        .map_err(|error| Failure::new(Kind::Other, error.to_string()))?;
        Ok(Self { hash, ..Self::of(inner)? })
    }

    /// Returns the link, with `base` as the address before the query.
    ///
    /// # Errors
    /// [`Kind::Other`] when `base` is not a URL.
    pub fn link(&self, base: &str) -> Result<String, Failure> {
        self.inner.to_url(base).map_err(|error| Failure::new(Kind::Other, error.to_string()))
    }

    /// Returns the message, byte for byte as it was received.
    pub fn bytes(&self) -> &[u8] {
        self.inner.bytes()
    }

    /// Returns the id, which names the room.
    pub fn room(&self) -> &str {
        self.inner.id()
    }

    /// Returns the SHA-256 of the decoded bytes.
    pub fn hash(&self) -> &[u8; 32] {
        &self.hash
    }

    /// Returns the host's connection DID.
    pub fn host(&self) -> &str {
        self.inner.from()
    }

    /// Returns the DID of the host's preferred mediator.
    pub fn mediator(&self) -> &str {
        self.mediators.first().map_or("", String::as_str)
    }

    /// Returns the DIDs of the host's mediators, the preferred one first.
    pub fn mediators(&self) -> &[String] {
        &self.mediators
    }

    /// Returns the issuers of one of which every party must show a credential; none if none is needed.
    pub fn issuers(&self) -> &[String] {
        &self.inner.parts().require_issuer
    }

    /// Returns when the invitation was made, in UTC seconds.
    pub fn created(&self) -> Option<u64> {
        self.inner.parts().created_time
    }

    /// Returns when the invitation ends, in UTC seconds.
    pub fn expires(&self) -> Option<u64> {
        self.inner.parts().expires_time
    }

    /// Says whether the invitation is over at `now`, in UTC seconds.
    pub fn is_expired(&self, now: u64) -> bool {
        self.inner.check_expiry(now).is_err()
    }
}

/// Reads a mediator's link and returns the mediator's DID. `now` is in UTC seconds.
///
/// # Errors
/// One of the `Link...` kinds, each with what to do.
pub fn read_mediator_link(link: &str, now: u64) -> Result<String, Failure> {
    if let Ok(Pasted::Short(_)) = Pasted::read(link) {
        return Err(Failure::new(Kind::LinkForeign, "this is a link to a room, not to a mediator")
            .hint("to take part in that room: didagent join LINK; `didagent mediator serve` prints a mediator's link"));
    }
    let inner = read_link(link, GOAL_MEDIATE, "a mediator", now)?;
    let document = did::resolve_offline(inner.from())
        .map_err(|error| damaged(&format!("its DID is not one: {error}")))?;
    require_key_agreement(&document, "the mediator")?;
    Ok(inner.from().to_owned())
}

/// Reads an invitation of any purpose and returns the DID of whoever made it. `now` is in UTC seconds.
///
/// # Errors
/// One of the `Link...` kinds, each with what to do.
pub fn read_any_message(bytes: Vec<u8>, now: u64) -> Result<String, Failure> {
    let inner = out_of_band::Invitation::from_bytes(bytes).map_err(|error| link_failure(&error, now))?;
    inner.check_expiry(now).map_err(|error| link_failure(&error, now))?;
    Ok(inner.from().to_owned())
}

/// Makes an identifier of 128 random bits for a message or a room.
pub(crate) fn new_id(rng: &mut impl CryptoRng) -> String {
    let mut bytes = [0; 16];
    rng.fill_bytes(&mut bytes);
    didagent_didcomm::protocols::b64url_encode(bytes)
}

fn read_link(link: &str, goal: &str, what: &str, now: u64) -> Result<out_of_band::Invitation, Failure> {
    let inner =
        out_of_band::Invitation::from_url(&link_in(link)).map_err(|error| link_failure(&error, now))?;
    checked(inner, goal, what, now)
}

fn checked(
    inner: out_of_band::Invitation,
    goal: &str,
    what: &str,
    now: u64,
) -> Result<out_of_band::Invitation, Failure> {
    match inner.goal_code() {
        Some(code) if code == goal => {}
        other => {
            let other = match other {
                Some(GOAL_ROOM) => "a room".to_owned(),
                Some(GOAL_MEDIATE) => "a mediator".to_owned(),
                Some(other) => format!(
                    "something else ({})",
                    other.chars().filter(|c| !c.is_control()).take(60).collect::<String>()
                ),
                None => "something without a goal code".to_owned(),
            };
            let failure =
                Failure::new(Kind::LinkForeign, format!("this is a link to {other}, not to {what}"));
            return Err(failure.hint(match (goal, inner.goal_code()) {
                (GOAL_ROOM, Some(GOAL_MEDIATE)) => {
                    "ask the host for the link that `didagent invite` printed; this one is for `--mediator`"
                }
                (GOAL_MEDIATE, Some(GOAL_ROOM)) => {
                    "to take part in that room: didagent join LINK; `didagent mediator serve` prints a mediator's link"
                }
                (GOAL_ROOM, _) => "ask the host for the link that `didagent invite` printed",
                _ => "give the link that `didagent mediator serve` printed",
            }));
        }
    }
    inner.check_expiry(now).map_err(|error| link_failure(&error, now))?;
    Ok(inner)
}

fn damaged(why: &str) -> Failure {
    Failure::new(Kind::LinkDamaged, format!("the link was changed on its way: {why}"))
        .hint("ask for the link again and paste all of it")
}

pub(crate) fn link_failure(error: &InvitationError, now: u64) -> Failure {
    match error {
        InvitationError::NotALink => Failure::new(
            Kind::LinkNotALink,
            "this is not an invitation link: it has neither /r/...#... nor ?_oob=... in it",
        )
        .hint("paste the whole line that starts with http, in quotes"),
        InvitationError::ShortForm => Failure::new(Kind::LinkNotALink, error.to_string())
            .hint("ask for the long link, with `_oob=` in it"),
        InvitationError::NotAnInvitation { .. } => Failure::new(Kind::LinkForeign, error.to_string())
            .hint("ask the host for the link that `didagent invite` printed"),
        InvitationError::Expired { seconds_ago } => {
            let (ago, here) = (duration(*seconds_ago), utc(now));
            Failure::new(Kind::LinkExpired, format!("the invitation expired {ago} ago; here it is {here}"))
                .hint("ask the host to run `didagent invite` again")
        }
        _ => Failure::new(Kind::LinkDamaged, error.to_string())
            .hint("ask for the link again and paste all of it"),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::core::identity::Identity;
    use crate::core::test_rng;

    const BASE: &str = "https://mediator.example/";
    pub(crate) const NOW: u64 = 1_800_000_000;

    pub(crate) fn mediator() -> String {
        didagent_didcomm::did::peer2::encode(
            &Identity::generate(&mut test_rng(2)).agreement().public(),
            &[9; 32],
            None,
        )
    }

    pub(crate) fn link() -> String {
        let host = Identity::generate(&mut test_rng(1)).connection(&mediator());
        Invitation::create(&host, "MPyC", NOW, NOW + 60, &mut test_rng(3)).unwrap().link(BASE).unwrap()
    }

    #[test]
    fn a_link_reads_back_with_the_same_hash() {
        let host = Identity::generate(&mut test_rng(1)).connection(&mediator());
        let made = Invitation::create(&host, "MPyC", NOW, NOW + 60, &mut test_rng(3)).unwrap();
        let read = Invitation::read(&made.link(BASE).unwrap(), NOW).unwrap();
        assert_eq!(read, made);
        assert_eq!(read.mediator(), mediator());
    }

    /// Decides IV-03.
    #[test]
    fn an_expired_link_says_since_when() {
        let failure = Invitation::read(&link(), NOW + 60 + 600).unwrap_err();
        assert_eq!(failure.kind, Kind::LinkExpired);
        assert!(failure.message.contains("10 minutes ago"), "{}", failure.message);
    }

    /// Decides IV-04.
    #[test]
    fn every_truncation_and_every_changed_character_is_refused() {
        let link = link();
        let end = link.find('#').unwrap();
        for length in 0..link.len() {
            // Without the check in the fragment a link is one of other software, and this one is complete.
            let complete = length == end || length == end + 1;
            assert_eq!(Invitation::read(&link[..length], NOW).is_ok(), complete, "{length} characters");
        }
        let content = link.find("_oob=").unwrap() + 5;
        for at in content..end {
            let mut changed = link.clone().into_bytes();
            changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(changed).unwrap();
            assert_eq!(
                Invitation::read(&changed, NOW).unwrap_err().kind,
                Kind::LinkDamaged,
                "character {at}"
            );
        }
    }

    /// What the check in the fragment is for: whatever one character of a link becomes, the link leads to the same room or
    /// nowhere.
    /// Decides IV-04.
    #[test]
    fn no_changed_character_leads_to_another_room() {
        let link = link();
        let right = Invitation::read(&link, NOW).unwrap();
        for at in 0..link.len() {
            for other in ['A', 'z', '0', '-', '_', '=', '#', '&', '%', '.', ' ', '<', '"', '\u{200b}'] {
                let changed = format!("{}{other}{}", &link[..at], &link[at + 1..]);
                match Invitation::read(&changed, NOW) {
                    Ok(read) => {
                        assert_eq!((read.hash(), read.room()), (right.hash(), right.room()), "{changed}")
                    }
                    Err(failure) => assert!(
                        matches!(failure.kind, Kind::LinkDamaged | Kind::LinkNotALink),
                        "{changed}: {failure}"
                    ),
                }
            }
        }
    }

    /// Decides IV-03.
    #[test]
    fn an_http_page_and_another_programs_link_are_told_apart() {
        let oob = |message: serde_json::Value| {
            let text = didagent_didcomm::protocols::b64url_encode(message.to_string());
            Invitation::read(&format!("https://example.org/?_oob={text}"), NOW).unwrap_err()
        };
        let connect = serde_json::json!({
            "type": "https://didcomm.org/out-of-band/2.0/invitation", "id": "1", "from": mediator(),
            "body": {"goal_code": "issue-vc", "goal": "a credential"},
        });
        let failure = oob(connect);
        assert_eq!(failure.kind, Kind::LinkForeign);
        assert!(failure.message.contains("issue-vc"), "{failure}");
        let failure = oob(serde_json::json!({
            "@type": "https://didcomm.org/connections/1.0/invitation", "@id": "1", "label": "Faber",
        }));
        assert!(matches!(failure.kind, Kind::LinkForeign | Kind::LinkDamaged), "{failure}");
        let page = Invitation::read("https://example.org/", NOW).unwrap_err();
        assert_eq!(page.kind, Kind::LinkNotALink);
        let short = Invitation::read("https://example.org/?_oobid=5f0e", NOW).unwrap_err();
        assert_eq!(short.kind, Kind::LinkNotALink);
        assert!([page, short].iter().all(|failure| failure.hint.is_some()));
    }

    /// Decides IV-01, NA-02, NA-08.
    #[test]
    fn an_invitation_says_what_a_room_is() {
        let link = link();
        let oob = link.split_once("?_oob=").unwrap().1.split_once('#').unwrap().0;
        let bytes = didagent_didcomm::protocols::b64url_decode(oob).unwrap();
        let said: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
        let read = Invitation::read(&link, NOW).unwrap();
        assert_eq!(said["type"], "https://didcomm.org/out-of-band/2.0/invitation");
        assert_eq!(said["body"]["goal_code"], "didagent.room");
        assert_eq!((said["from"].as_str(), said["id"].as_str()), (Some(read.host()), Some(read.room())));
        assert_eq!((&said["created_time"], &said["expires_time"]), (&NOW.into(), &(NOW + 60).into()));
    }

    /// Decides IV-03.
    #[test]
    fn a_host_that_names_no_mediator_cannot_be_reached() {
        for mediator in ["", "wss://somewhere.example/"] {
            let host = Identity::generate(&mut test_rng(1)).connection(mediator);
            let made = Invitation::create(&host, "MPyC", NOW, NOW + 60, &mut test_rng(3)).unwrap();
            let failure = Invitation::read(&made.link(BASE).unwrap(), NOW).unwrap_err();
            assert_eq!(failure.kind, Kind::LinkForeign);
            assert!(failure.message.contains("names no mediator"), "{failure}");
        }
    }

    /// Decides CN-69.
    #[test]
    fn a_host_without_key_agreement_cannot_be_written_to() {
        let identity = Identity::generate(&mut test_rng(1));
        let mut host = identity.connection(&mediator());
        host.did = identity.did().to_owned();
        let made = Invitation::create(&host, "MPyC", NOW, NOW + 60, &mut test_rng(3)).unwrap();
        let failure = Invitation::read(&made.link(BASE).unwrap(), NOW).unwrap_err();
        assert_eq!(failure.kind, Kind::NoKeyAgreement, "{failure}");
    }

    /// Decides IV-03.
    #[test]
    fn a_link_of_somebody_with_another_kind_of_address_is_not_damaged() {
        let mut host = Identity::generate(&mut test_rng(1)).connection(&mediator());
        for (did, kind) in
            [("did:web:example.org", Kind::LinkForeign), ("did:peer:2.Ez6LS", Kind::LinkDamaged)]
        {
            host.did = did.to_owned();
            let made = Invitation::create(&host, "MPyC", NOW, NOW + 60, &mut test_rng(3)).unwrap();
            let failure = Invitation::read(&made.link(BASE).unwrap(), NOW).unwrap_err();
            assert_eq!(failure.kind, kind, "{failure}");
        }
    }

    /// Decides IV-03, IV-05.
    #[test]
    fn a_room_link_is_no_mediator_link() {
        assert_eq!(read_mediator_link(&link(), NOW).unwrap_err().kind, Kind::LinkForeign);
        assert_eq!(Invitation::read("hello", NOW).unwrap_err().kind, Kind::LinkNotALink);
    }
}
