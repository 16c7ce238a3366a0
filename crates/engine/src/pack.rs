//! Long JSON texts that are kept: packed with zstd, short ones as they are. Both are read.
//!
//! Messages are much like each other, and each says everything twice, as text and as HTML with all its
//! styles. They are packed with a dictionary of what most of them say. A frame names the dictionary that it
//! was packed with (RFC 8878, 3.1.1.1.3): one that was ever released stays as it is, and stays here.
//!
//! The first was made by `zstd --train --maxdict=32768` of the e-mails of the shipped policies with their
//! sample data, as they are kept. It holds nothing of anybody.

use std::{
    borrow::Cow,
    cell::RefCell,
    io::{self, Read},
    sync::LazyLock,
};

use zstd::{
    bulk::Compressor, dict::DecoderDictionary, stream::read::Decoder,
    zstd_safe::get_dict_id_from_frame,
};

/// From so many bytes on packing is worth it: an e-mail with all its markup takes a tenth with the
/// shipped texts, the state of an account a fifth.
const WORTH_PACKING: usize = 512;
/// How a text that is packed begins (RFC 8878, 3.1.1); none of ours does otherwise.
const PACKED: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];
/// What messages say.
const MESSAGES: &[u8] = include_bytes!("pack/messages-1.zdict");

static TO_UNPACK_MESSAGES: LazyLock<DecoderDictionary<'static>> =
    LazyLock::new(|| DecoderDictionary::copy(MESSAGES));

thread_local! {
    static PLAIN: Packer = const { RefCell::new(None) };
    static LIKE_A_MESSAGE: Packer = const { RefCell::new(None) };
}

type Packer = RefCell<Option<Compressor<'static>>>;

/// The text in the form in which it is kept.
pub(crate) fn packed(json: &[u8]) -> Cow<'_, [u8]> {
    PLAIN.with(|packer| pack(packer, &[], json))
}

/// The same for one that may be a message.
pub(crate) fn packed_like_a_message(json: &[u8]) -> Cow<'_, [u8]> {
    LIKE_A_MESSAGE.with(|packer| pack(packer, MESSAGES, json))
}

fn pack<'j>(packer: &Packer, dictionary: &[u8], json: &'j [u8]) -> Cow<'j, [u8]> {
    if json.len() < WORTH_PACKING {
        return Cow::Borrowed(json);
    }
    let mut packer = packer.borrow_mut();
    let packed = match &mut *packer {
        Some(packer) => packer.compress(json),
        None => Compressor::with_dictionary(1, dictionary)
            .and_then(|new| packer.insert(new).compress(json)),
    };
    // Packing needs nothing but memory; what is not packed is read all the same.
    packed.map_or(Cow::Borrowed(json), Cow::Owned)
}

/// The text of which this is the form in which it is kept. Fails where it is damaged, or was packed with a
/// dictionary that is not known here.
pub(crate) fn unpacked(kept: &[u8]) -> io::Result<Cow<'_, [u8]>> {
    if !kept.starts_with(&PACKED) {
        return Ok(Cow::Borrowed(kept));
    }
    let mut json = Vec::with_capacity(4 * kept.len());
    match get_dict_id_from_frame(kept) {
        Some(_) => {
            Decoder::with_prepared_dictionary(kept, &TO_UNPACK_MESSAGES)?.read_to_end(&mut json)?
        }
        None => Decoder::with_buffer(kept)?.read_to_end(&mut json)?,
    };
    Ok(Cow::Owned(json))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn what_is_packed_either_way_is_read_and_what_is_damaged_is_not() {
        let json = format!("{{\"text\":\"{}\"}}", "Guten Tag Anna Beispiel, ".repeat(40));
        let other = [&[0_u8; 64], json.as_bytes()].concat();
        let foreign = Compressor::with_dictionary(1, &other).unwrap().compress(json.as_bytes());
        for kept in [packed(json.as_bytes()), packed_like_a_message(json.as_bytes())] {
            assert!(kept.len() < json.len() / 4);
            assert_eq!(unpacked(&kept).unwrap(), json.as_bytes());
            for end in 4..kept.len() {
                assert!(unpacked(&kept[..end]).is_err(), "{end} of {}", kept.len());
            }
        }
        assert!(unpacked(&foreign.unwrap()).is_err());
    }
}
