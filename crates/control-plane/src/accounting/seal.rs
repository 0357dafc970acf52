//! Sets of people, their losses, and accounts of third parties, kept so that a copy of the store alone
//! does not tell them.

use aes_gcm::aead::{Aead, Payload};
use aes_gcm::{Aes256Gcm, KeyInit};
use domain::Fault;
use domain::port::Entropy;
use domain::record::AccountKey;
use sha2::{Digest, Sha256};

const NONCE_BYTES: usize = 12;

/// Seals and opens with AES-256-GCM (NIST SP 800-38D), bound to the place where a text is kept.
///
/// # Guarantee
/// A sealed text opens only with the same secret and the same place, unchanged. Nonces are drawn at
/// random, which is safe for 2³² texts under one secret.
pub(crate) struct Seal {
    cipher: Aes256Gcm,
    commitments: [u8; 32],
    pseudonyms: [u8; 32],
}

impl Seal {
    pub(crate) fn new(secret: &[u8; 32]) -> Self {
        let derive = |what: &str| -> [u8; 32] { Sha256::new().chain_update(what).chain_update(secret).finalize().into() };
        Self { cipher: Aes256Gcm::new(&derive("fairshare seal v1").into()), commitments: derive("fairshare commitment v1"), pseudonyms: derive("fairshare pseudonym v1") }
    }

    /// The seal of links and of what stands in forms: another key, so that however many are made, nothing that is
    /// kept is weaker for it.
    pub(crate) fn of_links(secret: &[u8; 32]) -> Self {
        Self::new(&Sha256::new().chain_update("fairshare links v1").chain_update(secret).finalize().into())
    }

    /// Encrypts `text` for `place`.
    pub(crate) fn seal(&self, entropy: &dyn Entropy, place: &str, text: &[u8]) -> Result<Vec<u8>, Fault> {
        let mut nonce = [0; NONCE_BYTES];
        entropy.fill(&mut nonce)?;
        let sealed = self.cipher.encrypt(&nonce.into(), Payload { msg: text, aad: place.as_bytes() });
        let sealed = sealed.map_err(|_| Fault::broken("a set of people is too large to seal"))?;
        Ok([nonce.as_slice(), &sealed].concat())
    }

    /// Decrypts what was sealed for `place`.
    pub(crate) fn open(&self, place: &str, sealed: &[u8]) -> Result<Vec<u8>, Fault> {
        let broken = || Fault::broken(format!("what is kept as {place} was changed, or sealed with another key"));
        let (nonce, text) = sealed.split_first_chunk::<NONCE_BYTES>().ok_or_else(broken)?;
        self.cipher.decrypt(&(*nonce).into(), Payload { msg: text, aad: place.as_bytes() }).map_err(|_| broken())
    }

    /// A commitment to `text` at `place` that tells nothing without the secret.
    pub(crate) fn commit(&self, place: &str, text: &[u8]) -> String {
        keyed(&self.commitments, place, text)
    }

    /// What an account of a third party is known by: the same for the same account, and without the
    /// secret not to be told from any other.
    pub(crate) fn pseudonym(&self, account: &AccountKey) -> String {
        keyed(&self.pseudonyms, account.platform.as_str(), account.native_id.as_bytes())
    }
}

/// A keyed hash of two parts: an outer hash over the secret and the inner one, both of fixed length.
fn keyed(secret: &[u8; 32], first: &str, second: &[u8]) -> String {
    let inner = Sha256::new().chain_update(Sha256::digest(first)).chain_update(second).finalize();
    hex::encode(Sha256::new().chain_update(secret).chain_update(inner).finalize())
}

#[cfg(test)]
mod tests {
    use testkit::SeededEntropy;

    use super::*;

    #[test]
    fn opens_only_at_its_place_unchanged_with_its_key() {
        let (seal, entropy) = (Seal::new(&[7; 32]), SeededEntropy::new(1));
        let sealed = seal.seal(&entropy, "a", b"people").unwrap();
        assert_eq!(seal.open("a", &sealed).unwrap(), b"people");
        assert!(seal.open("b", &sealed).is_err());
        assert!(Seal::new(&[8; 32]).open("a", &sealed).is_err());
        for at in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert!(seal.open("a", &changed).is_err(), "byte {at}");
        }
        assert!(seal.open("a", &[]).is_err());
        assert_ne!(seal.seal(&entropy, "a", b"people").unwrap(), sealed, "a nonce was used twice");
    }

    #[test]
    fn commitments_differ_by_place_text_and_key() {
        let seal = Seal::new(&[7; 32]);
        let all = [seal.commit("a", b"x"), seal.commit("b", b"x"), seal.commit("a", b"y"), Seal::new(&[8; 32]).commit("a", b"x")];
        assert_eq!(all.iter().collect::<std::collections::BTreeSet<_>>().len(), 4);
    }

    #[test]
    fn pseudonyms_differ_by_platform_account_and_key_and_are_no_commitments() {
        use domain::Platform;
        let key = |platform, id: &str| AccountKey { platform, native_id: id.into() };
        let seal = Seal::new(&[7; 32]);
        let all = [
            seal.pseudonym(&key(Platform::Bluesky, "a")),
            seal.pseudonym(&key(Platform::Bluesky, "b")),
            seal.pseudonym(&key(Platform::Csv, "a")),
            Seal::new(&[8; 32]).pseudonym(&key(Platform::Bluesky, "a")),
            seal.commit("bluesky", b"a"),
        ];
        assert_eq!(all.iter().collect::<std::collections::BTreeSet<_>>().len(), 5);
        assert_eq!(all[0], seal.pseudonym(&key(Platform::Bluesky, "a")));
    }
}
