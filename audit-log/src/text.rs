//! Text from anywhere: bounded before it is stored, escaped before it is shown.

use std::fmt::Write;

/// The text without NUL, which PostgreSQL cannot store, and cut to `bytes` with a note of how long it was.
pub(crate) fn bounded(text: &str, bytes: usize) -> String {
    let text = text.replace('\0', "\u{fffd}");
    if text.len() <= bytes {
        return text;
    }
    let note = format!("… ({} bytes in all)", text.len());
    let mut end = bytes.saturating_sub(note.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}{note}", &text[..end])
}

/// The text on one line, without anything that a terminal would act upon: control characters, and characters that change the
/// direction of text or take no space, are written as `\u{…}`.
pub fn escaped(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\\' => shown.push_str("\\\\"),
            '\n' => shown.push_str("\\n"),
            '\t' => shown.push_str("\\t"),
            c if c.is_control() || is_invisible(c) => {
                let _ = write!(shown, "\\u{{{:x}}}", u32::from(c));
            }
            c => shown.push(c),
        }
    }
    shown
}

fn is_invisible(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}'
        | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_cut_between_characters_and_says_how_long_it_was() {
        assert_eq!(bounded("short\0", 100), "short\u{fffd}");
        let cut = bounded(&"日本".repeat(1000), 100);
        assert!(cut.len() <= 100 && cut.ends_with("… (6000 bytes in all)"), "{cut}");
    }

    #[test]
    fn nothing_reaches_the_terminal_that_it_would_act_upon() {
        let hostile = "a\r\n\u{1b}[2J\u{9b}31m\u{202e}txt\u{200b}\\n";
        assert_eq!(escaped(hostile), "a\\u{d}\\n\\u{1b}[2J\\u{9b}31m\\u{202e}txt\\u{200b}\\\\n");
    }
}
