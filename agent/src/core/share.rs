//! How a host hands out its invitation: from the invitation to the link that people paste.
//!
//! Specification: `spec/invite.md`, sections 3 and 4; `spec/relay.md`, RL-70 and RL-76.
//!
//! ```text
//! short:    seal --deposit--> mediator --deposited--> show     refused, or 5 s of silence: show the full link, and say why
//! readable: request-shortened-url --> shortened-url --> show   the same
//! full:     show
//! ```
//!
//! After each new connection the same is deposited again, since a mediator that was restarted has forgotten it. Not its concern:
//! when there is a connection (`io::engine`).

use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use didagent_didcomm::message::Message;
use didagent_didcomm::protocols::short_link::{Deposit, Deposited};
use didagent_didcomm::protocols::shorten_url::{GOAL_OOB_2, RequestShortenedUrl, ShortenedUrl};
use didagent_didcomm::protocols::{Body as _, Digest32};
use didagent_didcomm::short_link::{Sealed, ShortLink};
use rand_core::CryptoRng;
use serde::{Deserialize, Serialize};
use url::Url;

use crate::core::invite::{Invitation, new_id};
use crate::failure::{Failure, Kind};

/// How long a mediator may take to keep a link before people get the full one (IV-12).
const PATIENCE: Duration = Duration::from_secs(5);

/// Which link people get.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LinkForm {
    /// A short one, whose content the mediator cannot read.
    Short {
        /// Whether the first guest who uses it is the last.
        single_use: bool,
    },
    /// The whole invitation.
    Full,
    /// `_oobid`: short, and readable for the mediator and for all software.
    Readable,
}

/// What people are shown.
#[derive(Debug, PartialEq, Eq)]
pub struct Shown {
    /// The link.
    pub link: String,
    /// Why it is not the one that was wanted.
    pub note: Option<String>,
}

/// A link that people have, to be kept for a room that goes on later.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptLink {
    text: String,
    /// What the mediator keeps for it, in base64url, if it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    content: Option<String>,
    /// The first guest who uses it is the last.
    #[serde(default)]
    single_use: bool,
}

impl KeptLink {
    /// A link that needs no server.
    #[cfg(test)]
    pub(in crate::core) fn of_text(text: &str) -> Self {
        Self { text: text.to_owned(), content: None, single_use: false }
    }

    fn sealed(&self) -> Option<Sealed> {
        let content = URL_SAFE_NO_PAD.decode(self.content.as_ref()?).ok()?;
        Some(Sealed { link: ShortLink::parse(&self.text).ok()?, content })
    }
}

impl std::fmt::Debug for KeptLink {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KeptLink").field("single_use", &self.single_use).finish_non_exhaustive()
    }
}

/// The link of one invitation.
#[derive(Debug)]
pub struct Sharing {
    form: LinkForm,
    full: String,
    expires: u64,
    sealed: Option<Sealed>,
    /// The thread of the request that waits for its answer.
    thread: Option<String>,
    due: Option<Instant>,
    /// What people have.
    shown: Option<String>,
    /// The link is one of before, which people may have used already.
    again: bool,
    /// Why there is no link that keeps what the person wants of it.
    unkept: Option<String>,
}

impl Sharing {
    /// Prepares the link of `invitation` at `base`, the http or https address of the host's mediator.
    ///
    /// # Errors
    /// When `base` is no address, or the invitation too long for any link.
    pub fn new(
        form: LinkForm,
        invitation: &Invitation,
        base: &str,
        rng: &mut impl CryptoRng,
    ) -> Result<Self, Failure> {
        let full = invitation.link(base)?;
        let sealed = match form {
            LinkForm::Short { .. } => ShortLink::seal(invitation.bytes(), base, rng).ok(),
            LinkForm::Full | LinkForm::Readable => None,
        };
        Ok(Self::prepared(form, full, sealed, invitation))
    }

    /// Prepares the link that people have of a room that goes on; `base` as for [`Sharing::new`], in case the mediator keeps the
    /// short one no more.
    ///
    /// # Errors
    /// When `base` is no address.
    pub fn again(kept: &KeptLink, invitation: &Invitation, base: &str) -> Result<Self, Failure> {
        let sealed = kept.sealed();
        let (form, full) = match sealed {
            Some(_) => (LinkForm::Short { single_use: kept.single_use }, invitation.link(base)?),
            None => (LinkForm::Full, kept.text.clone()),
        };
        Ok(Self { again: true, ..Self::prepared(form, full, sealed, invitation) })
    }

