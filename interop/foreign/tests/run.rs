//! A foreign party in a room of ours: one real run of MPyC, and what becomes of one that breaks a rule.
#![allow(missing_docs)]

mod support;

use std::time::Duration;

use didagent_foreign::documents::Connection;
use didagent_foreign::identity::Identity;
use didagent_foreign::mediator::Mailbox;
use didagent_foreign::room::{Guest, Invitation, join};
use didagent_foreign::run::Run;
use didagent_foreign::{Problem, Result, handshake};
use support::{Stage, program};
use tokio::time::timeout;

/// Makes an identity with a mailbox at a mediator of the host.
async fn arrive(mediator: &str, seed: u8) -> (Mailbox, Guest) {
    let identity = Identity::generate().unwrap();
    let own = Connection::new(&identity, [seed; 32], mediator);
    let link = identity.link(&own.did, 1_800_000_000).unwrap();
    let mailbox = Mailbox::open(own, mediator).await.unwrap();
    (mailbox, Guest::new(identity, "foreigner", link))
}

/// Takes a seat and makes the sessions.
async fn meet(mut mailbox: Mailbox, guest: &Guest, invitation: &Invitation) -> Result<Run> {
    let roster = join(&mut mailbox, guest, invitation).await?;
    let established = handshake::answer(&mut mailbox, invitation, &roster).await?;
    Run::meet(mailbox, invitation.clone(), roster, established).await
}

fn refused_with(problem: &Problem) -> &str {
    match problem {
        Problem::Refused { code, .. } => code,
        other => panic!("{other}"),
    }
}

/// The foreign party joins with `numbers`' last one, runs the program and leaves; all learn `result`.
async fn takes_part(numbers: &[u32], result: &str) {
    let stage = Stage::new().await;
    let (mut host, link) = stage.host(numbers.len(), numbers[0]).await;
    let invitation = Invitation::read(&link).unwrap();
    let mut guests = Vec::new();
    for number in &numbers[1..numbers.len() - 1] {
        guests.push(stage.guest(&link, *number));
        host.event("party.joined").await;
    }
    let (mailbox, guest) = arrive(&invitation.mediators[0], 7).await;
    let mut run = meet(mailbox, &guest, &invitation).await.unwrap();
    run.ready(&guest, run.round()).await.unwrap();
    let finished = run.program(&program(numbers[numbers.len() - 1])).await.unwrap();
    run.leave().await.unwrap();

    let (output, errors) =
        (String::from_utf8_lossy(&finished.stdout), String::from_utf8_lossy(&finished.stderr));
    assert!(finished.status.success(), "{errors}");
    assert_eq!(output.lines().last(), Some(result), "{output}");
    for party in guests.into_iter().chain([host]) {
        let (code, lines) = party.end().await;
        assert_eq!(code, Some(0), "{lines:#?}");
        assert!(lines.iter().any(|line| line.contains(result)), "{lines:#?}");
    }
}

#[tokio::test]
async fn a_foreign_party_takes_part_in_a_run_with_a_host() {
    takes_part(&[6, 7], "sum 13 product 42 winner 1").await;
}

/// With three parties MPyC's threshold is 1, so no party can open anything without another one.
#[tokio::test]
async fn a_foreign_party_takes_part_in_a_run_of_three() {
    takes_part(&[2, 9, 5], "sum 16 product 90 winner 1").await;
}

/// Decides RM-22, RM-80.
#[tokio::test]
async fn a_foreign_party_goes_on_at_the_hosts_second_mediator_when_the_first_is_lost() {
    let mut stage = Stage::new().await;
    let (_second, second) = stage.second_mediator().await;
    let (mut host, link) = stage.host_at(&[&stage.link, &second], 2, 6).await;
    let invitation = Invitation::read(&link).unwrap();
    let [_, second] = invitation.mediators.as_slice() else { panic!("not two mediators") };
    let (mut mailbox, guest) = arrive(second, 8).await;
    // Only when its mailbox there stands does the host answer, here with a refusal that costs nothing.
    let other = Invitation { hash: [7; 32], ..invitation.clone() };
    let answer = loop {
        if let Ok(answer) = timeout(Duration::from_secs(2), join(&mut mailbox, &guest, &other)).await {
            break answer;
        }
    };
    assert_eq!(refused_with(&answer.unwrap_err()), "e.p.room.unknown");
    stage.mediator.take().unwrap().kill().await;
    loop {
        let warning = host.event("warning").await;
        if warning["message"].as_str().is_some_and(|message| message.contains("takes its place")) {
            break;
        }
    }
    let (mailbox, guest) = arrive(second, 7).await;
    let mut run = meet(mailbox, &guest, &invitation).await.unwrap();
    run.ready(&guest, run.round()).await.unwrap();
    let finished = run.program(&program(7)).await.unwrap();
    run.leave().await.unwrap();
    assert!(finished.status.success(), "{}", String::from_utf8_lossy(&finished.stderr));
    let (code, lines) = host.end().await;
    assert_eq!(code, Some(0), "{lines:#?}");
}

