//! What people paste: from a chat's or a mail's idea of a link to the link itself.
//!
//! Not its concern: what the link says, and whether it is whole (`invite`); a damaged link stays a damaged one.

use didagent_didcomm::is_invisible;

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
    link.split_once(CHECK).is_some_and(|(_, check)| check.len() >= CHECK_LEN)
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
