//! Requests about rules of access, and about the settings that make them count.

use anyhow::{Context, ensure};
use kafka_protocol::{
    ResponseError,
    messages::{
        CreateAclsRequest, DeleteAclsRequest, DescribeAclsRequest, DescribeConfigsRequest, MetadataRequest,
        create_acls_request::AclCreation, delete_acls_request::DeleteAclsFilter,
        describe_configs_request::DescribeConfigsResource,
    },
    protocol::StrBytes,
};

use super::{Connection, Refused};
use crate::acl::{Acl, BrokerSettings, Kind, Operation, Pattern, Permission};

/// Any value, in a filter.
const ANY: i8 = 1;
/// A broker's own settings.
const BROKER: i8 = 4;
/// Version of the requests about rules.
const VERSION: i16 = 2;

/// The broker's rules.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rules {
    /// The broker has no authorizer: everybody may do everything.
    Off,
    On {
        acls: Vec<Acl>,
        /// Rules of a kind that this program does not know.
        unknown: usize,
    },
}

impl Connection {
    /// All rules.
    ///
    /// # Errors
    /// If the broker does not tell.
    pub async fn rules(&mut self) -> anyhow::Result<Rules> {
        let all = DescribeAclsRequest::default()
            .with_resource_type_filter(ANY)
            .with_resource_name_filter(None)
            .with_pattern_type_filter(ANY)
            .with_principal_filter(None)
            .with_host_filter(None)
            .with_operation(ANY)
            .with_permission_type(ANY);
        let answer = self.ask(&all, VERSION).await?;
        if answer.error_code == ResponseError::SecurityDisabled.code() {
            return Ok(Rules::Off);
        }
        let allowed = Refused::check(answer.error_code, answer.error_message.as_deref());
        allowed.context("reading the rules of access, which needs Describe on the cluster")?;
        let (mut acls, mut unknown) = (Vec::new(), 0);
        for resource in answer.resources {
            let kind = Kind::of_code(resource.resource_type).zip(Pattern::of_code(resource.pattern_type));
            for acl in resource.acls {
                let rule = Operation::of_code(acl.operation).zip(Permission::of_code(acl.permission_type));
                let Some(((kind, pattern), (operation, permission))) = kind.zip(rule) else {
                    unknown += 1;
                    continue;
                };
                acls.push(Acl {
                    principal: acl.principal.to_string(),
                    kind,
                    name: resource.resource_name.to_string(),
                    pattern,
                    operation,
                    permission,
                    host: acl.host.to_string(),
                });
            }
        }
        acls.sort();
        Ok(Rules::On { acls, unknown })
    }

    /// Adds rules; those that are there already stay.
    ///
    /// # Errors
    /// If the broker does not accept one of them.
    pub async fn add_rules(&mut self, acls: &[Acl]) -> anyhow::Result<()> {
        let creations = acls.iter().map(|acl| {
            AclCreation::default()
                .with_resource_type(acl.kind.code())
                .with_resource_name(text(&acl.name))
                .with_resource_pattern_type(acl.pattern.code())
                .with_principal(text(&acl.principal))
                .with_host(text(&acl.host))
                .with_operation(acl.operation.code())
                .with_permission_type(acl.permission.code())
        });
        let answer = self.ask(&CreateAclsRequest::default().with_creations(creations.collect()), VERSION).await?;
        ensure!(
            answer.results.len() == acls.len(),
            "the broker answers for {} of {}",
            answer.results.len(),
            acls.len()
        );
        for (acl, result) in acls.iter().zip(answer.results) {
            let added = Refused::check(result.error_code, result.error_message.as_deref());
            added.with_context(|| format!("adding the rule: {acl}"))?;
        }
        Ok(())
    }

    /// Removes exactly these rules.
    ///
    /// # Errors
    /// If the broker does not remove one of them.
    pub async fn remove_rules(&mut self, acls: &[Acl]) -> anyhow::Result<()> {
        let filters = acls.iter().map(|acl| {
            DeleteAclsFilter::default()
                .with_resource_type_filter(acl.kind.code())
                .with_resource_name_filter(Some(text(&acl.name)))
                .with_pattern_type_filter(acl.pattern.code())
                .with_principal_filter(Some(text(&acl.principal)))
                .with_host_filter(Some(text(&acl.host)))
                .with_operation(acl.operation.code())
                .with_permission_type(acl.permission.code())
        });
        let answer = self.ask(&DeleteAclsRequest::default().with_filters(filters.collect()), VERSION).await?;
        for (acl, result) in acls.iter().zip(answer.filter_results) {
            let removed = Refused::check(result.error_code, result.error_message.as_deref());
            removed.with_context(|| format!("removing the rule: {acl}"))?;
        }
        Ok(())
    }

    /// The ids of the cluster's brokers.
    ///
    /// # Errors
    /// If the broker does not tell, as it does not tell those who have to authenticate first.
    pub async fn brokers(&mut self) -> anyhow::Result<Vec<i32>> {
        let metadata = self.ask(&MetadataRequest::default().with_topics(Some(Vec::new())), 4).await?;
        Ok(metadata.brokers.iter().map(|broker| broker.node_id.0).collect())
    }

    /// The settings of one broker, those included whose values it does not show.
    ///
    /// # Errors
    /// If it does not tell.
    pub async fn broker_settings(&mut self) -> anyhow::Result<BrokerSettings> {
        let broker = self.brokers().await?.first().context("the broker knows no broker")?.to_string();
        let resource = DescribeConfigsResource::default()
            .with_resource_type(BROKER)
            .with_resource_name(text(&broker))
            .with_configuration_keys(None);
        let answer = self.ask(&DescribeConfigsRequest::default().with_resources(vec![resource]), 1).await?;
        let result = answer.results.into_iter().next().context("the broker says nothing of its settings")?;
        let told = Refused::check(result.error_code, result.error_message.as_deref());
        told.context("reading the broker's settings, which needs DescribeConfigs on the cluster")?;
        let pair = |entry: kafka_protocol::messages::describe_configs_response::DescribeConfigsResourceResult| {
            (entry.name.to_string(), entry.value.map(|value| value.to_string()))
        };
        Ok(result.configs.into_iter().map(pair).collect())
    }
}

fn text(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}
