//! What people paste: from a chat's or a mail's idea of a link to the link itself.
//!
//! Not its concern: what the link says, and whether it is whole (`invite`); a damaged link stays a damaged one.

use didagent_didcomm::is_invisible;
use didagent_didcomm::short_link::{SECRET_CHARS, ShortLink, ShortLinkError};
use url::Url;

use crate::failure::{Failure, Kind};

/// A pasted link by what has to be done with it.
#[derive(Debug)]
pub enum Pasted {
    /// Everything is in it, or it is no link at all: the text as it was pasted.
    Full(String),
    /// A mediator keeps the content, which only this link opens.
    Short(ShortLink),
    /// Somebody keeps the invitation readable (`_oobid`).
    Readable(Url),
}

impl Pasted {
    /// Finds out what a pasted text is.
    ///
    /// # Errors
    /// [`Kind::LinkDamaged`] for a short link that was cut or changed.
    pub fn read(text: &str) -> Result<Self, Failure> {
        if text.contains(CONTENT) {
            return Ok(Self::Full(text.to_owned()));
        }
        let found = web_link_in(text);
        if found.contains(READABLE) {
            return Ok(Url::parse(&found).map_or_else(|_| Self::Full(text.to_owned()), Self::Readable));
        }
        match ShortLink::parse(&found) {
            Ok(link) => Ok(Self::Short(link)),
            Err(ShortLinkError::NotALink) => Ok(Self::Full(text.to_owned())),
            Err(error) => Err(short_failure(error)),
        }
    }
}

/// What a person is told of a short link that cannot be used.
pub(crate) fn short_failure(error: ShortLinkError) -> Failure {
    let why = match error {
        ShortLinkError::Truncated => {
            format!(
                "{error}: the part behind # must have {SECRET_CHARS} characters, and no server can add it"
            )
        }
        _ => error.to_string(),
    };
    Failure::new(Kind::LinkDamaged, why)
        .hint("ask for the link again and paste all of it, with the part behind #")
}

/// Takes a link that is short out of what people paste; it ends with its secret, or else where no link goes on.
fn web_link_in(text: &str) -> String {
    let mut link = String::new();
    let Some(text) = beginning(text).and_then(|at| text.get(at..)) else { return link };
    for line in text.lines().map(|line| line.trim_start_matches(['>', ' ', '\t']).trim_end()) {
        for character in line.chars().filter(|character| !is_invisible(*character)) {
            let is_of_host = "[]".contains(character) && !link.contains(SEGMENT);
            if !is_of_host && (character == '?' && link.contains('#') || !is_of_content(character)) {
                return without_end_of_sentence(link);
            }
            link.push(character);
            if has_secret(&link) {
                return link;
            }
        }
        // What stands on the next line is a part of it only if this one is not all of a link.
        if link.contains(READABLE) {
            break;
        }
    }
    without_end_of_sentence(link)
}

fn without_end_of_sentence(mut link: String) -> String {
    link.truncate(link.trim_end_matches(['.', ',', ';', ':', '!', '?', '~', '*']).len());
    link
}

/// Says whether a short link has all of its secret.
fn has_secret(link: &str) -> bool {
    let is_base64url = |character: char| character.is_ascii_alphanumeric() || "-_".contains(character);
    link.contains(SEGMENT)
        && link.split_once('#').is_some_and(|(_, secret)| {
            secret.chars().take_while(|character| is_base64url(*character)).count() >= SECRET_CHARS
        })
}

/// What stands before the id of a short link.
const SEGMENT: &str = "/r/";

/// What stands before the name of an invitation that somebody keeps.
const READABLE: &str = "_oobid=";

/// Takes a link out of what people paste: chats and mails wrap it, quote it, put brackets, quotation marks or stars around it,
/// and add invisible characters. What is cut off here is never part of a link, so a damaged link stays one.
pub(crate) fn link_in(text: &str) -> String {
    let mut link = unwrapped(text);
    if let Some(at) = beginning(&link) {
        link.drain(..at);
    }
    without_trail(link)
}

/// Puts the lines of a link together, up to the character that cannot be part of it.
fn unwrapped(text: &str) -> String {
    let mut link = String::new();
    let mut in_content = false;
    // A mail quotes line by line.
    for line in text.lines().map(|line| line.trim_start_matches(['>', ' ', '\t'])) {
        for character in line.chars() {
            if character.is_whitespace() && in_content && is_whole(&link) {
                return link;
            }
            if character.is_whitespace() || is_invisible(character) {
                continue;
            }
            // Only there: what stands before may be an address with brackets in it.
            if in_content && !is_of_content(character) {
                return link;
            }
            link.push(character);
            in_content |= character == '=' && link.ends_with(CONTENT);
        }
        if is_whole(&link) {
            break;
        }
    }
    link
}

/// What stands before the content of a link.
const CONTENT: &str = "_oob=";

/// What stands before the check at the end of a link.
const CHECK: &str = "#c=";

/// Returns where the address begins; before it there may be words and brackets.
fn beginning(text: &str) -> Option<usize> {
    let lower = text.to_ascii_lowercase();
    ["http://", "https://"].iter().filter_map(|scheme| lower.find(scheme)).min()
}

/// Says whether `character` can be in what follows [`CONTENT`]: base64url, further parameters, the fragment.
fn is_of_content(character: char) -> bool {
    character.is_ascii_alphanumeric() || "-_=&%#.~+,;:!?/@$".contains(character)
}

/// Says whether a link has all of its check, so that what comes on the next line is not part of it.
pub(crate) fn is_whole(link: &str) -> bool {
    link.split_once(CHECK).is_some_and(|(_, check)| check.len() >= CHECK_LEN) || has_secret(link)
}

