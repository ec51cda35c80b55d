//! A link as a QR code, in characters of a terminal.
//!
//! Two modules make one character: half blocks for what is light, spaces for what is dark, as on a terminal with light text on
//! a dark ground. Readers take the opposite too. Around it is a border of two light modules: with the four of the standard a
//! short link would not fit on 24 rows with the text around it.

use qrcode::{Color, EcLevel, QrCode};

/// Light modules around the code.
const BORDER: usize = 2;

/// Most columns: a terminal of the usual width shows no more.
const MAX_COLUMNS: usize = 80;

/// Lays out `text`; `None` when it has no room on a terminal.
pub(super) fn lines(text: &str) -> Option<Vec<String>> {
    let code = QrCode::with_error_correction_level(text, EcLevel::L).ok()?;
    let side = code.width() + 2 * BORDER;
    if side > MAX_COLUMNS {
        return None;
    }
    let is_light = |x: usize, y: usize| {
        let (Some(x), Some(y)) = (x.checked_sub(BORDER), y.checked_sub(BORDER)) else { return true };
        // Below an odd number of rows there is nothing: another light row only makes the border wider.
        x >= code.width() || y >= code.width() || code[(x, y)] == Color::Light
    };
    let character = |x, y| match (is_light(x, y), is_light(x, y + 1)) {
        (true, true) => '\u{2588}',
        (true, false) => '\u{2580}',
        (false, true) => '\u{2584}',
        (false, false) => ' ',
    };
    Some((0..side).step_by(2).map(|y| (0..side).map(|x| character(x, y)).collect()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads the characters as a camera sees them, with another library.
    fn decoded(lines: &[String]) -> Option<String> {
        const SCALE: usize = 4;
        let rows: Vec<Vec<bool>> = lines
            .iter()
            .flat_map(|line| {
                let upper = line.chars().map(|one| matches!(one, '\u{2588}' | '\u{2580}')).collect();
                let lower = line.chars().map(|one| matches!(one, '\u{2588}' | '\u{2584}')).collect();
                [upper, lower]
            })
            .collect();
        let (width, height) = (rows[0].len() * SCALE, rows.len() * SCALE);
        let shade = |x: usize, y: usize| if rows[y / SCALE][x / SCALE] { 255 } else { 0 };
        let mut image = rqrr::PreparedImage::prepare_from_greyscale(width, height, shade);
        let grids = image.detect_grids();
        Some(grids.first()?.decode().ok()?.1)
    }

    #[test]
    fn the_characters_are_read_by_another_library_and_fit_on_a_small_terminal() {
        for link in [
            "http://127.0.0.1:8080/r/AQEBAQEB#9_6EiU4Gbkp-IwsnZz7mB9qSp3c",
            "https://med.example.org/r/k7q3aB-_#9_6EiU4Gbkp-IwsnZz7mB9qSp3c",
            "https://mediator.example.org:8443/r/k7q3aB-_#9_6EiU4Gbkp-IwsnZz7mB9qSp3c",
        ] {
            let lines = lines(link).unwrap();
            assert!((17..=19).contains(&lines.len()), "{} rows", lines.len());
            assert!(lines.iter().all(|line| line.chars().count() == 37));
            assert_eq!(decoded(&lines).as_deref(), Some(link));
        }
    }

    #[test]
    fn a_full_link_is_not_shown_as_a_code_that_nobody_can_scan() {
        assert_eq!(lines(&"x".repeat(700)), None);
    }

    #[test]
    fn a_code_that_was_changed_is_not_read_as_the_link() {
        let link = "http://127.0.0.1:8080/r/AQEBAQEB#9_6EiU4Gbkp-IwsnZz7mB9qSp3c";
        let mut lines = lines(link).unwrap();
        for line in &mut lines[8..14] {
            *line = line.chars().rev().collect();
        }
        assert_ne!(decoded(&lines).as_deref(), Some(link));
    }
}
