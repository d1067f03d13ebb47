//! Tries of one right each, in Kafka's own protocol: every one is answered at once, and none changes anything.

use kafka_protocol::{
    ResponseError,
    messages::{
        CreateTopicsRequest, DeleteAclsRequest, DeleteGroupsRequest, DeleteRecordsRequest, DescribeAclsRequest,
        DescribeConfigsRequest, FetchRequest, GroupId, HeartbeatRequest, IncrementalAlterConfigsRequest,
        InitProducerIdRequest, OffsetFetchRequest, ProduceRequest, TopicName, TransactionalId,
        create_topics_request::CreatableTopic,
        delete_acls_request::DeleteAclsFilter,
        delete_records_request::{DeleteRecordsPartition, DeleteRecordsTopic},
        describe_configs_request::DescribeConfigsResource,
        fetch_request::{FetchPartition, FetchTopic},
        incremental_alter_configs_request::{AlterConfigsResource, AlterableConfig},
        produce_request::{PartitionProduceData, TopicProduceData},
    },
    protocol::StrBytes,
};
use operations::{
    acl::{Kind, Operation},
    cluster::Connection,
};

/// Operations that are tried on each kind of resource.
pub(crate) const TRIED: [(Kind, &[Operation]); 4] = [
    (
        Kind::Topic,
        &[
            Operation::Read,
            Operation::Write,
            Operation::Create,
            Operation::Delete,
            Operation::DescribeConfigs,
            Operation::AlterConfigs,
        ],
    ),
    (Kind::Group, &[Operation::Read, Operation::Describe, Operation::Delete]),
    (Kind::Cluster, &[Operation::Alter, Operation::Describe, Operation::DescribeConfigs, Operation::AlterConfigs]),
    (Kind::TransactionalId, &[Operation::Write]),
];

/// Returns whether the broker lets this connection's principal do it.
pub(crate) async fn is_let(
    connection: &mut Connection,
    operation: Operation,
    kind: Kind,
    name: &str,
) -> anyhow::Result<bool> {
    let code = match kind {
        Kind::Topic => on_topic(connection, operation, name).await?,
        Kind::Group => on_group(connection, operation, name).await?,
        Kind::Cluster => on_cluster(connection, operation).await?,
        _ => transaction(connection, name).await?,
    };
    Ok(!matches!(
        ResponseError::try_from_code(code),
        Some(
            ResponseError::TopicAuthorizationFailed
                | ResponseError::GroupAuthorizationFailed
                | ResponseError::ClusterAuthorizationFailed
                | ResponseError::TransactionalIdAuthorizationFailed
        )
    ))
}

fn text(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}

async fn on_topic(connection: &mut Connection, operation: Operation, name: &str) -> anyhow::Result<i16> {
    let topic = TopicName(text(name));
    Ok(match operation {
        Operation::Read => {
            let partition = FetchPartition::default().with_partition_max_bytes(1);
            let topic = FetchTopic::default().with_topic(topic).with_partitions(vec![partition]);
            let request = FetchRequest::default().with_replica_id((-1).into()).with_topics(vec![topic]);
            connection.ask(&request, 11).await?.responses[0].partitions[0].error_code
        }
        Operation::Write => {
            // No batch of records: refused for that, but only if the principal may write.
            let partition = PartitionProduceData::default().with_records(Some(Vec::new().into()));
            let topic = TopicProduceData::default().with_name(topic).with_partition_data(vec![partition]);
            let request = ProduceRequest::default().with_acks(-1).with_timeout_ms(1000).with_topic_data(vec![topic]);
            connection.ask(&request, 7).await?.responses[0].partition_responses[0].error_code
        }
        Operation::Create => {
            let topic = CreatableTopic::default().with_name(topic).with_num_partitions(1).with_replication_factor(1);
            let request = CreateTopicsRequest::default().with_topics(vec![topic]).with_validate_only(true);
            connection.ask(&request.with_timeout_ms(5000), 4).await?.topics[0].error_code
        }
        Operation::Delete => {
            // Records before the first one: nothing is deleted, though it takes the same right as the whole topic.
            let partition = DeleteRecordsPartition::default().with_partition_index(0).with_offset(0);
            let topic = DeleteRecordsTopic::default().with_name(topic).with_partitions(vec![partition]);
            let request = DeleteRecordsRequest::default().with_topics(vec![topic]).with_timeout_ms(5000);
            connection.ask(&request, 1).await?.topics[0].partitions[0].error_code
        }
        Operation::DescribeConfigs => settings(connection, 2, name).await?,
        _ => alter_settings(connection, 2, name, "retention.ms").await?,
    })
}

async fn on_group(connection: &mut Connection, operation: Operation, name: &str) -> anyhow::Result<i16> {
    let group = GroupId(text(name));
    Ok(match operation {
        Operation::Read => {
            let request = HeartbeatRequest::default().with_group_id(group).with_member_id(text("nobody"));
            connection.ask(&request, 3).await?.error_code
        }
        Operation::Describe => {
            connection.ask(&OffsetFetchRequest::default().with_group_id(group).with_topics(None), 5).await?.error_code
        }
        _ => {
            let request = DeleteGroupsRequest::default().with_groups_names(vec![group]);
            connection.ask(&request, 1).await?.results[0].error_code
        }
    })
}

async fn on_cluster(connection: &mut Connection, operation: Operation) -> anyhow::Result<i16> {
    const ANY: i8 = 1;
    Ok(match operation {
        Operation::Alter => {
            let nobody = DeleteAclsFilter::default()
                .with_resource_type_filter(ANY)
                .with_pattern_type_filter(ANY)
                .with_principal_filter(Some(text("User:nobody-at-all")))
                .with_operation(ANY)
                .with_permission_type(ANY);
            connection.ask(&DeleteAclsRequest::default().with_filters(vec![nobody]), 2).await?.filter_results[0]
                .error_code
        }
        Operation::Describe => {
            let all = DescribeAclsRequest::default()
                .with_resource_type_filter(ANY)
                .with_pattern_type_filter(ANY)
                .with_operation(ANY)
                .with_permission_type(ANY);
            connection.ask(&all, 2).await?.error_code
        }
        Operation::DescribeConfigs => settings(connection, 4, "1").await?,
        _ => alter_settings(connection, 4, "1", "log.cleaner.threads").await?,
    })
}

async fn transaction(connection: &mut Connection, name: &str) -> anyhow::Result<i16> {
    let id = TransactionalId(text(name));
    let request = InitProducerIdRequest::default().with_transactional_id(Some(id)).with_transaction_timeout_ms(1000);
    Ok(connection.ask(&request, 1).await?.error_code)
}

async fn settings(connection: &mut Connection, kind: i8, name: &str) -> anyhow::Result<i16> {
    let resource = DescribeConfigsResource::default().with_resource_type(kind).with_resource_name(text(name));
    let request =
        DescribeConfigsRequest::default().with_resources(vec![resource.with_configuration_keys(Some(Vec::new()))]);
    Ok(connection.ask(&request, 1).await?.results[0].error_code)
}

/// Only validated, not altered.
async fn alter_settings(connection: &mut Connection, kind: i8, name: &str, setting: &str) -> anyhow::Result<i16> {
    let config = AlterableConfig::default().with_name(text(setting)).with_value(Some(text("1")));
    let resource = AlterConfigsResource::default()
        .with_resource_type(kind)
        .with_resource_name(text(name))
        .with_configs(vec![config]);
    let request = IncrementalAlterConfigsRequest::default().with_resources(vec![resource]).with_validate_only(true);
    Ok(connection.ask(&request, 0).await?.responses[0].error_code)
}
