use super::*;

const DIGEST: &str = "3f1c0000000000000000000000000000000000000000000000000000000000a9";
const OTHER: &str = "77aa000000000000000000000000000000000000000000000000000000000001";

fn manifest() -> Manifest {
    Manifest {
        program: ProgramFile { name: "vote.py".to_owned(), sha256: Some(DIGEST.to_owned()) },
        modules: BTreeMap::from([("helper".to_owned(), DIGEST.to_owned())]),
        mpyc: Some(Mpyc { version: "0.11".to_owned(), sha256: DIGEST.to_owned() }),
        options: Some(Options {
            threshold: None,
            bit_length: 32,
            sec_param: 30,
            prss: true,
            barrier: true,
            mix32_64bit: false,
        }),
        shown: Shown { python: Some("CPython 3.11".to_owned()), bits: Some(64), ..Shown::default() },
        ..Manifest::unknown(String::new())
    }
}

fn with(change: impl FnOnce(&mut Manifest)) -> Manifest {
    let mut changed = manifest();
    change(&mut changed);
    changed
}

fn options(change: impl FnOnce(&mut Options)) -> Manifest {
    with(|manifest| change(manifest.options.as_mut().unwrap()))
}

/// Decides MF-10, MF-11, MF-12: one item for each thing that differs, with both values.
#[test]
fn each_difference_is_named_with_both_values() {
    let digest = || OTHER.to_owned();
    for (theirs, item, ours_shown, theirs_shown) in [
        (with(|m| m.program.sha256 = Some(digest())), "program", "vote.py 3f1c..a9", "vote.py 77aa..01"),
        (
            with(|m| drop(m.modules.insert("helper".into(), digest()))),
            "module helper",
            "3f1c..a9",
            "77aa..01",
        ),
        (with(|m| drop(m.modules.remove("helper"))), "module helper", "3f1c..a9", "none"),
        (with(|m| drop(m.files.insert("d.csv".into(), digest()))), "file d.csv", "none", "77aa..01"),
        (with(|m| m.mpyc.as_mut().unwrap().version = "0.9".into()), "MPyC", "0.11", "0.9"),
        (
            with(|m| m.mpyc.as_mut().unwrap().sha256 = digest()),
            "MPyC",
            "0.11 with files 3f1c..a9",
            "0.11 with files 77aa..01",
        ),
        (with(|m| m.mpyc = None), "MPyC", "0.11", "none"),
        (options(|o| o.threshold = Some(0)), "threshold", "1", "0"),
        (options(|o| o.bit_length = 64), "-L", "32", "64"),
        (options(|o| o.sec_param = 40), "-K", "30", "40"),
        (options(|o| o.prss = false), "PRSS", "on", "off"),
        (options(|o| o.barrier = false), "barrier", "on", "off"),
        (options(|o| o.mix32_64bit = true), "mix32-64bit", "off", "on"),
        (with(|m| m.shown.bits = Some(32)), "word size", "64 bits", "32 bits"),
        (
            with(|m| drop(m.environment.insert("MPYC_X".into(), "1".into()))),
            "variable MPYC_X",
            "not set",
            "1",
        ),
        (
            with(|m| m.arguments = Some(vec!["8".into(), "x".into()])),
            "arguments",
            "not told (no --same-args)",
            "8 x",
        ),
    ] {
        let found = compare(Some(&manifest()), Some(&theirs), 3);
        let expected = Difference { item: item.into(), ours: ours_shown.into(), theirs: theirs_shown.into() };
        assert_eq!(found.differences, [expected]);
        let back = compare(Some(&theirs), Some(&manifest()), 3);
        assert_eq!(back.differences[0].ours, theirs_shown, "{item}");
        assert!(!back.agrees());
    }
    assert_eq!(compare(Some(&manifest()), Some(&manifest()), 3), Comparison::default());
}

#[test]
fn mpycs_default_threshold_is_a_threshold_like_any() {
    assert!(compare(Some(&manifest()), Some(&options(|o| o.threshold = Some(1))), 3).agrees());
    assert!(!compare(Some(&manifest()), Some(&options(|o| o.threshold = Some(1))), 5).agrees());
}

