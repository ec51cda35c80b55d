//! Text of strangers on its way to a terminal or a log.
//!
//! A name, a message type or a file name that somebody else chose can carry escape sequences that rewrite the screen, line
//! breaks that forge a second line, and characters that turn the direction of the text around or cannot be seen at all.
//! [`showable`] makes such text safe to print on one line; what it replaced stays visible as U+FFFD, so that `ad<U+200B>min`
//! does not look like `admin`.
//!
//! Not its concern: letters of different scripts that look alike, and combining marks; both are how people write.

/// What stands for a character that is not shown.
const REPLACEMENT: char = '\u{FFFD}';

/// Ends a text that was cut.
const ELLIPSIS: char = '\u{2026}';

/// Returns `text` with every [invisible](is_invisible) character replaced by U+FFFD and cut to `max_chars` characters, the
/// last of which is `…` if anything was cut off.
///
/// The limit counts Unicode scalar values, so the result has at most four bytes for each. Work and memory depend on the
/// limit, not on the text.
///
/// ```
/// use didagent_didcomm::showable::showable;
///
/// assert_eq!(showable("Zoë", 10), "Zoë");
/// assert_eq!(showable("\u{1b}[2Jroot", 20), "\u{FFFD}[2Jroot");
/// assert_eq!(showable("abcdef", 4), "abc…");
/// ```
pub fn showable(text: &str, max_chars: usize) -> String {
    let shown = |c: char| if is_invisible(c) { REPLACEMENT } else { c };
    let Some((cut, _)) = text.char_indices().nth(max_chars) else {
        return text.chars().map(shown).collect();
    };
    let mut short: String = text[..cut].chars().map(shown).collect();
    if short.pop().is_some() {
        short.push(ELLIPSIS);
    }
    short
}

/// Tells whether a terminal would obey `c`, or show nothing for it.
///
/// These are the controls (general category Cc), the format characters (Cf, with the ranges that Unicode keeps for more of
/// them), the line and the paragraph separator (Zl, Zp), and the letters that are blank by definition (the Hangul fillers and
/// the Khmer inherent vowels). Variation selectors are not among them: they pick between two looks of the character before.
///
/// The ranges are those of Unicode 17; characters that later versions add to them lie in the reserved ranges or are shown.
pub fn is_invisible(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{00AD}' // soft hyphen
            | '\u{034F}' // combining grapheme joiner
            | '\u{0600}'..='\u{0605}' | '\u{061C}' | '\u{06DD}' // Arabic number signs, letter mark, end of ayah
            | '\u{070F}' | '\u{0890}'..='\u{0891}' | '\u{08E2}' // Syriac and Arabic marks that enclose what follows
            | '\u{115F}'..='\u{1160}' | '\u{3164}' | '\u{FFA0}' // Hangul fillers
            | '\u{17B4}'..='\u{17B5}' // Khmer inherent vowels
            | '\u{180E}' // Mongolian vowel separator
            | '\u{200B}'..='\u{200F}' // zero width space and joiners, direction marks
            | '\u{2028}'..='\u{202E}' // line and paragraph separators, embeddings and overrides
            | '\u{2060}'..='\u{206F}' // word joiner, invisible operators, isolates, deprecated format characters
            | '\u{FEFF}' // byte order mark
            | '\u{FFF0}'..='\u{FFFB}' // reserved, interlinear annotation
            | '\u{110BD}' | '\u{110CD}' // Kaithi number signs
            | '\u{13430}'..='\u{1343F}' // Egyptian hieroglyph format controls
            | '\u{1BCA0}'..='\u{1BCA3}' // shorthand format controls
            | '\u{1D173}'..='\u{1D17A}' // musical beams and slurs
            | '\u{E0000}'..='\u{E0FFF}' // tags, variation selectors of ideographs, reserved
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinary_text_of_any_script_is_kept() {
        for text in ["", "Zoë O'Neil", "山田太郎", "علي", "नमस्ते", "❤\u{FE0F}", "a b\u{A0}c", "\u{FFFD}"]
        {
            assert_eq!(showable(text, 100), text);
        }
    }

    /// Decides SC-05.
    #[test]
    fn what_a_terminal_obeys_or_hides_is_replaced() {
        // Each beside its neighbours, so that a range that is too wide or too narrow shows.
        let edges = [
            ('\u{00}', '\u{1F}'),
            ('\u{7F}', '\u{9F}'),
            ('\u{AD}', '\u{AD}'),
            ('\u{61C}', '\u{61C}'),
            ('\u{180E}', '\u{180E}'),
            ('\u{200B}', '\u{200F}'),
            ('\u{2028}', '\u{202E}'),
            ('\u{2060}', '\u{206F}'),
            ('\u{3164}', '\u{3164}'),
            ('\u{FEFF}', '\u{FEFF}'),
            ('\u{FFF9}', '\u{FFFB}'),
            ('\u{E0000}', '\u{E007F}'),
        ];
        for (first, last) in edges {
            for c in first..=last {
                assert!(is_invisible(c), "{c:?}");
                assert_eq!(showable(&format!("a{c}b"), 3), "a\u{FFFD}b", "{c:?}");
            }
        }
        for c in [
            ' ', '~', '\u{A0}', '\u{AC}', '\u{AE}', '\u{200A}', '\u{2010}', '\u{2027}', '\u{202F}',
            '\u{205F}',
        ] {
            assert!(!is_invisible(c), "{c:?}");
        }
    }

    #[test]
    fn no_text_breaks_its_line_or_its_limit() {
        let everything: String = (char::MIN..=char::MAX).collect();
        let backwards: String = everything.chars().rev().collect();
        for text in [everything.as_str(), &backwards] {
            for limit in [0, 1, 2, 100, usize::MAX] {
                let shown = showable(text, limit);
                let fits = shown.chars().count() <= limit;
                // The text itself would fill the report of a failure.
                assert!(fits && !shown.chars().any(is_invisible), "{limit}");
            }
        }
    }

    #[test]
    fn a_cut_is_marked_and_an_exact_fit_is_not_cut() {
        assert_eq!(showable("abc", 3), "abc");
        assert_eq!(showable("abcd", 3), "ab…");
        assert_eq!(showable("山田太郎", 2), "山…");
        assert_eq!(showable("ab", 1), "…");
        assert_eq!(showable("ab", 0), "");
    }
}
