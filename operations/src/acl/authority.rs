//! The broker's decision, as Kafka's StandardAuthorizer makes it when nothing is allowed without a rule.

use super::{ANY, Acl, EVERYBODY, Kind, Operation, Pattern, Permission};

/// Returns whether these rules allow a principal an operation on a resource: one rule allows it, and none denies it.
pub fn allows(acls: &[Acl], principal: &str, operation: Operation, kind: Kind, name: &str) -> bool {
    let concerning = |permission: Permission, matches: &dyn Fn(Operation) -> bool| {
        acls.iter().any(|acl| {
            acl.permission == permission
                && (acl.principal == principal || acl.principal == EVERYBODY)
                && covers(acl, kind, name)
                && matches(acl.operation)
        })
    };
    let denied = concerning(Permission::Deny, &|denied| denied == Operation::All || denied == operation);
    !denied && concerning(Permission::Allow, &|allowed| implies(allowed, operation))
}

/// Returns whether a rule is about this resource.
pub fn covers(acl: &Acl, kind: Kind, name: &str) -> bool {
    acl.kind == kind
        && match acl.pattern {
            Pattern::Literal => acl.name == name || acl.name == ANY,
            Pattern::Prefixed => name.starts_with(&acl.name),
        }
}

/// Some operations are worth nothing without a look at the resource, so they include it.
fn implies(allowed: Operation, asked: Operation) -> bool {
    use Operation::{All, Alter, AlterConfigs, Delete, Describe, DescribeConfigs, Read, Write};
    allowed == asked
        || allowed == All
        || match asked {
            Describe => matches!(allowed, Read | Write | Delete | Alter),
            DescribeConfigs => allowed == AlterConfigs,
            _ => false,
        }
}
