//! Seeds of envelopes, DIDs, links and invitations.

use didagent_didcomm::did::{OfflineResolver, PublicKey, jwk, key, peer2, peer4};
use didagent_didcomm::envelope::{Layers, anoncrypt, authcrypt as authcrypt_envelope, pack, rotate, sealed};
use didagent_didcomm::keys::Sign as _;
use didagent_didcomm::link;
use didagent_didcomm::message::Message;
use didagent_didcomm::protocols::out_of_band::{Invitation, InvitationParts};
use didagent_didcomm::protocols::{b64url_decode, b64url_encode, types};
use serde_json::{Value, json};

use super::{Seeds, flipped};
use crate::parties::{ALICE, BOB, CAROL, IDENTITY, NOW, Party, rng};

pub(super) fn add(seeds: &mut Seeds) {
    envelopes(seeds);
    dids(seeds);
    documents(seeds);
    links(seeds);
    invitations(seeds);
}

fn message(to: &Party) -> Message {
    Message::new("1", types::PING, json!({"response_requested": false}))
        .from(&ALICE.did)
        .to(&to.did)
        .times(NOW, NOW + 60)
}

fn authcrypt_of(message: &Message, to: &Party) -> Vec<u8> {
    authcrypt_envelope(message, &ALICE.kid, &[&to.kid], &ALICE.secrets, &OfflineResolver, &mut rng(5))
        .expect("an envelope")
}

/// An authcrypt envelope from Alice to Bob, always the same.
pub(crate) fn authcrypt() -> Vec<u8> {
    authcrypt_of(&message(&BOB), &BOB)
}

/// The protected header of a JWE, decoded.
pub(crate) fn protected_header(jwe: &Value) -> Vec<u8> {
    jwe["protected"].as_str().and_then(b64url_decode).expect("a protected header")
}

/// The did:key of the identity that signs links.
pub(crate) fn identity_did() -> String {
    key::encode_ed25519(&IDENTITY.public())
}

fn envelopes(seeds: &mut Seeds) {
    const T: &str = "didcomm_unpack";
    let plain = serde_json::to_vec(&message(&BOB)).expect("a message");
    let auth = authcrypt();
    let anon = anoncrypt(&message(&BOB), &[&BOB.kid], &OfflineResolver, &mut rng(6)).expect("an envelope");
    let both = sealed(&message(&BOB), &ALICE.kid, &BOB.kid, &ALICE.secrets, &OfflineResolver, &mut rng(7))
        .expect("an envelope");
    seeds.add(T, "valid-plain", &plain);
    seeds.add(T, "valid-authcrypt", &auth);
    seeds.add(T, "valid-anoncrypt", &anon);
    seeds.add(T, "valid-anoncrypt-of-authcrypt", &both);

    let changed = |change: &dyn Fn(&mut Value)| {
        let mut jwe: Value = serde_json::from_slice(&auth).expect("a JWE");
        change(&mut jwe);
        jwe.to_string()
    };
    let other_first = |text: &Value| {
        let text = text.as_str().unwrap_or_default();
        let first = if text.starts_with('A') { "B" } else { "A" };
        Value::from(format!("{first}{}", &text[1..]))
    };
    seeds.add(T, "bad-ciphertext", changed(&|jwe| jwe["ciphertext"] = other_first(&jwe["ciphertext"])));
    seeds.add(T, "bad-tag", changed(&|jwe| jwe["tag"] = other_first(&jwe["tag"])));
    seeds.add(T, "bad-no-recipient", changed(&|jwe| jwe["recipients"] = json!([])));
    seeds.add(T, "bad-aad", changed(&|jwe| jwe["aad"] = json!("AA")));
    seeds.add(T, "bad-for-carol", authcrypt_of(&message(&CAROL), &CAROL));
    let expired = Message { expires_time: Some(NOW - 1), ..message(&BOB) };
    seeds.add(T, "bad-expired", authcrypt_of(&expired, &BOB));
    let signed = json!({"payload": "e30", "signatures": [{"protected": "e30", "signature": "AA"}]});
    seeds.add(T, "bad-signed", signed.to_string());
    seeds.add(
        T,
        "bad-member-twice",
        r#"{"id":"1","id":"2","type":"https://didcomm.org/trust-ping/2.0/ping"}"#,
    );

    signatures_and_rotations(seeds);
    priors(seeds);

    let jwe: Value = serde_json::from_slice(&auth).expect("a JWE");
    let header = protected_header(&jwe);
    seeds.add("didcomm_protected", "valid", &header);
    let mut header: Value = serde_json::from_slice(&header).expect("a header");
    let mut bad = |name: &str, member: &str, value: Value| {
        let before = std::mem::replace(&mut header[member], value);
        seeds.add("didcomm_protected", name, header.to_string());
        header[member] = before;
    };
    bad("bad-alg", "alg", json!("ECDH-ES+A256KW"));
    bad("bad-enc", "enc", json!("A256GCM"));
    let off_curve = json!({"kty": "EC", "crv": "P-256", "x": "A".repeat(43), "y": "A".repeat(43)});
    bad("bad-epk-off-curve", "epk", off_curve);
    bad("bad-epk-curve", "epk", json!({"kty": "OKP", "crv": "X448", "x": "AA"}));
    bad("bad-epk-of-low-order", "epk", json!({"kty": "OKP", "crv": "X25519", "x": "A".repeat(43)}));
    bad("bad-apv", "apv", json!("A".repeat(43)));
    bad("bad-skid-of-nobody", "skid", json!("did:web:example.org#key-1"));
    bad("bad-crit", "crit", json!(["x"]));
}

