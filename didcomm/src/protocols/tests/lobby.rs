//! Bodies of Lobby 1.0.

use serde_json::{Value, json};

use super::super::lobby::*;
use super::*;

fn program() -> Program {
    Program {
        name: ProgramName::new("vote.py").unwrap(),
        sha256: ProgramDigest::new("3f".repeat(32)).unwrap(),
    }
}

fn post() -> Post {
    Post {
        title: Title::new("Wages of nurses, 3 of us").unwrap(),
        program: program(),
        seats: 3,
        free: 2,
        threshold: Some(1),
        link: RoomLink::new("https://med.example.org/r/AQEBAQEB#AQ").unwrap(),
        expires_time: 1_800_000_000,
    }
}

fn id() -> PostId {
    PostId::new("0123abcd").unwrap()
}

fn listed(link: bool) -> Listed {
    let Post { title, program, seats, free, threshold, link: of_room, expires_time } = post();
    Listed { id: id(), title, program, seats, free, threshold, link: link.then_some(of_room), expires_time }
}

/// Fails unless a body with this value in this place is refused.
fn refuses<B>(body: &B, pointer: &str, bad: Value)
where
    B: Body + std::fmt::Debug + PartialEq + for<'a> TryFrom<&'a Message, Error = BodyError>,
{
    let mut message = body.message("1");
    *message.body.pointer_mut(pointer).unwrap() = bad.clone();
    assert!(matches!(B::try_from(&message), Err(BodyError::Malformed { .. })), "{pointer}: {bad}");
}

/// Decides LB-03, LB-04.
#[test]
fn lb_04_bodies_of_the_lobby() {
    requires(&post(), &["title", "program", "seats", "free", "link", "expires_time"]);
    requires(&Posted { id: id(), expires_time: 1 }, &["id", "expires_time"]);
    requires(&Renew { id: id(), free: 0, expires_time: 1 }, &["id", "free", "expires_time"]);
    requires(&Withdraw { id: id() }, &["id"]);
    requires(&Withdrawn { id: id() }, &["id"]);
    requires(&List::default(), &[]);
    requires(&List { id: Some(id()) }, &[]);
    requires(&Posts { posts: vec![listed(true), listed(false)] }, &["posts"]);
    assert_eq!(Posts { posts: vec![listed(false)] }.message("1").body["posts"][0].get("link"), None);
    assert_eq!(List::default().message("1").body, json!({}));
    for (pointer, bad) in [
        ("/program/sha256", json!("3F".repeat(32))),
        ("/program/sha256", json!("3f".repeat(31))),
        ("/program/sha256", json!(format!("{}zz", "3f".repeat(31)))),
        ("/program/name", json!("")),
        ("/program/name", json!("x".repeat(101))),
        ("/program/name", json!("a\u{202e}b.py")),
        ("/program", json!(null)),
        ("/seats", json!(256)),
        ("/free", json!(-1)),
        ("/threshold", json!("1")),
        ("/link", json!("javascript:alert(1)")),
        ("/link", json!("https://med.example.org/ r/")),
        ("/link", json!("https://med.example.org/\u{e4}")),
        ("/link", json!(format!("https://m/{}", "x".repeat(MAX_LINK)))),
        ("/expires_time", json!(1.5)),
    ] {
        refuses(&post(), pointer, bad);
    }
    for bad in ["", "0123abc", "0123abcde", "0123abcD", "0123abc-"] {
        refuses(&Withdraw { id: id() }, "/id", json!(bad));
        refuses(&List { id: Some(id()) }, "/id", json!(bad));
        refuses(&Posts { posts: vec![listed(true)] }, "/posts/0/id", json!(bad));
    }
}

/// Decides LB-02, SC-05.
#[test]
fn lb_02_a_title_is_one_line_that_can_be_shown() {
    for good in ["a", "Zoë's 山田太郎 ❤\u{FE0F}", &"x".repeat(80), &"山".repeat(80), "a  b"] {
        assert_eq!(Title::new(good).unwrap().as_str(), good);
    }
    let long = ["x".repeat(81), "山".repeat(81), "x".repeat(1 << 20)];
    let hidden = [
        "a\u{1b}[2J",
        "a\nb",
        "a\tb",
        "a\u{7f}",
        "a\u{85}b",
        "\u{202e}evil",
        "a\u{2066}b",
        "a\u{200b}b",
        "\u{feff}a",
        "a\u{ad}b",
        "a\u{2028}b",
        "a\u{e0041}",
        "\u{3164}",
    ];
    let outer = ["", " ", " a", "a ", "\u{a0}a", "a\u{3000}"];
    for bad in hidden.iter().chain(&outer).copied().chain(long.iter().map(String::as_str)) {
        assert_eq!(Title::new(bad), Err(UnfitText), "{:?}", bad.chars().take(20).collect::<String>());
        refuses(&post(), "/title", json!(bad));
        refuses(&Posts { posts: vec![listed(false)] }, "/posts/0/title", json!(bad));
    }
}

/// Decides LB-03.
#[test]
fn lb_03_the_numbers_are_those_of_a_room() {
    for (seats, free, threshold, is_a_room) in [
        (2, 1, None, true),
        (16, 15, Some(7), true),
        (3, 0, Some(0), true),
        (3, 2, Some(1), true),
        (1, 0, None, false),
        (0, 0, None, false),
        (17, 1, None, false),
        (3, 3, None, false),
        (3, 1, Some(2), false),
        (16, 1, Some(8), false),
        (16, 1, Some(255), false),
    ] {
        let post = Post { seats, free, threshold, ..post() };
        assert_eq!(post.is_a_room(), is_a_room, "{seats} {free} {threshold:?}");
    }
}

/// Decides LB-04.
#[test]
fn lb_04_every_truncation_of_a_message_is_refused() {
    let text = serde_json::to_string(&post().message("1")).unwrap();
    for length in (0..text.len()).filter(|length| text.is_char_boundary(*length)) {
        assert!(serde_json::from_str::<Message>(&text[..length]).is_err(), "{length}");
    }
    assert!(serde_json::from_str::<Message>(&format!("{text}{{}}")).is_err(), "something behind it");
}
