//! IAM Identity Center: tokens, their refresh, and the credentials they are traded for.

#![expect(clippy::unwrap_used, reason = "a broken client fails its test")]

mod support;

use http::HeaderMap;
use rolecall_kit::{Kit, SsoLogin, World, names};
use serde_json::{Value, json};
use support::{Answer, Keys, call, control, send};

fn login(kit: &Kit, login: &SsoLogin) -> Value {
    kit.sso_login(login)
}

fn credentials(kit: &Kit, token: &str, account: &str, role: &str) -> Answer {
    let mut headers = HeaderMap::new();
    headers.insert("x-amz-sso_bearer_token", token.parse().unwrap());
    let target = format!("/federation/credentials?role_name={role}&account_id={account}");
    send(kit.port(), "GET", &target, &headers, "").unwrap()
}

fn refresh(kit: &Kit, file: &Value, changes: &[(&str, &str)]) -> Answer {
    let mut body = json!({
        "clientId": file["clientId"], "clientSecret": file["clientSecret"],
        "grantType": "refresh_token", "refreshToken": file["refreshToken"],
    });
    for (name, value) in changes {
        body[name] = (*value).into();
    }
    send(kit.port(), "POST", "/token", &HeaderMap::new(), &body.to_string()).unwrap()
}

fn json_of(answer: &Answer) -> Value {
    serde_json::from_str(&answer.body).unwrap()
}

#[track_caller]
fn is(answer: &Answer, status: u16, code: &str) {
    assert_eq!(answer.status, status, "{}", answer.body);
    assert_eq!(answer.headers["x-amzn-errortype"], code);
}

#[test]
fn a_token_gives_credentials_of_what_is_assigned_and_sts_knows_them() {
    let kit = Kit::start(World::default());
    let file = login(&kit, &SsoLogin::default());
    let token = file["accessToken"].as_str().unwrap();
    let answer = credentials(&kit, token, names::ACCOUNT, names::SSO_ROLE);
    assert_eq!(answer.status, 200, "{}", answer.body);
    let found = json_of(&answer)["roleCredentials"].take();
    assert!(found["expiration"].as_i64().unwrap() >= (kit.now() + 3590) * 1000);
    let text = |name: &str| found[name].as_str().unwrap().to_owned();
    let keys = Keys {
        id: text("accessKeyId"),
        secret: text("secretAccessKey"),
        token: Some(text("sessionToken")),
    };
    let caller = call(&kit, &keys, "GetCallerIdentity", &[]);
    assert!(caller.text("Arn").contains("/AWSReservedSSO_Developer_"), "{}", caller.body);
    let refused = credentials(&kit, token, names::ACCOUNT, "Administrator");
    is(&refused, 403, "ForbiddenException");
    is(&credentials(&kit, token, names::ACCOUNT, ""), 400, "InvalidRequestException");
}

#[test]
fn unknown_ended_and_signed_out_tokens_are_refused() {
    let kit = Kit::start(World::default());
    let file = login(&kit, &SsoLogin::default());
    let token = file["accessToken"].as_str().unwrap();
    let ask = |token: &str| credentials(&kit, token, names::ACCOUNT, names::SSO_ROLE);
    is(&ask("nobody's"), 401, "UnauthorizedException");
    kit.advance(3600);
    is(&ask(token), 401, "UnauthorizedException");
    let file = control(&kit, "POST", "sso-login", "{}");
    let token = file["accessToken"].as_str().unwrap();
    assert_eq!(ask(token).status, 200);
    control(&kit, "POST", "sso-sign-out", &json!({"user": names::SSO_USER}).to_string());
    is(&ask(token), 401, "UnauthorizedException");
    is(&refresh(&kit, &file, &[]), 400, "InvalidGrantException");
}

#[test]
fn a_refresh_token_is_good_once_for_its_own_client() {
    let kit = Kit::start(World::default());
    let file = login(&kit, &SsoLogin::default());
    is(&refresh(&kit, &file, &[("clientSecret", "wrong")]), 401, "InvalidClientException");
    let other = refresh(&kit, &file, &[("grantType", "authorization_code")]);
    is(&other, 400, "UnsupportedGrantTypeException");
    let renewed = refresh(&kit, &file, &[]);
    assert_eq!(renewed.status, 200, "{}", renewed.body);
    let renewed = json_of(&renewed);
    assert_eq!(renewed["expiresIn"], 3600);
    let token = renewed["accessToken"].as_str().unwrap();
    assert_eq!(credentials(&kit, token, names::ACCOUNT, names::SSO_ROLE).status, 200);
    let again = refresh(&kit, &file, &[]);
    is(&again, 400, "InvalidGrantException");
    assert_eq!(json_of(&again)["error"], "invalid_grant");
    let next = [("refreshToken", renewed["refreshToken"].as_str().unwrap())];
    kit.advance(90 * 24 * 3600);
    is(&refresh(&kit, &file, &next), 401, "InvalidClientException");
}
