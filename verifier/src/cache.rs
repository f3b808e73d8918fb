//! The cache of the solver's answers: one small file for each question.
//!
//! The key is the BLAKE3 hash of everything that an answer depends on: the format of the files, the solver's
//! version, and the text of the question. A file says its own key and ends with its own hash, so that a torn,
//! truncated or foreign file is no answer. It is written under a temporary name and then renamed, so that runs that
//! are killed, and runs at the same time, leave whole files only. `Unknown` is never kept: more time may help.

use crate::solve::{Answer, constant};
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// Part of every key. It changes whenever files, or questions with the same text, come to mean something else.
const FORMAT: &str = "skerry-verify-cache 1";

/// A folder of cached answers.
#[derive(Debug)]
pub struct Cache {
    folder: PathBuf,
    written: AtomicU64,
}

impl Cache {
    /// Opens the cache in a folder, which need not exist yet.
    #[must_use]
    pub fn new(folder: &Path) -> Self {
        Self {
            folder: folder.to_owned(),
            written: AtomicU64::new(0),
        }
    }

    /// The key of a question, given as its text, to a solver of this version.
    #[must_use]
    pub fn key(version: &str, text: &str) -> String {
        let mut hasher = blake3::Hasher::new();
        // The length of each part comes first, so that no two different triples give the same bytes.
        for part in [FORMAT, version, text] {
            hasher.update(&(part.len() as u64).to_le_bytes());
            hasher.update(part.as_bytes());
        }
        hasher.finalize().to_hex().to_string()
    }

    fn file(&self, key: &str) -> PathBuf {
        self.folder.join(&key[..2]).join(&key[2..])
    }

    /// The answer that is kept under a key, if there is one and its file is whole.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<Answer> {
        let text = std::fs::read_to_string(self.file(key)).ok()?;
        let (body, hash) = text.trim_end().rsplit_once('\n')?;
        if blake3::hash(body.as_bytes()).to_hex().as_str() != hash {
            return None;
        }
        let mut lines = body.lines();
        if lines.next()? != key {
            return None;
        }
        match lines.next()? {
            "unsat" => Some(Answer::Unsat),
            "sat" => lines
                .map(constant)
                .collect::<Option<Vec<_>>>()
                .map(Answer::Sat),
            _ => None,
        }
    }

    /// Keeps an answer. If the cache cannot be written to, that is no error: it only costs time later.
    pub fn put(&self, key: &str, answer: &Answer) {
        let mut body = String::from(key);
        match answer {
            Answer::Unknown(_) => return,
            Answer::Unsat => body.push_str("\nunsat"),
            Answer::Sat(values) => {
                body.push_str("\nsat");
                for value in values {
                    match value {
                        crate::expr::Constant::Bool(value) => write!(body, "\n{value}"),
                        crate::expr::Constant::Bits { width, value } => {
                            write!(body, "\n#b{value:0digits$b}", digits = *width as usize)
                        }
                    }
                    .expect("writing to a string");
                }
            }
        }
        let hash = blake3::hash(body.as_bytes()).to_hex();
        let file = self.file(key);
        let Some(folder) = file.parent() else {
            return;
        };
        let number = self.written.fetch_add(1, Ordering::Relaxed);
        let beside = folder.join(format!("new-{}-{number}", std::process::id()));
        let kept = std::fs::create_dir_all(folder)
            .and_then(|()| std::fs::write(&beside, format!("{body}\n{hash}\n")))
            .and_then(|()| std::fs::rename(&beside, &file));
        if kept.is_err() {
            let _ = std::fs::remove_file(&beside);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Cache;
    use crate::expr::Constant;
    use crate::solve::Answer;

    fn folder(name: &str) -> std::path::PathBuf {
        let folder =
            std::env::temp_dir().join(format!("skerry-cache-{}-{name}", std::process::id()));
        let _ = std::fs::remove_dir_all(&folder);
        folder
    }

    #[test]
    fn answers_come_back_and_unknown_is_never_kept() {
        let cache = Cache::new(&folder("back"));
        let sat = Answer::Sat(vec![
            Constant::Bool(true),
            Constant::Bits {
                width: 9,
                value: 0x101,
            },
        ]);
        for (text, answer) in [("a", Answer::Unsat), ("b", sat)] {
            let key = Cache::key("5.4.1", text);
            assert_eq!(cache.get(&key), None);
            cache.put(&key, &answer);
            assert_eq!(cache.get(&key), Some(answer));
        }
        let key = Cache::key("5.4.1", "c");
        cache.put(&key, &Answer::Unknown("timeout".to_owned()));
        assert_eq!(cache.get(&key), None);
        let _ = std::fs::remove_dir_all(&cache.folder);
    }

    #[test]
    fn keys_tell_version_and_text_apart() {
        let keys = [
            Cache::key("1", "23"),
            Cache::key("12", "3"),
            Cache::key("1", "24"),
        ];
        assert_ne!(keys[0], keys[1]);
        assert_ne!(keys[0], keys[2]);
    }

    #[test]
    fn damaged_and_foreign_files_are_no_answers() {
        let cache = Cache::new(&folder("damaged"));
        let key = Cache::key("5.4.1", "a");
        let other = Cache::key("5.4.1", "b");
        cache.put(&key, &Answer::Unsat);
        let whole = std::fs::read(cache.file(&key)).expect("written above");
        for length in 0..whole.len() - 1 {
            std::fs::write(cache.file(&key), &whole[..length]).expect("a writable folder");
            assert_eq!(cache.get(&key), None, "cut to {length} bytes");
        }
        for at in 0..whole.len() - 1 {
            let mut damaged = whole.clone();
            damaged[at] ^= 1;
            std::fs::write(cache.file(&key), &damaged).expect("a writable folder");
            assert_eq!(cache.get(&key), None, "byte {at} changed");
        }
        std::fs::create_dir_all(cache.file(&other).parent().expect("has a folder"))
            .expect("a writable folder");
        std::fs::write(cache.file(&other), &whole).expect("a writable folder");
        assert_eq!(cache.get(&other), None, "a file under another key");
        let _ = std::fs::remove_dir_all(&cache.folder);
    }
}