/// Signed messages, also in envelopes, and rotations from Carol's DID to Alice's.
fn signatures_and_rotations(seeds: &mut Seeds) {
    const T: &str = "didcomm_unpack";
    let (kid, alice) = ALICE.keyring(1);
    let written = |message: &Message, layers: &Layers<'_>| {
        pack(message, layers, &alice, &OfflineResolver, &mut rng(8)).expect("a message")
    };
    let signers = &[kid.as_str()];
    let recipients = &[BOB.kid.as_str()];
    let plain = Layers { signers, ..Layers::default() };
    let jws = written(&message(&BOB), &plain);
    seeds.add(T, "valid-signed", &jws);
    let mut flat: Value = serde_json::from_slice(&jws).expect("a JWS");
    let mut signature = flat["signatures"][0].take();
    let members = flat.as_object_mut().expect("an object");
    members.remove("signatures");
    members.append(signature.as_object_mut().expect("an object"));
    seeds.add(T, "valid-signed-flattened", flat.to_string());
    seeds.add(T, "valid-anoncrypt-of-signed", written(&message(&BOB), &Layers { recipients, ..plain }));
    let all = Layers { sender: Some(&ALICE.kid), hidden: true, recipients, ..plain };
    seeds.add(T, "valid-all-layers", written(&message(&BOB), &all));
    seeds.add(T, "bad-signature", flipped(&jws, 20));
    seeds.add(T, "bad-signed-by-carol", String::from_utf8_lossy(&jws).replace(&ALICE.did, &CAROL.did));

    let (kid, carol) = CAROL.keyring(3);
    let rotation = |successor| rotate(&kid, successor, NOW, &carol).expect("a rotation");
    let from_alice = Layers { sender: Some(&ALICE.kid), recipients, ..Layers::default() };
    let rotated = message(&BOB).from_prior(rotation(Some(&ALICE.did)));
    seeds.add(T, "valid-rotation", written(&rotated, &from_alice));
    let mut ended = message(&BOB).from_prior(rotation(None));
    ended.from = None;
    seeds.add(T, "valid-end", written(&ended, &Layers { recipients, ..Layers::default() }));
    let to_bob = message(&BOB).from_prior(rotation(Some(&BOB.did)));
    seeds.add(T, "bad-rotation-to-another", serde_json::to_vec(&to_bob).expect("a message"));
}

