use http::header::AUTHORIZATION;
use http::request::Parts;
use http::{Method, StatusCode};
use percent_encoding::percent_decode_str;
use rolecall_core::{Clock, Context, Result};

use super::answer::{self, Answer, failure, refused, wrong_method};
use super::connection::Answers;
use super::profile::ServedProfile;
use super::token::{Known, SessionTokens};
use super::{ServeOptions, gate, imds};

/// Who answers what.
#[derive(Debug)]
pub(super) struct Router {
    port: u16,
    clock: Clock,
    pub(super) profiles: Vec<ServedProfile>,
    imds: Option<SessionTokens>,
    authorization: Option<Known>,
}

impl Router {
    pub(super) fn new(
        context: &Context,
        profiles: Vec<ServedProfile>,
        options: &ServeOptions,
        port: u16,
    ) -> Result<Self> {
        Ok(Self {
            port,
            clock: context.clock.clone(),
            profiles,
            imds: options.imds.then(SessionTokens::new).transpose()?,
            authorization: options.authorization.as_ref().map(Known::new).transpose()?,
        })
    }

    async fn answer_quietly(&self, request: &Parts) -> Answer {
        if let Some(refusal) = gate::check(request, self.port) {
            return refusal;
        }
        // Some clients join an endpoint and a path with two slashes, some end a path with one.
        let parts = request.uri.path().split('/').filter(|part| !part.is_empty());
        let parts: Result<Vec<_>, _> =
            parts.map(|part| percent_decode_str(part).decode_utf8()).collect();
        let parts = parts.unwrap_or_default();
        let parts: Vec<&str> = parts.iter().map(AsRef::as_ref).collect();
        match (parts.split_first(), &self.imds, &self.authorization) {
            (Some((&"latest", path)), Some(tokens), _) => {
                imds::answer(tokens, &self.profiles, self.clock.local_now(), request, path).await
            }
            (Some((&"creds", path)), _, Some(known)) => self.container(known, request, path).await,
            _ => refused(StatusCode::NOT_FOUND, "there is nothing at this path"),
        }
    }

    /// The endpoint that containers of ECS and pods of EKS are given.
    async fn container(&self, known: &Known, request: &Parts, path: &[&str]) -> Answer {
        if request.method != Method::GET {
            return wrong_method("GET");
        }
        if !request.headers.get(AUTHORIZATION).is_some_and(|token| known.is(token.as_bytes())) {
            let message = "the Authorization header is not AWS_CONTAINER_AUTHORIZATION_TOKEN";
            return refused(StatusCode::UNAUTHORIZED, message);
        }
        let profile = match path {
            [] => self.profiles.first(),
            [name] => self.profiles.iter().find(|profile| profile.name() == *name),
            _ => None,
        };
        let Some(profile) = profile else {
            return refused(StatusCode::NOT_FOUND, "no profile of this name is served");
        };
        match profile.credentials().await {
            Err(error) => failure(&error),
            Ok(credentials) => {
                let fields = answer::fields(&credentials, self.clock.local_now());
                let mut list = fields.list();
                list.extend(profile.role_arn().map(|arn| ("RoleArn", arn)));
                answer::secrets(&list)
            }
        }
    }
}

impl Answers for Router {
    async fn answer(&self, request: &Parts) -> Answer {
        let answer = self.answer_quietly(request).await;
        // Names alone: a client may have put a secret into the query, or anything into a header.
        tracing::debug!(
            method = %request.method,
            path = request.uri.path(),
            status = answer.status().as_u16(),
            "answered"
        );
        answer
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::testing::{
        AUTHORIZATION, PORT, ROLE, SECRET, TOKEN, ask, context, profiles, router,
    };
    use super::*;

    const KNOWN: [(&str, &str); 1] = [("authorization", AUTHORIZATION)];

    #[tokio::test]
    async fn who_knows_the_token_gets_the_profile_that_is_named_or_the_first() {
        let router = router(&context());
        for path in ["/creds", "/creds/", "//creds/deploy"] {
            let seen = ask(&router, &format!("GET {path}"), &KNOWN).await;
            let expected = json!({
                "AccessKeyId": "ASIADEPLOY", "SecretAccessKey": SECRET, "Token": TOKEN,
                "Expiration": "2026-01-01T01:00:00Z", "AccountId": "123456789012", "RoleArn": ROLE,
            });
            assert_eq!(seen.json(), expected, "{path}");
        }
        let seen = ask(&router, "GET /creds/plain%20one", &KNOWN).await;
        assert_eq!(seen.json()["AccessKeyId"], "AKIAPLAIN");
        assert!(seen.json().get("RoleArn").is_none());
    }

    #[tokio::test]
    async fn who_does_not_know_the_token_gets_nothing() {
        let router = router(&context());
        for token in
            [None, Some(""), Some("let-me-im"), Some("let-me-in "), Some("Bearer let-me-in")]
        {
            let headers: Vec<_> = token.map(|token| ("authorization", token)).into_iter().collect();
            for path in ["/creds", "/creds/deploy", "/creds/other"] {
                let seen = ask(&router, &format!("GET {path}"), &headers).await;
                assert_eq!(seen.status, 401, "{token:?} {path}");
                assert!(!seen.text.contains(SECRET), "{token:?}");
            }
        }
    }

    #[tokio::test]
    async fn wrong_methods_paths_and_failures() {
        let router = router(&context());
        for (line, status) in [
            ("POST /creds", 405),
            ("GET /creds/other", 404),
            ("GET /creds/deploy/more", 404),
            ("GET /credsdeploy", 404),
            ("GET /creds/broken", 502),
        ] {
            assert_eq!(ask(&router, line, &KNOWN).await.status, status, "{line}");
        }
    }

    #[tokio::test]
    async fn an_endpoint_that_is_not_served_is_not_there() {
        let context = context();
        let options = ServeOptions { imds: true, authorization: None, ..ServeOptions::default() };
        let imds = Router::new(&context, profiles(&context), &options, PORT).unwrap();
        assert_eq!(ask(&imds, "GET /creds", &KNOWN).await.status, 404);
        let options = ServeOptions { imds: false, authorization: Some("x".into()), ..options };
        let container = Router::new(&context, profiles(&context), &options, PORT).unwrap();
        assert_eq!(ask(&container, "PUT /latest/api/token", &[]).await.status, 404);
    }

    #[tokio::test]
    async fn nobody_is_answered_who_calls_us_by_another_name() {
        let router = router(&context());
        for line in ["PUT /latest/api/token", "GET /creds"] {
            let rebound = [("host", "evil.example:9911"), KNOWN[0]];
            let seen = ask(&router, line, &rebound).await;
            assert_eq!(seen.status, 403, "{line}");
            let proxied = [("x-forwarded-for", "10.0.0.1"), KNOWN[0]];
            assert_eq!(ask(&router, line, &proxied).await.status, 400, "{line}");
        }
    }
}
