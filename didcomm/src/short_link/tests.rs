use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng as _;

use super::*;

const MESSAGE: &[u8] = br#"{"type":"https://didcomm.org/out-of-band/2.0/invitation","id":"1"}"#;
const BASE: &str = "https://med.example.org/";

fn rng(seed: u8) -> ChaCha20Rng {
    ChaCha20Rng::from_seed([seed; 32])
}

fn sealed() -> Sealed {
    ShortLink::seal(MESSAGE, BASE, &mut rng(1)).unwrap()
}

/// Decides IV-09, IV-10.
#[test]
fn a_link_is_short_reads_back_and_opens_its_content() {
    for (base, shown) in [
        (BASE, "https://med.example.org/"),
        ("http://127.0.0.1:65535", "http://127.0.0.1:65535/"),
        ("https://med.example.org/a/b?x=1#y", "https://med.example.org/a/b/"),
    ] {
        let Sealed { link, content } = ShortLink::seal(MESSAGE, base, &mut rng(1)).unwrap();
        let text = link.text();
        assert!(text.starts_with(&format!("{shown}r/")), "{text}");
        assert_eq!(text.len(), shown.len() + 38);
        assert!(text.len() <= 72);
        let read = ShortLink::parse(&text).unwrap();
        assert_eq!((read.text(), read.id()), (text.clone(), link.id()));
        assert_eq!(LinkId::in_path(Url::parse(&text).unwrap().path()), Some(link.id()));
        assert_eq!(read.open(&content).unwrap(), MESSAGE);
        assert_eq!(content.len(), MESSAGE.len() + 32);
        let take = Take::from_header(&read.take().to_header()).unwrap();
        assert_eq!(take.hash(), link.take().hash());
    }
}

/// Decides NA-04, IV-10. The values were computed from the text of the chapter by Python's hashlib, hmac and cryptography.
#[test]
fn bytes_are_as_specified() {
    let link = ShortLink {
        base: BASE.to_owned(),
        id: LinkId([1; 6]),
        secret: commitment(LinkId([1; 6]), &[2; 16], MESSAGE),
    };
    assert_eq!(link.text(), "https://med.example.org/r/AQEBAQEB#9_6EiU4Gbkp-IwsnZz7mB9qSp3c");
    assert_eq!(*link.take().to_header(), "Bearer 6exjCQKniABYKRmhUA02M0es8kD0R4mjoaHkytGV-xk");
    let content = base64url::decode("yS2ZmMsyd2_cOGTz2rL1Glq3d_-CzFCVBC_gnoK2EFiMry6FTyi7zGSxnsK3-L2Kx0gOyXWs6o6iC69Ft9qLoSNa6sTIpHD7d1vETIoVgsKM3XjOdYPCMGhoA_hWFih5wlo").unwrap();
    assert_eq!(link.open(&content).unwrap(), MESSAGE);
}

/// Decides IV-09.
#[test]
fn every_cut_and_every_other_length_is_known() {
    let text = sealed().link.text();
    let path = text.find("/r/").unwrap() + 3;
    for length in 0..text.len() {
        let expected = if length < path { ShortLinkError::NotALink } else { ShortLinkError::Truncated };
        assert_eq!(ShortLink::parse(&text[..length]).unwrap_err(), expected, "{length}");
    }
    for longer in
        [format!("{text}A"), text.replace("/r/", "/r/A"), text.replace('#', "/#"), text.replace('#', "A#")]
    {
        assert!(ShortLink::parse(&longer).is_err(), "{longer}");
    }
    for other in [
        "did:example:1#x",
        "https://med.example.org/?_oob=e30",
        "https://med.example.org/",
        "ftp://med.example.org/r/AQEBAQEB#AAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "https://me@med.example.org/r/AQEBAQEB#AAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "https://med.example.org/r/AQEBAQEB?x=1#AAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "https://med.example.org/s/AQEBAQEB#AAAAAAAAAAAAAAAAAAAAAAAAAAA",
    ] {
        assert_eq!(ShortLink::parse(other).unwrap_err(), ShortLinkError::NotALink, "{other}");
    }
    // The last character has two bits that mean nothing, and must be zero.
    assert_eq!(
        ShortLink::parse("https://med.example.org/r/AQEBAQEB#AAAAAAAAAAAAAAAAAAAAAAAAAAB").unwrap_err(),
        ShortLinkError::Damaged
    );
}

/// Decides IV-11.
#[test]
fn content_that_was_changed_cut_or_made_longer_is_refused() {
    let Sealed { link, content } = sealed();
    for at in 0..content.len() {
        let mut changed = content.clone();
        changed[at] ^= 1;
        assert_eq!(link.open(&changed), Err(ShortLinkError::Swapped));
        assert_eq!(link.open(&content[..at]), Err(ShortLinkError::Swapped));
    }
    assert_eq!(link.open(&[&content[..], &[0]].concat()), Err(ShortLinkError::Swapped));
    assert_eq!(link.open(&vec![0; MAX_CONTENT + 1]), Err(ShortLinkError::Swapped));
    // Content of another link of the same mediator.
    let other = ShortLink::seal(MESSAGE, BASE, &mut rng(2)).unwrap();
    assert_eq!(link.open(&other.content), Err(ShortLinkError::Swapped));
}

