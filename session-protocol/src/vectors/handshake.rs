//! `handshake-<suite>.json` through the public interface: both messages, every value on the way, the keys after them.
//! What must be refused is in `handshake/vectors.rs`.

use serde_json::Value;

use super::{Script, array, bytes, file, list, number, small, text};
use crate::{
    Established, Extension, Hello, Initiator, Limits, Params, Responder, Role, StaticPublic, StaticSecret,
    Suite, noise::SymmetricState, prologue,
};

const FILES: [&str; 4] = [
    include_str!("../../../spec/vectors/session/handshake-1.json"),
    include_str!("../../../spec/vectors/session/handshake-2.json"),
    include_str!("../../../spec/vectors/session/handshake-3.json"),
    include_str!("../../../spec/vectors/session/handshake-4.json"),
];

const FIELDS: [&str; 9] = [
    "initiator",
    "responder",
    "initiator_kid",
    "responder_kid",
    "thid",
    "pthid",
    "invitation",
    "suites",
    "context",
];

/// One case, with what both ends bring along.
pub(super) struct Setting<'a> {
    pub(super) suite: Suite,
    case: &'a Value,
    statics: [StaticSecret; 2],
    publics: [StaticPublic; 2],
    hellos: [Hello; 2],
    prologue: Vec<u8>,
}

impl<'a> Setting<'a> {
    pub(super) fn new(case: &'a Value) -> Self {
        let suite = Suite::from_id(small(case, "suite")).unwrap();
        assert_eq!(suite.noise_name(), text(case, "protocol"));
        let secret = |who: &str| StaticSecret::from_bytes(array(&case[who]["static"], "private"));
        let statics = [secret("initiator"), secret("responder")];
        let publics = [statics[0].public(), statics[1].public()];
        for (who, public) in ["initiator", "responder"].iter().zip(&publics) {
            assert_eq!(public.as_bytes()[..], bytes(&case[who]["static"], "public"));
        }
        let fields: Vec<_> = FIELDS.iter().map(|name| bytes(&case["fields"], name)).collect();
        let fields: Vec<_> = fields.iter().map(Vec::as_slice).collect();
        let prologue = prologue::encode(prologue::LABEL, &fields).unwrap();
        assert_eq!(prologue, bytes(case, "prologue"));
        let hellos = [hello(&case["initiator"]["hello"]), hello(&case["responder"]["hello"])];
        Self { suite, case, statics, publics, hellos, prologue }
    }

    /// Static keys, as that end has them.
    pub(super) fn keys(&self, role: Role) -> (StaticSecret, StaticPublic) {
        let us = usize::from(role == Role::Responder);
        (self.statics[us].duplicate(), self.publics[1 - us])
    }

    fn params(&self, initiator: bool) -> Params<'_> {
        let (us, them) = if initiator { (0, 1) } else { (1, 0) };
        let hello = &self.hellos[us];
        let limits = Limits {
            max_record: usize::try_from(hello.max_record).unwrap(),
            stream_window: usize::try_from(hello.stream_window).unwrap(),
            ..Limits::default()
        };
        Params {
            suite: self.suite,
            local: &self.statics[us],
            remote: &self.publics[them],
            prologue: &self.prologue,
            limits,
        }
    }

    /// What one end draws: its cids, its ephemeral, and in suites with a KEM that one's seed or randomness.
    fn script(&self, initiator: bool) -> Script {
        let (us, who, kem) =
            if initiator { (0, "initiator", "seed") } else { (1, "responder", "randomness") };
        let mut script = self.hellos[us].cids.concat();
        script.extend(bytes(&self.case[who]["ephemeral"], "private"));
        if self.case.get("kem").is_some() {
            script.extend(bytes(&self.case["kem"], kem));
        }
        Script::new(script)
    }

    /// Whether our code makes hellos like this one.
    fn is_ours(&self, initiator: bool) -> bool {
        let hello = &self.hellos[usize::from(!initiator)];
        hello.cids.len() == 4 && hello.extensions.is_empty()
    }

    /// Both ends after the handshake, which came out as the vectors have it.
    pub(super) fn established(&self) -> [Established; 2] {
        let (responder, message2) = self.answer(&bytes(self.case, "message_1")).unwrap();
        assert_eq!(message2, bytes(self.case, "message_2"));
        [self.start().finish(&message2).unwrap(), responder]
    }

    fn start(&self) -> Initiator {
        let mut script = self.script(true);
        let (params, previous) = (self.params(true), self.hellos[0].prev_sid);
        let (initiator, message1) = match previous {
            Some(sid) => Initiator::start_beside(params, sid, &mut script).unwrap(),
            None => Initiator::start(params, &mut script).unwrap(),
        };
        assert_eq!((message1, script.left()), (bytes(self.case, "message_1"), 0));
        initiator
    }

    fn answer(&self, message1: &[u8]) -> Option<(Established, Vec<u8>)> {
        let mut script = self.script(false);
        let (params, previous) = (self.params(false), self.hellos[1].prev_sid);
        let answer = match previous {
            Some(sid) => Responder::answer_beside(params, sid, message1, &mut script),
            None => Responder::answer(params, message1, &mut script),
        };
        assert!(answer.is_err() || script.left() == 0);
        answer.ok()
    }
}

