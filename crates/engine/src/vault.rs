//! Personal data, sealed. Each account has a key of its own, which lies beside the events wrapped
//! by the master key. Destroying an account's key makes its data unreadable wherever a copy lies.
//!
//! XChaCha20-Poly1305 (audited in RustCrypto's `chacha20poly1305`), a fresh 24-byte nonce before
//! each cipher text, the account and the slot as associated data, so that a sealed datum cannot
//! be moved to another place.

use std::{fs, io::Write, path::Path};

use chacha20poly1305::{
    KeyInit, XChaCha20Poly1305, XNonce,
    aead::{Aead, Payload},
};
use kulanz_domain::ids::AccountId;
use sha2::{Digest, Sha256};
use thiserror::Error;

use crate::pack::{packed_like_a_message, unpacked};

const NONCE: usize = 24;

/// Why something could not be sealed or opened.
#[derive(Debug, Error)]
pub enum VaultError {
    /// The master key's file cannot be read or made.
    #[error("the master key at {path} cannot be used: {reason}")]
    MasterKey {
        /// File.
        path: String,
        /// Why.
        reason: String,
    },
    /// The operating system gives no random numbers.
    #[error("no random numbers from the operating system")]
    Random,
    /// Sealed by another key, or damaged.
    #[error("{0} cannot be opened with this master key, or is damaged")]
    Sealed(String),
}

/// A key of an account, unwrapped. Never printed.
#[derive(Clone)]
pub struct AccountKey([u8; 32]);

/// The master key.
pub struct Vault {
    master: XChaCha20Poly1305,
    service: AccountKey,
    fingerprint: [u8; 16],
}

impl std::fmt::Debug for AccountKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("AccountKey(…)")
    }
}

impl std::fmt::Debug for Vault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Vault(…)")
    }
}

/// `N` random bytes from the operating system.
pub fn random<const N: usize>() -> Result<[u8; N], VaultError> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|_| VaultError::Random)?;
    Ok(bytes)
}

impl Vault {
    /// A vault with this master key.
    pub fn new(master: [u8; 32]) -> Self {
        let service =
            Sha256::new_with_prefix(master).chain_update(b"kulanz service key").finalize();
        let mark = Sha256::new_with_prefix(master)
            .chain_update(b"kulanz master key fingerprint")
            .finalize();
        let mut fingerprint = [0; 16];
        fingerprint.copy_from_slice(&mark[..16]);
        Self {
            master: XChaCha20Poly1305::new(&master.into()),
            service: AccountKey(service.into()),
            fingerprint,
        }
    }

    /// Tells the master key from others, and nothing of it.
    pub const fn fingerprint(&self) -> &[u8; 16] {
        &self.fingerprint
    }

    /// Reads the master key from `path`, 64 hex digits; makes it, readable by its owner alone,
    /// where there is none.
    pub fn open_or_make(path: &Path) -> Result<Self, VaultError> {
        let failed =
            |reason: String| VaultError::MasterKey { path: path.display().to_string(), reason };
        match fs::read_to_string(path) {
            Ok(text) => {
                let key = from_hex(text.trim())
                    .ok_or_else(|| failed("it is not 64 hex digits".to_owned()))?;
                Ok(Self::new(key))
            }
            Err(missing) if missing.kind() == std::io::ErrorKind::NotFound => {
                let key = random::<32>()?;
                let mut options = fs::OpenOptions::new();
                options.write(true).create_new(true);
                #[cfg(unix)]
                std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
                let mut file = options.open(path).map_err(|e| failed(e.to_string()))?;
                let text: String = key.iter().map(|byte| format!("{byte:02x}")).collect();
                writeln!(file, "{text}").map_err(|e| failed(e.to_string()))?;
                file.sync_all().map_err(|e| failed(e.to_string()))?;
                Ok(Self::new(key))
            }
            Err(other) => Err(failed(other.to_string())),
        }
    }

    /// A new key for `account`, and the same wrapped for the store.
    pub fn new_key(&self, account: &AccountId) -> Result<(AccountKey, Vec<u8>), VaultError> {
        let key = random::<32>()?;
        let wrapped = seal_with(&self.master, &key, account.to_string().as_bytes())?;
        Ok((AccountKey(key), wrapped))
    }

    /// The key of `account` from its wrapped form.
    pub fn unwrap_key(
        &self,
        account: &AccountId,
        wrapped: &[u8],
    ) -> Result<AccountKey, VaultError> {
        let name = account.to_string();
        let key = open_with(&self.master, wrapped, name.as_bytes())
            .and_then(|key| key.try_into().ok())
            .ok_or(VaultError::Sealed(format!("the key of {name}")))?;
        Ok(AccountKey(key))
    }

    /// The key for what belongs to no account: dead letters whose account nobody can tell.
    pub const fn service_key(&self) -> &AccountKey {
        &self.service
    }
}

