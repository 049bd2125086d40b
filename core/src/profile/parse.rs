//! The grammar, line by line: text to sections that borrow from it.

pub(super) const WHITE: [char; 2] = [' ', '\t'];
pub(super) const COMMENT: [char; 2] = ['#', ';'];

/// A section as written.
pub(super) struct Section<'a> {
    /// The text between the brackets.
    pub(super) header: &'a str,
    pub(super) line: u32,
    pub(super) properties: Vec<RawProperty<'a>>,
}

/// A property as written.
pub(super) struct RawProperty<'a> {
    pub(super) key: &'a str,
    pub(super) line: u32,
    first: &'a str,
    more: Vec<&'a str>,
}

impl RawProperty<'_> {
    /// The value with its continuations, built in one piece so that no copy is left behind.
    pub(super) fn value(&self) -> String {
        let length = self.first.len() + self.more.iter().map(|part| part.len() + 1).sum::<usize>();
        let mut value = String::with_capacity(length);
        value.push_str(self.first);
        for part in &self.more {
            value.push('\n');
            value.push_str(part);
        }
        value
    }
}

/// A file's sections, and the lines that AWS CLI reads otherwise.
#[derive(Default)]
pub(super) struct Parsed<'a> {
    pub(super) sections: Vec<Section<'a>>,
    pub(super) differences: Vec<(u32, &'static str)>,
}

/// A line that breaks the grammar. Its text may be a secret and is not kept.
#[derive(Debug)]
pub(super) struct Malformed {
    pub(super) line: u32,
    pub(super) message: &'static str,
    pub(super) help: &'static str,
}

