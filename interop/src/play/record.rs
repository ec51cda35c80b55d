//! What a peer did: played live, or kept in `transcripts/` by a run where it was live.
//!
//! A transcript lets the normal tests read what a peer wrote whose installation is too heavy for them. What such a peer said
//! about ours is as it was when the transcript was made; the soak tests ask it again, and fail if it says something else.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::case::{Case, all};
use super::driver::{Driver, Refusal};
use super::round::Cast;

/// All answers of one peer.
#[derive(Debug, Serialize, Deserialize)]
pub struct Record {
    /// Packages and their versions, as the peer tells them.
    pub versions: BTreeMap<String, String>,
    /// By name of the case.
    pub cases: BTreeMap<String, Answers>,
}

/// The answers in one case.
#[derive(Debug, Serialize, Deserialize)]
pub struct Answers {
    /// The envelope that the peer wrote.
    #[serde(flatten)]
    pub wrote: Wrote,
    /// Why it, or ours, could not do the other direction; `null` if it read ours.
    pub read_ours: Option<String>,
}

/// What a peer wrote.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Wrote {
    /// An envelope.
    Packed(String),
    /// Why not.
    WroteNot(String),
}

impl Record {
    /// Plays every case with a live peer.
    pub fn live(driver: &mut Driver) -> Self {
        let versions = driver.ask(&serde_json::json!({"op": "versions"})).expect("versions");
        let versions = serde_json::from_value(versions).expect("names and versions");
        let cases = all().iter().map(|case| (case.name(), Answers::live(case, driver))).collect();
        Self { versions, cases }
    }
}

impl Answers {
    fn live(case: &Case, driver: &mut Driver) -> Self {
        let cast = Cast::of(case);
        let text = |answer: &Value| answer["packed"].as_str().unwrap_or_default().to_owned();
        let wrote = match driver.ask(&cast.pack_job(case)) {
            Ok(answer) => Wrote::Packed(text(&answer)),
            Err(refusal) => Wrote::WroteNot(refusal.0),
        };
        Self { wrote, read_ours: cast.to_them(case, driver).err().map(|refusal| refusal.0) }
    }

    /// Whether it read what ours wrote.
    ///
    /// # Errors
    /// Why not.
    pub fn to_them(&self) -> Result<(), Refusal> {
        self.read_ours.clone().map_or(Ok(()), |text| Err(Refusal(text)))
    }

    /// Reads with ours what it wrote.
    ///
    /// # Errors
    /// Why not.
    pub fn to_us(&self, case: &Case) -> Result<(), Refusal> {
        match &self.wrote {
            Wrote::Packed(packed) => Cast::of(case).to_us(case, packed),
            Wrote::WroteNot(text) => Err(Refusal(text.clone())),
        }
    }
}
