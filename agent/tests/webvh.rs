//! did:webvh: logs of a web site that hold, and those that do not. Built with the feature `webvh` only.
#![cfg(target_os = "linux")]
#![allow(clippy::disallowed_methods, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::sync::Arc;

use didagent::failure::Kind;
use didagent::io::did_webvh::verify;
use didwebvh_rs::Multibase;
use didwebvh_rs::prelude::{
    CreateDIDConfig, DIDWebVHState, KeyType, Parameters, Secret, UpdateDIDConfig, Witnesses, create_did,
    generate_did_key, update_did,
};
use futures_util::FutureExt as _;
use serde_json::{Value, json};
use support::didagent;
use support::party::bare;
use support::process::{Finished, run};
use support::site::Site;

const X25519: &str = "z6LSg8zQom395jKLrGiBNruB9MM6V8PWuf2FpEy4uRFiqQBR";

/// A site and a home that trusts it.
struct Visit {
    site: Site,
    folder: tempfile::TempDir,
}

impl Visit {
    fn new() -> Self {
        let visit = Self { site: Site::start(), folder: tempfile::tempdir().unwrap() };
        visit.site.write_authority(&visit.folder.path().join("authority.pem"));
        visit
    }

    fn resolve(&self, did: &str, words: &[&str]) -> Finished {
        let mut command = bare(&didagent());
        command.env("SSL_CERT_FILE", self.folder.path().join("authority.pem")).env_remove("SSL_CERT_DIR");
        command.arg("--home").arg(self.folder.path().join("home")).args(["did", "resolve", did]);
        run(did, command.args(words))
    }

    fn address(&self, folder: &str) -> String {
        format!("https://localhost:{}/{folder}/", self.site.port)
    }

    fn put(&self, folder: &str, log: &str) {
        self.site.put(&format!("/{folder}/did.jsonl"), "Cache-Control: max-age=3600\r\n", log);
    }
}

/// Somebody with a did:webvh.
struct Owner {
    key: Secret,
    state: DIDWebVHState,
    did: String,
}

impl Owner {
    /// Writes the first entry.
    fn new(address: &str, adapt: impl FnOnce(&mut Parameters), witness: Option<&Secret>) -> Self {
        let (_, key) = generate_did_key(KeyType::Ed25519).unwrap();
        let public = key.get_public_keymultibase().unwrap();
        let mut parameters = Parameters {
            update_keys: Some(Arc::new(vec![Multibase::new(public.clone())])),
            ..Parameters::default()
        };
        adapt(&mut parameters);
        let document = json!({
            "@context": ["https://www.w3.org/ns/did/v1", "https://w3id.org/security/multikey/v1"],
            "id": "{DID}",
            "verificationMethod": [
                {"id": "{DID}#a", "type": "Multikey", "controller": "{DID}", "publicKeyMultibase": public},
                {"id": "{DID}#b", "type": "Multikey", "controller": "{DID}", "publicKeyMultibase": X25519},
            ],
            "authentication": ["{DID}#a"],
            "keyAgreement": ["{DID}#b"],
        });
        let mut config = CreateDIDConfig::builder()
            .address(address)
            .authorization_key(key.clone())
            .did_document(document)
            .parameters(parameters)
            .version_time("2020-01-01T00:00:00Z".parse().unwrap());
        if let Some(witness) = witness {
            config = config.witness_secret(witness.id.split('#').next().unwrap(), witness.clone());
        }
        let made = create_did(config.build().unwrap()).now_or_never().unwrap().unwrap();
        let log = serde_json::to_string(made.log_entry()).unwrap();
        let proofs = witness.map(|_| serde_json::to_string(made.witness_proofs()).unwrap());
        let did = made.did().to_owned();
        let mut owner = Self { key, state: DIDWebVHState::default(), did };
        let read = owner.state.resolve_log_owned(&owner.did, &log, proofs.as_deref());
        read.now_or_never().unwrap().unwrap();
        owner
    }

    /// Writes the next entry: another name, or what `deactivate` says.
    fn update(&mut self, second: u8, deactivate: bool) {
        let mut document = self.state.log_entries().last().unwrap().get_state().clone();
        document["alsoKnownAs"] = json!([format!("did:example:{second}")]);
        let config = UpdateDIDConfig::builder()
            .state(std::mem::take(&mut self.state))
            .signing_key(self.key.clone())
            .version_time(format!("2020-01-01T00:00:{second:02}Z").parse().unwrap());
        let config = if deactivate { config.deactivate(true) } else { config.document(document) };
        let updated = update_did(config.build().unwrap()).now_or_never().unwrap().unwrap();
        self.state = updated.into_state();
    }

    fn entries(&self) -> Vec<String> {
        let entries = self.state.log_entries().iter();
        entries.map(|entry| serde_json::to_string(&entry.log_entry).unwrap()).collect()
    }

    fn log(&self) -> String {
        self.entries().join("\n") + "\n"
    }
}

