//! Short links: the text that people paste, and what a mediator gives for it.

use didagent::core::pasted::Pasted;
use didagent_didcomm::short_link::{MAX_CONTENT, Sealed, ShortLink};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng as _;

use crate::Outcome;

/// The message behind the seeds' link.
pub(crate) const MESSAGE: &[u8] = br#"{"type":"https://didcomm.org/out-of-band/2.0/invitation","id":"1"}"#;

/// The seeds' link.
pub(crate) fn sealed() -> Sealed {
    let rng = &mut ChaCha20Rng::from_seed([5; 32]);
    ShortLink::seal(MESSAGE, "https://med.example.org/", rng).expect("a link")
}

/// A pasted text. A link that is found in it is found in itself, is as long as a link is, and its address has no secret.
pub(crate) fn text(input: &[u8]) -> Outcome {
    let Ok(text) = std::str::from_utf8(input) else { return Outcome::Refused };
    if let Ok(link) = ShortLink::parse(text) {
        assert_eq!(ShortLink::parse(&link.text()).expect("our own text").text(), link.text());
    }
    match Pasted::read(text) {
        Ok(Pasted::Short(link)) => {
            let whole = link.text();
            let (address, secret) = whole.split_once('#').expect("a secret");
            assert_eq!((address, secret.len()), (&*link.address(), 27));
            match Pasted::read(&whole) {
                Ok(Pasted::Short(again)) => assert_eq!(again.text(), whole),
                other => panic!("{whole}: {other:?}"),
            }
            Outcome::Accepted
        }
        Ok(Pasted::Readable(url)) => {
            assert!(url.as_str().contains("_oobid="));
            Outcome::Accepted
        }
        _ => Outcome::Refused,
    }
}

/// What is given for a link: nothing but the content that it was made for is accepted.
pub(crate) fn content(input: &[u8]) -> Outcome {
    let Sealed { link, content } = sealed();
    let opened = link.open(input);
    assert_eq!(opened.is_ok(), input == content);
    if let Ok(message) = &opened {
        assert!(message == MESSAGE && input.len() <= MAX_CONTENT);
    }
    Outcome::of(&opened)
}
