//! The JSON schemas of `spec/schemas`, which other programs rely on.

use std::path::{Path, PathBuf};

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
        let errors: Vec<_> = self.errors(document);
        assert!(errors.is_empty(), "{document:#}\ndoes not fit: {errors:#?}");
    }

    /// What does not fit.
    pub fn errors(&self, document: &Value) -> Vec<String> {
        self.validator
            .iter_errors(document)
            .map(|error| format!("{error} at {}", error.instance_path()))
            .collect()
    }

    /// The schema itself.
    pub fn source(&self) -> &Value {
        &self.source
    }
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../spec/schemas")
}

/// The events that commands write with `--json`.
#[derive(Debug)]
pub struct Events {
    schema: Schema,
}

impl Events {
    /// Reads their schema.
    pub fn read() -> Self {
        Self { schema: Schema::read("events.schema.json") }
    }

    /// Returns the types that it describes.
    pub fn types(&self) -> Vec<&str> {
        self.schema.source()["$defs"].as_object().unwrap().keys().map(String::as_str).collect()
    }

    /// Reads lines of events; each must fit.
    pub fn of(&self, lines: &[String]) -> Vec<Value> {
        let read = |line: &String| {
            serde_json::from_str(line)
                .unwrap_or_else(|_| panic!("stdout has a line that is no event: {line}"))
        };
        let events: Vec<Value> = lines.iter().map(read).collect();
        for event in &events {
            self.assert_valid(event);
        }
        events
    }

    /// Fails unless the event fits the schema of its type, and so does an event in it.
    pub fn assert_valid(&self, event: &Value) {
        let type_ = event["type"].as_str().unwrap_or_else(|| panic!("an event without a type: {event}"));
        let definitions = &self.schema.source()["$defs"];
        let definition = definitions.get(type_).unwrap_or_else(|| panic!("{type_} has no schema"));
        let validator = jsonschema::validator_for(definition).unwrap();
        let errors: Vec<_> = validator
            .iter_errors(event)
            .map(|error| format!("{error} at {}", error.instance_path()))
            .collect();
        assert!(errors.is_empty(), "{event:#}\ndoes not fit: {errors:#?}");
        assert!(self.schema.errors(event).is_empty(), "{event:#}\nfits its own schema, but not the whole");
        if event["event"].is_object() {
            self.assert_valid(&event["event"]);
        }
    }
}
