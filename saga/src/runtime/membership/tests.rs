use super::*;

#[test]
fn a_topic_that_cannot_be_read_is_a_hindrance_and_a_passing_error_is_none() {
    let membership = Membership::default();
    assert_eq!(membership.hindrance().as_deref(), Some("no partitions are assigned"));
    membership.lock().assigned = Some(0);
    membership.failed(KafkaError::MessageConsumption(RDKafkaErrorCode::BrokerTransportFailure), Vec::new);
    assert_eq!(membership.hindrance(), None);
    let missing = || vec!["t".to_owned()];
    membership.failed(KafkaError::MessageConsumption(RDKafkaErrorCode::UnknownTopicOrPartition), missing);
    assert!(membership.hindrance().is_some_and(|why| why.contains("a topic cannot be read")));
    assert!(membership.made_anew().is_empty(), "it is not back yet");
    membership.lock().unreadable = None;
    let membership = Membership::succeeding(&membership);
    let anew = membership.made_anew();
    assert_eq!(anew, HashSet::from(["t".to_owned()]));
    membership.begun_anew(&anew);
    assert!(membership.made_anew().is_empty(), "once");
}

#[test]
fn a_pending_partition_is_a_hindrance_that_names_its_cause() {
    let membership = Membership::default();
    membership.lock().assigned = Some(2);
    membership.lock().pending.insert(("t".to_owned(), 1));
    let pending = "the starting offsets of 1 of the partitions are not known yet";
    assert_eq!(membership.hindrance().as_deref(), Some(pending));
    membership.refused(Some("t[1]: Local: Erroneous state".to_owned()));
    assert_eq!(membership.hindrance(), Some(format!("{pending}: t[1]: Local: Erroneous state")));
    membership.lock().pending.clear();
    assert_eq!(membership.hindrance(), None);
}

#[test]
fn a_fenced_process_is_told_what_to_do() {
    assert!(fatal(RDKafkaErrorCode::FencedInstanceId, "fenced").to_string().contains("KAFKA_INSTANCE_ID"));
}