    fn prepared(form: LinkForm, full: String, sealed: Option<Sealed>, invitation: &Invitation) -> Self {
        let expires = invitation.expires().unwrap_or(u64::MAX);
        Self { form, full, expires, sealed, thread: None, due: None, shown: None, again: false, unkept: None }
    }

    /// Returns the link that people have, once they have one.
    pub fn kept(&self) -> Option<KeptLink> {
        // That of before counts until the mediator has answered.
        let link_of_before = || self.sealed.as_ref().map_or(self.full.clone(), |sealed| sealed.link.text());
        let text = self.shown.clone().or_else(|| self.again.then(link_of_before))?;
        let sealed = self.sealed.as_ref().filter(|sealed| sealed.link.text() == text);
        let content = sealed.map(|sealed| URL_SAFE_NO_PAD.encode(&sealed.content));
        Some(KeptLink { text, content, single_use: self.is_single_use() })
    }

    fn is_single_use(&self) -> bool {
        self.form == LinkForm::Short { single_use: true }
    }

    /// The mediator is connected: returns what to ask of it, or what to show if there is nothing to ask. `seats` is how many have
    /// one, `unix` in UTC seconds.
    pub fn connected(
        &mut self,
        seats: usize,
        now: Instant,
        unix: u64,
        rng: &mut impl CryptoRng,
    ) -> Result<Message, Option<Shown>> {
        let request = match (self.form, &self.sealed) {
            // Whoever has used it has a seat; it must not live again at a mediator that has forgotten.
            (LinkForm::Short { single_use: true }, Some(Sealed { link, .. }))
                if (self.again || self.shown.is_some()) && seats > 1 =>
            {
                return Err(self.show(link.text(), None));
            }
            (LinkForm::Short { single_use }, Some(Sealed { link, content })) => Deposit {
                id: link.id(),
                content: content.clone(),
                take_hash: Digest32(link.take().hash()),
                expires_time: self.expires,
                single_use,
            }
            .message(new_id(rng)),
            // A second one would be another link than the one that people have.
            (LinkForm::Readable, _) if self.shown.is_none() => RequestShortenedUrl {
                url: self.full.clone(),
                requested_validity_seconds: self.expires.saturating_sub(unix).max(1),
                goal_code: GOAL_OOB_2.to_owned(),
                short_url_slug: None,
            }
            .message(new_id(rng)),
            (LinkForm::Short { single_use: true }, None) => {
                return Err(self.instead("the invitation is too long for one"));
            }
            _ => return Err(self.show(self.full.clone(), None)),
        };
        self.thread = Some(request.id.clone());
        self.due = self.shown.is_none().then(|| now + PATIENCE);
        Ok(request)
    }

    /// Returns when [`Sharing::timeout`] is to be called.
    pub fn deadline(&self) -> Option<Instant> {
        self.due
    }

    /// Shows the full link if the mediator took too long.
    pub fn timeout(&mut self, now: Instant) -> Option<Shown> {
        self.due.take_if(|due| *due <= now)?;
        self.instead("the mediator did not say that it keeps a short one")
    }

    /// Takes a message of the mediator; `None` if it is about something else.
    pub fn answered(&mut self, message: &Message) -> Option<Option<Shown>> {
        self.thread.as_deref().filter(|thread| *thread == message.thread())?;
        if Deposited::try_from(message).is_ok() {
            let link = self.sealed.as_ref().map(|sealed| sealed.link.text())?;
            return Some(self.show(link, None));
        }
        let shortened = ShortenedUrl::try_from(message).ok()?;
        Some(match Url::parse(&shortened.shortened_url) {
            Ok(url) if matches!(url.scheme(), "http" | "https") && url.has_host() => {
                self.show(url.into(), None)
            }
            _ => self.instead("what the mediator gave in its place is no link"),
        })
    }

    /// Takes a problem report of the mediator in `thread`; `None` if it is about something else.
    pub fn refused(&mut self, thread: Option<&str>) -> Option<Option<Shown>> {
        thread.filter(|thread| self.thread.as_deref() == Some(thread))?;
        Some(self.instead("this mediator took no short one"))
    }

    fn instead(&mut self, why: &str) -> Option<Shown> {
        if let Some(link) = self.sealed.as_ref().filter(|_| self.again && self.is_single_use()) {
            // Whoever has used it may not have a seat yet, and another link would let one more in.
            let note = "the link worked for one guest, and is used up or not kept any more";
            return self.show(link.link.text(), Some(note.to_owned()));
        }
        if self.is_single_use() && self.shown.is_none() {
            // The full link works for everybody who sees it.
            (self.thread, self.due) = (None, None);
            self.unkept = Some(why.to_owned());
            return None;
        }
        self.show(self.full.clone(), Some(format!("the link is long: {why}")))
    }

