use http::header::AUTHORIZATION;
use http::request::Parts;
use http::{Method, StatusCode};
use percent_encoding::percent_decode_str;
use rolecall_core::{Clock, Context, Result};

use super::answer::{self, Answer, failure, refused, wrong_method};
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

    /// Answers a request, whose body nobody reads.
    pub(super) async fn answer(&self, request: &Parts) -> Answer {
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
