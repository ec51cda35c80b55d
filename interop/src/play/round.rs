//! One case with one peer, in both directions.

use serde_json::{Value, json};

use super::case::{Case, Kind};
use super::driver::{Driver, Refusal};
use super::identity::Identity;
use super::ours;

const HTTPS: &str = "https://mediator.example/didcomm";

/// Who writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Way {
    /// Ours writes, the peer reads.
    ToThem,
    /// The peer writes, ours reads.
    ToUs,
}

impl Way {
    /// As it stands in `expected/`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::ToThem => "to them",
            Self::ToUs => "to us",
        }
    }
}

/// What the two parties and the mediator of a case are.
#[derive(Debug)]
pub struct Cast {
    alice: Identity,
    bob: Identity,
    mediator: Identity,
}

impl Cast {
    /// Of one case.
    pub fn of(case: &Case) -> Self {
        let mediator = Identity::of("mediator", case);
        let bob = Identity::of("bob", case);
        let (bob, mediator) = match case.kind {
            Kind::Forward => (bob.reached_at(&mediator.did, &[]), mediator.reached_at(HTTPS, &[])),
            Kind::ForwardKeys => (bob.reached_at(HTTPS, &[mediator.agree()]), mediator),
            _ => (bob, mediator),
        };
        Self { alice: Identity::of("alice", case), bob, mediator }
    }

    fn known(&self) -> [&Identity; 3] {
        [&self.alice, &self.bob, &self.mediator]
    }

    fn documents(&self) -> Vec<&Value> {
        self.known().map(|party| &party.document).to_vec()
    }

    /// What Alice says to Bob.
    pub fn message(&self) -> Value {
        json!({
            "id": "8f6b7a8e-2f0c-4a53-9d3f-1d5a8f5a0c11",
            "typ": "application/didcomm-plain+json",
            "type": "https://example.com/protocols/try/1.0/said",
            "from": self.alice.did,
            "to": [self.bob.did],
            "thid": "thread-1",
            "created_time": 1_700_000_000,
            "body": {"said": "Grüße, 世界 \u{1F44B} \"\\\u{0001}", "list": [1, -2, true, null, {"deep": [[[]]]}]},
        })
    }

    /// The job of the peer that writes as Alice.
    pub fn pack_job(&self, case: &Case) -> Value {
        json!({
            "op": "pack",
            "kind": case.kind.name(),
            "enc": case.enc,
            "message": self.message(),
            "from": self.alice.did,
            "to": self.bob.did,
            "sign_by": case.kind.signs().then(|| self.alice.sign()),
            "documents": self.documents(),
            "secrets": self.alice.secrets,
        })
    }

    fn read_job(&self, op: &str, packed: &str, own: &Identity) -> Value {
        json!({"op": op, "packed": packed, "documents": self.documents(), "secrets": own.secrets})
    }

    /// Ours writes, `driver` reads.
    ///
    /// # Errors
    /// What one of them refuses, or what came out other than it went in.
    pub fn to_them(&self, case: &Case, driver: &mut Driver) -> Result<(), Refusal> {
        let mut packed = ours::pack(case, &self.message(), &self.alice, &self.bob, &self.mediator)?;
        if case.kind.forwards() {
            let forwarded = driver.ask(&self.read_job("forwarded", &packed, &self.mediator))?;
            self.check_next(forwarded["next"].as_str().unwrap_or_default())?;
            packed = forwarded["packed"].as_str().unwrap_or_default().to_owned();
        }
        let read = driver.ask(&self.read_job("unpack", &packed, &self.bob))?;
        self.check(case, &read)
    }

    /// Ours reads what the peer wrote.
    ///
    /// # Errors
    /// Why not, or what came out other than it went in.
    pub fn to_us(&self, case: &Case, packed: &str) -> Result<(), Refusal> {
        self.check_form(case, packed)?;
        let mut inner = packed.to_owned();
        if case.kind.forwards() {
            let (next, payload) = ours::forwarded(packed, &self.mediator, &self.known())?;
            self.check_next(&next)?;
            inner = payload;
        }
        self.check(case, &ours::unpack(&inner, &self.bob, &self.known())?)
    }

    /// A peer that writes something else than it was asked for must not pass for one that can do it.
    fn check_form(&self, case: &Case, packed: &str) -> Result<(), Refusal> {
        let json: Value =
            serde_json::from_str(packed).map_err(|error| Refusal(format!("no JSON: {error}")))?;
        let Some(enc) = case.enc else { return Ok(()) };
        let protected = json["protected"].as_str().and_then(ours::json_of).unwrap_or_default();
        let alg = match case.kind {
            Kind::Auth | Kind::AuthSign => "ECDH-1PU+A256KW",
            _ => "ECDH-ES+A256KW",
        };
        for (name, wanted, got) in [
            ("enc", enc, &protected["enc"]),
            ("alg", alg, &protected["alg"]),
            ("epk.crv", case.curve, &protected["epk"]["crv"]),
        ] {
            if *got != wanted {
                return Err(Refusal(format!("{name} is {got}")));
            }
        }
        Ok(())
    }

    fn check_next(&self, next: &str) -> Result<(), Refusal> {
        match next.split('#').next() == Some(&self.bob.did) {
            true => Ok(()),
            false => Err(Refusal(format!("next is {next}"))),
        }
    }

    /// Whether what was read is what was said, by whom it was said.
    fn check(&self, case: &Case, read: &Value) -> Result<(), Refusal> {
        for (name, said) in self.message().as_object().expect("an object") {
            let got = &read["message"][name];
            // What a library does not show of its parsed message is not wrong.
            if got != said && !(name == "typ" && got.is_null()) {
                return Err(Refusal(format!("{name} came out as {got}")));
            }
        }
        let sender = case.kind.authenticates().then(|| self.alice.agree());
        let signer = case.kind.signs().then(|| self.alice.sign());
        for (name, wanted) in [("sender", sender), ("signer", signer)] {
            if let Some(got) = read.get(name)
                && got.as_str() != wanted.as_deref()
            {
                return Err(Refusal(format!("{name} came out as {got}")));
            }
        }
        Ok(())
    }
}
