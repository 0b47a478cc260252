//! Documents: what people defined for the watch, and what became of it. They change shape more
//! often than they are read, so a record holds the JSON of one: a field that is added later has
//! its default in old files.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Key, RecordKind, Snapshot, StoreError, Table, decode_record, encode_record};

/// What a document is. The number begins its key: never changed, never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum DocumentKind {
    /// A check that was made over the API.
    Check = 1,
    /// A rule that was made over the API.
    Rule = 2,
    /// A channel that was made over the API.
    Channel = 3,
    /// A silence.
    Silence = 4,
    /// A maintenance window that was made over the API.
    Maintenance = 5,
    /// The clocks of a rule.
    RuleState = 6,
    /// How a check is.
    CheckState = 7,
    /// A group of alerts that somebody is told of.
    Group = 8,
    /// An incident (table `incidents`).
    Incident = 9,
    /// The timeline of an incident (table `incidents`).
    Timeline = 10,
    /// What explains an incident (table `incidents`).
    Evidence = 11,
    /// A delivery (table `incidents`).
    Delivery = 12,
    /// The notes of an incident (table `incidents`).
    Notes = 13,
    /// Figures of the watch as a whole: the next incident's number, when it last ran.
    Figure = 14,
    /// An objective that was made over the API.
    Objective = 15,
    /// An experiment that was made over the API.
    Experiment = 17,
    /// How an experiment stands (table `experiments`).
    ExperimentState = 18,
    /// The audit of an experiment (table `experiments`).
    ExperimentAudit = 19,
    /// The number of an incident: its id (table `incidents`).
    IncidentNumber = 20,
    /// An incident and a delivery that tells of it (table `incidents`).
    IncidentDelivery = 21,
    /// A feature that was made over the API.
    Feature = 22,
    /// A provider that was made over the API.
    Provider = 23,
    /// A version of a feature's configuration (table `experiments`).
    FeatureConfiguration = 24,
    /// What was estimated of an experiment at a time (table `experiments`).
    Estimate = 25,
    /// Where a source of log lines has got to.
    LogPlace = 26,
    /// The key of a request that gave log lines.
    LogRequest = 27,
    /// An alert that somebody sent to `/api/v2/alerts`, and when it runs out.
    ExternalAlert = 16,
}

/// The version of the layout: a record with one text, the JSON.
const LAYOUT: u8 = 1;

/// The key of a document within its table.
pub fn document_key(kind: DocumentKind, id: &str) -> Key {
    Key::new().u8(kind as u8).text(id)
}

/// The keys of all documents of a kind: from the first, until before the second.
pub fn document_range(kind: DocumentKind) -> (Key, Key) {
    (Key::new().u8(kind as u8), Key::new().u8(kind as u8 + 1))
}

/// Encodes a document.
///
/// # Errors
///
/// When it cannot be written as JSON, or is larger than a record may be (1 MiB).
pub fn encode_document<T: Serialize>(document: &T) -> Result<Vec<u8>, StoreError> {
    let json = serde_json::to_string(document)
        .map_err(|e| StoreError::Encode(format!("a document: {e}")))?;
    encode_record(RecordKind::Document, LAYOUT, &json)
}

/// Decodes a document.
///
/// # Errors
///
/// When it is no document, or not of this type.
pub fn decode_document<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, StoreError> {
    let json: String = decode_record(RecordKind::Document, LAYOUT, bytes)?;
    serde_json::from_str(&json).map_err(|e| StoreError::Damaged {
        table: "documents",
        reason: format!("a document that is not what it should be: {e}"),
    })
}

/// All documents of a kind with their ids, in the order of those. One that is damaged is reported
/// (`noun` says what it is) and left out: the others are worth having.
///
/// # Errors
///
/// When the database cannot be read: then nothing may be taken for absent.
pub fn documents<T: DeserializeOwned>(
    snapshot: &Snapshot,
    table: Table,
    kind: DocumentKind,
    noun: &str,
) -> Result<Vec<(String, T)>, StoreError> {
    let (from, until) = document_range(kind);
    let prefix = from.as_bytes().len();
    let mut all = Vec::new();
    for entry in snapshot.table(table)?.range(from.as_bytes(), until.as_bytes())? {
        let entry = entry?;
        let id = String::from_utf8_lossy(&entry.key()[prefix..]).into_owned();
        match entry.open().and_then(|value| decode_document(value.payload())) {
            Ok(document) => all.push((id, document)),
            Err(error) => tracing::error!(%error, id, "{noun} cannot be read and is left out"),
        }
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_is_a_record_with_json() {
        let bytes = encode_document(&[1, 2]).expect("encodes");
        assert_eq!(bytes, [4, 1, 5, 0, 0, 0, 0, 0, 0, 0, b'[', b'1', b',', b'2', b']']);
        assert_eq!(decode_document::<Vec<u8>>(&bytes).expect("decodes"), [1, 2]);
        let error = decode_document::<String>(&bytes).expect_err("another type");
        assert!(error.to_string().contains("a document that is not what it should be"));
    }
}
