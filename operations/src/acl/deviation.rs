//! Differences between the rights that a system needs and the rules that a broker has.

use std::collections::BTreeSet;

use super::{Acl, CLUSTER, EVERYBODY, Kind, Permission, Rights, covers};

/// What to change, and what to look at.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Deviation {
    /// Rules that are needed and not there.
    pub missing: Vec<Acl>,
    /// Rules for our principals that are not needed.
    pub surplus: Vec<Acl>,
    /// Rules for others, everybody included, about our topics, our groups or the whole cluster.
    pub strange: Vec<Acl>,
}

impl Deviation {
    /// Compares the rights with the broker's rules.
    pub fn between(rights: &Rights, found: &[Acl]) -> Self {
        let found: BTreeSet<&Acl> = found.iter().collect();
        let missing = rights.acls.iter().filter(|acl| !found.contains(acl)).cloned().collect();
        let (surplus, others): (Vec<&Acl>, Vec<&Acl>) = found
            .into_iter()
            .filter(|acl| !rights.acls.contains(acl))
            .partition(|acl| rights.principals.contains_key(&acl.principal));
        let strange = others.into_iter().filter(|acl| concerns(rights, acl));
        Deviation { missing, surplus: surplus.into_iter().cloned().collect(), strange: strange.cloned().collect() }
    }

    /// Nothing differs.
    pub fn is_none(&self) -> bool {
        self.missing.is_empty() && self.surplus.is_empty() && self.strange.is_empty()
    }

    /// One line for each difference.
    pub fn lines(&self) -> Vec<String> {
        let missing = self.missing.iter().map(|acl| format!("missing: {acl}"));
        let surplus = self.surplus.iter().map(|acl| format!("not needed: {acl}"));
        let strange = self.strange.iter().map(|acl| match (acl.permission, acl.principal == EVERYBODY) {
            (Permission::Deny, _) => format!("takes away what is needed, or may: {acl}"),
            (Permission::Allow, true) => format!("open to everybody: {acl}"),
            (Permission::Allow, false) => format!("open to a stranger: {acl}"),
        });
        missing.chain(surplus).chain(strange).collect()
    }
}

/// Returns whether a rule is about a resource of ours, or about everything. Whoever has a token of a principal acts as that
/// principal, and a token's id does not say whose it is.
fn concerns(rights: &Rights, acl: &Acl) -> bool {
    let any_of = |kind, names: &BTreeSet<String>| names.iter().any(|name| covers(acl, kind, name));
    any_of(Kind::Topic, &rights.topics)
        || any_of(Kind::Group, &rights.groups)
        || covers(acl, Kind::Cluster, CLUSTER)
        || rights.principals.keys().any(|principal| covers(acl, Kind::User, principal))
        || acl.kind == Kind::DelegationToken
}
