//! From criterion's estimates of one run to a table with ratios, as text and as JSON.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use serde::{Deserialize, Serialize};

use crate::run::Run;
use crate::{GROUP, SIZES, Way};

/// The median of one measurement and its 95 % confidence interval, in nanoseconds for one payload.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Estimate {
    /// The median itself.
    pub median: f64,
    /// Lower bound.
    pub lower: f64,
    /// Upper bound.
    pub upper: f64,
}

/// How many times dearer one way is than another, with the extremes that the two confidence intervals allow.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Ratio {
    /// Median by median.
    pub ratio: f64,
    /// Lower bound by upper bound.
    pub lower: f64,
    /// Upper bound by lower bound.
    pub upper: f64,
}

/// What is known about one payload size.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Row {
    /// Payload in bytes.
    pub size: usize,
    /// Through a session.
    pub session: Estimate,
    /// An envelope of this project's library.
    pub ours: Estimate,
    /// An envelope of the `didcomm` crate.
    pub theirs: Estimate,
    /// Ours by session.
    pub ours_by_session: Ratio,
    /// Theirs by session.
    pub theirs_by_session: Ratio,
}

/// The result of one whole run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// The conditions.
    pub run: Run,
    /// One row for each of [`SIZES`].
    pub rows: Vec<Row>,
}

#[derive(Deserialize)]
struct EstimatesIn {
    median: EstimateIn,
}

#[derive(Deserialize)]
struct EstimateIn {
    confidence_interval: IntervalIn,
    point_estimate: f64,
}

#[derive(Deserialize)]
struct IntervalIn {
    lower_bound: f64,
    upper_bound: f64,
}

impl Ratio {
    fn of(dear: Estimate, cheap: Estimate) -> Self {
        Self {
            ratio: dear.median / cheap.median,
            lower: dear.lower / cheap.upper,
            upper: dear.upper / cheap.lower,
        }
    }
}

impl Report {
    /// Reads the newest run from criterion's directory.
    ///
    /// # Errors
    /// If there is no run, or an estimate is missing, malformed, or from an earlier run than the others.
    pub fn load(home: &Path) -> anyhow::Result<Self> {
        let run = Run::load(home)?;
        let row = |size: usize| {
            let estimate = |way| estimate(home, &run, way, size);
            let (session, ours, theirs) =
                (estimate(Way::Session)?, estimate(Way::Ours)?, estimate(Way::Theirs)?);
            let (ours_by_session, theirs_by_session) = (Ratio::of(ours, session), Ratio::of(theirs, session));
            anyhow::Ok(Row { size, session, ours, theirs, ours_by_session, theirs_by_session })
        };
        let rows = SIZES.into_iter().map(row).collect::<anyhow::Result<_>>()?;
        Ok(Self { run, rows })
    }

    /// Returns the report as Markdown.
    pub fn markdown(&self) -> String {
        let Run { mode, commit, cpu, cores, load, rustc, .. } = &self.run;
        let commit = commit.as_deref().unwrap_or("not said");
        let mode = format!("{mode:?}").to_lowercase();
        let mut out = format!(
            "commit {commit}; {cpu}, {cores} cores, load {load} at the start; {rustc}; {mode} run\n\n\
             Time to send and to receive one payload, on one core: median of the run. A ratio in brackets has the extremes \
             that the two 95 % confidence intervals allow. `README.md` of the bench says what the numbers mean.\n\n\
             | payload | session | stateless, ours | stateless, `didcomm` | ours / session | `didcomm` / session \
             | bytes on the wire: session, ours, `didcomm` |\n|--:|--:|--:|--:|--:|--:|--:|\n"
        );
        for row in &self.rows {
            let wire = Way::ALL.map(|way| {
                let bytes = self.run.wire.get(way.name()).and_then(|sizes| sizes.get(&row.size));
                bytes.map_or_else(|| "?".to_owned(), u64::to_string)
            });
            // Writing to a String cannot fail.
            let _ = writeln!(
                out,
                "| {} | {} | {} | {} | {} | {} | {} |",
                bytes(row.size),
                time(row.session.median),
                time(row.ours.median),
                time(row.theirs.median),
                times(row.ours_by_session),
                times(row.theirs_by_session),
                wire.join(", "),
            );
        }
        out
    }

    /// Writes the report to `path`: as JSON if the name ends with `.json`, as Markdown if it ends with `.md`.
    ///
    /// # Errors
    /// If the name ends otherwise, or the file cannot be written.
    pub fn write(&self, path: &Path) -> anyhow::Result<()> {
        let text = match path.extension().and_then(|extension| extension.to_str()) {
            Some("json") => serde_json::to_string_pretty(self)? + "\n",
            Some("md") => format!("# A payload in a session and in an envelope\n\n{}", self.markdown()),
            _ => anyhow::bail!("{} ends neither with .json nor with .md", path.display()),
        };
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
        }
        fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
    }
}

fn path_of(home: &Path, way: Way, size: usize) -> PathBuf {
    home.join(GROUP).join(way.name()).join(size.to_string()).join("new").join("estimates.json")
}

