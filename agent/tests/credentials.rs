//! Rooms that only those enter for whom an authority vouches: credentials that are issued, shown, checked by everybody, and revoked.
#![cfg(target_os = "linux")]
#![allow(clippy::disallowed_methods, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::ffi::OsStr;
use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use didagent::core::identity::Identity;
use didagent_didcomm::credential::Issue;
use serde_json::{Value, json};
use support::party::{Agent, Party, bare, text};
use support::process::{Finished, run};
use support::schema::Schema;
use support::site::Site;
use support::stage::Stage;
use support::transcripts::{refused, verified_with, verify};
use support::{average, didagent, python_command};

const PRIVATE: &str = "--allow-private-hosts";
const NO_STORE: &str = "Cache-Control: no-store\r\n";

/// A stage with an authority, whose web site everybody's machine trusts.
struct Town {
    stage: Stage,
    site: Site,
    authority: String,
}

impl Town {
    fn new() -> Self {
        let (stage, site) = (Stage::new(), Site::start());
        let authority = site.did("authority");
        let town = Self { stage, site, authority };
        town.site.write_authority(&town.certificates());
        assert_eq!(town.settle("authority"), town.authority);
        town
    }

    /// Gives a home an identity at the site, and returns it.
    fn settle(&self, home: &str) -> String {
        let domain = format!("localhost:{}", self.site.port);
        let did =
            self.said(home, &["identity", "new", "--method", "web", "--domain", &domain, "--path", home]);
        let document = std::fs::read_to_string(self.stage.home(home).join("did.json")).unwrap();
        self.site.put(&format!("/{home}/did.json"), NO_STORE, &document);
        did
    }

    fn certificates(&self) -> PathBuf {
        self.stage.folder().join("authority.pem")
    }

    fn command(&self, home: &str, words: &[&str]) -> Finished {
        let mut command = bare(&didagent());
        run(&words.join(" "), command.arg("--home").arg(self.stage.home(home)).args(words))
    }

    /// What a command prints that must succeed.
    fn said(&self, home: &str, words: &[&str]) -> String {
        let finished = self.command(home, words);
        assert_eq!(finished.code, 0, "{words:?}: {finished:?}");
        finished.lines.join("\n")
    }

    /// Puts the authority's list onto its site.
    fn upload(&self, headers: &str) {
        self.upload_of("authority", headers);
    }

    fn upload_of(&self, authority: &str, headers: &str) {
        let list = self.stage.home(authority).join("credential-status.jwt");
        let list = std::fs::read_to_string(list).unwrap();
        self.site.put(&format!("/{authority}/credential-status.jwt"), headers, &list);
    }

    fn identity(&self, home: &str) -> String {
        self.said(home, &["identity", "show"])
    }

    /// Puts a credential into a home; returns what the command says.
    fn add(&self, home: &str, credential: &str) -> Finished {
        let file = self.stage.folder().join(format!("{home}.jwt"));
        std::fs::write(&file, credential).unwrap();
        self.command(home, &["credential", "add", file.to_str().unwrap()])
    }

    /// Lets the authority vouch for a home, and returns the name of the credential there.
    fn vouch(&self, home: &str) -> String {
        self.vouch_as("authority", home)
    }

    fn vouch_as(&self, authority: &str, home: &str) -> String {
        let did = self.identity(home);
        let credential =
            self.said(authority, &["credential", "issue", "--to", &did, "--valid", "1d", "--role", home]);
        self.upload_of(authority, NO_STORE);
        assert_eq!(self.add(home, &credential).code, 0);
        let (held, issued) = (self.credentials(home), self.credentials(authority));
        let mut all = held["held"].as_array().unwrap().iter();
        assert!(all.any(|one| one["role"] == home && one["subject"] == did.as_str()), "{held:#}");
        let mut all = issued["issued"].as_array().unwrap().iter();
        text(all.find(|one| one["to"] == did.as_str()).unwrap(), "id").to_owned()
    }

