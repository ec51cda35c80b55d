//! Who is meant: from what a person types to one party or contact.
//!
//! Names are what people call themselves; they are not unique and prove nothing (RM-15). So a name that fits two is never
//! guessed at: the identity, or its end as the screens show it, tells them apart.
//!
//! Not its concern: where parties and contacts come from.

use didagent_didcomm::did::web;
use didagent_didcomm::showable;

use crate::failure::{Failure, Kind};

/// Characters of an identity's end that screens show, and the fewest that name somebody.
pub const TAIL_CHARS: usize = 8;

/// Longest name in a message, in characters.
const SHOWN_CHARS: usize = 80;

/// Somebody who can be named.
pub trait Named {
    /// The name that it gave itself.
    fn name(&self) -> &str;
    /// Its identity, if it is known already.
    fn identity(&self) -> Option<&str>;
}

impl<T: Named> Named for &T {
    fn name(&self) -> &str {
        (*self).name()
    }

    fn identity(&self) -> Option<&str> {
        (*self).identity()
    }
}

impl Named for crate::core::room::Seat {
    fn name(&self) -> &str {
        &self.name
    }

    fn identity(&self) -> Option<&str> {
        self.identity.as_deref()
    }
}

impl Named for crate::core::room::Applying {
    fn name(&self) -> &str {
        &self.name
    }

    fn identity(&self) -> Option<&str> {
        Some(&self.identity)
    }
}

/// Shortens an identity to what people can compare: `..` and its last eight characters. A did:web stays whole, but for its prefix:
/// anybody can have a site whose name ends, or begins, like another one's.
pub fn short(identity: &str) -> String {
    if let Some(place) = identity.strip_prefix(web::PREFIX) {
        return place.to_owned();
    }
    let tail = identity.len().saturating_sub(TAIL_CHARS);
    format!("..{:>8}", identity.get(tail..).unwrap_or(identity))
}

/// Finds whom `wanted` means: a name, an identity, or the last eight or more characters of one, of a did:web all behind its prefix.
///
/// # Errors
/// [`Kind::NameUnknown`], and [`Kind::NameAmbiguous`] with the identities to choose from.
pub fn find<'a, T: Named>(wanted: &str, known: &'a [T]) -> Result<&'a T, Failure> {
    let wanted = wanted.trim();
    let tail = wanted.trim_start_matches('.');
    let is_it = |one: &&T| {
        let by_identity = |identity: &str| match identity.strip_prefix(web::PREFIX) {
            Some(place) => wanted == identity || wanted == place,
            None => tail.len() >= TAIL_CHARS && identity.ends_with(tail),
        };
        one.name() == wanted || one.identity().is_some_and(by_identity)
    };
    let mut found = known.iter().filter(is_it);
    let shown = showable(wanted, SHOWN_CHARS);
    match (found.next(), found.next()) {
        (Some(one), None) => Ok(one),
        (None, _) => {
            let failure = Failure::new(Kind::NameUnknown, format!("there is nobody called {shown} here"));
            let mut names: Vec<_> = known.iter().map(Named::name).collect();
            names.sort_unstable();
            names.dedup();
            Err(match names.as_slice() {
                [] => failure,
                [first, ..] => failure.hint(format!("didagent ping {first}   (known: {})", names.join(", "))),
            })
        }
        (Some(_), Some(_)) => {
            let ends: Vec<_> = known.iter().filter(is_it).filter_map(Named::identity).map(short).collect();
            let failure = Failure::new(
                Kind::NameAmbiguous,
                format!("{shown} may be any of these: {}", ends.join(", ")),
            );
            Err(match ends.first() {
                Some(end) => failure.hint(format!("didagent ping {end}")),
                None => failure,
            })
        }
    }
}

/// Lets the hint of [`find`] name the command that the person gave; without, it is `ping`.
pub fn hinting(failure: Failure, command: &str) -> Failure {
    let hint = failure.hint.map(|hint| hint.replace("didagent ping ", &format!("didagent {command} ")));
    Failure { hint, ..failure }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct One(&'static str, Option<&'static str>);

    impl Named for One {
        fn name(&self) -> &str {
            self.0
        }

        fn identity(&self) -> Option<&str> {
            self.1
        }
    }

    const KNOWN: [One; 4] = [
        One("alice", Some("did:key:z6MkAAAAaaaa1111")),
        One("bob", Some("did:key:z6MkBBBBbbbb2222")),
        One("bob", Some("did:key:z6MkCCCCcccc3333")),
        One("dora", None),
    ];

    fn tail(wanted: &str) -> Option<&'static str> {
        find(wanted, &KNOWN).ok().map(|one| one.1.unwrap_or(one.0))
    }

    /// Decides LP-07.
    #[test]
    fn a_name_an_identity_and_its_end_name_somebody() {
        assert_eq!(tail("alice"), Some("did:key:z6MkAAAAaaaa1111"));
        assert_eq!(tail(" dora "), Some("dora"));
        for wanted in ["did:key:z6MkCCCCcccc3333", "..cccc3333", "cccc3333", "CCCCcccc3333"] {
            assert_eq!(tail(wanted), Some("did:key:z6MkCCCCcccc3333"), "{wanted}");
        }
    }

    /// Decides LP-07.
    #[test]
    fn a_name_of_two_is_not_guessed_at() {
        let failure = find("bob", &KNOWN).map(drop).unwrap_err();
        assert_eq!(failure.kind, Kind::NameAmbiguous);
        assert!(failure.message.contains("..bbbb2222, ..cccc3333"), "{}", failure.message);
        assert_eq!(failure.hint.as_deref(), Some("didagent ping ..bbbb2222"));
    }

    /// Decides LP-07.
    #[test]
    fn a_site_is_named_by_all_of_its_name() {
        let known =
            [One("evil", Some("did:web:evil-example.org")), One("good", Some("did:web:example.org:u"))];
        let found = |wanted: &str| find(wanted, &known).ok().map(|one| one.0);
        assert_eq!(found("did:web:evil-example.org"), Some("evil"));
        assert_eq!(found("example.org:u"), Some("good"));
        for wanted in ["example.org", "..example.org", "-example.org", "did:web:example.org"] {
            assert_eq!(found(wanted), None, "{wanted}");
        }
        assert_eq!(short("did:web:evil-example.org"), "evil-example.org");
    }

    #[test]
    fn nobody_is_nobody() {
        // The end of an identity must be long enough, and a part of a name is no name.
        for wanted in ["", "ali", "c3333", "3333", "Alice", "....", "did:key:z6MkCCCC"] {
            let failure = find(wanted, &KNOWN).map(drop).unwrap_err();
            assert_eq!(failure.kind, Kind::NameUnknown, "{wanted}");
            assert!(failure.hint.unwrap().contains("alice, bob, dora"));
        }
        assert_eq!(find::<One>("bob", &[]).map(drop).unwrap_err().hint, None);
    }
}
