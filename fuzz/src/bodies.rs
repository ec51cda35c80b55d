//! Bodies of messages that were decrypted, and frames of the relay.

use std::fmt::Debug;

use didagent_didcomm::message::Message;
use didagent_didcomm::protocols::coordinate_mediation as mediation;
use didagent_didcomm::protocols::coordinate_mediation_2 as mediation_2;
use didagent_didcomm::protocols::relay::{self, Frame};
use didagent_didcomm::protocols::report_problem::ProblemReport;
use didagent_didcomm::protocols::routing::{Forward, PayloadForm};
use didagent_didcomm::protocols::{
    Body, BodyError, basic_message, discover_features as features, lobby, pickup, pickup_4, room, session,
    short_link, shorten_url, trust_ping,
};

use crate::Outcome;

/// A plaintext message, offered to the reader of every body. At most one takes it, and what that one read can be written and
/// read again.
pub(crate) fn bodies(input: &[u8]) -> Outcome {
    let Ok(message) = serde_json::from_slice::<Message>(input) else { return Outcome::Refused };
    macro_rules! standard {
        ($($body:ty),* $(,)?) => { [$(taken::<$body>(&message, |body| body.message("1"))),*] };
    }
    let standard = standard![
        mediation::MediateRequest,
        mediation::MediateGrant,
        mediation::MediateDeny,
        mediation::RecipientUpdate,
        mediation::RecipientUpdateResponse,
        mediation::RecipientQuery,
        mediation::Recipient,
        mediation_2::MediateRequest,
        mediation_2::MediateGrant,
        mediation_2::MediateDeny,
        mediation_2::KeylistUpdate,
        mediation_2::KeylistUpdateResponse,
        mediation_2::KeylistQuery,
        mediation_2::Keylist,
        basic_message::BasicMessage,
        features::Queries,
        features::Disclose,
        pickup::StatusRequest,
        pickup::Status,
        pickup::DeliveryRequest,
        pickup::MessagesReceived,
        pickup::LiveDeliveryChange,
        pickup_4::StatusRequest,
        pickup_4::Status,
        pickup_4::DeliveryRequest,
        pickup_4::MessagesReceived,
        pickup_4::LiveDeliveryChange,
        relay::Open,
        relay::Join,
        relay::Opened,
        relay::Refused,
        lobby::Post,
        lobby::Posted,
        lobby::Renew,
        lobby::Withdraw,
        lobby::Withdrawn,
        lobby::List,
        lobby::Posts,
        room::Ask,
        room::Invited,
        room::Join,
        room::Seats,
        room::Roster,
        room::Ready,
        room::Confirmed,
        room::Leave,
        session::Propose,
        session::Accept,
        session::Abort,
        short_link::Deposit,
        short_link::Deposited,
        shorten_url::RequestShortenedUrl,
        shorten_url::ShortenedUrl,
        shorten_url::InvalidateShortenedUrl,
        trust_ping::Ping,
        trust_ping::PingResponse,
    ];
    let others = [
        taken::<ProblemReport>(&message, |body| body.message("1").pthid("2")),
        taken::<pickup::Delivery>(&message, |body| body.message("1")),
        taken::<pickup_4::Delivery>(&message, |body| body.message("1")),
        taken::<Forward>(&message, |body| body.message("1", PayloadForm::Base64)),
    ];
    if let Ok(report) = ProblemReport::try_from(&message) {
        assert!(report.text().len() <= 4096);
    }
    match standard.iter().chain(&others).filter(|taken| **taken).count() {
        0 => Outcome::Refused,
        1 => Outcome::Accepted,
        several => panic!("{several} readers take one message"),
    }
}

fn taken<B>(message: &Message, write: impl Fn(&B) -> Message) -> bool
where
    B: Debug + PartialEq + for<'a> TryFrom<&'a Message, Error = BodyError>,
{
    let Ok(body) = B::try_from(message) else { return false };
    let text = serde_json::to_vec(&write(&body)).expect("a message always serialises");
    let again: Message = serde_json::from_slice(&text).expect("our own message");
    assert_eq!(B::try_from(&again), Ok(body));
    true
}

/// A binary message on a relay socket. What decodes encodes to the same bytes.
pub(crate) fn relay_frame(input: &[u8]) -> Outcome {
    let frame = Frame::decode(input);
    if let Ok(frame) = &frame {
        assert_eq!(frame.encode(), input);
    }
    Outcome::of(&frame)
}

/// Queries and then features that may match them, one message in each half: every answer is among the features, and what is asked
/// for by its name or by a star is told.
pub(crate) fn feature_queries(input: &[u8]) -> Outcome {
    let Some(end) = input.iter().position(|byte| *byte == b'\n') else { return Outcome::Refused };
    let read = |text: &[u8]| serde_json::from_slice::<Message>(text).ok();
    let (Some(queries), Some(known)) = (read(&input[..end]), read(&input[end + 1..])) else {
        return Outcome::Refused;
    };
    let (Ok(mut queries), Ok(known)) =
        (features::Queries::try_from(&queries), features::Disclose::try_from(&known))
    else {
        return Outcome::Refused;
    };
    let told = features::answer(&queries, &known.disclosures);
    assert!(told.disclosures.iter().all(|feature| known.disclosures.contains(feature)));
    for feature in &known.disclosures {
        for match_ in [feature.id.clone(), "*".to_owned(), format!("*{}*", feature.id)] {
            let query = features::Query { feature_type: feature.feature_type.clone(), match_ };
            // A star in the name itself stands for anything, so also for itself.
            assert!(query.matches(feature));
        }
    }
    queries.queries.clear();
    assert!(features::answer(&queries, &known.disclosures).disclosures.is_empty());
    Outcome::Accepted
}