    /// What a home holds and has issued.
    fn credentials(&self, home: &str) -> Value {
        let listed = serde_json::from_str(&self.said(home, &["credential", "list", "--json"])).unwrap();
        Schema::read("credentials.schema.json").assert_valid(&listed);
        listed
    }

    fn agent(&self, agent: Agent) -> Agent {
        agent.option(&[PRIVATE]).variable("SSL_CERT_FILE", self.certificates())
    }

    /// Opens a room for two, and returns its host and the link.
    fn open(&self, host: &str) -> (Party, String) {
        let invite = self.stage.invite(host, 2).option(&["--require-issuer", &self.authority]);
        let mut host = self.agent(invite).start();
        let link = text(&host.wait_for("room.invitation"), "link").to_owned();
        (host, link)
    }
}

fn end(party: Party) {
    party.process.signal("INT");
    party.finish();
}

/// The key set of a home, under the name of this did:web.
fn keys(town: &Town, home: &str, did: &str) -> Identity {
    let file = std::fs::read(town.stage.home(home).join("identity.json")).unwrap();
    Identity::from_file(&file).unwrap().named(&format!("{did}#key-1"))
}

/// A credential as `didagent credential issue` never writes it: of any time, and signed with the key of any home.
fn signed_with(town: &Town, home: &str, subject: &str, hours: (i64, i64)) -> String {
    let now = i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()).unwrap();
    let at = |hours: i64| u64::try_from(now + 3600 * hours).unwrap();
    let (valid_from, valid_until) = (at(hours.0), at(hours.1));
    let what = Issue { id: "urn:uuid:1", subject, role: None, valid_from, valid_until, status: None };
    keys(town, home, &town.authority).issue(&what).unwrap()
}

/// Decides RM-100, RM-101, CR-21.
#[test]
fn a_killed_host_goes_on_with_its_own_credential_and_with_the_question_about_the_words() {
    let town = Town::new();
    let chamber = town.settle("chamber");
    // Nobody but the host shows one of the first authority.
    town.vouch("alice");
    town.vouch_as("chamber", "bob");
    let program = |input: &str| python_command(&average(), &[input]);
    let issuers = ["--require-issuer", &town.authority, "--require-issuer", &chamber];
    let invite = town.stage.invite("alice", 2).option(&issuers).option(&["--confirm"]);
    let mut alice = town.agent(invite.program(program("10"))).start();
    let link = text(&alice.wait_for("room.invitation"), "link").to_owned();
    alice.process.signal("KILL");
    alice.finish();
    let mut alice = town.agent(town.stage.resume("alice").program(program("10"))).start();
    assert_eq!(text(&alice.wait_for("room.invitation"), "link"), link);
    let bob = town.agent(town.stage.join("bob", &link).program(program("20"))).start();
    assert_eq!(alice.wait_for("room.confirming")["asked"], true);
    town.said("alice", &["room", "confirm"]);
    for ended in [alice, bob].map(Party::finish) {
        assert_eq!(ended.assert_ok().output(), ["average of 2 inputs: 15.00"]);
    }
}