/// Decides IV-11: whoever knows the link can make content with a good tag, and it is refused all the same.
#[test]
fn a_keeper_that_knows_the_secret_cannot_swap_the_message() {
    let Sealed { link, content } = sealed();
    let forge = |salt: &[u8], message: &[u8]| {
        let plaintext = [salt, message].concat();
        let payload = Payload { msg: &plaintext[..], aad: &link.id.0[..] };
        link.cipher().encrypt(&Nonce::<ChaCha20Poly1305>::default(), payload).unwrap()
    };
    let plaintext = link
        .cipher()
        .decrypt(&Nonce::<ChaCha20Poly1305>::default(), Payload { msg: &content, aad: &link.id.0 })
        .unwrap();
    let (salt, message) = plaintext.split_at(SALT_BYTES);
    assert_eq!(forge(salt, message), content);
    let evil = String::from_utf8(message.to_vec()).unwrap().replace("\"1\"", "\"2\"");
    assert_eq!(link.open(&forge(salt, evil.as_bytes())), Err(ShortLinkError::Swapped));
    assert_eq!(link.open(&forge(&[0; 16], message)), Err(ShortLinkError::Swapped));
    assert_eq!(link.open(&forge(&[], &[])), Err(ShortLinkError::Swapped));
    // The same content under another id: what a link commits to is its own.
    let moved = ShortLink { base: BASE.to_owned(), id: LinkId([9; 6]), secret: Secret(link.secret.0) };
    assert_eq!(moved.open(&content), Err(ShortLinkError::Swapped));
}

/// Decides IV-10.
#[test]
fn the_longest_message_fits_and_a_longer_one_is_refused() {
    let Sealed { link, content } = ShortLink::seal(&[7; MAX_MESSAGE], BASE, &mut rng(1)).unwrap();
    assert_eq!(content.len(), MAX_CONTENT);
    assert_eq!(link.open(&content).unwrap(), [7; MAX_MESSAGE]);
    let longer = ShortLink::seal(&[7; MAX_MESSAGE + 1], BASE, &mut rng(1));
    assert_eq!(longer.unwrap_err(), ShortLinkError::TooLarge);
    for base in ["", "med.example.org", "ws://med.example.org/", "data:x"] {
        assert_eq!(ShortLink::seal(MESSAGE, base, &mut rng(1)).unwrap_err(), ShortLinkError::NotALink);
    }
}

/// Decides SC-03.
#[test]
fn debug_shows_no_secret() {
    let Sealed { link, .. } = sealed();
    let secret = link.text().split_once('#').unwrap().1.to_owned();
    let shown = format!("{link:?} {:?}", link.take());
    assert_eq!(shown, format!("ShortLink {{ address: {:?}, .. }} Take {{ .. }}", link.address()));
    assert!(!shown.contains(&secret));
}

#[test]
fn ids_and_takes_have_one_form() {
    for text in ["", "AQEBAQE", "AQEBAQEBA", "AQEBAQ==", "AQEB/QEB", "AQEBAQE "] {
        assert_eq!(LinkId::parse(text), None, "{text}");
    }
    for path in ["", "/", "/r/", "r/AQEBAQEB", "/AQEBAQEB", "/r/AQEBAQEB/", "/x/AQEBAQEB"] {
        assert_eq!(LinkId::in_path(path), None, "{path}");
    }
    assert!(LinkId::in_path("/a/r/AQEBAQEB").is_some());
    for header in ["", "Bearer", "Bearer ", "Basic AAAA", "Bearer AAAA"] {
        assert!(Take::from_header(header).is_none(), "{header}");
    }
}

/// Decides IV-10: a mediator that tries whatever it has stored and was shown, as text, as key and as secret.
#[test]
fn nothing_that_the_keeper_sees_shows_or_opens_the_content() {
    let Sealed { link, content } = sealed();
    let seen =
        [&content[..], &link.take().hash(), &link.take().0, &link.id.0, link.address().as_bytes()].concat();
    for part in MESSAGE.windows(12) {
        assert!(!seen.windows(12).any(|window| window == part));
        let encoded = base64url::encode(part);
        assert!(!seen.windows(16).any(|window| window == encoded.as_bytes()));
    }
    for key in seen.windows(32) {
        let cipher = ChaCha20Poly1305::new_from_slice(key).unwrap();
        let payload = Payload { msg: &content, aad: &link.id.0 };
        assert!(cipher.decrypt(&Nonce::<ChaCha20Poly1305>::default(), payload).is_err());
    }
    for secret in seen.windows(SECRET_BYTES) {
        let secret = Secret(secret.try_into().unwrap());
        let guess = ShortLink { base: BASE.to_owned(), id: link.id, secret };
        assert_eq!(guess.open(&content), Err(ShortLinkError::Swapped));
    }
    // The test would see the key if it were there.
    assert!(link.open(&content).is_ok());
}