#[track_caller]
fn assert_refused(finished: &Finished, exit: i32, code: &str) {
    assert_eq!((finished.code, finished.lines.len()), (exit, 0), "{finished:?}");
    assert!(finished.stderr.contains(&format!("error[{code}]")), "{}", finished.stderr);
    assert!(!finished.stderr.contains("ERROR"), "a log line of other people's code: {}", finished.stderr);
}

/// Decides CN-70, CN-71, CN-72.
#[test]
fn the_newest_document_of_a_log_is_printed_and_remembered() {
    let visit = Visit::new();
    let mut owner = Owner::new(&visit.address("u/bob"), |_| {}, None);
    owner.update(1, false);
    visit.put("u/bob", &owner.log());
    let refused = visit.resolve(&owner.did, &[]);
    assert_refused(&refused, 3, "E0905");
    assert!(visit.site.asked().is_empty(), "the site was asked");
    for asked in [&["/u/bob/did.jsonl"][..], &[]] {
        let shown = visit.resolve(&owner.did, &["--allow-private-hosts"]);
        assert_eq!((shown.code, shown.stderr.as_str()), (0, ""), "{shown:?}");
        assert_eq!(shown.lines[..2], [owner.did.clone(), "  also known as   did:example:1".to_owned()]);
        assert!(shown.lines.iter().any(|line| line.contains(X25519)), "{shown:?}");
        assert_eq!(visit.site.asked(), asked);
    }
    // What the owner says in the log is shorter than what the site says.
    let brief = Owner::new(&visit.address("brief"), |parameters| parameters.ttl = Some(1), None);
    let verified = verify(&brief.did, &brief.log(), None).unwrap();
    assert_eq!((verified.lifetime, verified.document.id), (Some(1), brief.did));
}

/// Decides CN-71.
#[test]
fn witnesses_are_asked_for_if_an_entry_names_them() {
    let visit = Visit::new();
    let [witness, other] = [1, 2].map(|_| generate_did_key(KeyType::Ed25519).unwrap().1);
    let named = |witness: &Secret| {
        let key = Multibase::new(witness.get_public_keymultibase().unwrap());
        Witnesses::builder().threshold(1).witnesses([key]).build().unwrap()
    };
    let owner = Owner::new(
        &visit.address("w"),
        |parameters| parameters.witness = Some(Arc::new(named(&witness))),
        Some(&witness),
    );
    let proofs = serde_json::to_string(owner.state.witness_proofs()).unwrap();
    visit.put("w", &owner.log());
    let resolve = || visit.resolve(&owner.did, &["--allow-private-hosts", "--fresh"]);
    assert_refused(&resolve(), 1, "E0903");
    let files = ["/w/did.jsonl", "/w/did-witness.json"];
    assert_eq!(visit.site.asked(), files);
    visit.site.put(files[1], "", &proofs);
    assert_eq!(resolve().code, 0);
    let replaced = |witness: &Secret| witness.get_public_keymultibase().unwrap();
    for bad in ["[]".to_owned(), "{".to_owned(), proofs.replace(&replaced(&witness), &replaced(&other))] {
        visit.site.put(files[1], "", &bad);
        assert_refused(&resolve(), 8, "E0906");
    }
    visit.site.put(files[1], "", &" ".repeat(65 * 1024));
    assert_refused(&resolve(), 8, "E0906");
}