/// Decides CR-20, CR-22, CR-24, CR-27, CR-30.
#[test]
fn those_for_whom_an_authority_vouches_compute_together() {
    let town = Town::new();
    for home in ["alice", "bob"] {
        town.vouch(home);
    }
    let program = |input: &str| python_command(&average(), &[input]);
    let invite = town.stage.invite("alice", 2).option(&["--require-issuer", &town.authority]);
    let mut alice = town.agent(invite.program(program("10"))).start();
    let link = text(&alice.wait_for("room.invitation"), "link").to_owned();
    let bob = town.agent(town.stage.join("bob", &link).program(program("20"))).start();
    let ended = [alice, bob].map(Party::finish);
    let files = ended.each_ref().map(|party| {
        assert_eq!(party.assert_ok().output(), ["average of 2 inputs: 15.00"]);
        let parties = party.event("room.ready")["parties"].as_array().unwrap();
        for (entry, role) in parties.iter().zip(["alice", "bob"]) {
            assert_eq!(text(&entry["credential"], "issuer"), town.authority);
            assert_eq!(text(&entry["credential"], "role"), role);
        }
        PathBuf::from(text(party.event("run.transcript"), "path"))
    });
    // The authority's site is off: what it said is in the files.
    let document = town.stage.home("authority").join("did.json");
    let Town { stage: _stage, site, authority } = town;
    drop(site);
    let verified = verify(&[files[0].as_os_str(), files[1].as_os_str()]);
    let said = verified.lines.join("\n");
    assert_eq!(verified.code, 0, "{verified:?}");
    assert!(said.contains("everybody showed a credential of did:web:localhost"), "{said}");
    assert!(said.contains("bob as bob, of did:web:localhost"), "{said}");
    assert!(said.contains("signed with its key above"), "{said}");
    assert!(
        said.contains(
            "as each of party 0 (alice), party 1 (bob) saw it at the time of the run; the site was not asked"
        ),
        "{said}"
    );
    let words = [files[0].as_os_str(), OsStr::new("--document"), document.as_os_str()];
    let keys = verified_with(&words)["keys"].clone();
    assert_eq!(keys, json!([{"did": authority, "from": "document", "seen_by": [0], "differs": false}]));
    // Its owner may take a text out, and may not put another in.
    let mut file: Value = serde_json::from_slice(&std::fs::read(&files[0]).unwrap()).unwrap();
    let bobs = file["credentials"][1].take();
    std::fs::write(&files[0], file.to_string()).unwrap();
    let verified = verify(&[files[0].as_os_str()]);
    assert!(verified.lines.join("\n").contains("bob: its hash alone is in the file"), "{verified:?}");
    file["credentials"][0] = bobs;
    std::fs::write(&files[0], file.to_string()).unwrap();
    let message = refused(&[files[0].as_os_str()], 8, "E1002");
    assert!(message.contains("the credential of party 0 does not hold"), "{message}");
}

/// Decides CR-20, CR-21, CR-23.
#[test]
fn each_who_holds_none_that_counts_is_told_why_and_gets_no_seat() {
    let town = Town::new();
    town.vouch("alice");
    let revoked = town.vouch("revoked");
    let (mut alice, link) = town.open("alice");
    let join = |home: &str| town.agent(town.stage.join(home, &link)).run();
    town.site.asked();
    // Nothing is sent: the host hears of none of these.
    let other = "did:key:z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK";
    let message = join("none").assert_error(3, "E1101").to_owned();
    assert!(message.contains("this home holds none"), "{message}");
    for (home, issuer, hours, why) in
        [("early", "authority", (1, 2), "is not valid before"), ("late", "authority", (-2, -1), "expired on")]
    {
        let credential = signed_with(&town, issuer, &town.identity(home), hours);
        assert_eq!(town.add(home, &credential).code, 0);
        let message = join(home).assert_error(3, "E1101").to_owned();
        assert!(message.contains(why), "{message}");
    }
    let lone = town.identity("lone");
    town.add("lone", &town.said("lone", &["credential", "issue", "--to", &lone]));
    let message = join("lone").assert_error(3, "E1101").to_owned();
    assert!(message.contains("those of others only"), "{message}");
    // Somebody else's is not even kept; one of a did:web is, for `--as`.
    let refused = town.add("none", &signed_with(&town, "authority", other, (-1, 1)));
    assert!(refused.code == 2 && refused.stderr.contains("this home is did:key:"), "{refused:?}");
    town.add("none", &signed_with(&town, "authority", "did:web:bank.example", (-1, 1)));
    let message = join("none").assert_error(3, "E1101").to_owned();
    assert!(message.contains("is about did:web:bank.example, and not about did:key:"), "{message}");
    assert_eq!(town.site.asked(), Vec::<String>::new());

    // What only the authority's site tells, the host says.
    let forged = signed_with(&town, "none", &town.identity("forger"), (-1, 1));
    assert_eq!(town.add("forger", &forged).code, 0);
    assert_eq!(town.command("authority", &["credential", "revoke", &revoked]).code, 0);
    town.upload(NO_STORE);
    for (home, why) in [
        ("forger", "the credential was not signed by its issuer"),
        ("revoked", "the credential was revoked by its issuer"),
    ] {
        let message = join(home).assert_error(3, "E1102").to_owned();
        assert_eq!(message, format!("the host refused: {why}"));
        let told = alice.wait_for("party.refused");
        assert_eq!((text(&told, "reason"), text(&told, "name")), (why, home));
        assert_eq!(text(&told, "identity"), town.identity(home));
    }
    end(alice);
    // A host is no exception.
    let invite = town.stage.invite("revoked", 2).option(&["--require-issuer", &town.authority]);
    let message = town.agent(invite).run().assert_error(3, "E1101").to_owned();
    assert!(message.contains("the credential was revoked by its issuer"), "{message}");
    let invite = town.stage.invite("alice", 2).option(&["--require-issuer", "https://authority.example"]);
    town.agent(invite).run().assert_error(2, "E0901");
}