/// Decides IV-02, RM-10, RM-13, RM-41, RM-42.
#[tokio::test]
async fn a_foreign_party_that_breaks_a_rule_is_refused_and_told_why() {
    let stage = Stage::new().await;
    let (host, link) = stage.host(2, 6).await;
    let invitation = Invitation::read(&link).unwrap();
    let (mut mailbox, mut guest) = arrive(&invitation.mediators[0], 7).await;

    // Another invitation than the one that was sent: no seat.
    let other = Invitation { hash: [7; 32], ..invitation.clone() };
    let refused = join(&mut mailbox, &guest, &other).await.unwrap_err();
    assert_eq!(refused_with(&refused), "e.p.room.unknown");
    // A link of the right identity for another connection: no seat.
    let right = std::mem::replace(&mut guest.link, guest.identity.link(&invitation.host, 0).unwrap());
    let refused = join(&mut mailbox, &guest, &invitation).await.unwrap_err();
    assert_eq!(refused_with(&refused), "e.p.room.denied");

    // Neither has cost the seat.
    guest.link = right;
    let mut run = meet(mailbox, &guest, &invitation).await.unwrap();
    // A stream of another round is reset, and the session goes on.
    run.open_and_be_refused([7; 32]).await.unwrap();
    // Ready for another roster: the host ends the room and names the party.
    let left = match run.ready(&guest, [7; 32]).await {
        Ok(()) => run.end().await,
        Err(problem) => problem,
    };
    assert!(matches!(left, Problem::Left { index: 0, .. }), "{left}");
    let (code, lines) = host.end().await;
    assert_ne!(code, Some(0));
    let error = lines.iter().find(|line| line.contains("another roster")).expect("no reason");
    assert!(error.contains("foreigner"), "{error}");
}

/// Decides CR-01, CR-22, CR-24. The issuer, too, is other people's software, and each side checks what the other one shows.
#[tokio::test]
async fn a_foreign_authority_vouches_for_a_foreign_party_and_for_ours() {
    const UNTIL: &str = "2100-01-01T00:00:00Z";
    let stage = Stage::new().await;
    let authority = Identity::generate().unwrap();
    let ours = stage.said("host", &["identity", "show"]).await;
    let file = stage.file("host.jwt", &authority.issue(&ours, UNTIL).unwrap());
    stage.said("host", &["credential", "add", &file]).await;
    let (mut host, link) = stage.host_requiring(authority.did(), 6).await;
    let invitation = Invitation::read(&link).unwrap();
    assert_eq!(invitation.issuers, [authority.did()]);
    let (mut mailbox, mut guest) = arrive(&invitation.mediators[0], 7).await;
    let theirs = guest.identity.did().to_owned();
    for (credential, why) in [
        (None, "there is no credential, and the invitation requires one"),
        (Some(authority.issue(&ours, UNTIL).unwrap()), "the credential is about somebody else"),
        (Some(authority.issue(&theirs, "2026-01-02T00:00:00Z").unwrap()), "the credential has expired"),
        (
            Some(guest.identity.issue(&theirs, UNTIL).unwrap()),
            "the credential is of an issuer that the invitation does not name",
        ),
    ] {
        guest.credential = credential;
        let refused = join(&mut mailbox, &guest, &invitation).await.unwrap_err();
        assert_eq!(refused_with(&refused), "e.p.room.credential");
        assert_eq!(host.event("party.refused").await["reason"], why);
    }
    guest.credential = Some(authority.issue(&theirs, UNTIL).unwrap());
    let mut run = meet(mailbox, &guest, &invitation).await.unwrap();
    run.ready(&guest, run.round()).await.unwrap();
    let finished = run.program(&program(7)).await.unwrap();
    run.leave().await.unwrap();
    assert!(finished.status.success(), "{}", String::from_utf8_lossy(&finished.stderr));
    let (code, lines) = host.end().await;
    assert_eq!(code, Some(0), "{lines:#?}");
    let ready = lines.iter().find(|line| line.contains("room.ready")).unwrap();
    assert!(ready.matches(authority.did()).count() == 2, "{ready}");
}