fn hello(value: &Value) -> Hello {
    let prev_sid = bytes(value, "prev_sid");
    let extensions = value["extensions"].as_array().unwrap();
    let cids = list(value, "cids");
    let hello = Hello {
        cids: cids.iter().map(|cid| array(&serde_json::json!({ "cid": cid }), "cid")).collect(),
        max_record: small(value, "max_record"),
        stream_window: small(value, "stream_window"),
        prev_sid: if prev_sid.is_empty() { None } else { Some(prev_sid.try_into().unwrap()) },
        extensions: extensions
            .iter()
            .map(|one| Extension { kind: small(one, "type"), value: bytes(one, "value") })
            .collect(),
    };
    assert_eq!(hello.encode().unwrap(), bytes(value, "encoded"));
    assert_eq!(Hello::decode(&bytes(value, "encoded")).unwrap(), hello);
    hello
}

/// What both ends have after the handshake.
fn check_established(end: &Established, case: &Value) {
    assert_eq!(end.transcript_hash()[..], bytes(case, "h"));
    assert_eq!(end.sid()[..], bytes(&case["root"], "sid"));
    for export in list(case, "exports") {
        let mut out = vec![0; small(export, "length")];
        end.export(&bytes(export, "label"), &bytes(export, "context"), &mut out).unwrap();
        assert_eq!(out, bytes(export, "value"));
    }
}

fn each(mut check: impl FnMut(&Setting<'_>)) {
    for text in FILES {
        let file = file(text);
        for case in list(&file, "cases") {
            check(&Setting::new(case));
        }
    }
}

/// Decides NA-04, NA-05.
#[test]
fn hs_02_as_the_initiator() {
    let mut checked = 0;
    each(|setting| {
        if setting.is_ours(true) {
            checked += 1;
            let established = setting.start().finish(&bytes(setting.case, "message_2")).unwrap();
            assert_eq!(established.peer(), &setting.hellos[1]);
            check_established(&established, setting.case);
        }
    });
    assert_eq!(checked, 3 * FILES.len());
}

#[test]
fn hs_02_as_the_responder() {
    let mut checked = 0;
    each(|setting| {
        if setting.is_ours(false) {
            checked += 1;
            let (established, message2) = setting.answer(&bytes(setting.case, "message_1")).unwrap();
            assert_eq!(message2, bytes(setting.case, "message_2"));
            assert_eq!(established.peer(), &setting.hellos[0]);
            check_established(&established, setting.case);
        }
    });
    assert_eq!(checked, 3 * FILES.len());
}

/// `h`, `ck` and `k` after each token, with the results of Diffie-Hellman and the KEM as the vectors have them.
#[test]
fn hs_02_every_value_on_the_way() {
    each(|setting| {
        let case = setting.case;
        let mut state = SymmetricState::new(setting.suite, &setting.prologue);
        for step in list(case, "steps").iter().skip(1) {
            let name = text(step, "step");
            match name {
                "prologue" => {}
                "initiator static" => state.mix_hash(setting.publics[0].as_bytes()),
                "responder static" => state.mix_hash(setting.publics[1].as_bytes()),
                "1 e" => state.mix_hash(&bytes(&case["initiator"]["ephemeral"], "public")),
                "2 e" => state.mix_hash(&bytes(&case["responder"]["ephemeral"], "public")),
                "1 e1" => drop(state.encrypt_and_hash(&bytes(&case["kem"], "encapsulation_key")).unwrap()),
                "1 payload" => drop(state.encrypt_and_hash(&setting.hellos[0].encode().unwrap()).unwrap()),
                "2 payload" => drop(state.encrypt_and_hash(&setting.hellos[1].encode().unwrap()).unwrap()),
                "2 ekem1" => {
                    state.encrypt_and_hash(&bytes(step, "ciphertext")).unwrap();
                    state.mix_key(&array(step, "secret"));
                }
                _ => state.mix_key(&array(step, "secret")),
            }
            let (hash, chaining_key, payload_key) = state.values();
            assert_eq!(
                (hash[..].to_vec(), chaining_key[..].to_vec()),
                (bytes(step, "h"), bytes(step, "ck")),
                "{name}"
            );
            // A key is gone here once it was used; Noise keeps it with another nonce.
            let expected = if number(step, "n") == 0 { bytes(step, "k") } else { Vec::new() };
            assert_eq!(payload_key.map_or(Vec::new(), |key| key.to_vec()), expected, "{name}");
        }
        let (hash, k1, k2) = state.split();
        assert_eq!(hash[..], bytes(case, "h"));
        assert_eq!(
            (k1.expose()[..].to_vec(), k2.expose()[..].to_vec()),
            (bytes(case, "k1"), bytes(case, "k2"))
        );
    });
}

#[test]
fn hs_07_hellos() {
    let file = file(FILES[0]);
    hello(&file["hello"]["good"]);
    for bad in list(&file["hello"], "must_fail") {
        assert!(Hello::decode(&bytes(bad, "bytes")).is_err(), "{}", text(bad, "name"));
    }
}
