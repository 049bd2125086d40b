/// `text` on one line, without characters that a terminal acts on or that hide or reorder others,
/// at most `limit` characters: what a server or a file says is shown like this.
///
/// ```
/// assert_eq!(rolecall_core::printable("a\u{1b}[2Jb\nc", 80), "a [2Jb c");
/// ```
pub fn printable(text: &str, limit: usize) -> String {
    let invisible = |c: char| {
        c.is_control()
            || matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}'
                | '\u{fff0}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}')
    };
    let spaced: String = text.chars().map(|c| if invisible(c) { ' ' } else { c }).collect();
    let line = spaced.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(limit) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}
