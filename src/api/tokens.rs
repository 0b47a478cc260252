//! Tokens that the database holds: making, listing and revoking them.

use serde::{Deserialize, Serialize};

use crate::config::{Role, TokenHash};
use crate::model::{Name, NameError, Timestamp};
use crate::store::{Key, RecordKind, Store, StoreError, Table, decode_record, encode_record};

/// A token as the database holds it: never the token itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredToken {
    /// Whose it is; unique in the database.
    pub name: String,
    /// What it may do.
    pub role: Role,
    /// Its hash.
    pub hash: TokenHash,
    /// When it was made.
    pub created_at: Timestamp,
}

/// Why a token cannot be made or revoked.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// The name is taken.
    #[error("a token named {0:?} exists; revoke it first or use another name")]
    Exists(String),
    /// There is no such token.
    #[error("no token is named {0:?}; `vedette token list` shows those there are")]
    Absent(String),
    /// The name is not one.
    #[error(transparent)]
    Name(#[from] NameError),
    /// The system gives no random numbers.
    #[error("the system gives no random numbers: {0}")]
    Random(String),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The record's layout in the database, version 1.
#[derive(Serialize, Deserialize)]
struct TokenV1 {
    name: String,
    role: u8,
    hash: [u8; 32],
    created_at_ms: i64,
}

/// Numbers in the format: never changed, never reused.
const ROLES: [(Role, u8); 4] =
    [(Role::Viewer, 1), (Role::Writer, 2), (Role::Operator, 3), (Role::Admin, 4)];
const LAYOUT: u8 = 1;

fn key(name: &str) -> Key {
    Key::new().u8(RecordKind::Token as u8).text(name)
}

fn decode(bytes: &[u8]) -> Result<StoredToken, StoreError> {
    let record: TokenV1 = decode_record(RecordKind::Token, LAYOUT, bytes)?;
    let role = ROLES.iter().find(|(_, number)| *number == record.role).map(|(role, _)| *role);
    Ok(StoredToken {
        role: role.ok_or_else(|| StoreError::Damaged {
            table: "records",
            reason: format!("token {:?} has the unknown role {}", record.name, record.role),
        })?,
        name: record.name,
        hash: TokenHash(record.hash),
        created_at: Timestamp::from_millis(record.created_at_ms),
    })
}

/// Every token of the database, by name.
pub fn list(store: &Store) -> Result<Vec<StoredToken>, StoreError> {
    let snapshot = store.read()?;
    let first = Key::new().u8(RecordKind::Token as u8);
    let beyond = Key::new().u8(RecordKind::Token as u8 + 1);
    let mut tokens = Vec::new();
    for entry in snapshot.table(Table::Records)?.range(first.as_bytes(), beyond.as_bytes())? {
        tokens.push(decode(entry?.open()?.payload())?);
    }
    Ok(tokens)
}

/// Makes a token of 256 random bits and keeps its hash. Gives the token, which is nowhere else.
pub fn create(store: &Store, name: &str, role: Role, now: Timestamp) -> Result<String, TokenError> {
    Name::new(name)?;
    let token = random_token()?;
    let number = ROLES.iter().find(|(r, _)| *r == role).map_or(0, |(_, number)| *number);
    let record = TokenV1 {
        name: name.to_owned(),
        role: number,
        hash: TokenHash::of(&token).0,
        created_at_ms: now.millis(),
    };
    let bytes = encode_record(RecordKind::Token, LAYOUT, &record)?;
    let created = store.write(false, |txn| {
        let exists = txn.get(Table::Records, key(name).as_bytes())?.is_some();
        if !exists {
            txn.insert(Table::Records, key(name).as_bytes(), &bytes)?;
        }
        Ok(!exists)
    })?;
    if created { Ok(token) } else { Err(TokenError::Exists(name.to_owned())) }
}

/// Removes a token.
pub fn revoke(store: &Store, name: &str) -> Result<(), TokenError> {
    match store.write(false, |txn| txn.remove(Table::Records, key(name).as_bytes()))? {
        true => Ok(()),
        false => Err(TokenError::Absent(name.to_owned())),
    }
}

/// A token that nobody can guess: `vdt_` and 256 random bits in URL-safe base64. The prefix lets
/// scanners of leaked secrets know it.
pub fn random_token() -> Result<String, TokenError> {
    use base64::Engine as _;
    let mut bits = [0_u8; 32];
    getrandom::fill(&mut bits).map_err(|error| TokenError::Random(error.to_string()))?;
    Ok(format!("vdt_{}", base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bits)))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::store::{DiskMedium, StoreOptions};

    #[test]
    fn a_token_lives_from_its_making_to_its_revocation() {
        let directory = tempfile::tempdir().expect("a directory");
        let medium = DiskMedium::open(&directory.path().join("x.redb")).expect("opens");
        let store = Store::open(Arc::new(medium), StoreOptions::default(), &|_| {}).expect("opens");
        let now = Timestamp::from_millis(1_000);
        let token = create(&store, "grafana", Role::Viewer, now).expect("made");
        assert_eq!(
            list(&store).expect("listed"),
            [StoredToken {
                name: "grafana".to_owned(),
                role: Role::Viewer,
                hash: TokenHash::of(&token),
                created_at: now,
            }]
        );
        let again = create(&store, "grafana", Role::Admin, now);
        assert!(matches!(again, Err(TokenError::Exists(_))), "{again:?}");
        revoke(&store, "grafana").expect("revoked");
        assert!(matches!(revoke(&store, "grafana"), Err(TokenError::Absent(_))));
        assert_eq!(list(&store).expect("listed"), []);
    }

    #[test]
    fn tokens_are_long_and_never_the_same() {
        let (a, b) = (random_token().expect("random"), random_token().expect("random"));
        assert_ne!(a, b);
        // 32 bytes are 43 characters of base64 without padding.
        assert_eq!(a.len(), "vdt_".len() + 43);
    }
}
