//! The JSON schemas of `spec/schemas`, which other programs rely on.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use serde_json::Value;

/// One schema.
#[derive(Debug)]
pub struct Schema {
    validator: jsonschema::Validator,
    source: Value,
}

impl Schema {
    /// Reads the schema with this file name.
    pub fn read(name: &str) -> Self {
        let path = folder().join(name);
        let text =
            std::fs::read(&path).unwrap_or_else(|error| panic!("cannot read {}: {error}", path.display()));
        let source: Value = serde_json::from_slice(&text).unwrap();
        assert!(jsonschema::meta::is_valid(&source), "{name} is no schema");
        Self { validator: jsonschema::validator_for(&source).unwrap(), source }
    }

    /// Fails unless `document` fits.
    pub fn assert_valid(&self, document: &Value) {
        let errors: Vec<_> = self
            .validator
            .iter_errors(document)
            .map(|error| format!("{error} at {}", error.instance_path()))
            .collect();
        assert!(errors.is_empty(), "{document:#}\ndoes not fit: {errors:#?}");
    }
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../spec/schemas")
}

/// The events that commands write with `--json`.
#[derive(Debug)]
pub struct Events {
    schema: Schema,
    by_type: BTreeMap<String, jsonschema::Validator>,
}

impl Events {
    /// Their schema, read once.
    pub fn shared() -> &'static Self {
        static EVENTS: OnceLock<Events> = OnceLock::new();
        EVENTS.get_or_init(|| {
            let schema = Schema::read("events.schema.json");
            let definitions = schema.source["$defs"].as_object().unwrap();
            let validator = |(type_, definition): (&String, &Value)| {
                (type_.clone(), jsonschema::validator_for(definition).unwrap())
            };
            let by_type: BTreeMap<_, _> = definitions.iter().map(validator).collect();
            // Whoever reads the schema as a whole finds the same types in it.
            let listed: Vec<_> = schema.source["oneOf"].as_array().unwrap().iter().collect();
            assert_eq!(listed.len(), by_type.len());
            for type_ in by_type.keys() {
                assert!(listed.iter().any(|one| one["$ref"] == format!("#/$defs/{type_}")), "{type_}");
            }
            Self { schema, by_type }
        })
    }

    /// Returns the types that it describes.
    pub fn types(&self) -> BTreeSet<String> {
        self.by_type.keys().cloned().collect()
    }

    /// Reads one line; it must be an event that fits.
    pub fn read(&self, line: &str) -> Value {
        let event: Value = serde_json::from_str(line)
            .unwrap_or_else(|_| panic!("stdout has a line that is no event: {line}"));
        self.assert_valid(&event);
        event
    }

    /// Fails unless the event fits the schema of its type, and so does an event in it.
    pub fn assert_valid(&self, event: &Value) {
        let type_ = event["type"].as_str().unwrap_or_else(|| panic!("an event without a type: {event}"));
        let validator = self.by_type.get(type_).unwrap_or_else(|| panic!("{type_} has no schema: {event}"));
        let errors: Vec<_> = validator
            .iter_errors(event)
            .map(|error| format!("{error} at {}", error.instance_path()))
            .collect();
        assert!(errors.is_empty(), "{event:#}\ndoes not fit: {errors:#?}");
        if event["event"].is_object() {
            self.assert_valid(&event["event"]);
        }
    }

    /// Fails unless the event fits the whole schema, as another program would check it.
    pub fn assert_fits_whole(&self, event: &Value) {
        self.schema.assert_valid(event);
    }
}
