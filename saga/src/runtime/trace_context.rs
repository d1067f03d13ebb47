//! W3C trace context: one trace per saga, one span per decision.

/// The `traceparent` for whatever follows from `parent`: the same trace with a new span, or a new trace without a parent.
pub(crate) fn child_of(parent: Option<&str>) -> String {
    let trace_id =
        parent.and_then(trace_id).map_or_else(|| format!("{:032x}", rand::random::<u128>() | 1), str::to_owned);
    format!("00-{trace_id}-{:016x}-01", rand::random::<u64>() | 1)
}

/// Trace id of a well-formed `traceparent`.
fn trace_id(traceparent: &str) -> Option<&str> {
    let mut parts = traceparent.split('-');
    let (_version, trace_id, span_id) = (parts.next()?, parts.next()?, parts.next()?);
    let hex =
        |text: &str, length| text.len() == length && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    let zero = |text: &str| text.bytes().all(|byte| byte == b'0');
    (hex(trace_id, 32) && !zero(trace_id) && hex(span_id, 16) && !zero(span_id)).then_some(trace_id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_child_stays_in_the_trace_under_a_new_span() {
        let parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let child = child_of(Some(parent));
        assert_eq!(trace_id(&child), Some("4bf92f3577b34da6a3ce929d0e0e4736"));
        assert_ne!(child, parent);
    }

    #[test]
    fn what_is_malformed_begins_a_new_trace() {
        for bad in [
            None,
            Some(""),
            Some("00-zz-00f067aa0ba902b7-01"),
            Some("00-00000000000000000000000000000000-00f067aa0ba902b7-01"),
        ] {
            assert!(trace_id(&child_of(bad)).is_some(), "{bad:?}");
        }
    }
}
