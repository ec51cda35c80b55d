//! Deposits of short links, and Shorten URL 1.0.

use serde_json::json;

use super::super::short_link::{Deposit, Deposited};
use super::super::shorten_url::{InvalidateShortenedUrl, RequestShortenedUrl, ShortenedUrl};
use super::*;
use crate::short_link::LinkId;

fn deposit(single_use: bool) -> Deposit {
    Deposit {
        id: LinkId::parse("AQEBAQEB").unwrap(),
        content: vec![1, 2, 3],
        take_hash: Digest32([7; 32]),
        expires_time: 1_800_000_000,
        single_use,
    }
}

/// Decides RL-70.
#[test]
fn rl_70_bodies_of_short_link() {
    requires(&deposit(true), &["id", "content", "take_hash", "expires_time"]);
    let message = deposit(false).message("1");
    assert_eq!(message.body["id"], "AQEBAQEB");
    assert!(message.body.get("single_use").is_none());
    requires(&Deposited { expires_time: 1 }, &["expires_time"]);
    for (member, bad) in [
        ("id", json!("AQEBAQE")),
        ("id", json!("AQEBAQEBA")),
        ("content", json!("?")),
        ("take_hash", json!("AAAA")),
        ("expires_time", json!(-1)),
        ("single_use", json!(1)),
    ] {
        let mut message = deposit(true).message("1");
        message.body[member] = bad;
        assert!(matches!(Deposit::try_from(&message), Err(BodyError::Malformed { .. })), "{member}");
    }
}

/// Decides RL-76, RL-77.
#[test]
fn bodies_of_shorten_url() {
    let request = RequestShortenedUrl {
        url: "https://example.org/?_oob=e30".into(),
        requested_validity_seconds: 600,
        goal_code: "shorten.oobv2".into(),
        short_url_slug: Some("mine".into()),
    };
    requires(&request, &["url", "requested_validity_seconds", "goal_code"]);
    let url = "https://example.org/?_oobid=1".to_owned();
    requires(&ShortenedUrl { shortened_url: url.clone(), expires_time: Some(1) }, &["shortened_url"]);
    requires(&InvalidateShortenedUrl { shortened_url: url }, &["shortened_url"]);
}