/// Characters of the check, as the links of this program have it.
const CHECK_LEN: usize = 8;

/// Removes the end of a sentence, and what writes a text in italics.
fn without_trail(mut link: String) -> String {
    let end = match link.find(CHECK) {
        Some(at) => link.len().min(at + CHECK.len() + CHECK_LEN),
        None => link.len(),
    };
    let trail = ['.', ',', ';', ':', '!', '?', '~'];
    match link.get(end..) {
        // An underscore may be the last character of a check, but not one after it.
        Some(rest) if rest.trim_matches(trail).trim_matches('_').is_empty() => link.truncate(end),
        _ => {}
    }
    link.truncate(link.trim_end_matches(trail).len());
    link
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::identity::Identity;
    use crate::core::invite::Invitation;
    use crate::core::invite::tests::{NOW, link, mediator};
    use crate::core::test_rng;

    /// Decides IV-08.
    #[test]
    fn links_are_read_as_chats_and_mails_show_them() {
        let link = link();
        let right = Invitation::read(&link, NOW).unwrap();
        let (front, back) = link.split_at(200);
        let plain = &link[..link.find('#').unwrap()];
        for shown in [
            format!("  {link}\r\n"),
            format!("\"{link}\""),
            format!("'{link}'"),
            format!("`{link}`"),
            format!("<{link}>"),
            format!("<{link}|{link}>"),
            format!("({link})"),
            format!("[the room]({link})"),
            format!("[{link}]({link})"),
            format!("*{link}*"),
            format!("**{link}**"),
            format!("_{link}_"),
            format!("__{link}__"),
            format!("~~{link}~~"),
            format!("\u{201c}{link}\u{201d}"),
            format!("\u{ab}{link}\u{bb}"),
            format!("\u{feff}{link}\u{200b}\u{200e}"),
            format!("{link}."),
            format!("{link}, please"),
            format!("join here: {link}\nsee you!"),
            format!("{front}\n{back}\n"),
            format!("{front}\n  {back}"),
            format!("> {front}\n> {back}\n> \n> Alice"),
            format!("{front}\u{200b}{back}"),
            link.replacen("http", "HTTP", 1),
            plain.to_owned(),
            format!("\"{plain}\"."),
        ] {
            assert_eq!(Invitation::read(&shown, NOW).as_ref().ok(), Some(&right), "{shown}");
        }
    }

    /// Decides IV-08, IV-09.
    #[test]
    fn short_links_are_read_as_chats_and_mails_show_them() {
        for base in ["https://med.example.org/", "http://[::1]:8080/", "http://127.0.0.1:4711/a/"] {
            let link = ShortLink::seal(b"x", base, &mut test_rng(1)).unwrap().link.text();
            let (front, back) = link.split_at(link.len() / 2);
            let secret = link.find('#').unwrap();
            for shown in [
                link.clone(),
                format!("  {link}\r\n"),
                format!("<{link}>"),
                format!("<{link}|{link}>"),
                format!("[{link}]({link})"),
                format!("**{link}**, please"),
                format!("_{link}_"),
                format!("\u{201c}{link}\u{201d}"),
                format!("\u{feff}{link}\u{200b}"),
                format!("join here: {link}\nsee you!"),
                format!("{link}."),
                format!("> {front}\n> {back}\n> \n> Alice"),
                format!("{}\n{}", &link[..=secret], &link[secret + 1..]),
                link.replacen("http", "HTTP", 1),
            ] {
                match Pasted::read(&shown) {
                    Ok(Pasted::Short(read)) => assert_eq!(read.text(), link, "{shown}"),
                    other => panic!("{shown}: {other:?}"),
                }
            }
            for end in link.find("/r/").unwrap() + 3..link.len() {
                for shown in [link[..end].to_owned(), format!("{}.", &link[..end])] {
                    let failure = Pasted::read(&shown).unwrap_err();
                    assert_eq!(failure.kind, Kind::LinkDamaged, "{shown}");
                    assert!(failure.message.contains("cut off"), "{shown}: {failure}");
                }
            }
        }
    }

    /// Decides IV-13.
    #[test]
    fn an_oobid_is_found_and_pages_are_none() {
        for shown in ["https://x.example/a?_oobid=5f0e-1", "see https://x.example/a?_oobid=5f0e-1.\nBob"] {
            match Pasted::read(shown) {
                Ok(Pasted::Readable(url)) => assert_eq!(url.as_str(), "https://x.example/a?_oobid=5f0e-1"),
                other => panic!("{shown}: {other:?}"),
            }
        }
        for shown in [
            "https://example.org/",
            "see https://example.org/a.html",
            "",
            "hello",
            "did:example:1",
            "http://",
        ] {
            assert!(matches!(Pasted::read(shown), Ok(Pasted::Full(_))), "{shown}");
        }
    }

    /// Decides IV-08.
    #[test]
    fn hosts_with_brackets_and_checks_that_end_in_an_underscore_are_read() {
        let host = Identity::generate(&mut test_rng(1)).connection(&mediator());
        let mut underscores = 0;
        for expires in 1..400 {
            let made = Invitation::create(&host, "MPyC", NOW, NOW + expires, &mut test_rng(3)).unwrap();
            let link = made.link("http://[::1]:8080/").unwrap();
            underscores += usize::from(link.ends_with('_'));
            for shown in [link.clone(), format!("_{link}_"), format!("[x]({link})")] {
                assert_eq!(Invitation::read(&shown, NOW).unwrap(), made, "{shown}");
            }
        }
        assert!(underscores > 0);
    }
}