/// Decides CR-24, CR-25. A host that looks at an older list, as one that does not look at all.
#[test]
fn what_the_host_overlooks_the_guest_sees() {
    let town = Town::new();
    let alices = town.vouch("alice");
    town.vouch("bob");
    town.upload("Cache-Control: max-age=86400\r\n");
    let (mut alice, link) = town.open("alice");
    assert_eq!(town.command("authority", &["credential", "revoke", &alices]).code, 0);
    town.upload(NO_STORE);
    let bob = town.agent(town.stage.join("bob", &link)).run();
    let message = bob.assert_error(8, "E1103");
    let why = "has no credential that counts: the credential was revoked by its issuer";
    assert_eq!(message, format!("party 0 (alice) {why}"));
    assert!(bob.events("room.ready").is_empty());
    // And if the list is gone, nobody begins either.
    alice.wait_for("party.joined");
    end(alice);
    town.site
        .answer("/authority/credential-status.jwt", b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
    let (alice, link) = town.open("alice");
    let message = town.agent(town.stage.join("bob", &link)).run().assert_error(1, "E0903").to_owned();
    assert!(message.contains("the issuer's list of revoked credentials cannot be had"), "{message}");
    end(alice);
}

/// Decides CR-30, CR-31.
#[test]
fn an_authority_issues_lists_and_revokes() {
    let town = Town::new();
    let id = town.vouch("bob");
    let held = town.said("bob", &["credential", "list"]);
    assert!(held.contains(&format!("of {} about {}", town.authority, town.identity("bob"))), "{held}");
    assert!(held.contains("as bob, valid until"), "{held}");
    let name = held.split(' ').next().unwrap();
    for (home, words, exit, code) in [
        ("authority", vec!["credential", "revoke", "urn:uuid:0"], 2, "E1105"),
        ("authority", vec!["credential", "issue", "--to", "bob"], 2, "E0901"),
        ("authority", vec!["credential", "issue", "--to", &town.authority, "--role", ""], 2, "E0002"),
        ("bob", vec!["credential", "remove", "nothing"], 2, "E1105"),
        ("bob", vec!["credential", "add", "/dev/null"], 2, "E1104"),
        ("bob", vec!["credential", "add", "/nowhere"], 2, "E1104"),
    ] {
        let refused = town.command(home, &words);
        assert_eq!(refused.code, exit, "{refused:?}");
        assert!(refused.stderr.contains(&format!("error[{code}]")), "{refused:?}");
    }
    let before = std::fs::read_to_string(town.stage.home("authority").join("credential-status.jwt")).unwrap();
    let short = &id["urn:uuid:".len()..][..13];
    let revoked = town.command("authority", &["credential", "revoke", short]);
    let url = format!("https://localhost:{}/authority/credential-status.jwt", town.site.port);
    assert!(revoked.code == 0 && revoked.stderr.contains(&url), "{revoked:?}");
    let after = std::fs::read_to_string(town.stage.home("authority").join("credential-status.jwt")).unwrap();
    assert_ne!(before, after);
    assert!(town.said("authority", &["credential", "list"]).contains("REVOKED"));
    town.said("bob", &["credential", "remove", name]);
    assert_eq!(town.said("bob", &["credential", "list"]), "");
}
