//! Signed notes (C2SP signed-note) with Ed25519.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use sha2::{Digest, Sha256};

use crate::{Checkpoint, Hash};

/// Algorithm byte of Ed25519 in key ids and keys.
const ED25519: u8 = 1;

/// A note or key that cannot be trusted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoteError {
    /// Not a note or key at all.
    #[error("this is not a {0}")]
    Malformed(&'static str),
    /// Nobody whom we know signed it.
    #[error("no signature by this key")]
    Unsigned,
    /// The signature is wrong.
    #[error("the signature is wrong")]
    Forged,
    /// It is another log's checkpoint.
    #[error("the checkpoint is of another log")]
    Origin,
    /// A text that no note can have.
    #[error("a note's text is lines without control characters, none of them empty, each ended by a newline")]
    Text,
}

/// Signs checkpoints of one log, or texts of one kind under a key of their own.
pub struct Signer {
    name: String,
    key: SigningKey,
}

/// Checks what one [`Signer`] signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verifier {
    name: String,
    key: VerifyingKey,
}

fn check_name(name: &str) -> Result<(), NoteError> {
    if name.is_empty() || name.chars().any(|c| c.is_whitespace() || c == '+') { Err(NoteError::Malformed("key name")) } else { Ok(()) }
}

/// Whether a note can have this text, and nobody splits it elsewhere.
fn is_note_text(text: &str) -> bool {
    text.strip_suffix('\n').is_some_and(|lines| lines.split('\n').all(|line| !line.is_empty() && !line.chars().any(|c| c < ' ')))
}

impl Signer {
    /// The signer with this secret seed.
    ///
    /// # Errors
    /// When the name is empty or has spaces or a plus sign.
    pub fn from_seed(name: &str, seed: &[u8; 32]) -> Result<Self, NoteError> {
        check_name(name)?;
        Ok(Self { name: name.to_owned(), key: SigningKey::from_bytes(seed) })
    }

    /// What others check this signer's notes with.
    #[must_use]
    pub fn verifier(&self) -> Verifier {
        Verifier { name: self.name.clone(), key: self.key.verifying_key() }
    }

    /// The whole note: the checkpoint's text, an empty line and the signature.
    #[must_use]
    pub fn sign(&self, checkpoint: &Checkpoint) -> String {
        self.seal(&checkpoint.to_text())
    }

    /// The whole note of any other text. Its first line says what the signature is for, so that no text is
    /// ever taken for one of another kind; a checkpoint's is the log's name.
    ///
    /// # Errors
    /// When the text is empty, does not end in a newline, or has an empty line or another control character.
    pub fn sign_text(&self, text: &str) -> Result<String, NoteError> {
        if is_note_text(text) { Ok(self.seal(text)) } else { Err(NoteError::Text) }
    }

    fn seal(&self, text: &str) -> String {
        let signature = self.key.sign(text.as_bytes());
        let id = self.verifier().id();
        format!("{text}\n\u{2014} {} {}\n", self.name, STANDARD.encode([id.as_slice(), &signature.to_bytes()].concat()))
    }
}

impl Verifier {
    /// First four bytes of SHA-256(name ‖ newline ‖ algorithm ‖ key).
    fn id(&self) -> [u8; 4] {
        let digest = Sha256::new().chain_update(&self.name).chain_update([b'\n', ED25519]).chain_update(self.key.as_bytes()).finalize();
        let mut id = [0; 4];
        id.iter_mut().zip(digest).for_each(|(to, from)| *to = from);
        id
    }

    /// The key as text: `name+id+key`.
    #[must_use]
    pub fn to_vkey(&self) -> String {
        format!("{}+{}+{}", self.name, hex::encode(self.id()), STANDARD.encode([&[ED25519], self.key.as_bytes().as_slice()].concat()))
    }

    /// Reads what [`Verifier::to_vkey`] wrote.
    ///
    /// # Errors
    /// When it is no Ed25519 key or its id is not its own.
    pub fn parse(vkey: &str) -> Result<Self, NoteError> {
        let malformed = || NoteError::Malformed("verifier key");
        let mut parts = vkey.splitn(3, '+');
        let (Some(name), Some(id), Some(key)) = (parts.next(), parts.next(), parts.next()) else { return Err(malformed()) };
        check_name(name)?;
        let key = STANDARD.decode(key).map_err(|_| malformed())?;
        let Some((&ED25519, key)) = key.split_first() else { return Err(malformed()) };
        let key = <[u8; 32]>::try_from(key).ok().and_then(|k| VerifyingKey::from_bytes(&k).ok()).ok_or_else(malformed)?;
        let verifier = Self { name: name.to_owned(), key };
        if hex::encode(verifier.id()) == id { Ok(verifier) } else { Err(malformed()) }
    }

    /// Opens a signed checkpoint of this log.
    ///
    /// # Guarantee
    /// `Ok` means that the holder of the key signed exactly this checkpoint, for this log.
    ///
    /// # Errors
    /// When the note is malformed, unsigned or forged, or of another log.
    pub fn open(&self, note: &str) -> Result<Checkpoint, NoteError> {
        let checkpoint = Checkpoint::parse(&self.open_text(note)?).map_err(|_| NoteError::Malformed("checkpoint"))?;
        if checkpoint.origin == self.name { Ok(checkpoint) } else { Err(NoteError::Origin) }
    }

    /// Opens a note that [`Signer::sign_text`] made. The caller looks at the text's first line: it says what the
    /// signature is for.
    ///
    /// # Guarantee
    /// `Ok` means that the holder of the key signed exactly this text.
    ///
    /// # Errors
    /// When the note is malformed, unsigned or forged.
    pub fn open_text(&self, note: &str) -> Result<String, NoteError> {
        let malformed = || NoteError::Malformed("signed note");
        let (text, signatures) = note.split_once("\n\n").ok_or_else(malformed)?;
        let text = format!("{text}\n");
        let signatures = signatures.strip_suffix('\n').filter(|_| is_note_text(&text)).ok_or_else(malformed)?;
        for line in signatures.split('\n') {
            let (name, signature) = line.strip_prefix("\u{2014} ").and_then(|l| l.split_once(' ')).ok_or_else(malformed)?;
            let signature = STANDARD.decode(signature).map_err(|_| malformed())?;
            let Some((id, signature)) = signature.split_first_chunk::<4>() else { return Err(malformed()) };
            if name != self.name || *id != self.id() {
                continue;
            }
            let signature = Signature::from_slice(signature).map_err(|_| malformed())?;
            return self.key.verify_strict(text.as_bytes(), &signature).map(|()| text).map_err(|_| NoteError::Forged);
        }
        Err(NoteError::Unsigned)
    }

    /// A hash that names the key, to show to people.
    #[must_use]
    pub fn fingerprint(&self) -> Hash {
        Hash::from_bytes(Sha256::digest(self.to_vkey()).into())
    }
}
