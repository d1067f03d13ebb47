//! Human-readable form of a record: position, headers, and the value as JSON, text or bytes.

use saga::record::Record;

/// Bytes shown of a value that is not text.
const BYTES: usize = 256;

/// The record, as lines.
pub fn lines(record: &Record) -> Vec<String> {
    let mut lines = vec![format!("at         {}", record.at())];
    if let Some(time) = i64::try_from(record.timestamp_ms).ok().and_then(chrono::DateTime::from_timestamp_millis) {
        lines.push(format!("written    {}", time.format("%F %T%.3f")));
    }
    lines.push(format!("key        {}", record.key.as_deref().map_or("none".to_owned(), text_or_hex)));
    for (name, value) in &record.headers {
        lines.push(format!("header     {name}: {}", text_or_hex(value)));
    }
    match record.value.as_deref() {
        None => lines.push("value      null".to_owned()),
        Some(value) => {
            lines.push(format!("value      {} bytes", value.len()));
            lines.extend(in_full(value).lines().map(|line| format!("  {line}")));
        }
    }
    lines
}

/// Formatted JSON, other text unchanged, anything else as bytes.
fn in_full(value: &[u8]) -> String {
    let pretty = serde_json::from_slice::<serde_json::Value>(value).ok();
    pretty.and_then(|json| serde_json::to_string_pretty(&json).ok()).unwrap_or_else(|| text_or_hex(value))
}

/// Text without control characters that a terminal would act upon, or else hexadecimal.
pub fn text_or_hex(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) if !text.contains(|c: char| c.is_control() && !matches!(c, '\n' | '\t')) => text.to_owned(),
        _ => {
            let shown = &bytes[..bytes.len().min(BYTES)];
            let hex: String = shown.iter().map(|byte| format!("{byte:02x}")).collect();
            let rest = if shown.len() < bytes.len() { "…" } else { "" };
            format!("0x{hex}{rest}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_shown_as_text_and_bytes_as_bytes() {
        assert_eq!(text_or_hex("日本".as_bytes()), "日本");
        assert_eq!(text_or_hex(b"\xff\x00"), "0xff00");
        assert_eq!(text_or_hex(b"\x1b[2J"), "0x1b5b324a");
        assert_eq!(in_full(br#"{"a":1}"#), "{\n  \"a\": 1\n}");
        assert!(text_or_hex(&[0xff; 300]).ends_with('…'));
    }
}
