//! SimulatePrincipalPolicy: what the policies of a user or role say about actions not yet taken.

use super::access::{Decision, Grants, Source};
use super::page::{page, place};
use super::policy::{Context, Document, Question};
use super::{Answer, Work, invalid_input, no_such};
use crate::error::AwsError;
use crate::xml::Element;

pub(super) fn simulate_principal_policy(work: &mut Work<'_>) -> Answer {
    let params = work.params;
    let source = params.required("PolicySourceArn");
    let mut grants = grants(work, source)?;
    for document in params.list("PolicyInputList", "") {
        grants.identity.push(Document::parse(document).map_err(unreadable)?);
    }
    for document in params.list("PermissionsBoundaryPolicyInputList", "") {
        let document = Document::parse(document).map_err(unreadable)?;
        grants.boundary.get_or_insert_default().push(document);
    }
    let mut resources = params.list("ResourceArns", "");
    if resources.is_empty() {
        resources.push("*");
    }
    // Nothing is known of the caller or the moment but what the call says.
    let mut context = Context::new();
    for (at, key) in params.list("ContextEntries", "ContextKeyName").into_iter().enumerate() {
        let values = format!("ContextEntries.member.{}.ContextKeyValues", at + 1);
        let values = params.list(&values, "").into_iter().map(str::to_owned).collect();
        context.insert(key.to_lowercase(), values);
    }
    let mut items = Vec::new();
    for action in params.list("ActionNames", "") {
        for resource in &resources {
            let decision = grants.decide(&Question { action, resource, context: &context });
            items.push((place(items.len()), result(action, resource, decision, &grants)));
        }
    }
    page(work, "EvaluationResults", items)
}

fn grants(work: &Work<'_>, source: &str) -> Result<Grants, AwsError> {
    let world = work.world();
    let missing = || no_such(format!("The policy source {source} cannot be found."));
    let parts: Vec<&str> = source.splitn(6, ':').collect();
    match parts[..] {
        ["arn", _, "iam", "", account, name] if account == work.account() => {
            if name.starts_with("user/") {
                world.user_index_of_arn(source).ok_or_else(missing)?;
                Ok(Grants::of_user(world, source))
            } else {
                world.role(source).ok_or_else(missing)?;
                Ok(Grants::of_role(world, source))
            }
        }
        _ => Err(invalid_input(format!("Invalid Entity Arn: {source}"))),
    }
}

fn unreadable(error: AwsError) -> AwsError {
    invalid_input(error.message)
}

fn result(action: &str, resource: &str, decision: Decision, grants: &Grants) -> Element {
    let (word, by_boundary) = match decision {
        Decision::Allowed => ("allowed", true),
        Decision::ExplicitDeny(source) => ("explicitDeny", source != Source::Boundary),
        Decision::ImplicitDeny(source) => ("implicitDeny", source != Source::Boundary),
    };
    let mut elements = vec![
        Element::text("EvalActionName", action),
        Element::text("EvalResourceName", resource),
        Element::text("EvalDecision", word),
        Element::parent("MatchedStatements", Vec::new()),
        Element::parent("MissingContextValues", Vec::new()),
    ];
    if grants.boundary.is_some() {
        let allowed = Element::text("AllowedByPermissionsBoundary", by_boundary.to_string());
        elements.push(Element::parent("PermissionsBoundaryDecisionDetail", vec![allowed]));
    }
    Element::parent("member", elements)
}
