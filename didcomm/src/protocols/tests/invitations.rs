//! Invitation links: what is read, what is refused and under which name.

use proptest::prelude::*;
use sha2::{Digest as _, Sha256};

use crate::protocols::out_of_band::{
    Invitation, InvitationError, InvitationParts, MAX_INVITATION, MAX_ISSUERS,
};
use crate::protocols::{b64url_encode, types};

/// The example of the DIDComm specification, "Example Out-of-Band Message Encoding".
const SPEC_LINK: &str = "https://example.com/path?_oob=eyJ0eXBlIjoiaHR0cHM6Ly9kaWRjb21tLm9yZy9vdXQtb2YtYmFuZC8yLjAvaW52aXRhdGlvbiIsImlkIjoiNjkyMTJhM2EtZDA2OC00ZjlkLWEyZGQtNDc0MWJjYTg5YWYzIiwiZnJvbSI6ImRpZDpleGFtcGxlOmFsaWNlIiwiYm9keSI6eyJnb2FsX2NvZGUiOiIiLCJnb2FsIjoiIn0sImF0dGFjaG1lbnRzIjpbeyJpZCI6InJlcXVlc3QtMCIsIm1lZGlhX3R5cGUiOiJhcHBsaWNhdGlvbi9qc29uIiwiZGF0YSI6eyJqc29uIjoiPGpzb24gb2YgcHJvdG9jb2wgbWVzc2FnZT4ifX1dfQ";

fn sample() -> Invitation {
    Invitation::new(InvitationParts {
        id: "i-1".into(),
        from: "did:example:alice".into(),
        goal_code: Some(types::GOAL_ROOM.into()),
        goal: Some("join room 7-guitar-orbit".into()),
        accept: vec![types::PROFILE_DIDCOMM_V2.into()],
        created_time: Some(1_000),
        expires_time: Some(2_000),
        require_issuer: vec!["did:web:authority.example".into()],
        attachments: vec![],
    })
    .unwrap()
}

fn link_of(json: &str) -> String {
    format!("https://example.com/?_oob={}", b64url_encode(json))
}

#[test]
fn reads_the_example_of_the_specification() {
    let invitation = Invitation::from_url(SPEC_LINK).unwrap();
    assert_eq!(invitation.id(), "69212a3a-d068-4f9d-a2dd-4741bca89af3");
    assert_eq!(invitation.from(), "did:example:alice");
    assert_eq!(invitation.goal_code(), Some(""));
    assert_eq!(invitation.parts().attachments.len(), 1);
    assert_eq!(invitation.hash(), <[u8; 32]>::from(Sha256::digest(invitation.bytes())));
}

/// Decides IV-02.
#[test]
fn link_round_trip_keeps_bytes_and_hash() {
    let invitation = sample();
    let link = invitation.to_url("https://med.example.org/r?coupon=1#old").unwrap();
    assert!(link.starts_with("https://med.example.org/r?coupon=1&_oob="), "{link}");
    let read = Invitation::from_url(&link).unwrap();
    assert_eq!(read, invitation);
    assert_eq!(read.hash(), invitation.hash());
    let text = std::str::from_utf8(invitation.bytes()).unwrap();
    assert!(!text.replace("join room 7", "").contains(char::is_whitespace), "{text}");
}

/// Decides IV-02.
#[test]
fn bytes_are_kept_as_received_however_they_are_written() {
    let json = r#"{ "from":"did:example:a", "type":"https://didcomm.org/out-of-band/2.1/invitation",
        "id":"1", "body":{"x":1.50} }"#;
    let invitation = Invitation::from_url(&link_of(json)).unwrap();
    assert_eq!(invitation.bytes(), json.as_bytes());
}

#[test]
fn tolerates_padding_whitespace_brackets_and_foreign_fragments() {
    let padded = format!("{SPEC_LINK}==");
    let wrapped = format!(" <{}\n  {}>\r\n", &SPEC_LINK[..60], &SPEC_LINK[60..]);
    let fragment = format!("{SPEC_LINK}#top");
    for link in [padded, wrapped, fragment] {
        assert!(Invitation::from_url(&link).is_ok(), "{link}");
    }
}

/// Decides IV-07.
#[test]
fn every_cut_of_a_link_is_an_error() {
    let link = sample().to_url("https://med.example.org/").unwrap();
    let check_starts = link.find('#').unwrap();
    for end in 0..link.len() {
        let result = Invitation::from_url(&link[..end]);
        // Exactly at the fragment, or with nothing but its "#" or a part of its name, the content is complete.
        if end == check_starts || end == check_starts + 1 {
            assert!(result.is_ok(), "{end}");
        } else {
            assert!(result.is_err(), "{end}");
        }
        if end > check_starts + 1 {
            assert_eq!(result, Err(InvitationError::Truncated), "{end}");
        }
    }
    assert_eq!(Invitation::from_url(&format!("{link}x")), Err(InvitationError::Damaged));
}