fn estimate(home: &Path, run: &Run, way: Way, size: usize) -> anyhow::Result<Estimate> {
    let path = path_of(home, way, size);
    let modified = fs::metadata(&path)
        .and_then(|metadata| metadata.modified())
        .with_context(|| format!("{} of {size} bytes was not measured", way.name()))?;
    anyhow::ensure!(run.covers(modified), "{} of {size} bytes was not measured in this run", way.name());
    let EstimatesIn { median } = serde_json::from_slice(&fs::read(&path)?)
        .with_context(|| format!("{} has no median", path.display()))?;
    let IntervalIn { lower_bound, upper_bound } = median.confidence_interval;
    Ok(Estimate { median: median.point_estimate, lower: lower_bound, upper: upper_bound })
}

fn bytes(size: usize) -> String {
    if size >= 1024 && size.is_multiple_of(1024) {
        format!("{} KiB", size / 1024)
    } else {
        format!("{size} B")
    }
}

fn time(nanoseconds: f64) -> String {
    if nanoseconds < 1e6 {
        format!("{:.2} µs", nanoseconds / 1e3)
    } else {
        format!("{:.2} ms", nanoseconds / 1e6)
    }
}

fn times(Ratio { ratio, lower, upper }: Ratio) -> String {
    if ratio < 10.0 {
        format!("{ratio:.1} ({lower:.1}–{upper:.1})")
    } else {
        format!("{ratio:.0} ({lower:.0}–{upper:.0})")
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use serde_json::{Value, json};

    use super::{Report, path_of};
    use crate::run::{Mode, Run};
    use crate::{SIZES, Way};

    fn run(began: u64) -> Run {
        Run {
            mode: Mode::Quick,
            began,
            commit: Some("c0ffee".into()),
            cpu: "a CPU".into(),
            cores: 2,
            load: "0.10".into(),
            rustc: "rustc 1.95".into(),
            wire: [("session".into(), [(16, 70)].into())].into(),
        }
    }

    fn measured(home: &std::path::Path) {
        for (nanoseconds, way) in [1000.0, 200_000.0, 900_000.0].into_iter().zip(Way::ALL) {
            for size in SIZES {
                let path = path_of(home, way, size);
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                let interval = json!({"lower_bound": nanoseconds * 0.8, "upper_bound": nanoseconds * 1.25});
                let median = json!({"confidence_interval": interval, "point_estimate": nanoseconds});
                fs::write(path, json!({"median": median, "mean": {}}).to_string()).unwrap();
            }
        }
    }

    #[test]
    fn ratios_are_envelope_by_session_with_their_extremes() {
        let home = tempfile::tempdir().unwrap();
        run(0).save(home.path()).unwrap();
        measured(home.path());
        let report = Report::load(home.path()).unwrap();
        assert_eq!(report.rows.len(), SIZES.len());
        assert_eq!(report.rows[0].ours_by_session.ratio, 200.0);
        assert_eq!(report.rows[0].theirs_by_session.lower, 900.0 * 0.8 / 1.25);
        let row = "| 16 B | 1.00 µs | 200.00 µs | 900.00 µs | 200 (128–312) | 900 (576–1406) | 70, ?, ? |";
        let markdown = report.markdown();
        assert!(markdown.lines().any(|line| line == row), "{markdown}");
        assert!(markdown.contains("commit c0ffee; a CPU, 2 cores"));
    }

    #[test]
    fn writes_markdown_and_json_by_the_name_of_the_file() {
        let home = tempfile::tempdir().unwrap();
        run(0).save(home.path()).unwrap();
        measured(home.path());
        let report = Report::load(home.path()).unwrap();
        let path = |name: &str| home.path().join("results").join(name);
        report.write(&path("a.json")).unwrap();
        report.write(&path("a.md")).unwrap();
        assert!(report.write(&path("a.txt")).is_err());
        let json: Value = serde_json::from_slice(&fs::read(path("a.json")).unwrap()).unwrap();
        assert_eq!(json["rows"][4]["size"], 65_536);
        assert_eq!(json["run"]["commit"], "c0ffee");
        assert!(fs::read_to_string(path("a.md")).unwrap().contains("| 64 KiB |"));
    }

    #[test]
    fn refuses_estimates_of_an_earlier_run_and_missing_ones() {
        let home = tempfile::tempdir().unwrap();
        assert!(Report::load(home.path()).unwrap_err().to_string().contains("run `cargo bench` first"));
        measured(home.path());
        run(u64::MAX).save(home.path()).unwrap();
        assert!(Report::load(home.path()).unwrap_err().to_string().contains("not measured in this run"));
        run(0).save(home.path()).unwrap();
        fs::remove_file(path_of(home.path(), Way::Theirs, 1024)).unwrap();
        let error = Report::load(home.path()).unwrap_err().to_string();
        assert_eq!(error, "stateless-didcomm of 1024 bytes was not measured");
    }
}
