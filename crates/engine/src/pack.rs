//! Long JSON texts that are kept: packed with zstd, short ones as they are. Both are read.

use std::{borrow::Cow, cell::RefCell, io};

use zstd::bulk::Compressor;

/// From so many bytes on packing is worth it: a message with all its markup takes a third, the state of
/// an account a fifth.
const WORTH_PACKING: usize = 512;
/// How a text that is packed begins (RFC 8878, 3.1.1); none of ours does otherwise.
const PACKED: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

thread_local! {
    static PACKER: RefCell<Option<Compressor<'static>>> = const { RefCell::new(None) };
}

/// The text in the form in which it is kept.
pub(crate) fn packed(json: &[u8]) -> Cow<'_, [u8]> {
    if json.len() < WORTH_PACKING {
        return Cow::Borrowed(json);
    }
    let packed = PACKER.with_borrow_mut(|packer| match packer {
        Some(packer) => packer.compress(json),
        None => packer.insert(Compressor::new(1)?).compress(json),
    });
    // Packing needs nothing but memory; what is not packed is read all the same.
    packed.map_or(Cow::Borrowed(json), Cow::Owned)
}

/// The text of which this is the form in which it is kept.
pub(crate) fn unpacked(kept: &[u8]) -> io::Result<Cow<'_, [u8]>> {
    match kept.starts_with(&PACKED) {
        true => zstd::decode_all(kept).map(Cow::Owned),
        false => Ok(Cow::Borrowed(kept)),
    }
}