/// Decides CN-71.
#[test]
fn a_log_that_does_not_hold_is_refused() {
    let visit = Visit::new();
    let mut owner = Owner::new(&visit.address("x"), |_| {}, None);
    owner.update(1, false);
    owner.update(2, false);
    let (log, entries) = (owner.log(), owner.entries());
    // Another one, of the same place.
    let other = Owner::new(&visit.address("x"), |_| {}, None).log();
    let mut gone = Owner::new(&visit.address("x"), |_| {}, None);
    gone.update(1, true);
    let lines = |order: &[usize]| order.iter().map(|n| format!("{}\n", entries[*n])).collect::<String>();
    let changed = |n: usize, change: &dyn Fn(&mut Value)| {
        let mut entries = entries.clone();
        let mut entry: Value = serde_json::from_str(&entries[n]).unwrap();
        change(&mut entry);
        entries[n] = entry.to_string();
        entries.join("\n")
    };
    assert!(verify(&owner.did, &changed(0, &|_| {}), None).is_ok(), "the order of members means nothing");
    let key = |entry: &mut Value| {
        entry["state"]["verificationMethod"][1]["publicKeyMultibase"] = json!(X25519.replace('8', "9"))
    };
    let crowd = |entry: &mut Value| {
        let witnesses: Vec<Value> = (0..17).map(|n| json!({"id": format!("did:key:z6Mk{n}")})).collect();
        entry["parameters"]["witness"] = json!({"threshold": 1, "witnesses": witnesses});
    };
    let cases = [
        ("the site has another one's log", other),
        ("a key is changed in the first entry", changed(0, &key)),
        ("in the middle", changed(1, &key)),
        ("in the last", changed(2, &key)),
        ("signed by nobody", changed(2, &|entry| entry["proof"] = json!([]))),
        (
            "signed for something else",
            changed(2, &|entry| entry["proof"][0]["proofPurpose"] = json!("authentication")),
        ),
        ("a version that is none", changed(1, &|entry| entry["versionId"] = json!("x"))),
        ("a date that is to come", changed(2, &|entry| entry["versionTime"] = json!("2999-01-01T00:00:00Z"))),
        ("the first entry is missing", lines(&[1, 2])),
        ("one is missing", lines(&[0, 2])),
        ("two changed places", lines(&[0, 2, 1])),
        ("one twice", lines(&[0, 1, 1, 2])),
        ("something behind it", log.clone() + "{}\n"),
        ("no JSON behind it", log.clone() + "x\n"),
        ("nothing", String::new()),
        ("no log", "<html>".to_owned()),
        ("a deep one", "[".repeat(100_000)),
    ];
    for (what, log) in cases {
        let refused = verify(&owner.did, &log, None).map(|verified| verified.json).unwrap_err();
        assert_eq!(refused.kind, Kind::DidDocumentBroken, "{what}: {refused}");
    }
    // What may cost too much is refused for that alone.
    for (why, log) in [
        ("more than 16 witnesses", changed(0, &crowd)),
        ("more than 256 entries", "{}\n".repeat(257)),
        ("too long", format!("{}{log}", " ".repeat(256 * 1024))),
    ] {
        let refused = verify(&owner.did, &log, None).map(|verified| verified.json).unwrap_err();
        assert!(refused.message.ends_with(why), "{refused}");
    }
    visit.put("x", &changed(1, &key));
    assert_refused(&visit.resolve(&owner.did, &["--allow-private-hosts"]), 8, "E0906");
    visit.put("x", &" ".repeat(257 * 1024));
    assert_refused(&visit.resolve(&owner.did, &["--allow-private-hosts"]), 8, "E0906");

    visit.put("x", &gone.log());
    let refused = visit.resolve(&gone.did, &["--allow-private-hosts"]);
    assert_refused(&refused, 1, "E0903");
    assert!(refused.stderr.contains("deactivated"), "{}", refused.stderr);
    let revived = gone.log() + &entries[2];
    assert_eq!(verify(&gone.did, &revived, None).unwrap_err().kind, Kind::DidDocumentBroken);
}

/// Decides CN-71.
#[test]
fn a_log_that_is_cut_off_in_an_entry_is_refused() {
    let owner = Owner::new("https://example.org/", |_| {}, None);
    let log = owner.entries().remove(0);
    for length in 0..log.len() {
        assert!(verify(&owner.did, &log[..length], None).is_err(), "{length} bytes");
    }
    assert!(verify(&owner.did, &log, None).is_ok());
}

/// Decides CN-71.
#[test]
fn who_moved_is_told_where_to() {
    let owner = Owner::new("https://example.org/", |parameters| parameters.portable = Some(true), None);
    let config = UpdateDIDConfig::builder()
        .state(owner.state)
        .signing_key(owner.key)
        .migrate_to("https://example.com/new/")
        .version_time("2020-01-02T00:00:00Z".parse().unwrap());
    let moved = update_did(config.build().unwrap()).now_or_never().unwrap().unwrap();
    let new = moved.did().to_owned();
    let state = moved.into_state();
    let log: Vec<String> =
        state.log_entries().iter().map(|entry| serde_json::to_string(&entry.log_entry).unwrap()).collect();
    let log = log.join("\n");
    let told = verify(&owner.did, &log, None).map(|verified| verified.json).unwrap_err();
    assert_eq!((told.kind, told.hint), (Kind::DidNotFound, Some(format!("didagent did resolve '{new}'"))));
    assert_eq!(verify(&new, &log, None).unwrap().document.also_known_as, [owner.did]);
}

/// Logs of other people's software: `didwebvh-test-suite`, made by didwebvh-ts.
///
/// Decides CN-71.
#[test]
fn published_logs_resolve_to_the_published_documents() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../spec/vectors/did-webvh");
    let mut count = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let vector: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        let (did, log) = (vector["did"].as_str().unwrap(), vector["log"].as_str().unwrap());
        let proofs = vector["witness"].as_str();
        let found = verify(did, log, proofs);
        match vector["document"].as_object() {
            Some(document) => {
                let document = Value::Object(document.clone()).to_string();
                let expected =
                    didagent_didcomm::did::DidDocument::from_json(did, document.as_bytes()).unwrap();
                assert_eq!(found.unwrap().document, expected, "{}", path.display());
            }
            None => assert_eq!(found.unwrap_err().kind, Kind::DidNotFound, "{}", path.display()),
        }
        count += 1;
    }
    assert_eq!(count, 6);
}
