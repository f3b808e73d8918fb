//! Finds the parenthesis that has no partner, before the parser stumbles over it somewhere else.
//!
//! A parser finds that something is missing at the end of a file. Whoever wrote it wants to know which form is not
//! closed. In well laid out text a form that begins in the first column is a definition of its own, so the form that is
//! open there is the one.

/// The offset of a parenthesis without a partner, and what is wrong with it.
#[must_use]
pub fn unbalanced(text: &str) -> Option<(usize, String)> {
    let bytes = text.as_bytes();
    let mut open: Vec<usize> = Vec::new();
    // The first definition that is still open where another one begins, and the line of that other one.
    let mut suspect: Option<(usize, usize)> = None;
    let (mut line, mut at) = (1, 0);
    while at < bytes.len() {
        match bytes[at] {
            b'\n' => line += 1,
            b';' => {
                while at + 1 < bytes.len() && bytes[at + 1] != b'\n' {
                    at += 1;
                }
            }
            b'(' if bytes.get(at + 1) == Some(&b';') => {
                let end = end_of_comment(bytes, at);
                line += bytes[at..end].iter().filter(|byte| **byte == b'\n').count();
                at = end;
                continue;
            }
            b'(' => {
                let first_column = at == 0 || bytes[at - 1] == b'\n';
                if let (true, None, Some(&outer)) = (first_column, suspect, open.first()) {
                    suspect = Some((outer, line));
                }
                open.push(at);
            }
            b')' if open.pop().is_none() => {
                return Some((at, "this parenthesis closes nothing".to_owned()));
            }
            _ => {}
        }
        at += 1;
    }
    let &outermost = open.first()?;
    Some(match suspect {
        Some((offset, next)) => (
            offset,
            format!("this form is not closed where the next one begins, in line {next}"),
        ),
        None => (
            outermost,
            "this form is not closed at the end of the file".to_owned(),
        ),
    })
}

/// The offset behind a block comment `(; .. ;)`, which may contain others.
fn end_of_comment(bytes: &[u8], start: usize) -> usize {
    let (mut depth, mut at) = (0usize, start);
    while at < bytes.len() {
        match bytes.get(at..at + 2) {
            Some(b"(;") => {
                depth += 1;
                at += 2;
            }
            Some(b";)") => {
                depth -= 1;
                at += 2;
                if depth == 0 {
                    return at;
                }
            }
            _ => at += 1,
        }
    }
    at
}

#[cfg(test)]
mod tests {
    use super::unbalanced;

    #[test]
    fn the_open_form_is_named_and_not_the_end_of_the_file() {
        let cases = [
            ("(a (b))\n(c)\n", None),
            ("(a ; (((\n)\n(; ((( (; ;)\n ;)(c)\n", None),
            ("(a)\n(b (c)\n(d)\n(e)\n", Some((4, "in line 3"))),
            ("(a)\n(b (c)", Some((4, "end of the file"))),
            ("(a))\n(b)", Some((3, "closes nothing"))),
            ("(; ( ;)\n)", Some((8, "closes nothing"))),
        ];
        for (text, expected) in cases {
            let found = unbalanced(text);
            let place = found.as_ref().map(|(offset, _)| *offset);
            assert_eq!(
                place,
                expected.map(|(offset, _)| offset),
                "{text}: {found:?}"
            );
            if let (Some((_, problem)), Some((_, words))) = (found, expected) {
                assert!(problem.contains(words), "{text}: {problem}");
            }
        }
    }
}
