//! Compares two manifests, item by item, in words for people.

use std::collections::{BTreeMap, BTreeSet};

use super::{Manifest, Options, ProgramKind};

/// What a comparison found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Comparison {
    /// What must be equal and is not.
    pub differences: Vec<Difference>,
    /// What people should know, one sentence each.
    pub notes: Vec<String>,
}

/// One item that must be equal and is not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// What it is, as MF-10 names it.
    pub item: String,
    /// The value at this party.
    pub ours: String,
    /// The value at the other one.
    pub theirs: String,
}

impl Comparison {
    /// Says whether both would run the same.
    pub fn agrees(&self) -> bool {
        self.differences.is_empty()
    }

    fn item(&mut self, item: impl Into<String>, ours: impl ToString, theirs: impl ToString) {
        let (item, ours, theirs) = (item.into(), ours.to_string(), theirs.to_string());
        self.differences.push(Difference { item, ours, theirs });
    }

    fn unless_equal<T: PartialEq + ToString>(&mut self, item: &str, ours: T, theirs: T) {
        if ours != theirs {
            self.item(item, ours, theirs);
        }
    }
}

/// Compares our manifest with another party's in a run of `m` parties; `None` is a program that a person starts.
///
/// Implements MF-10 to MF-15.
#[must_use]
pub fn compare(ours: Option<&Manifest>, theirs: Option<&Manifest>, m: usize) -> Comparison {
    let mut found = Comparison::default();
    let (ours, theirs) = match (ours, theirs) {
        (Some(ours), Some(theirs)) => (ours, theirs),
        (Some(_), None) => {
            found.notes.push("starts its program by hand, so it is not compared".to_owned());
            return found;
        }
        (None, _) => return found,
    };
    if ours.kind() == ProgramKind::Other || theirs.kind() == ProgramKind::Other {
        let allowed = ours.allow_unknown && theirs.allow_unknown;
        let name = |manifest: &Manifest| match (manifest.kind(), manifest.allow_unknown) {
            (ProgramKind::Other, true) => format!("{}, not comparable", manifest.program.name),
            (ProgramKind::Other, false) => {
                format!("{}, not comparable and not allowed", manifest.program.name)
            }
            (_, true) => manifest.program.name.clone(),
            (_, false) => format!("{}, with others not allowed", manifest.program.name),
        };
        if allowed {
            found.notes.push(format!("runs {}, not comparable", theirs.program.name));
        } else {
            found.item("program", name(ours), name(theirs));
        }
        return found;
    }
    if ours.program.sha256 != theirs.program.sha256 {
        let shown = |manifest: &Manifest| {
            format!("{} {}", manifest.program.name, short_digest(manifest.program.sha256.as_deref()))
        };
        found.item("program", shown(ours), shown(theirs));
    }
    digests(&mut found, "module", &ours.modules, &theirs.modules);
    digests(&mut found, "file", &ours.files, &theirs.files);
    mpyc(&mut found, ours, theirs);
    if let (Some(a), Some(b)) = (&ours.options, &theirs.options) {
        options(&mut found, a, b, m);
        let mixed = ours.shown.bits != theirs.shown.bits;
        if mixed && !(a.mix32_64bit && b.mix32_64bit) {
            let bits = |manifest: &Manifest| {
                manifest.shown.bits.map_or_else(|| "?".to_owned(), |bits| format!("{bits} bits"))
            };
            found.item("word size", bits(ours), bits(theirs));
        }
    }
    for name in names(&ours.environment, &theirs.environment) {
        let value = |of: &BTreeMap<String, String>| of.get(name).map_or("not set", String::as_str).to_owned();
        let (a, b) = (value(&ours.environment), value(&theirs.environment));
        found.unless_equal(&format!("variable {name}"), a, b);
    }
    if ours.arguments != theirs.arguments {
        let shown = |manifest: &Manifest| match &manifest.arguments {
            None => "not told (no --same-args)".to_owned(),
            Some(words) if words.is_empty() => "none".to_owned(),
            Some(words) => words.join(" "),
        };
        found.item("arguments", shown(ours), shown(theirs));
    }
    notes(&mut found, ours, theirs);
    found
}

fn digests(
    found: &mut Comparison,
    what: &str,
    ours: &BTreeMap<String, String>,
    theirs: &BTreeMap<String, String>,
) {
    for name in names(ours, theirs) {
        let value = |of: &BTreeMap<String, String>| short_digest(of.get(name).map(String::as_str));
        if ours.get(name) != theirs.get(name) {
            found.item(format!("{what} {name}"), value(ours), value(theirs));
        }
    }
}

fn names<'a>(a: &'a BTreeMap<String, String>, b: &'a BTreeMap<String, String>) -> BTreeSet<&'a String> {
    a.keys().chain(b.keys()).collect()
}

fn mpyc(found: &mut Comparison, ours: &Manifest, theirs: &Manifest) {
    if ours.mpyc == theirs.mpyc {
        return;
    }
    let same_version =
        ours.mpyc.as_ref().map(|mpyc| &mpyc.version) == theirs.mpyc.as_ref().map(|mpyc| &mpyc.version);
    let shown = |manifest: &Manifest| match &manifest.mpyc {
        None => "none".to_owned(),
        // A copy that somebody changed says the same version.
        Some(mpyc) if same_version => {
            format!("{} with files {}", mpyc.version, short_digest(Some(&mpyc.sha256)))
        }
        Some(mpyc) => mpyc.version.clone(),
    };
    found.item("MPyC", shown(ours), shown(theirs));
}

fn options(found: &mut Comparison, ours: &Options, theirs: &Options, m: usize) {
    let threshold = |options: &Options| {
        let default = i64::try_from(m.saturating_sub(1) / 2).unwrap_or(i64::MAX);
        options.threshold.unwrap_or(default)
    };
    let on = |is_on: bool| if is_on { "on" } else { "off" };
    found.unless_equal("threshold", threshold(ours), threshold(theirs));
    found.unless_equal("-L", ours.bit_length, theirs.bit_length);
    found.unless_equal("-K", ours.sec_param, theirs.sec_param);
    found.unless_equal("PRSS", on(ours.prss), on(theirs.prss));
    found.unless_equal("barrier", on(ours.barrier), on(theirs.barrier));
    found.unless_equal("mix32-64bit", on(ours.mix32_64bit), on(theirs.mix32_64bit));
}

fn notes(found: &mut Comparison, ours: &Manifest, theirs: &Manifest) {
    let pairs = [
        ("Python", &ours.shown.python, &theirs.shown.python),
        ("numpy", &ours.shown.numpy, &theirs.shown.numpy),
        ("gmpy2", &ours.shown.gmpy2, &theirs.shown.gmpy2),
    ];
    for (what, a, b) in pairs.into_iter().filter(|(_, a, b)| a != b) {
        let shown = |value: &Option<String>| match value {
            Some(value) => value.strip_prefix("CPython ").unwrap_or(value).to_owned(),
            None => "none".to_owned(),
        };
        found.notes.push(format!("has {what} {}, here it is {}", shown(b), shown(a)));
    }
}

/// Shortens a digest to what people can compare.
#[must_use]
pub fn short_digest(digest: Option<&str>) -> String {
    match digest {
        Some(digest) => {
            let end = digest.len().saturating_sub(2);
            format!("{}..{}", digest.get(..4).unwrap_or(digest), digest.get(end..).unwrap_or_default())
        }
        None => "none".to_owned(),
    }
}
