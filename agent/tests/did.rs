//! DIDs on the command line: what is printed, what is published, and what a web site cannot make this machine do.
#![cfg(target_os = "linux")]
#![allow(clippy::disallowed_methods, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::path::{Path, PathBuf};

use didagent_didcomm::did::{DidDocument, key, peer2, peer4};
use serde_json::Value;
use support::didagent;
use support::party::bare;
use support::process::{Finished, run};
use support::schema::Schema;
use support::site::Site;

/// One whose place is none.
const WEBVH: &str = "did:webvh:Qmdxt11AjZewCNXX69bpEDobgjySeZ7eFwjf4tgpF6p2Dg:127.0.0.1";

/// A site and a home that trusts it.
struct Visit {
    site: Site,
    folder: tempfile::TempDir,
}

impl Visit {
    fn new() -> Self {
        let visit = Self { site: Site::start(), folder: tempfile::tempdir().unwrap() };
        visit.site.write_authority(&visit.authority());
        visit
    }

    fn authority(&self) -> PathBuf {
        self.folder.path().join("authority.pem")
    }

    fn said(&self, words: &[&str]) -> Finished {
        let mut command = bare(&didagent());
        command.env("SSL_CERT_FILE", self.authority()).env_remove("SSL_CERT_DIR");
        run(&words.join(" "), command.arg("--home").arg(self.folder.path().join("home")).args(words))
    }

    /// Resolves with hosts of this machine allowed.
    fn resolve(&self, did: &str, words: &[&str]) -> Finished {
        self.said(&[&["did", "resolve", did, "--allow-private-hosts"], words].concat())
    }
}

fn command(home: &Path, words: &[&str]) -> Finished {
    run(&words.join(" "), bare(&didagent()).arg("--home").arg(home).args(words))
}

/// Fails unless it printed a document as it is described.
#[track_caller]
fn assert_fits(finished: &Finished) {
    let document = serde_json::from_str(&finished.lines.join("\n")).unwrap();
    Schema::read("did-document.schema.json").assert_valid(&document);
}

#[track_caller]
fn assert_refused(finished: &Finished, exit: i32, code: &str) {
    assert_eq!((finished.code, finished.lines.len()), (exit, 0), "{finished:?}");
    assert!(finished.stderr.contains(&format!("error[{code}]")), "{}", finished.stderr);
}

#[test]
fn a_did_that_says_it_all_is_printed_without_a_home() {
    let folder = tempfile::tempdir().unwrap();
    let home = folder.path().join("home");
    let service = peer2::ServiceSpec {
        uri: "wss://mediator.example/".to_owned(),
        accept: vec!["didcomm/v2".to_owned()],
        routing_keys: Vec::new(),
    };
    let did = peer2::encode(&[1; 32], &[2; 32], Some(&service));
    let shown = command(&home, &["did", "resolve", &did]);
    assert_eq!((shown.code, shown.stderr.as_str()), (0, ""), "{shown:?}");
    let signing = key::encode_ed25519(&[1; 32]);
    assert_eq!(
        shown.lines,
        [
            did.clone(),
            format!("  authenticates   #key-1  Ed25519  {signing}"),
            "  encrypts        #key-2  X25519  did:key:z6LSbp1koujtH4KCNZsnQFAnuLm1LTxX3jYnzo3zcDjjD3RB"
                .to_owned(),
            "  messages to     wss://mediator.example/  didcomm/v2".to_owned(),
        ]
    );
    let json = command(&home, &["did", "resolve", &did, "--json"]);
    assert_fits(&json);
    let document = DidDocument::from_json(&did, json.lines.join("\n").as_bytes()).unwrap();
    assert!(document.x25519(&format!("{did}#key-2")).is_some());
    assert!(!home.exists(), "nothing was to be remembered");
}

#[test]
fn what_cannot_be_resolved_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let long = peer4::encode(&[1; 32], &[2; 32], None);
    for (did, exit, code) in [
        ("did:example:x", 2, "E0902"),
        ("did:key:z6Mk", 2, "E0901"),
        (WEBVH, 2, if cfg!(feature = "webvh") { "E0901" } else { "E0908" }),
        ("hello", 2, "E0901"),
        ("did:web:127.0.0.1", 2, "E0901"),
        (peer4::short_form(&long).unwrap(), 1, "E0903"),
        // The name of this machine, and the host's policy.
        ("did:web:localhost%3A1", 3, "E0905"),
    ] {
        assert_refused(&command(folder.path(), &["did", "resolve", did]), exit, code);
    }
    let signs_only = command(folder.path(), &["did", "resolve", &key::encode_ed25519(&[1; 32])]);
    assert_eq!(signs_only.code, 0);
    assert!(signs_only.stderr.contains("E0907"), "{}", signs_only.stderr);
}