/// A JWT of these parts, which a zero byte separates, signed by Carol's key.
pub(crate) fn signed_by_carol(parts: &[u8]) -> String {
    let (kid, carol) = CAROL.keyring(3);
    let mut parts = parts.splitn(2, |byte| *byte == 0).map(b64url_encode);
    let (header, claims) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let signed = format!("{header}.{claims}");
    let signature = carol.signing[&kid].signature(signed.as_bytes()).expect("a signature");
    format!("{signed}.{}", b64url_encode(signature))
}

/// A message from Alice to Bob with this `from_prior`.
pub(crate) fn rotated(jwt: String) -> Vec<u8> {
    serde_json::to_vec(&message(&BOB).from_prior(jwt)).expect("a message")
}

/// What Carol signs, before its encoding and its signature.
fn priors(seeds: &mut Seeds) {
    const T: &str = "didcomm_prior";
    let header = json!({"typ": "JWT", "alg": "EdDSA", "kid": format!("{}#key-1", CAROL.did)});
    let claims = json!({"sub": ALICE.did, "iss": CAROL.did, "iat": NOW});
    let parts = |header: &Value, claims: &Value| format!("{header}\0{claims}");
    let with = |value: &Value, member: &str, new: Value| {
        let mut value = value.clone();
        value[member] = new;
        value
    };
    seeds.add(T, "valid", parts(&header, &claims));
    let untimed = json!({"sub": ALICE.did, "iss": CAROL.did, "other": [1]});
    seeds.add(T, "valid-without-time", parts(&header, &untimed));
    for (name, member, value) in [
        ("bad-alg", "alg", json!("none")),
        ("bad-alg-of-another-key", "alg", json!("ES256")),
        ("bad-typ", "typ", json!("application/didcomm-signed+json")),
        ("bad-crit", "crit", json!(["x"])),
        ("bad-b64", "b64", json!(false)),
        ("bad-kid-of-alice", "kid", json!(format!("{}#key-1", ALICE.did))),
        ("bad-kid-that-agrees", "kid", json!(CAROL.kid)),
        ("bad-kid-of-nobody", "kid", json!(format!("{}#key-7", CAROL.did))),
    ] {
        seeds.add(T, name, parts(&with(&header, member, value), &claims));
    }
    for (name, member, value) in [
        ("bad-sub", "sub", json!(BOB.did)),
        ("bad-sub-null", "sub", Value::Null),
        ("bad-iss", "iss", json!(ALICE.did)),
        ("bad-iss-with-fragment", "iss", json!(CAROL.kid)),
        ("bad-iat", "iat", json!(-1)),
    ] {
        seeds.add(T, name, parts(&header, &with(&claims, member, value)));
    }
    seeds.add(T, "bad-no-claims", header.to_string());
    let twice = claims.to_string().replacen('{', &format!("{{\"sub\":{},", json!(BOB.did)), 1);
    seeds.add(T, "bad-sub-twice", format!("{header}\0{twice}"));
}

/// A service behind a mediator, as an agent publishes it.
fn service() -> peer2::ServiceSpec {
    peer2::ServiceSpec {
        uri: "wss://mediator.example/".into(),
        accept: vec!["didcomm/v2".into()],
        routing_keys: vec![CAROL.did.clone()],
    }
}

/// A document with a key in each form, one embedded, and both spellings of ids; `did` is empty for relative ids alone.
fn document(did: &str) -> Value {
    let jwk = PublicKey::X25519([3; 32]).to_jwk();
    let multikey = key::encode(&PublicKey::Ed25519([4; 32])).replace("did:key:", "");
    json!({
        "@context": ["https://www.w3.org/ns/did/v1", {"x": "https://example.org/x"}],
        "alsoKnownAs": ["did:example:other"],
        "verificationMethod": [
            {"id": format!("{did}#a"), "type": "JsonWebKey2020", "publicKeyJwk": jwk},
            {"id": "#b", "type": "Multikey", "publicKeyMultibase": multikey},
            {"id": "#c", "type": "JsonWebKey2020", "publicKeyJwk": {"kty": "RSA", "n": "AQAB", "e": "AQAB"}},
        ],
        "authentication": ["#b"],
        "keyAgreement": [
            format!("{did}#a"),
            {"id": "#d", "type": "X25519KeyAgreementKey2019", "publicKeyBase58": "1".repeat(32)},
        ],
        "service": [
            {"id": "#s", "type": "DIDCommMessaging", "serviceEndpoint":
                [{"uri": "https://example.org", "accept": ["didcomm/v2"], "routingKeys": []}, "wss://example.org"]},
            {"id": "#w", "type": "LinkedDomains", "serviceEndpoint": {"origins": []}},
        ],
    })
}

