//! SCRAM-SHA-256 without channel binding, the client's side (RFC 5802, RFC 7677).

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use hmac::{Hmac, Mac};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

/// More rounds than that are not computed: they are CPU time that a server makes us spend.
/// PostgreSQL's default is 4,096.
const ITERATIONS_MAX: u32 = 100_000;

type Key = [u8; 32];

/// Waits for the server's first message.
pub(super) struct First {
    bare: String,
    nonce: String,
}

/// Waits for the server's proof.
pub(super) struct Final {
    server_signature: Key,
}

impl First {
    /// Begins. The nonce is fresh, printable and without commas. PostgreSQL knows the user from the
    /// startup message, and takes an empty one here.
    pub(super) fn new(user: &str, nonce: &str) -> Self {
        let user = user.replace('=', "=3D").replace(',', "=2C");
        First { bare: format!("n={user},r={nonce}"), nonce: nonce.to_owned() }
    }

    /// The client's first message: `n,,` says that we cannot bind to a channel.
    pub(super) fn message(&self) -> String {
        format!("n,,{}", self.bare)
    }

    /// Answers the server's first message with the client's final one.
    ///
    /// # Errors
    ///
    /// When the message is not one of RFC 5802, its nonce does not continue ours, or the number of
    /// iterations is out of bounds.
    pub(super) fn answer(
        self,
        password: &str,
        server_first: &[u8],
    ) -> Result<(String, Final), String> {
        let server_first = std::str::from_utf8(server_first).map_err(|_| malformed())?;
        let mut parts = server_first.split(',');
        let mut part = |name: &str| {
            parts.next().and_then(|part| part.strip_prefix(name)).ok_or_else(malformed)
        };
        let nonce = part("r=")?;
        let salt = BASE64_STANDARD.decode(part("s=")?).map_err(|_| malformed())?;
        let iterations: u32 = part("i=")?.parse().map_err(|_| malformed())?;
        if nonce.len() <= self.nonce.len() || !nonce.starts_with(&self.nonce) {
            return Err("its SCRAM nonce does not continue ours: something is in between".into());
        }
        if iterations == 0 || iterations > ITERATIONS_MAX {
            return Err(format!(
                "it asks for {iterations} iterations of SCRAM; up to {ITERATIONS_MAX} are computed"
            ));
        }
        let salted = stretch(password.as_bytes(), &salt, iterations);
        let client_key = sign(&salted, b"Client Key");
        let stored_key: Key = Sha256::digest(client_key).into();
        // "biws" is `n,,` in base64.
        let without_proof = format!("c=biws,r={nonce}");
        let authenticated = format!("{},{server_first},{without_proof}", self.bare);
        let signature = sign(&stored_key, authenticated.as_bytes());
        let proof: Vec<u8> = client_key.iter().zip(signature).map(|(a, b)| a ^ b).collect();
        let server_key = sign(&salted, b"Server Key");
        let server_signature = sign(&server_key, authenticated.as_bytes());
        let message = format!("{without_proof},p={}", BASE64_STANDARD.encode(proof));
        Ok((message, Final { server_signature }))
    }
}

impl Final {
    /// Checks that the server knows the password too.
    ///
    /// # Errors
    ///
    /// When it does not.
    pub(super) fn check(self, server_final: &[u8]) -> Result<(), String> {
        let proof = server_final
            .strip_prefix(b"v=")
            .and_then(|text| BASE64_STANDARD.decode(text).ok())
            .ok_or_else(malformed)?;
        if bool::from(proof.ct_eq(&self.server_signature)) {
            Ok(())
        } else {
            Err("it does not know the password itself: this is not the server it claims to be"
                .into())
        }
    }
}

fn malformed() -> String {
    "its SCRAM message has not the form of RFC 5802".to_owned()
}

fn sign(key: &[u8], text: &[u8]) -> Key {
    // A key of any length will do, so this never fails.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else { return [0; 32] };
    mac.update(text);
    mac.finalize().into_bytes().into()
}

/// `Hi()` of RFC 5802: PBKDF2 with one block.
fn stretch(password: &[u8], salt: &[u8], iterations: u32) -> Key {
    let Ok(keyed) = Hmac::<Sha256>::new_from_slice(password) else { return [0; 32] };
    let round = |text: &[u8]| -> Key {
        let mut mac = keyed.clone();
        mac.update(text);
        mac.finalize().into_bytes().into()
    };
    let mut block = round(&[salt, &1u32.to_be_bytes()].concat());
    let mut out = block;
    for _ in 1..iterations {
        block = round(&block);
        for (out, byte) in out.iter_mut().zip(block) {
            *out ^= byte;
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SERVER_FIRST: &[u8] = b"r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
        s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";

    fn first() -> First {
        First::new("user", "rOprNGfwEbeRWgbNEkqO")
    }

    #[test]
    fn the_example_of_rfc_7677_comes_out() {
        assert_eq!(first().message(), "n,,n=user,r=rOprNGfwEbeRWgbNEkqO");
        let (message, last) = first().answer("pencil", SERVER_FIRST).expect("answers");
        assert_eq!(
            message,
            "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
             p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
        );
        assert_eq!(last.check(b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="), Ok(()));
    }

    #[test]
    fn a_server_that_does_not_know_the_password_is_refused() {
        let (_, last) = first().answer("pencil", SERVER_FIRST).expect("answers");
        assert!(last.check(b"v=AAriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=").is_err());
        let (_, last) = first().answer("pencil", SERVER_FIRST).expect("answers");
        assert!(last.check(b"e=other-error").is_err());
    }

    #[test]
    fn a_foreign_nonce_and_costly_rounds_are_refused() {
        assert!(first().answer("pencil", b"r=other,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096").is_err());
        // The same nonce, with nothing of the server's.
        let own = b"r=rOprNGfwEbeRWgbNEkqO,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";
        assert!(first().answer("pencil", own).is_err());
        for rounds in ["0", "100001", "4294967295", "-1", "x"] {
            let message = format!("r=rOprNGfwEbeRWgbNEkqOx,s=W22ZaJ0SNY7soEsUEjb6gQ==,i={rounds}");
            assert!(first().answer("pencil", message.as_bytes()).is_err(), "{rounds}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes: Vec<u8>) {
            let _ = first().answer("pencil", &bytes);
            let _ = Final { server_signature: [0; 32] }.check(&bytes);
        }
    }
}