/// Decides CN-66, CN-68.
#[test]
fn an_organisation_publishes_its_identity_and_others_look_it_up() {
    let visit = Visit::new();
    let domain = format!("localhost:{}", visit.site.port);
    let made = visit.said(&["identity", "new", "--method", "web", "--domain", &domain, "--path", "u/audit"]);
    let did = visit.site.did("u:audit");
    assert_eq!((made.code, &made.lines), (0, &vec![did.clone()]), "{made:?}");
    let file = visit.folder.path().join("home/did.json");
    assert!(made.stderr.contains(&file.display().to_string()), "{}", made.stderr);
    assert!(made.stderr.contains(&format!("https://{domain}/u/audit/did.json")), "{}", made.stderr);
    let identity = visit.said(&["identity", "show"]).lines.join("\n");
    assert!(made.stderr.contains(&identity), "it does not say which key rooms show: {}", made.stderr);

    let published = std::fs::read_to_string(&file).unwrap();
    let again = visit.said(&["identity", "show", "--domain", &domain, "--path", "u/audit"]);
    assert_eq!(again.lines.join("\n"), published.trim_end());
    visit.site.put("/u/audit/did.json", "", &published);
    let shown = visit.resolve(&did, &[]);
    assert_eq!((shown.code, shown.stderr.as_str()), (0, ""), "{shown:?}");
    assert_eq!(shown.lines[..2], [did.clone(), format!("  also known as   {identity}")]);
    assert!(shown.lines[2].ends_with(&identity), "{shown:?}");
    assert!(shown.lines.iter().any(|line| line.starts_with("  encrypts        #key-2  X25519")), "{shown:?}");

    // Keys are never made anew over old ones.
    let second = visit.said(&["identity", "new", "--method", "web", "--domain", &domain]);
    assert_refused(&second, 2, "E0002");
    assert_eq!(visit.said(&["identity", "show"]).lines.join("\n"), identity);
}

#[test]
fn a_web_identity_needs_a_web_site_and_another_has_none() {
    let folder = tempfile::tempdir().unwrap();
    for words in [
        &["--method", "web"][..],
        &["--domain", "example.org"],
        &["--method", "web", "--domain", "https://example.org"],
        &["--method", "web", "--domain", "192.0.2.1"],
        &["--method", "web", "--domain", "example.org", "--path", "../x"],
        &["--method", "web", "--path", "x"],
    ] {
        let finished = command(folder.path(), &[&["identity", "new"], words].concat());
        assert_eq!((finished.code, finished.lines.len()), (2, 0), "{words:?}: {finished:?}");
    }
    assert!(!folder.path().join("identity.json").exists(), "a wrong command line made keys");
}

