//! Every route with its owner rule. The router, its guard and the description are made from this table alone, so that there is
//! no route without a rule.

use axum::{
    Json, Router,
    middleware::from_fn_with_state,
    routing::{MethodRouter, get, post},
};
use serde_json::{Value, json};
use utoipa::OpenApi as _;

use saga::unit_of_work::UnitOfWork;

use super::{Api, Description, cancel, erase, gate, gate::Gate, list, look, place};
use crate::Orders;

/// May place, read and cancel anyone's orders.
pub(crate) const ANY: &str = "orders:any";
/// May read anyone's orders.
const READ_ANY: &str = "orders:read:any";

/// Owner of what a route shows or changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Owner {
    /// Nobody: it is for everyone.
    Public,
    /// The subject of the caller's token, unless the token has one of these scopes.
    Subject { unless: &'static [&'static str] },
}

pub(super) struct Route {
    method: &'static str,
    path: &'static str,
    owner: Owner,
    handler: fn() -> MethodRouter<Api>,
    /// False for a route that makes no sense without a caller: it does not exist where no tokens are asked for.
    without_tokens: bool,
}

const ROUTES: [Route; 5] = [
    Route {
        method: "post",
        path: "/orders",
        owner: Owner::Subject { unless: &[ANY] },
        handler: || post(place::place),
        without_tokens: true,
    },
    Route {
        method: "get",
        path: "/orders",
        owner: Owner::Subject { unless: &[ANY, READ_ANY] },
        handler: || get(list::list),
        without_tokens: false,
    },
    Route {
        method: "get",
        path: "/orders/{order_id}",
        owner: Owner::Subject { unless: &[ANY, READ_ANY] },
        handler: || get(look::look),
        without_tokens: true,
    },
    Route {
        method: "post",
        path: "/orders/{order_id}/cancel",
        owner: Owner::Subject { unless: &[ANY] },
        handler: || post(cancel::cancel),
        without_tokens: true,
    },
    Route { method: "get", path: "/openapi.json", owner: Owner::Public, handler: || get(show), without_tokens: true },
];

/// Returns the description of this API.
#[utoipa::path(get, path = "/openapi.json", responses((status = 200, description = "this description", body = Object)))]
pub(super) async fn show(axum::extract::State(api): axum::extract::State<Api>) -> Json<Value> {
    Json(description(api.has_gate))
}

fn present(guarded: bool) -> impl Iterator<Item = &'static Route> {
    ROUTES.iter().filter(move |route| guarded || route.without_tokens)
}

/// The routes, each behind its guard.
pub(super) fn router(gate: Option<&Gate>) -> Router<Api> {
    present(gate.is_some()).fold(Router::new(), |router, route| {
        let name = format!("{} {}", route.method.to_uppercase(), route.path);
        let guarded = gate::Guarded { gate: gate.cloned(), owner: route.owner, route: name };
        let guard = from_fn_with_state(guarded, gate::guard);
        router.route(route.path, (route.handler)().route_layer(guard))
    })
}

/// Routes on the listener for operators, which buyers do not reach.
pub(super) fn of_operators() -> Router<UnitOfWork<Orders>> {
    Router::new().route("/users/{user_id}/erase", post(erase::erase))
}

/// The description, with the owner rule of every route.
pub(super) fn description(guarded: bool) -> Value {
    let mut all = serde_json::to_value(Description::openapi()).unwrap_or_default();
    let described = all["paths"].take();
    let mut paths = json!({});
    for Route { method, path, owner, .. } in present(guarded) {
        let mut operation = described[path][method].clone();
        match owner {
            Owner::Public => operation["x-owner"] = json!("public"),
            Owner::Subject { unless } => {
                operation["x-owner"] = json!("subject");
                operation["x-owner-unless"] = json!(unless);
                if guarded {
                    operation["security"] = json!([{ "bearer": [] }]);
                    for (status, why) in REFUSALS {
                        operation["responses"][status] = refusal(why);
                    }
                }
            }
        }
        paths[path][method] = operation;
    }
    all["paths"] = paths;
    if guarded {
        all["components"]["securitySchemes"] =
            json!({ "bearer": { "type": "http", "scheme": "bearer", "bearerFormat": "JWT" } });
    }
    all
}

/// Answers of every guarded route.
const REFUSALS: [(&str, &str); 4] = [
    ("401", "no valid token, see WWW-Authenticate"),
    ("403", "the token has not the scope to act for another user"),
    ("429", "too many requests of this subject, see Retry-After"),
    ("431", "too many or too large headers"),
];

fn refusal(why: &str) -> Value {
    let schema = json!({ "$ref": "#/components/schemas/Problem" });
    json!({ "description": why, "content": { "application/problem+json": { "schema": schema } } })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn described(description: &Value) -> BTreeSet<(String, String)> {
        let paths = description["paths"].as_object().expect("paths");
        let methods = |(path, item): (&String, &Value)| {
            let methods: Vec<_> =
                item.as_object().expect("methods").keys().map(|method| (method.clone(), path.clone())).collect();
            methods
        };
        paths.iter().flat_map(methods).collect()
    }

    /// A handler that is described and not in the table, or the other way round, is a route without an owner rule or one that
    /// nobody is told about.
    #[test]
    fn the_description_and_the_table_have_the_same_routes() {
        let all = serde_json::to_value(Description::openapi()).expect("JSON");
        let table = ROUTES.iter().map(|route| (route.method.to_owned(), route.path.to_owned())).collect();
        assert_eq!(described(&all), table);
        assert_eq!(described(&description(true)), table);
    }

    #[test]
    fn every_route_in_the_description_has_an_owner_rule() {
        for guarded in [true, false] {
            let description = description(guarded);
            for (method, path) in described(&description) {
                let operation = &description["paths"][&path][&method];
                let owner = operation["x-owner"].as_str().unwrap_or_default();
                assert!(["subject", "public"].contains(&owner), "{method} {path} has the owner {owner:?}");
                assert!(operation["responses"].is_object(), "{method} {path} is described");
                let asks = operation["security"].is_array();
                assert_eq!(asks, guarded && owner == "subject", "{method} {path}");
            }
        }
    }

    /// Routes are added in one place only: what the table does not have cannot be served.
    #[test]
    fn no_other_file_adds_a_route() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        for entry in
            std::fs::read_dir(folder.join("api")).expect("files").chain(std::fs::read_dir(&folder).expect("files"))
        {
            let path = entry.expect("a file").path();
            if path.extension().is_some_and(|extension| extension == "rs") && !path.ends_with("api/routes.rs") {
                let text = std::fs::read_to_string(&path).expect("text");
                assert!(!text.contains(".route("), "{} adds a route without an owner rule", path.display());
            }
        }
    }
}