fn documents(seeds: &mut Seeds) {
    const D: &str = "did_document";
    let did = "did:web:example.org";
    let with = |name: &str, value: Value| {
        let mut document = document(did);
        document["id"] = json!(did);
        document[name] = value;
        document.to_string()
    };
    let x25519 = key::encode(&PublicKey::X25519([3; 32])).replace("did:key:", "");
    let method = |id: &str| json!({"id": id, "type": "Multikey", "publicKeyMultibase": x25519});
    seeds.add(D, "valid-all-forms", with("id", json!(did)));
    seeds.add(D, "valid-empty", json!({"id": did}).to_string());
    seeds.add(D, "valid-other-did-left-out", with("assertionMethod", json!([method("did:example:x#k")])));
    seeds.add(D, "bad-other-id", with("id", json!("did:web:example.com")));
    seeds.add(D, "bad-two-keys-one-id", with("assertionMethod", json!([method("#b")])));
    seeds.add(
        D,
        "bad-private-key",
        with("authentication", json!([{"id": "#p", "publicKeyJwk": {"kty": "OKP", "d": "AA"}}])),
    );
    seeds.add(D, "bad-too-many", with("verificationMethod", json!(vec![method("#a"); 65])));
    seeds.add(
        D,
        "bad-endpoint",
        with("service", json!([{"id": "#s", "type": "DIDCommMessaging", "serviceEndpoint": 7}])),
    );
    seeds.add(D, "bad-member-twice", format!(r#"{{"id":"{did}","id":"{did}"}}"#));
    seeds.add(D, "bad-depth", format!(r#"{{"id":"{did}","x":{}{}}}"#, "[".repeat(16), "]".repeat(16)));

    const P: &str = "did_peer4";
    seeds.add(P, "valid-all-forms", document("").to_string());
    seeds.add(P, "valid-empty", "{}");
    seeds.add(P, "bad-id", json!({"id": did}).to_string());
    seeds.add(P, "bad-list", "[]");
    seeds.add(P, "bad-too-long", format!("{{{}}}", " ".repeat(4000)));

    const J: &str = "did_jwk";
    let of = |key: &PublicKey| serde_json::to_string(&key.to_jwk()).expect("a JWK");
    let p256 = [
        &[2; 1][..],
        &[
            0x6b, 0x17, 0xd1, 0xf2, 0xe1, 0x2c, 0x42, 0x47, 0xf8, 0xbc, 0xe6, 0xe5, 0x63, 0xa4, 0x40, 0xf2,
            0x77, 0x03, 0x7d, 0x81, 0x2d, 0xeb, 0x33, 0xa0, 0xf4, 0xa1, 0x39, 0x45, 0xd8, 0x98, 0xc2, 0x96,
        ],
    ]
    .concat();
    let p256 = PublicKey::P256(p256.try_into().expect("33 bytes"));
    seeds.add(J, "valid-ed25519", of(&PublicKey::Ed25519([4; 32])));
    seeds.add(J, "valid-p256-generator", of(&p256));
    seeds.add(
        J,
        "valid-use",
        json!({"kty": "OKP", "crv": "X25519", "x": "A".repeat(43), "use": "enc", "kid": [1]}).to_string(),
    );
    seeds.add(
        J,
        "bad-private",
        json!({"kty": "OKP", "crv": "X25519", "x": "A".repeat(43), "d": "AA"}).to_string(),
    );
    seeds.add(
        J,
        "bad-off-the-curve",
        json!({"kty": "EC", "crv": "P-256", "x": "A".repeat(43), "y": "A".repeat(43)}).to_string(),
    );
    seeds.add(J, "bad-kind", json!({"kty": "RSA", "n": "AQAB", "e": "AQAB"}).to_string());

    const W: &str = "did_web_url";
    seeds.add(W, "valid-host", "did:web:example.org");
    seeds.add(W, "valid-port-and-path", "did:web:example.org%3A8443:u:b%C3%BCcher");
    seeds.add(W, "bad-address", "did:web:127.1");
    seeds.add(W, "bad-climbs", "did:web:example.org:%2e%2e:x");
    seeds.add(W, "bad-user", "did:web:user@example.org");
    seeds.add(W, "bad-port", "did:web:example.org%3A99999");
    seeds.add(W, "bad-too-long", format!("did:web:example.org:{}", "a".repeat(2048)));
}

fn dids(seeds: &mut Seeds) {
    let long = peer4::encode(&[1; 32], &[2; 32], Some(&service()));
    seeds.add("did_resolve", "valid-peer4-long", &long);
    seeds.add("did_resolve", "bad-peer4-short", peer4::short_form(&long).expect("a short form"));
    seeds.add("did_resolve", "valid-peer0", identity_did().replace("did:key:", "did:peer:0"));
    seeds.add("did_resolve", "valid-jwk", jwk::encode(&PublicKey::X25519([3; 32])));
    let with_service = peer2::encode(&[1; 32], &[2; 32], Some(&service()));
    seeds.add("did_resolve", "valid-key", identity_did());
    seeds.add("did_resolve", "valid-peer2", &ALICE.did);
    seeds.add("did_resolve", "valid-peer2-service", &with_service);
    seeds.add("did_resolve", "bad-web", "did:web:example.org");
    seeds.add("did_resolve", "bad-key", flipped(identity_did().as_bytes(), 10));
    seeds.add("did_resolve", "bad-peer2-character", format!("{}0", ALICE.did));
    seeds.add("did_resolve", "bad-too-long", format!("did:peer:2.V{}", "z".repeat(8192)));

    let elements = |did: &str| did.strip_prefix("did:peer:2.").expect("a did:peer:2").to_owned();
    let keys = elements(&ALICE.did);
    seeds.add("did_peer2", "valid-keys", &keys);
    seeds.add("did_peer2", "valid-service", elements(&with_service));
    // The example key P-256 of the Multikey specification: a kind that is skipped.
    seeds.add(
        "did_peer2",
        "valid-unused-key",
        format!("{keys}.VzDnaerx9CtbPJ1q36T5Ln5wYt3MQYeGRG5ehnPAmxcf5mDZpv"),
    );
    seeds.add("did_peer2", "bad-empty-element", format!("{keys}."));
    seeds.add("did_peer2", "bad-purpose", format!("X{keys}"));
    seeds.add("did_peer2", "bad-kind-for-purpose", keys.replacen('V', "E", 1));
    seeds.add("did_peer2", "bad-too-many-keys", vec![keys.clone(); 9].join("."));
    seeds.add("did_peer2", "bad-service", format!("{keys}.Se30"));

    const S: &str = "did_peer2_service";
    let uri = "https://example.org";
    let current = json!({"t": "dm", "s": {"uri": uri, "a": ["didcomm/v2"], "r": ["did:key:z6Mk"]}});
    let older = json!({"t": "dm", "s": uri, "r": [], "a": null});
    seeds.add(S, "valid-current", current.to_string());
    seeds.add(S, "valid-older", older.to_string());
    seeds.add(S, "valid-several", json!([current, older, {"t": "other", "s": 7}]).to_string());
    seeds.add(S, "valid-long-names", json!({"id": "#x", "type": "DIDCommMessaging", "serviceEndpoint": [{"uri": uri, "accept": [], "routingKeys": []}]}).to_string());
    seeds.add(S, "bad-id-of-another-did", json!({"id": "did:example:x#s", "t": "dm", "s": uri}).to_string());
    seeds.add(S, "bad-no-endpoint", json!({"t": "dm"}).to_string());
    seeds.add(S, "bad-too-many", json!(vec![older; 17]).to_string());
    seeds.add(S, "bad-nesting", "[".repeat(200));
}

fn links(seeds: &mut Seeds) {
    const T: &str = "link_verify";
    let jws = link::sign(&IDENTITY, &ALICE.did, NOW);
    seeds.add(T, "valid", &jws);
    seeds.add(T, "bad-of-another-did", link::sign(&IDENTITY, &BOB.did, NOW));
    let (signed, signature) = jws.rsplit_once('.').expect("a JWS");
    seeds.add(T, "bad-signature", format!("{signed}.{}", "A".repeat(signature.len())));
    seeds.add(T, "bad-no-signature", format!("{signed}."));
    seeds.add(T, "bad-four-parts", format!("{jws}.AA"));

    const C: &str = "link_contents";
    let did = identity_did();
    let kid = format!("{did}#{}", did.trim_start_matches("did:key:"));
    let header = json!({"alg": "EdDSA", "typ": link::TYP, "kid": kid});
    let payload = json!({"iss": did, "sub": ALICE.did, "iat": NOW});
    let contents = |header: &Value, payload: &Value| format!("{header}\0{payload}");
    let with = |mut value: Value, member: &str, new: Value| {
        value[member] = new;
        value
    };
    seeds.add(C, "valid", contents(&header, &payload));
    seeds.add(C, "bad-alg", contents(&with(header.clone(), "alg", json!("none")), &payload));
    seeds.add(C, "bad-typ", contents(&with(header.clone(), "typ", json!("JWT")), &payload));
    seeds.add(C, "bad-kid", contents(&with(header.clone(), "kid", json!(did)), &payload));
    seeds.add(C, "bad-crit", contents(&with(header.clone(), "crit", json!(["x"])), &payload));
    seeds.add(C, "bad-iss", contents(&header, &with(payload.clone(), "iss", json!(ALICE.did))));
    seeds.add(C, "bad-iat", contents(&header, &with(payload, "iat", json!(-1))));
}

fn invitations(seeds: &mut Seeds) {
    let invitation = Invitation::new(InvitationParts {
        id: "invitation-1".into(),
        from: ALICE.did.clone(),
        goal_code: Some(types::GOAL_ROOM.into()),
        goal: Some("compute a mean".into()),
        accept: vec![types::PROFILE_DIDCOMM_V2.into()],
        created_time: Some(NOW),
        expires_time: Some(NOW + 3600),
        require_issuer: vec!["did:web:authority.example".into()],
        attachments: Vec::new(),
    })
    .expect("an invitation");
    const U: &str = "invitation_url";
    let url = invitation.to_url("https://example.org/i").expect("a link");
    let (before, _) = url.split_once("#c=").expect("a check");
    seeds.add(U, "valid", &url);
    seeds.add(U, "valid-without-check", before);
    seeds.add(U, "valid-broken-over-lines", format!("<{}\r\n  {}>", &url[..60], &url[60..]));
    seeds.add(U, "bad-cut", &url[..url.len() - 20]);
    seeds.add(U, "bad-changed", flipped(url.as_bytes(), 80));
    seeds.add(U, "bad-short-form", "https://example.org/i?_oobid=1");
    seeds.add(U, "bad-empty", "https://example.org/i?_oob=");

    const B: &str = "invitation_bytes";
    seeds.add(B, "valid", invitation.bytes());
    let minimal = json!({"type": types::OOB_INVITATION, "id": "1", "from": ALICE.did, "body": {}});
    seeds.add(B, "valid-minimal", minimal.to_string());
    let attached = json!([{"id": "a", "data": {"json": {"id": "2", "type": types::PING}}}]);
    let mut with = minimal.clone();
    with["attachments"] = attached;
    seeds.add(B, "valid-attachment", with.to_string());
    for member in ["type", "id", "from"] {
        let mut without = minimal.clone();
        without[member] = Value::Null;
        seeds.add(B, &format!("bad-without-{member}"), without.to_string());
    }
    let twice = minimal.to_string().replacen('{', r#"{"id":"2","#, 1);
    seeds.add(B, "bad-id-twice", twice);
}
