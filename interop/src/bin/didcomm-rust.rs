//! The peer `didcomm` 0.4.1, the crate of SICPA: a program as `play::driver` describes it.

use std::io::{BufRead as _, Write as _, stdin, stdout};

use didcomm::algorithms::AnonCryptAlg;
use didcomm::did::DIDDoc;
use didcomm::did::resolvers::ExampleDIDResolver;
use didcomm::error::Result;
use didcomm::protocols::routing::try_parse_forward;
use didcomm::secrets::resolvers::ExampleSecretsResolver;
use didcomm::secrets::{Secret, SecretMaterial, SecretType};
use didcomm::{Message, PackEncryptedOptions, UnpackOptions};
use futures_executor::block_on;
use serde_json::{Value, json};

fn main() {
    for line in stdin().lock().lines() {
        let job: Value = serde_json::from_str(&line.expect("a line")).expect("a job");
        let answer = match answer(&job) {
            Ok(ok) => json!({"ok": ok}),
            Err(error) => json!({"error": error.to_string()}),
        };
        writeln!(stdout(), "{answer}").expect("somebody listens");
    }
}

fn answer(job: &Value) -> Result<Value> {
    match job["op"].as_str() {
        Some("pack") => pack(job),
        Some("unpack") => {
            let (message, metadata) = unpack(job)?;
            let sender = metadata["encrypted_from_kid"].clone();
            Ok(json!({"message": message, "sender": sender, "signer": metadata["sign_from"]}))
        }
        Some("forwarded") => {
            let (message, _) = unpack(job)?;
            let malformed =
                |text: &'static str| didcomm::error::err_msg(didcomm::error::ErrorKind::Malformed, text);
            let forward = try_parse_forward(&message).ok_or_else(|| malformed("no forward"))?;
            Ok(json!({"next": forward.next, "packed": forward.forwarded_msg.to_string()}))
        }
        // Cargo.toml pins it with `=`.
        _ => Ok(json!({"didcomm": "0.4.1"})),
    }
}

fn documents(job: &Value) -> ExampleDIDResolver {
    let document = |document: &Value| {
        serde_json::from_value::<DIDDoc>(document.clone()).expect("a document as it takes it")
    };
    ExampleDIDResolver::new(job["documents"].as_array().expect("a list").iter().map(document).collect())
}

fn secrets(job: &Value) -> ExampleSecretsResolver {
    let secret = |secret: &Value| Secret {
        id: secret["kid"].as_str().expect("a kid").to_owned(),
        type_: SecretType::JsonWebKey2020,
        secret_material: SecretMaterial::JWK { private_key_jwk: secret["jwk"].clone() },
    };
    ExampleSecretsResolver::new(job["secrets"].as_array().expect("a list").iter().map(secret).collect())
}

fn pack(job: &Value) -> Result<Value> {
    let message: Message = serde_json::from_value(job["message"].clone()).expect("a message as it takes it");
    let (documents, secrets) = (documents(job), secrets(job));
    let kind = job["kind"].as_str().unwrap_or_default();
    let packed = match kind {
        "plain" => block_on(message.pack_plaintext(&documents))?,
        "sign" => {
            let signer = job["sign_by"].as_str().unwrap_or_default();
            block_on(message.pack_signed(signer, &documents, &secrets))?.0
        }
        _ => {
            let options = PackEncryptedOptions {
                protect_sender: kind == "anon(auth)",
                forward: kind.starts_with("forward"),
                enc_alg_anon: match job["enc"].as_str() {
                    Some("A256CBC-HS512") => AnonCryptAlg::A256cbcHs512EcdhEsA256kw,
                    Some("A256GCM") => AnonCryptAlg::A256gcmEcdhEsA256kw,
                    _ => AnonCryptAlg::Xc20pEcdhEsA256kw,
                },
                ..PackEncryptedOptions::default()
            };
            let sender =
                if kind.starts_with("anon") && kind != "anon(auth)" { None } else { job["from"].as_str() };
            let to = job["to"].as_str().unwrap_or_default();
            let signer = job["sign_by"].as_str();
            block_on(message.pack_encrypted(to, sender, signer, &documents, &secrets, &options))?.0
        }
    };
    Ok(json!({"packed": packed}))
}

fn unpack(job: &Value) -> Result<(Message, Value)> {
    let options = UnpackOptions { unwrap_re_wrapping_forward: false, ..UnpackOptions::default() };
    let packed = job["packed"].as_str().unwrap_or_default();
    let (message, metadata) = block_on(Message::unpack(packed, &documents(job), &secrets(job), &options))?;
    Ok((message, serde_json::to_value(metadata).expect("metadata")))
}
