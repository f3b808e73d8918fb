//! The list of scripts that are known to fail, which is data and not code.

use std::collections::BTreeMap;

use crate::error::Error;

/// Files that are known to fail, by name, each with its reason.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SkipList {
    reasons: BTreeMap<String, String>,
}

impl SkipList {
    /// Reads a list: a line is `NAME.wast: REASON`, empty, or a comment that starts with `#`.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] with `path` and the line, for a line of another form or a name that occurs twice.
    pub fn parse(path: &str, text: &str) -> Result<SkipList, Error> {
        let mut reasons = BTreeMap::new();
        for (number, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let invalid = |message: String| Error::Invalid {
                path: path.into(),
                message: format!("line {}: {message}", number + 1),
            };
            let entry = line
                .split_once(": ")
                .map(|(name, reason)| (name.trim(), reason.trim()));
            let Some((name, reason)) =
                entry.filter(|(name, reason)| name.ends_with(".wast") && !reason.is_empty())
            else {
                return Err(invalid(format!(
                    "expected `NAME.wast: REASON`, found {line:?}"
                )));
            };
            if reasons
                .insert(name.to_string(), reason.to_string())
                .is_some()
            {
                return Err(invalid(format!("{name} is listed a second time")));
            }
        }
        Ok(SkipList { reasons })
    }

    /// The reason why this file is known to fail. The list names it by its file name, or by more of its path.
    pub fn reason(&self, path: &str) -> Option<&str> {
        let listed = |name: &str| path == name || path.ends_with(&format!("/{name}"));
        let found = self.reasons.iter().find(|(name, _)| listed(name));
        found.map(|(_, reason)| reason.as_str())
    }

    /// The names on the list, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.reasons.keys().map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_names_with_reasons() {
        let list =
            SkipList::parse("l", "# floats\n\n f32.wast: needs f32\na/b.wast: x: y\n").unwrap();
        assert_eq!(list.reason("f32.wast"), Some("needs f32"));
        assert_eq!(list.reason("some/where/f32.wast"), Some("needs f32"));
        assert_eq!(list.reason("xf32.wast"), None);
        assert_eq!(list.reason("b.wast"), None);
        assert_eq!(list.reason("z/a/b.wast"), Some("x: y"));
        assert_eq!(list.names().collect::<Vec<_>>(), ["a/b.wast", "f32.wast"]);
    }

    #[test]
    fn wrong_lines_are_told_by_number() {
        let error = |text: &str| SkipList::parse("l", text).unwrap_err().to_string();
        assert_eq!(
            error("\nf32.wast"),
            "l: line 2: expected `NAME.wast: REASON`, found \"f32.wast\""
        );
        assert!(error("f32: no").contains("line 1"));
        assert!(error("a.wast: x\na.wast: y").contains("listed a second time"));
    }
}
