//! Answers as a small tree, written as AWS's XML, or as its JSON for callers that ask for JSON.

use serde_json::{Map, Value};

/// One element: a name, and text or children.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Element {
    name: &'static str,
    content: Content,
}

#[derive(Clone, Debug, PartialEq)]
enum Content {
    Text(String),
    Children(Vec<Element>),
}

impl Element {
    pub(crate) fn text(name: &'static str, text: impl Into<String>) -> Element {
        Element { name, content: Content::Text(text.into()) }
    }

    pub(crate) fn parent(name: &'static str, children: Vec<Element>) -> Element {
        Element { name, content: Content::Children(children) }
    }

    /// Writes this element, indented.
    pub(crate) fn write(&self, out: &mut String, depth: usize) {
        for _ in 0..depth {
            out.push_str("  ");
        }
        out.push('<');
        out.push_str(self.name);
        match &self.content {
            Content::Children(children) if children.is_empty() => out.push_str("/>\n"),
            Content::Text(text) => {
                out.push('>');
                escape_into(out, text);
                self.close(out);
            }
            Content::Children(children) => {
                out.push_str(">\n");
                for child in children {
                    child.write(out, depth + 1);
                }
                for _ in 0..depth {
                    out.push_str("  ");
                }
                self.close(out);
            }
        }
    }

    fn close(&self, out: &mut String) {
        out.push_str("</");
        out.push_str(self.name);
        out.push_str(">\n");
    }

    /// The same tree as AWS's JSON answers hold it.
    pub(crate) fn to_json(&self) -> Value {
        match &self.content {
            Content::Text(text) => Value::String(text.clone()),
            Content::Children(children) => {
                let fields = children.iter().map(|child| (child.name.to_owned(), child.to_json()));
                Value::Object(fields.collect::<Map<_, _>>())
            }
        }
    }
}

/// A whole document: `<root xmlns="…">`, the elements, `</root>`.
pub(crate) fn document(root: &str, namespace: &str, elements: &[Element]) -> String {
    let mut out = String::with_capacity(2048);
    out.push('<');
    out.push_str(root);
    out.push_str(" xmlns=\"");
    out.push_str(namespace);
    out.push_str("\">\n");
    for element in elements {
        element.write(&mut out, 1);
    }
    out.push_str("</");
    out.push_str(root);
    out.push_str(">\n");
    out
}

/// The same document as AWS answers it to callers that ask for JSON.
pub(crate) fn json_document(root: &str, elements: &[Element]) -> String {
    let fields = elements.iter().map(|element| (element.name.to_owned(), element.to_json()));
    let inside = Value::Object(fields.collect::<Map<_, _>>());
    // AWS leaves the root out around an error.
    if root == "ErrorResponse" {
        inside.to_string()
    } else {
        Value::Object(Map::from_iter([(root.to_owned(), inside)])).to_string()
    }
}

/// Text for between two tags. Quotes stay as they are, as AWS leaves them.
pub(crate) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    escape_into(&mut out, text);
    out
}

fn escape_into(out: &mut String, text: &str) {
    for letter in text.chars() {
        match letter {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            // Kept from being read as a line's end.
            '\r' => out.push_str("&#xD;"),
            // XML 1.0 has no way to hold the other control characters.
            control if control < ' ' && !matches!(control, '\t' | '\n') => out.push('\u{fffd}'),
            other => out.push(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_cannot_open_an_element() {
        let inside = Element::text("Arn", "</Arn><Account>1</Account>&\"'\r\u{1}");
        let xml = document("R", "urn:x", &[Element::parent("P", vec![inside])]);
        assert_eq!(
            xml,
            "<R xmlns=\"urn:x\">\n  <P>\n    <Arn>&lt;/Arn&gt;&lt;Account&gt;1&lt;/Account&gt;&amp;\"'&#xD;\u{fffd}</Arn>\n  </P>\n</R>\n"
        );
    }
}