fn document(did: &str) -> String {
    let other: Value = serde_json::from_str(r#"{"kty":"RSA","n":"AQAB","e":"AQAB"}"#).unwrap();
    serde_json::json!({
        "@context": "https://www.w3.org/ns/did/v1",
        "id": did,
        "verificationMethod": [
            {"id": "#a", "type": "Multikey", "publicKeyMultibase": "z6LSg8zQom395jKLrGiBNruB9MM6V8PWuf2FpEy4uRFiqQBR"},
            {"id": "#b", "type": "JsonWebKey2020", "publicKeyJwk": other},
        ],
        "keyAgreement": ["#a"],
    })
    .to_string()
}

/// Decides CN-66.
#[test]
fn this_machine_asks_no_neighbours_for_a_stranger() {
    let visit = Visit::new();
    let did = visit.site.did("");
    visit.site.put("/.well-known/did.json", "", &document(&did));
    let refused = visit.said(&["did", "resolve", &did]);
    assert_refused(&refused, 3, "E0905");
    assert!(refused.stderr.contains("--allow-private-hosts"), "{}", refused.stderr);
    assert!(visit.site.asked().is_empty(), "the site was asked");
    // What was allowed once is not allowed for good.
    assert_eq!(visit.resolve(&did, &[]).code, 0);
    assert_refused(&visit.said(&["did", "resolve", &did]), 3, "E0905");
}

/// Decides CN-67.
#[test]
fn a_document_is_asked_for_once_within_its_time() {
    let visit = Visit::new();
    let (did, brief) = (visit.site.did(""), visit.site.did("brief"));
    visit.site.put("/.well-known/did.json", "Cache-Control: max-age=3600\r\n", &document(&did));
    visit.site.put("/brief/did.json", "Cache-Control: no-store\r\n", &document(&brief));
    for (did, words, asked) in [
        (&did, &[][..], 1),
        (&did, &["--json"], 0),
        (&did, &["--fresh"], 1),
        (&brief, &[], 1),
        (&brief, &[], 1),
    ] {
        let resolved = visit.resolve(did, words);
        assert_eq!(resolved.code, 0, "{did}");
        if words == ["--json"] {
            assert_fits(&resolved);
        }
        assert_eq!(visit.site.asked().len(), asked, "{did} {words:?}");
    }
    std::fs::write(visit.folder.path().join("home/dids.json"), "{damaged").unwrap();
    assert_eq!(visit.resolve(&did, &[]).code, 0);
    assert_eq!(visit.site.asked().len(), 1);
}

/// Decides CN-66.
#[test]
fn redirects_are_few_and_lead_to_https() {
    let visit = Visit::new();
    let to = |location: &str| {
        format!("HTTP/1.1 302 Found\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n").into_bytes()
    };
    let path = |n: u32| format!("/r{n}/did.json");
    let did = visit.site.did("r0");
    visit.site.answer(&path(0), &to(&path(1)));
    visit.site.answer(&path(1), &to(&format!("https://localhost:{}{}", visit.site.port, path(2))));
    visit.site.answer(&path(2), &to(&path(3)));
    visit.site.put(&path(3), "", &document(&did));
    assert_eq!(visit.resolve(&did, &[]).code, 0);
    assert_eq!(visit.site.asked(), [path(0), path(1), path(2), path(3)]);

    visit.site.answer(&path(3), &to(&path(4)));
    assert_refused(&visit.resolve(&did, &["--fresh"]), 5, "E0904");
    assert_eq!(visit.site.asked().len(), 4, "one more was asked");
    visit.site.answer(&path(0), &to(&format!("http://localhost:{}/", visit.site.port)));
    assert_refused(&visit.resolve(&did, &["--fresh"]), 3, "E0905");
}

/// Decides CN-66.
#[test]
fn answers_that_are_no_document_are_refused() {
    let visit = Visit::new();
    let did = visit.site.did("x");
    let path = "/x/did.json";
    let chunked = |size: usize| {
        let mut answer = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
        let body = document(&did) + &" ".repeat(size);
        answer.extend(format!("{:x}\r\n{body}\r\n0\r\n\r\n", body.len()).bytes());
        answer
    };
    visit.site.answer(path, &chunked(0));
    assert_eq!(visit.resolve(&did, &["--fresh"]).code, 0, "chunks are HTTP");
    let with_length =
        |length: usize| format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{{}}").into_bytes();
    let whole = |head: &str, body: &str| format!("HTTP/1.1 200 OK\r\n{head}\r\n{body}").into_bytes();
    for (answer, exit, code) in [
        (whole("", &document(&visit.site.did("y"))), 8, "E0906"),
        (whole("", "<html>"), 8, "E0906"),
        (whole("", ""), 8, "E0906"),
        (b"HTTP/1.1 200 OK\r\n\r\n\xff".to_vec(), 8, "E0906"),
        (whole("Content-Encoding: gzip\r\n", &document(&did)), 5, "E0904"),
        (chunked(70_000), 8, "E0906"),
        (with_length(70_000), 8, "E0906"),
        (with_length(1000), 5, "E0904"),
        (b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n".to_vec(), 1, "E0903"),
        (b"HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n".to_vec(), 5, "E0904"),
        (whole(&format!("X: {}\r\n", "x".repeat(20_000)), &document(&did)), 5, "E0904"),
        (b"220 smtp ready\r\n".to_vec(), 5, "E0904"),
        (Vec::new(), 5, "E0904"),
    ] {
        visit.site.answer(path, &answer);
        let shown = String::from_utf8_lossy(&answer[..answer.len().min(60)]).into_owned();
        let finished = visit.resolve(&did, &["--fresh"]);
        assert_eq!((finished.code, finished.lines.len()), (exit, 0), "{shown}: {}", finished.stderr);
        assert!(finished.stderr.contains(code), "{shown}: {}", finished.stderr);
    }
}

/// Decides CN-66.
#[test]
fn a_site_that_nobody_vouches_for_is_not_believed() {
    let visit = Visit::new();
    let did = visit.site.did("");
    visit.site.put("/.well-known/did.json", "", &document(&did));
    let other = Site::start();
    other.write_authority(&visit.authority());
    let refused = visit.resolve(&did, &[]);
    assert_refused(&refused, 5, "E0904");
    assert!(refused.stderr.contains("certificate"), "{}", refused.stderr);
    assert!(visit.site.asked().is_empty());
}
