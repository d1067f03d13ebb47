//! The place that a value belongs to, as authenticated data.

/// The place that a value belongs to. A value opens only under the binding that it was sealed with.
///
/// Each field is preceded by its length, so that different fields never have the same bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binding(Vec<u8>);

impl Binding {
    /// A binding to this purpose, for example a table and a column.
    pub fn of(purpose: &str) -> Self {
        Binding(Vec::new()).and(purpose.as_bytes())
    }

    /// The same, bound to this field as well.
    #[must_use]
    pub fn and(mut self, field: &[u8]) -> Self {
        let length = u64::try_from(field.len()).expect("a length has at most 64 bits");
        self.0.extend(length.to_be_bytes());
        self.0.extend(field);
        self
    }

    /// The authenticated data.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The lock taken out: fields one after the other, without their lengths.
    fn without_lengths(fields: [&str; 3]) -> String {
        fields.concat()
    }

    #[test]
    fn fields_cannot_be_shifted_into_each_other() {
        let (one, other) = (["card", "1", "23"], ["card", "12", "3"]);
        let with_lengths =
            |fields: [&str; 3]| Binding::of(fields[0]).and(fields[1].as_bytes()).and(fields[2].as_bytes());
        assert_eq!(without_lengths(one), without_lengths(other), "they differ only in where a field ends");
        assert_ne!(with_lengths(one), with_lengths(other));
        assert_ne!(Binding::of("card"), Binding::of("card").and(b""));
    }

    /// What is stored can only be opened with the same bytes.
    #[test]
    fn the_encoding_never_changes() {
        assert_eq!(Binding::of("p").and(b"ab").as_bytes(), b"\0\0\0\0\0\0\0\x01p\0\0\0\0\0\0\0\x02ab");
    }
}