    /// Returns why nobody gets a link: there is none that works for one guest only.
    pub fn failure(&self) -> Option<Failure> {
        let why = self.unkept.as_ref()?;
        let message = format!("there is no link for one guest only: {why}");
        Some(Failure::new(Kind::MediatorRefused, message).hint(
            "another mediator (--mediator LINK), or without --single-use: then everybody who has the link can ask for a seat",
        ))
    }

    fn show(&mut self, link: String, note: Option<String>) -> Option<Shown> {
        self.thread = None;
        self.due = None;
        // What people have stays what they have.
        self.shown.is_none().then(|| {
            self.shown = Some(link.clone());
            Shown { link, note }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::identity::Identity;
    use crate::core::invite::tests::{NOW, mediator};
    use crate::core::test_rng;

    const BASE: &str = "https://mediator.example/";

    fn sharing(form: LinkForm) -> (Sharing, Invitation) {
        let host = Identity::generate(&mut test_rng(1)).connection(&mediator());
        let invitation = Invitation::create(&host, "MPyC", NOW, NOW + 60, &mut test_rng(3)).unwrap();
        (Sharing::new(form, &invitation, BASE, &mut test_rng(4)).unwrap(), invitation)
    }

    #[expect(clippy::disallowed_methods, reason = "any instant will do as the beginning of the test's time")]
    fn begin() -> Instant {
        Instant::now()
    }

    fn connected(sharing: &mut Sharing, seats: usize) -> Result<Message, Option<Shown>> {
        sharing.connected(seats, begin(), NOW, &mut test_rng(5))
    }

    /// Decides IV-10, IV-12.
    #[test]
    fn a_short_link_is_shown_once_it_is_kept_and_opens_what_was_deposited() {
        let (mut sharing, invitation) = sharing(LinkForm::Short { single_use: false });
        let request = connected(&mut sharing, 1).unwrap();
        let deposit = Deposit::try_from(&request).unwrap();
        assert_eq!((deposit.expires_time, deposit.single_use), (NOW + 60, false));
        assert!(sharing.deadline().is_some());
        let kept = Deposited { expires_time: NOW + 60 }.message("1");
        assert_eq!(sharing.answered(&kept.clone().thid("another")), None);
        let shown = sharing.answered(&kept.thid(&request.id)).unwrap().unwrap();
        assert!(shown.link.len() <= 72 && shown.note.is_none(), "{}", shown.link);
        let link = ShortLink::parse(&shown.link).unwrap();
        assert_eq!(link.take().hash(), deposit.take_hash.0);
        let opened = link.open(&deposit.content).unwrap();
        assert_eq!(Invitation::from_message(opened, NOW).unwrap(), invitation);
        // Connected again: the same once more, and nothing is shown a second time.
        let again = connected(&mut sharing, 2).unwrap();
        assert_eq!(Deposit::try_from(&again).unwrap(), deposit);
        assert_eq!(sharing.deadline(), None);
        let kept = Deposited { expires_time: NOW + 60 }.message("2").thid(&again.id);
        assert_eq!(sharing.answered(&kept), Some(None));
    }

    /// Decides IV-12.
    #[test]
    fn a_link_for_one_guest_never_becomes_one_for_everybody() {
        let form = LinkForm::Short { single_use: true };
        let (mut refused, _) = sharing(form);
        let request = connected(&mut refused, 1).unwrap();
        assert_eq!(refused.failure().map(|failure| failure.kind), None);
        assert_eq!(refused.refused(Some(&request.id)), Some(None));
        assert_eq!(refused.failure().unwrap().kind, Kind::MediatorRefused);
        let (mut silent, _) = sharing(form);
        connected(&mut silent, 1).unwrap();
        assert_eq!(silent.timeout(begin() + 2 * PATIENCE), None);
        assert!(silent.failure().unwrap().message.contains("did not say"));
        // Once people have it, a mediator that forgets it ends nothing.
        let (mut shown, _) = sharing(form);
        let request = connected(&mut shown, 1).unwrap();
        let kept = Deposited { expires_time: NOW + 60 }.message("1").thid(&request.id);
        assert!(shown.answered(&kept).unwrap().is_some());
        let again = connected(&mut shown, 1).unwrap();
        assert_eq!(shown.refused(Some(&again.id)), Some(None));
        assert_eq!(shown.failure().map(|failure| failure.kind), None);
    }

    /// Decides IV-12.
    #[test]
    fn without_a_mediator_that_keeps_it_the_full_link_is_shown_and_why() {
        let (mut refused, invitation) = sharing(LinkForm::Short { single_use: false });
        let request = connected(&mut refused, 1).unwrap();
        assert_eq!(refused.refused(None), None);
        let shown = refused.refused(Some(&request.id)).unwrap().unwrap();
        assert!(shown.note.unwrap().contains("took no short one"));
        assert_eq!(Invitation::read(&shown.link, NOW).unwrap(), invitation);
        let (mut silent, _) = sharing(LinkForm::Readable);
        connected(&mut silent, 1).unwrap();
        let due = silent.deadline().unwrap();
        assert_eq!(silent.timeout(due - Duration::from_millis(1)), None);
        assert!(silent.timeout(due).unwrap().note.is_some());
        assert_eq!(silent.timeout(due), None);
    }

    /// Decides IV-12.
    #[test]
    fn a_link_for_one_use_is_not_deposited_again_once_it_may_be_used() {
        let (mut sharing, _) = sharing(LinkForm::Short { single_use: true });
        let request = connected(&mut sharing, 1).unwrap();
        assert!(Deposit::try_from(&request).unwrap().single_use);
        assert!(sharing.answered(&Deposited { expires_time: 1 }.message("1").thid(&request.id)).is_some());
        assert!(connected(&mut sharing, 1).is_ok(), "nobody came yet");
        assert_eq!(connected(&mut sharing, 2), Err(None));
    }

    /// Decides RM-101.
    #[test]
    fn a_room_that_goes_on_has_the_link_that_people_have() {
        for single_use in [false, true] {
            let (mut before, invitation) = sharing(LinkForm::Short { single_use });
            let request = connected(&mut before, 1).unwrap();
            assert_eq!(before.kept(), None, "nobody has it yet");
            let deposit = Deposit::try_from(&request).unwrap();
            let kept = Deposited { expires_time: NOW + 60 }.message("1").thid(&request.id);
            let shown = before.answered(&kept).unwrap().unwrap();
            let kept = before.kept().unwrap();
            let again = || Sharing::again(&kept, &invitation, BASE).unwrap();
            assert_eq!(again().kept(), Some(kept.clone()), "also before the mediator has answered");
            let request = connected(&mut again(), 1).unwrap();
            assert_eq!(Deposit::try_from(&request).unwrap(), deposit, "the same is deposited");
            // With a guest in the room, one for one use was used.
            let mut used = again();
            match connected(&mut used, 2) {
                Ok(request) => {
                    assert!(!single_use);
                    let full = used.refused(Some(&request.id)).unwrap().unwrap();
                    assert_eq!(Invitation::read(&full.link, NOW).unwrap(), invitation);
                }
                Err(nothing_to_ask) => {
                    assert!(single_use);
                    assert_eq!(nothing_to_ask, Some(Shown { link: shown.link.clone(), note: None }));
                }
            }
            if single_use {
                let mut unknown = again();
                let request = connected(&mut unknown, 1).unwrap();
                let refused = unknown.refused(Some(&request.id)).unwrap().unwrap();
                assert!(refused.link == shown.link && refused.note.is_some(), "no link that works for more");
            }
        }
        let (mut full, invitation) = sharing(LinkForm::Full);
        let shown = connected(&mut full, 1).unwrap_err().unwrap();
        let mut again =
            Sharing::again(&full.kept().unwrap(), &invitation, "https://elsewhere.example/").unwrap();
        assert_eq!(connected(&mut again, 2), Err(Some(shown)));
    }

    /// Decides IV-14.
    #[test]
    fn full_and_readable_links_are_made_when_they_are_asked_for() {
        let (mut full, invitation) = sharing(LinkForm::Full);
        let shown = connected(&mut full, 1).unwrap_err().unwrap();
        assert_eq!(Invitation::read(&shown.link, NOW).unwrap(), invitation);
        assert_eq!(connected(&mut full, 1), Err(None));
        let (mut readable, _) = sharing(LinkForm::Readable);
        let request = connected(&mut readable, 1).unwrap();
        assert_eq!(RequestShortenedUrl::try_from(&request).unwrap().requested_validity_seconds, 60);
        for (url, taken) in [("https://m.example/?_oobid=1", true), ("javascript:alert(1)", false)] {
            let (mut readable, _) = sharing(LinkForm::Readable);
            let request = connected(&mut readable, 1).unwrap();
            let answer = ShortenedUrl { shortened_url: url.into(), expires_time: None };
            let shown = readable.answered(&answer.message("1").thid(&request.id)).unwrap().unwrap();
            assert_eq!((shown.link == url, shown.note.is_none()), (taken, taken));
        }
    }
}