/// What a line is, by itself.
#[derive(Clone, Copy)]
pub(super) enum LineKind<'a> {
    /// Blank, or a comment.
    Nothing,
    /// What follows the `[`.
    Section(&'a str),
    /// The line without the white space around it.
    Continuation(&'a str),
    /// The same.
    Property(&'a str),
}

impl<'a> LineKind<'a> {
    /// Of a line without its end.
    pub(super) fn of(line: &'a str) -> Self {
        let rest = line.trim_matches(WHITE);
        if rest.is_empty() || line.starts_with(COMMENT) {
            Self::Nothing
        } else if let Some(rest) = line.strip_prefix('[') {
            Self::Section(rest)
        } else if line.starts_with(WHITE) {
            Self::Continuation(rest)
        } else {
            Self::Property(rest)
        }
    }
}

pub(super) fn parse(text: &str) -> Result<Parsed<'_>, Malformed> {
    let mut parsed = Parsed::default();
    for (number, line) in (1..).zip(text.split('\n')) {
        let read = match LineKind::of(line.strip_suffix('\r').unwrap_or(line)) {
            LineKind::Nothing => continue,
            LineKind::Section(rest) => parsed.section(number, rest),
            LineKind::Continuation(rest) => parsed.continuation(number, rest),
            LineKind::Property(rest) => parsed.property(number, rest),
        };
        read.map_err(|(message, help)| Malformed { line: number, message, help })?;
    }
    Ok(parsed)
}

type Step = Result<(), (&'static str, &'static str)>;

const NO_SECTION: (&str, &str) = (
    "expected a profile definition such as [default] before this line",
    "start the file with a section in brackets",
);

impl<'a> Parsed<'a> {
    fn section(&mut self, line: u32, text: &'a str) -> Step {
        let Some((header, rest)) = header(text) else {
            return Err(("expected a ']' that ends the section's name", "write [profile NAME]"));
        };
        let rest = rest.trim_matches(WHITE);
        if !rest.is_empty() && !rest.starts_with(COMMENT) {
            return Err((
                "expected the line to end after the section's ']'",
                "put properties on lines of their own",
            ));
        }
        if rest.contains(']') {
            self.differs(line, "AWS CLI takes the section's name up to the last ']' of the line, inside the comment");
        }
        self.sections.push(Section { header, line, properties: Vec::new() });
        Ok(())
    }

    fn continuation(&mut self, line: u32, text: &'a str) -> Step {
        let Some(section) = self.sections.last_mut() else { return Err(NO_SECTION) };
        let Some(property) = section.properties.last_mut() else {
            return Err((
                "expected a property definition, found a line that continues one",
                "remove the white space at the start of the line",
            ));
        };
        let is_comment = text.starts_with(COMMENT);
        // A comment among sub-properties defines none; the SDKs refuse the file, to no one's gain.
        if property.first.is_empty() && !is_comment {
            match split(text).0 {
                None => {
                    return Err((
                        "expected an '=' sign defining a property in a sub-property",
                        "write name = value; sub-properties follow a property without a value",
                    ));
                }
                Some(("", _)) => {
                    return Err((
                        "expected a name before the '=' of a sub-property",
                        "write name = value",
                    ));
                }
                Some(_) => {}
            }
        }
        property.more.push(text);
        if is_comment {
            self.differs(
                line,
                "an indented comment continues the value above; AWS CLI leaves it out",
            );
        }
        Ok(())
    }

    fn property(&mut self, line: u32, text: &'a str) -> Step {
        let Some(section) = self.sections.last_mut() else { return Err(NO_SECTION) };
        let (split, has_comment) = split(text);
        let (key, first) = match split {
            None => {
                return Err((
                    "expected an '=' sign defining a property",
                    "write name = value; a ':' in place of '=' is understood by AWS CLI only",
                ));
            }
            Some(("", _)) => {
                return Err(("expected a property name before '='", "write name = value"));
            }
            Some(split) => split,
        };
        section.properties.push(RawProperty { key, line, first, more: Vec::new() });
        if has_comment {
            self.differs(line, "the comment at the end of the line is left out here; AWS CLI takes it as part of the value");
        }
        if key.contains(':') {
            self.differs(line, "AWS CLI ends the property's name at the ':'");
        }
        Ok(())
    }

    fn differs(&mut self, line: u32, message: &'static str) {
        self.differences.push((line, message));
    }
}

/// Splits what follows a `[` into the section's header and what stands after the `]`.
pub(super) fn header(text: &str) -> Option<(&str, &str)> {
    let end = text.find([']', COMMENT[0], COMMENT[1]])?;
    Some((&text[..end], text[end..].strip_prefix(']')?))
}

/// Where in `name = value # comment` the comment begins.
pub(super) fn comment_start(line: &str) -> Option<usize> {
    let mut marks = line.match_indices(COMMENT).map(|(at, _)| at);
    marks.find(|&at| line[..at].ends_with(char::is_whitespace))
}

/// Splits `name = value # comment`, and says whether there was a comment.
pub(super) fn split(line: &str) -> (Option<(&str, &str)>, bool) {
    let comment = comment_start(line);
    let line = comment.map_or(line, |at| &line[..at]);
    let split = line.split_once('=').map(|(k, v)| (k.trim_matches(WHITE), v.trim_matches(WHITE)));
    (split, comment.is_some())
}

/// The `name = value` lines of a value that holds sub-properties.
pub(super) fn sub_properties(value: &str) -> impl Iterator<Item = (&str, &str)> {
    // What stands on the property's own line is a value, not a sub-property.
    let lines = value.strip_prefix('\n').unwrap_or_default().split('\n');
    lines.filter(|line| !line.starts_with(COMMENT)).filter_map(|line| split(line).0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn malformed(text: &str) -> (u32, &'static str) {
        parse(text).map(|_| ()).map_err(|error| (error.line, error.message)).unwrap_err()
    }

    #[test]
    fn each_kind_of_bad_line_is_named_with_its_number() {
        for (text, line, part) in [
            ("\n\na = b", 3, "profile definition"),
            (" continued", 1, "profile definition"),
            ("[a]\n b = c", 2, "property definition"),
            ("[a", 1, "']'"),
            ("[a # ]", 1, "']'"),
            ("[a] b = c", 1, "end after"),
            ("[a]\nb", 2, "'='"),
            ("[a]\nb # = c", 2, "'='"),
            ("[a]\n= c", 2, "name before"),
            ("[a]\ns =\n b", 3, "sub-property"),
            ("[a]\ns =\n = b", 3, "sub-property"),
        ] {
            let (found, message) = malformed(text);
            assert_eq!(found, line, "{text:?}");
            assert!(message.contains(part), "{text:?}: {message}");
        }
    }

    #[test]
    fn continuations_survive_blank_lines_and_comments_between() {
        let parsed = parse("[a]\nb = 1\n\t \n# no\n 2 # yes\r\nc=3").ok().unwrap();
        let properties = &parsed.sections[0].properties;
        assert_eq!(properties[0].value(), "1\n2 # yes");
        assert_eq!((properties[1].key, properties[1].value().as_str()), ("c", "3"));
    }

    #[test]
    fn what_aws_cli_reads_otherwise_is_noted() {
        let parsed = parse("[a] # [b]\nc = d # e\nf:g = h\n # i\nj = k#l").ok().unwrap();
        let lines: Vec<u32> = parsed.differences.iter().map(|(line, _)| *line).collect();
        assert_eq!(lines, [1, 2, 3, 4]);
        assert_eq!(parsed.sections[0].properties[2].value(), "k#l");
    }

    #[test]
    fn sub_properties_are_read_and_comments_among_them_are_not() {
        let parsed = parse("[a]\ns3 =\n x = 1 # one\n # y = 2\n z =").ok().unwrap();
        let value = parsed.sections[0].properties[0].value();
        assert_eq!(sub_properties(&value).collect::<Vec<_>>(), [("x", "1"), ("z", "")]);
        assert_eq!(sub_properties("a = b").count(), 0);
    }
}