/// Decides MF-11.
#[test]
fn mixed_words_need_the_option_at_both() {
    let mixed = |bits, is_on| {
        with(|manifest| {
            manifest.shown.bits = Some(bits);
            manifest.options.as_mut().unwrap().mix32_64bit = is_on;
        })
    };
    assert!(compare(Some(&mixed(32, true)), Some(&mixed(64, true)), 3).agrees());
    assert_eq!(compare(Some(&mixed(32, false)), Some(&mixed(64, true)), 3).differences.len(), 2);
}

/// Decides MF-13, MF-14.
#[test]
fn what_cannot_be_compared_needs_everybodys_word() {
    let unknown = |allow| Manifest { allow_unknown: allow, ..Manifest::unknown("vote.sh".to_owned()) };
    let allowing = with(|manifest| manifest.allow_unknown = true);
    for (ours, theirs, agrees) in [
        (unknown(true), unknown(true), true),
        (unknown(true), unknown(false), false),
        (unknown(false), unknown(false), false),
        (unknown(true), manifest(), false),
        (unknown(true), allowing.clone(), true),
        (manifest(), unknown(true), false),
    ] {
        let found = compare(Some(&ours), Some(&theirs), 3);
        assert_eq!(found.agrees(), agrees, "{ours:?} {theirs:?}");
        assert_eq!(found.notes.is_empty(), !agrees);
    }
    assert!(compare(None, Some(&manifest()), 3).agrees());
    let by_hand = compare(Some(&manifest()), None, 3);
    assert!(by_hand.agrees() && by_hand.notes[0].contains("by hand"));
}

/// Decides MF-15.
#[test]
fn another_python_is_told_and_is_no_difference() {
    let theirs = with(|manifest| {
        manifest.shown.python = Some("CPython 3.12".into());
        manifest.shown.numpy = Some("2.1".into());
        manifest.program.name = "copy.py".into();
    });
    let found = compare(Some(&manifest()), Some(&theirs), 3);
    assert!(found.agrees());
    assert_eq!(found.notes, ["has Python 3.12, here it is 3.11", "has numpy 2.1, here it is none"]);
}

/// Decides MF-05.
#[test]
fn a_manifest_of_somebody_else_is_read_within_limits() {
    let value = |manifest: &Manifest| serde_json::to_value(manifest).unwrap();
    assert_eq!(Manifest::read(value(&manifest())), Ok(manifest()));
    let many: BTreeMap<_, _> = (0..129).map(|number| (number.to_string(), DIGEST.to_owned())).collect();
    for broken in [
        with(|m| m.v = 2),
        with(|m| m.program.sha256 = Some(DIGEST.to_uppercase())),
        with(|m| m.program.sha256 = Some(DIGEST[1..].to_owned())),
        with(|m| drop(m.files.insert("x".into(), "y".into()))),
        with(|m| m.modules = many),
        with(|m| m.arguments = Some(vec![String::new(); 129])),
        with(|m| m.arguments = Some(vec!["x".repeat(MAX_BYTES)])),
        with(|m| m.options = None),
        with(|m| m.program.sha256 = None),
    ] {
        assert!(Manifest::read(value(&broken)).is_err(), "{broken:?}");
    }
    for member in ["v", "program"] {
        let mut without = value(&manifest());
        without.as_object_mut().unwrap().remove(member);
        assert!(Manifest::read(without).is_err());
    }
    let text = value(&manifest()).to_string();
    for end in 0..text.len() {
        assert!(serde_json::from_str::<Value>(&text[..end]).is_err());
        assert!(read_probe(&text.as_bytes()[..end]).is_err());
    }
}

#[test]
fn the_command_that_describes_a_program_is_the_program_with_ours_in_front() {
    let words = |line: &str| line.split(' ').map(OsString::from).collect::<Vec<_>>();
    let probe = |line: &str, same, include: &[&str]| {
        let include: Vec<_> = include.iter().map(OsString::from).collect();
        let mut words = probe_command(&words(line), same, &include)?;
        let text = words.iter_mut().find(|word| *word == MANIFEST_SOURCE)?;
        *text = "TEXT".into();
        Some(words)
    };
    assert_eq!(
        probe("python3 -u vote.py -T 1", false, &[]),
        Some(words("python3 -u -c TEXT RUN vote.py -T 1"))
    );
    assert_eq!(
        probe("python3 -m vote 5", true, &["a", "-b"]),
        Some(words("python3 -c TEXT --same-args --include=a --include=-b RUN -m vote 5"))
    );
    assert_eq!(probe("./vote 5", true, &[]), None);
}