/// Decides IV-04.
#[test]
fn every_changed_character_of_the_content_is_damage() {
    let link = sample().to_url("https://med.example.org/").unwrap();
    let start = link.find("_oob=").unwrap() + 5;
    let end = link.find('#').unwrap();
    for at in start..end {
        let mut bytes = link.clone().into_bytes();
        bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
        let changed = String::from_utf8(bytes).unwrap();
        assert_eq!(Invitation::from_url(&changed), Err(InvitationError::Damaged), "{at}");
    }
}

/// Decides IV-06, IV-07.
#[test]
fn names_what_is_wrong() {
    let ping = format!(r#"{{"type":"{}","id":"1","from":"did:example:a"}}"#, types::PING);
    let oob = types::OOB_INVITATION;
    let cases = [
        ("hello".to_owned(), InvitationError::NotALink),
        ("https://example.com/".to_owned(), InvitationError::NotALink),
        ("https://example.com/?_oobid=7".to_owned(), InvitationError::ShortForm),
        ("https://example.com/?_oob=".to_owned(), InvitationError::Truncated),
        ("https://example.com/?_oob=%21".to_owned(), InvitationError::NotBase64),
        (link_of("hello"), InvitationError::NotJson),
        (link_of("[]"), InvitationError::NotJson),
        (link_of(r#"{"type":"#), InvitationError::Truncated),
        (link_of("{}"), InvitationError::Incomplete { member: "type" }),
        (link_of(&ping), InvitationError::NotAnInvitation { type_: types::PING.to_owned() }),
        (
            link_of(&format!(r#"{{"type":"{oob}","from":"did:example:a"}}"#)),
            InvitationError::Incomplete { member: "id" },
        ),
        (link_of(&format!(r#"{{"type":"{oob}","id":"1"}}"#)), InvitationError::Incomplete { member: "from" }),
        (
            link_of(&format!(r#"{{"type":"{oob}","id":"1","from":"alice"}}"#)),
            InvitationError::Incomplete { member: "from" },
        ),
        (
            link_of(&format!(r#"{{"type":"{oob}","id":"1","id":"2","from":"did:example:a"}}"#)),
            InvitationError::Incomplete { member: "header" },
        ),
        (
            link_of(&format!(r#"{{"type":"{oob}","id":"1","from":"did:example:a","body":{{"accept":1}}}}"#)),
            InvitationError::Incomplete { member: "body" },
        ),
    ];
    for (link, error) in cases {
        assert_eq!(Invitation::from_url(&link), Err(error), "{link}");
    }
}

/// Decides IV-07.
#[test]
fn size_is_capped_both_ways() {
    let long = format!("{SPEC_LINK}{}", "A".repeat(MAX_INVITATION));
    assert!(matches!(Invitation::from_url(&long), Err(InvitationError::TooLarge { .. })));
    assert!(matches!(
        Invitation::from_bytes(vec![b' '; MAX_INVITATION + 1]),
        Err(InvitationError::TooLarge { .. })
    ));
    let mut parts = sample().parts().clone();
    parts.goal = Some("g".repeat(MAX_INVITATION - 1000));
    let nearly = Invitation::new(parts).unwrap();
    assert!(matches!(nearly.to_url("https://example.com/"), Err(InvitationError::TooLarge { .. })));
    assert_eq!(sample().to_url("mailto:a@example.org"), Err(InvitationError::NotALink));
}

/// Decides IV-03.
#[test]
fn expires_at_its_time_and_not_before() {
    assert_eq!(sample().check_expiry(1_999), Ok(()));
    assert_eq!(sample().check_expiry(2_000), Err(InvitationError::Expired { seconds_ago: 0 }));
    assert_eq!(Invitation::from_url(SPEC_LINK).unwrap().check_expiry(u64::MAX), Ok(()));
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused(text in ".{0,200}") {
        let _ = Invitation::from_url(&text);
        let _ = Invitation::from_bytes(text.into_bytes());
    }
}

/// Decides CR-20.
#[test]
fn the_issuers_that_are_required_are_few_and_dids() {
    let body = |issuers: serde_json::Value| {
        let body = serde_json::json!({"goal_code": types::GOAL_ROOM, "require_issuer": issuers});
        let message = serde_json::json!({
            "type": types::OOB_INVITATION, "id": "1", "from": "did:example:alice", "body": body,
        });
        let read = Invitation::from_bytes(serde_json::to_vec(&message).unwrap());
        read.map(|invitation| invitation.parts().require_issuer.clone())
    };
    let dids = |count: usize| (0..count).map(|n| format!("did:web:{n}.example")).collect::<Vec<_>>();
    for count in [0, 1, MAX_ISSUERS] {
        assert_eq!(body(serde_json::json!(dids(count))), Ok(dids(count)));
    }
    let refused = Err(InvitationError::Incomplete { member: "require_issuer" });
    assert_eq!(body(serde_json::json!(dids(MAX_ISSUERS + 1))), refused);
    assert_eq!(body(serde_json::json!(["https://authority.example"])), refused);
    assert_eq!(body(serde_json::json!([format!("did:web:{}", "a".repeat(2048))])), refused);
    let malformed = Err(InvitationError::Incomplete { member: "body" });
    assert_eq!(body(serde_json::json!("did:web:authority.example")), malformed);
    assert_eq!(sample().parts().require_issuer, ["did:web:authority.example"]);
}
