//! Headers of records: CloudEvents 1.0 in binary mode, and those of dead letters.

use saga::schema::JsonSchema;

/// Headers of an event: CloudEvents 1.0, in the binary mode of its Kafka binding.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "only its schema is used")]
pub(super) struct EventHeaders {
    /// Version of CloudEvents: `1.0`.
    #[schemars(regex(pattern = r"^1\.0$"))]
    ce_specversion: String,
    /// Id of the event, a UUIDv7: an event is processed once, however often it is delivered.
    #[schemars(length(min = 1))]
    ce_id: String,
    /// Type of the event, which is the name of the message.
    #[schemars(length(min = 1))]
    ce_type: String,
    /// Version of the schema of the data; 1 if there is none.
    ce_dataversion: Option<String>,
    /// Source of the event: `/services/` and the name of its publisher, or `/operators/` and that of a person.
    #[schemars(length(min = 1))]
    ce_source: String,
    /// Id of the saga.
    ce_subject: Option<String>,
    /// Time of the event, RFC 3339.
    ce_time: Option<String>,
    /// Id of the event that caused this one.
    ce_causationid: Option<String>,
    /// Content type of the value.
    #[schemars(rename = "content-type")]
    content_type: Option<String>,
    /// W3C trace context.
    traceparent: Option<String>,
}

/// Headers of a request. None is required: what is missing is derived from the record.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "only its schema is used")]
pub(super) struct RequestHeaders {
    /// Version of CloudEvents: `1.0`.
    #[schemars(regex(pattern = r"^1\.0$"))]
    ce_specversion: Option<String>,
    /// Id of the request: one that is sent twice with the same id counts once.
    ce_id: Option<String>,
    /// Type of the request, which is the name of the message.
    ce_type: Option<String>,
    /// Source of the request.
    ce_source: Option<String>,
    /// Id of the saga.
    ce_subject: Option<String>,
    /// Time of the request, RFC 3339.
    ce_time: Option<String>,
    /// Content type of the value: `application/json`, or `application/cloudevents+json` if the value holds the attributes, too.
    #[schemars(rename = "content-type")]
    content_type: Option<String>,
    /// W3C trace context.
    traceparent: Option<String>,
}

/// Headers of a dead letter, in Spring's convention, beside those of the original record. Numbers are big-endian bytes.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "only its schema is used")]
pub(super) struct DeadLetterHeaders {
    /// Topic of the original record.
    #[schemars(rename = "kafka_dlt-original-topic")]
    topic: String,
    /// Partition of the original record, 4 bytes.
    #[schemars(rename = "kafka_dlt-original-partition")]
    partition: String,
    /// Offset of the original record, 8 bytes.
    #[schemars(rename = "kafka_dlt-original-offset")]
    offset: String,
    /// Timestamp of the original record in milliseconds, 8 bytes.
    #[schemars(rename = "kafka_dlt-original-timestamp")]
    timestamp: String,
    /// Kind of that timestamp: `CreateTime`.
    #[schemars(rename = "kafka_dlt-original-timestamp-type")]
    timestamp_type: String,
    /// Consumer group that could not read it.
    #[schemars(rename = "kafka_dlt-original-consumer-group")]
    group: String,
    /// Kind of the error.
    #[schemars(rename = "kafka_dlt-exception-fqcn")]
    class: String,
    /// Why the record could not be read.
    #[schemars(rename = "kafka_dlt-exception-message")]
    message: String,
    /// What was left out because the record was too large.
    #[schemars(rename = "kafka_dlt-without")]
    without: Option<String>,
    /// Size in bytes of a value that was left out, 8 bytes.
    #[schemars(rename = "kafka_dlt-value-size")]
    value_size: Option<String>,
    /// SHA-256 of a value that was left out, in hexadecimal.
    #[schemars(rename = "kafka_dlt-value-sha256")]
    value_sha256: Option<String>,
}
