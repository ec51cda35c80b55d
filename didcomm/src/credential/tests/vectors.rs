//! Credentials and a list that other people's software has made, `spec/vectors/credentials/issued.json`.

use super::*;

const MADE: &str = include_str!("../../../../spec/vectors/credentials/issued.json");

fn made() -> Value {
    serde_json::from_str(MADE).unwrap()
}

/// Decides CR-01, CR-02, CR-03.
#[test]
fn credentials_of_other_issuers_are_read_and_verified() {
    let made = made();
    let cases = made["cases"].as_array().unwrap();
    assert_eq!(cases.len(), 5);
    for case in cases {
        let (name, text, expected) = (&case["name"], case["jwt"].as_str().unwrap(), &case["expected"]);
        let from = expected["valid_from"].as_u64().unwrap();
        let until = expected["valid_until"].as_u64().unwrap();
        let verified = CredentialIn::read(text).unwrap().verify(&OfflineResolver, from);
        let claims = verified.unwrap_or_else(|error| panic!("{name}: {error}")).claims().clone();
        assert_eq!(expected["issuer"], claims.issuer, "{name}");
        assert_eq!(expected["subject"], claims.subject, "{name}");
        assert_eq!(expected.get("id").and_then(Value::as_str), claims.id.as_deref(), "{name}");
        assert_eq!(expected.get("role").and_then(Value::as_str), claims.role.as_deref(), "{name}");
        assert_eq!((claims.valid_from, claims.valid_until), (Some(from), Some(until)), "{name}");
        let status = claims.status.first().map(|entry| json!([entry.index, entry.list]));
        assert_eq!(expected.get("status"), status.as_ref(), "{name}");
        let late = CredentialIn::read(text).unwrap().verify(&OfflineResolver, until).map(drop);
        assert_eq!(late, Err(CredentialError::Expired { until }), "{name}");
        let (signed, _) = text.rsplit_once('.').unwrap();
        let forged = format!("{signed}.{}", "A".repeat(86));
        assert_eq!(
            CredentialIn::read(&forged).unwrap().verify(&OfflineResolver, from).map(drop),
            Err(CredentialError::BadSignature),
            "{name}"
        );
    }
}

/// Decides CR-05, CR-06.
#[test]
fn a_list_of_another_implementation_says_who_is_revoked() {
    let made = made();
    let list = &made["list"];
    let text = list["jwt"].as_str().unwrap();
    let list_in = StatusListIn::read(text).unwrap().verify(&OfflineResolver, NOW - 10_000_000).unwrap();
    assert_eq!(list["issuer"], list_in.issuer());
    let numbers = |name: &str| -> Vec<usize> {
        list[name].as_array().unwrap().iter().map(|n| usize::try_from(n.as_u64().unwrap()).unwrap()).collect()
    };
    for (name, set) in [("set", true), ("clear", false)] {
        for index in numbers(name) {
            assert_eq!(list_in.bits().is_set(index), Some(set), "{index}");
        }
    }
    let case = made["cases"].as_array().unwrap().iter().find(|case| case["name"] == "jose-EdDSA").unwrap();
    let credential = CredentialIn::read(case["jwt"].as_str().unwrap()).unwrap();
    let credential = credential.verify(&OfflineResolver, NOW - 10_000_000).unwrap();
    let entry = &credential.claims().status[0];
    assert_eq!(credential.check_status(entry, &list_in), Err(StatusError::Revoked));
    let other = StatusEntry { index: entry.index + 1, ..entry.clone() };
    assert_eq!(credential.check_status(&other, &list_in), Ok(()));
}

/// Decides CR-02.
#[test]
fn a_jwt_of_data_model_1_1_has_one_meaning() {
    let jwt = |typ: &str, change: fn(&mut Value)| {
        let mut payload = json!({
            "iss": issuer(1).0,
            "sub": SUBJECT,
            "exp": NOW + 60,
            "vc": {
                "@context": ["https://www.w3.org/2018/credentials/v1"],
                "type": ["VerifiableCredential"],
                "credentialSubject": {"role": "auditor"},
            },
        });
        change(&mut payload);
        let text = signed(&json!({ "typ": typ }), &payload);
        CredentialIn::read(&text)?.verify(&OfflineResolver, NOW).map(|credential| credential.claims().clone())
    };
    let claims = jwt("JWT", |_| {}).unwrap();
    assert_eq!((claims.subject.as_str(), claims.valid_until), (SUBJECT, Some(NOW + 60)));
    assert_eq!(jwt("vc+jwt", |_| {}), malformed("vc"));
    assert_eq!(jwt("JWT", |payload| payload["vc"] = json!("x")), malformed("vc"));
    assert_eq!(jwt("JWT", |payload| payload["vc"]["issuer"] = json!(WEB)), malformed("issuer"));
    let other = |payload: &mut Value| payload["vc"]["credentialSubject"]["id"] = json!(WEB);
    assert_eq!(jwt("JWT", other), malformed("credentialSubject"));
    let expired = |payload: &mut Value| payload["vc"]["expirationDate"] = json!(to_rfc3339(NOW).unwrap());
    assert_eq!(jwt("JWT", expired), Err(CredentialError::Expired { until: NOW }));
    let young = |payload: &mut Value| payload["vc"]["issuanceDate"] = json!(to_rfc3339(NOW + 1).unwrap());
    assert_eq!(jwt("JWT", young), Err(CredentialError::NotYet { from: NOW + 1 }));
    let v2 = |payload: &mut Value| {
        payload["vc"]["@context"] = json!(["https://www.w3.org/ns/credentials/v2"]);
    };
    assert_eq!(jwt("JWT", v2), unsupported("@context"));
}