impl AccountKey {
    /// Seals `plain` for its place.
    pub fn seal(&self, place: &str, plain: &[u8]) -> Result<Vec<u8>, VaultError> {
        seal_with(&XChaCha20Poly1305::new(&self.0.into()), plain, place.as_bytes())
    }

    /// Opens what was sealed for `place`.
    pub fn open(&self, place: &str, sealed: &[u8]) -> Result<Vec<u8>, VaultError> {
        open_with(&XChaCha20Poly1305::new(&self.0.into()), sealed, place.as_bytes())
            .ok_or_else(|| VaultError::Sealed(place.to_owned()))
    }
}

impl AccountKey {
    /// Seals a JSON text into its slot of the account. A long one is packed first (zstd): an e-mail
    /// with all its markup takes a tenth with the shipped texts.
    pub fn seal_json(
        &self,
        account: &AccountId,
        slot: &str,
        json: &[u8],
    ) -> Result<Vec<u8>, VaultError> {
        self.seal(&format!("{account}/{slot}"), &packed_like_a_message(json))
    }

    /// Opens what [`AccountKey::seal_json`] sealed.
    pub fn open_json(
        &self,
        account: &AccountId,
        slot: &str,
        sealed: &[u8],
    ) -> Result<Vec<u8>, VaultError> {
        let place = format!("{account}/{slot}");
        let plain = self.open(&place, sealed)?;
        Ok(unpacked(&plain).map_err(|_| VaultError::Sealed(place))?.into_owned())
    }
}

fn seal_with(cipher: &XChaCha20Poly1305, msg: &[u8], aad: &[u8]) -> Result<Vec<u8>, VaultError> {
    let nonce = random::<NONCE>()?;
    let sealed = cipher
        .encrypt(&XNonce::from(nonce), Payload { msg, aad })
        .map_err(|_| VaultError::Random)?;
    Ok([nonce.as_slice(), &sealed].concat())
}

fn open_with(cipher: &XChaCha20Poly1305, sealed: &[u8], aad: &[u8]) -> Option<Vec<u8>> {
    let (nonce, msg) = sealed.split_at_checked(NONCE)?;
    cipher.decrypt(XNonce::from_slice(nonce), Payload { msg, aad }).ok()
}

fn from_hex(text: &str) -> Option<[u8; 32]> {
    if text.len() != 64 || !text.is_ascii() {
        return None;
    }
    let mut key = [0; 32];
    for (at, byte) in key.iter_mut().enumerate() {
        *byte = u8::from_str_radix(text.get(2 * at..2 * at + 2)?, 16).ok()?;
    }
    Some(key)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_takes_less_room_sealed_and_comes_back_whole() {
        let (vault, account) = (Vault::new([7; 32]), "shop/K-1".parse().unwrap());
        let (key, _) = vault.new_key(&account).unwrap();
        let long = format!("{{\"html\":\"{}\"}}", "<p>Guten Tag</p>".repeat(200));
        for json in [long.as_str(), "{}", "\"short\""] {
            let sealed = key.seal_json(&account, "notice/N-1", json.as_bytes()).unwrap();
            assert!(sealed.len() < json.len().min(200) + 60, "{}", sealed.len());
            let opened = key.open_json(&account, "notice/N-1", &sealed).unwrap();
            assert_eq!(opened, json.as_bytes());
            assert!(key.open_json(&account, "notice/N-2", &sealed).is_err());
        }
        // As it was sealed before texts were packed.
        let plain = key.seal("shop/K-1/notice/N-1", long.as_bytes()).unwrap();
        assert_eq!(key.open_json(&account, "notice/N-1", &plain).unwrap(), long.as_bytes());
    }

    #[test]
    fn a_sealed_datum_opens_only_at_its_own_place_with_its_own_key() {
        let vault = Vault::new([7; 32]);
        let account: AccountId = "lindenmoor/K-1".parse().unwrap();
        let (key, wrapped) = vault.new_key(&account).unwrap();
        assert_eq!(vault.fingerprint(), Vault::new([7; 32]).fingerprint());
        assert_ne!(vault.fingerprint(), Vault::new([8; 32]).fingerprint());
        let sealed = key.seal("debtor", b"Ada").unwrap();
        assert!(!sealed.windows(3).any(|w| w == b"Ada"));
        let again = vault.unwrap_key(&account, &wrapped).unwrap();
        assert_eq!(again.open("debtor", &sealed).unwrap(), b"Ada");
        assert!(again.open("invoice/R-1", &sealed).is_err());
        let other: AccountId = "lindenmoor/K-2".parse().unwrap();
        assert!(vault.unwrap_key(&other, &wrapped).is_err());
        assert!(Vault::new([8; 32]).unwrap_key(&account, &wrapped).is_err());
        assert!(again.open("debtor", &sealed[..10]).is_err());
    }
}
