//! Serialisation of maps over index spaces, as the sequence of their values, and of byte strings, in one piece.

use cranelift_entity::{EntityRef, PrimaryMap};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

pub(crate) fn serialize<K, V, S>(map: &PrimaryMap<K, V>, serializer: S) -> Result<S::Ok, S::Error>
where
    K: EntityRef,
    V: Serialize,
    S: Serializer,
{
    serializer.collect_seq(map.values())
}

pub(crate) fn deserialize<'de, K, V, D>(deserializer: D) -> Result<PrimaryMap<K, V>, D::Error>
where
    K: EntityRef,
    V: Deserialize<'de>,
    D: Deserializer<'de>,
{
    Vec::<V>::deserialize(deserializer).map(PrimaryMap::from_iter)
}

pub(crate) mod bytes {
    use serde::de::{Error, Visitor};
    use serde::{Deserializer, Serializer};
    use std::fmt;

    pub(crate) fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(bytes)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Box<[u8]>, D::Error> {
        deserializer.deserialize_byte_buf(Bytes)
    }

    struct Bytes;

    impl Visitor<'_> for Bytes {
        type Value = Box<[u8]>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("bytes")
        }

        fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<Box<[u8]>, E> {
            Ok(bytes.into())
        }

        fn visit_byte_buf<E: Error>(self, bytes: Vec<u8>) -> Result<Box<[u8]>, E> {
            Ok(bytes.into())
        }
    }
}
