//! Amazon EKS, as far as a kubeconfig needs it: DescribeCluster.

use std::sync::Mutex;

use http::HeaderValue;
use http::header::ACCEPT;
use rolecall_core::http::{Request, RetryPolicy};
use rolecall_core::{Context, CredentialsError, ErrorKind, Result, SharedProvider};
use serde::Deserialize;
use zeroize::Zeroizing;

use crate::query::QueryEndpoint;
use crate::rest::{CallName, RestCall, url};

const SERVICE: &str = "EKS";
const CALL: CallName = CallName { service: SERVICE, action: "DescribeCluster" };
/// The longest texts that a kubeconfig takes over: an authority's certificates are some kilobytes.
const LONGEST: usize = 256 * 1024;

/// A client of EKS at one endpoint.
#[derive(Clone, Debug)]
pub struct EksClient {
    /// The doors to the outside.
    pub context: Context,
    /// Where EKS is, signed for `eks`.
    pub endpoint: QueryEndpoint,
    /// Who signs.
    pub credentials: SharedProvider,
    /// How often a call is tried.
    pub retry: RetryPolicy,
}

/// A cluster, as far as a kubeconfig says it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cluster {
    /// `arn:aws:eks:eu-west-1:111111111111:cluster/prod`.
    pub arn: String,
    /// `ACTIVE`, `UPDATING`; others cannot be used.
    pub status: String,
    /// The URL of its API server, once it has one.
    pub endpoint: Option<String>,
    /// The certificates of its authority: PEM in base64.
    pub certificate_authority: Option<String>,
    /// The id of a local cluster.
    pub id: Option<String>,
    /// Whether it is a local cluster on Outposts, whose tokens name its id.
    pub is_local: bool,
}

#[derive(Deserialize)]
struct Answer {
    cluster: Option<Description>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Description {
    arn: Option<String>,
    status: Option<String>,
    endpoint: Option<String>,
    certificate_authority: Option<Certificate>,
    id: Option<String>,
    outpost_config: Option<OutpostConfig>,
}

#[derive(Deserialize)]
struct Certificate {
    data: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct OutpostConfig {
    etcd_instance_type: Option<String>,
}

impl EksClient {
    /// DescribeCluster. Source: Amazon EKS API Reference.
    ///
    /// # Errors
    /// `InvalidConfiguration` for a name that no cluster can have, or has; `Malformed` if the answer
    /// is not what EKS documents; else those of the credentials' provider and by the service's code
    /// (see [`crate::ServiceError`]).
    pub async fn describe_cluster(&self, name: &str) -> Result<Cluster> {
        check_name(name)?;
        let uri = url(SERVICE, &self.endpoint.url, &format!("/clusters/{name}"))?;
        let make = || {
            let mut request = Request::new(Zeroizing::new(Vec::new()));
            *request.uri_mut() = uri.clone();
            request.headers_mut().insert(ACCEPT, HeaderValue::from_static("application/json"));
            Ok(request)
        };
        let call = RestCall {
            context: &self.context,
            retry: self.retry,
            name: CALL,
            secrets: &[],
            make: &make,
            signed: Some((&self.credentials, &self.endpoint)),
            sent: Mutex::default(),
        };
        let Answer { cluster } = call.answer().await?;
        let found = cluster.ok_or_else(|| malformed("no cluster"))?;
        let cluster = Cluster {
            arn: found.arn.ok_or_else(|| malformed("no ARN"))?,
            status: found.status.ok_or_else(|| malformed("no status"))?,
            endpoint: found.endpoint,
            certificate_authority: found.certificate_authority.and_then(|found| found.data),
            id: found.id,
            is_local: found.outpost_config.is_some_and(|of| of.etcd_instance_type.is_none()),
        };
        for (what, text) in [
            ("ARN", Some(&cluster.arn)),
            ("status", Some(&cluster.status)),
            ("endpoint", cluster.endpoint.as_ref()),
            ("certificate authority", cluster.certificate_authority.as_ref()),
            ("id", cluster.id.as_ref()),
        ] {
            let fits = |text: &String| {
                text.len() <= LONGEST && text.bytes().all(|byte| byte.is_ascii_graphic())
            };
            if !text.is_none_or(fits) {
                return Err(malformed(&format!("no {what}, but what cannot be one")));
            }
        }
        Ok(cluster)
    }
}

/// Source: Amazon EKS API Reference, CreateCluster, `name`.
fn check_name(name: &str) -> Result<()> {
    let is_inside = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    let is_name = name.len() <= 100
        && name.starts_with(|first: char| first.is_ascii_alphanumeric())
        && name.bytes().all(is_inside);
    if is_name {
        return Ok(());
    }
    let message = "a cluster's name is 1 to 100 letters, digits, - and _, and begins with one of \
                   the first two";
    Err(CredentialsError::new(ErrorKind::InvalidConfiguration, SERVICE, message)
        .with_help("see aws eks list-clusters; an ARN is no name"))
}

fn malformed(what: &str) -> CredentialsError {
    CALL.malformed(format!("the answer has {what}"))
        .with_help("a proxy or a wrong endpoint URL may have answered")
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use rolecall_core::http::ScriptedHttp;

    use super::*;
    use crate::testing;

    const GOOD: &str = r#"{"cluster": {"name": "prod", "status": "ACTIVE",
        "arn": "arn:aws:eks:eu-west-1:111111111111:cluster/prod", "endpoint": "https://x.test",
        "certificateAuthority": {"data": "Q0E="}, "version": "1.33", "tags": {}}}"#;

    async fn ask(name: &str, status: u16, body: &str) -> (Result<Cluster>, Arc<ScriptedHttp>) {
        let http = ScriptedHttp::new([ScriptedHttp::answer(status, body)]);
        let client = EksClient {
            context: Context { http: http.clone(), ..Context::fake() },
            endpoint: QueryEndpoint {
                url: "https://eks.eu-west-1.amazonaws.com".to_owned(),
                signing_region: "eu-west-1".to_owned(),
                signing_name: "eks".to_owned(),
            },
            credentials: testing::source(),
            retry: RetryPolicy { max_attempts: 1 },
        };
        (client.describe_cluster(name).await, http)
    }

    #[tokio::test]
    async fn a_cluster_is_asked_for_with_a_signature_and_read() {
        let (cluster, http) = ask("prod", 200, GOOD).await;
        let cluster = cluster.unwrap();
        assert_eq!(cluster.endpoint.as_deref(), Some("https://x.test"));
        assert_eq!(cluster.certificate_authority.as_deref(), Some("Q0E="));
        assert!(!cluster.is_local);
        let requests = http.take_requests();
        assert_eq!(requests[0].uri(), "https://eks.eu-west-1.amazonaws.com/clusters/prod");
        let signature = requests[0].headers()["authorization"].to_str().unwrap();
        assert!(signature.contains("/eu-west-1/eks/aws4_request"), "{signature}");
    }

    #[tokio::test]
    async fn a_cluster_on_outposts_is_local_unless_it_has_its_own_etcd_instances() {
        for (outpost, is_local) in [
            ("{}", true),
            (r#"{"outpostArns": []}"#, true),
            (r#"{"etcdInstanceType": "m5.large"}"#, false),
            ("null", false),
        ] {
            let body = GOOD.replace("\"tags\": {}", &format!("\"outpostConfig\": {outpost}"));
            assert_eq!(ask("prod", 200, &body).await.0.unwrap().is_local, is_local, "{outpost}");
        }
    }

    #[tokio::test]
    async fn refusals_are_told_by_their_code_and_the_session_token_is_not() {
        let gone = r#"{"__type":"ResourceNotFoundException","message":"No cluster found for name: prod."}"#;
        let denied = format!(
            r#"{{"__type":"AccessDeniedException","message":"User {} may not"}}"#,
            testing::TOKEN
        );
        for (status, body, kind) in [
            (404, gone, ErrorKind::InvalidConfiguration),
            (403, denied.as_str(), ErrorKind::Denied),
            (503, "busy", ErrorKind::Unavailable),
            (404, "<html>", ErrorKind::Malformed),
        ] {
            let error = ask("prod", status, body).await.0.unwrap_err();
            assert_eq!(error.kind(), kind, "{error}");
            assert!(!format!("{error} {error:?}").contains(testing::TOKEN), "{error}");
        }
        let error = ask("prod", 404, gone).await.0.unwrap_err();
        assert!(error.to_string().contains("No cluster found"), "{error}");
        assert!(error.help().unwrap().contains("region"), "{error}");
    }

    #[tokio::test]
    async fn answers_that_make_no_sense_are_malformed() {
        for body in [
            "{}",
            "[]",
            r#"{"cluster": null}"#,
            r#"{"cluster": {"status": "ACTIVE"}}"#,
            r#"{"cluster": {"arn": "arn:aws:eks:x:1:cluster/y"}}"#,
            &GOOD.replace("https://x.test", "https://x\\n evil: true"),
            &GOOD.replace("Q0E=", "a b"),
            &GOOD.replace("Q0E=", &"A".repeat(300_000)),
        ] {
            let error = ask("prod", 200, body).await.0.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Malformed, "{error}");
        }
    }

    #[tokio::test]
    async fn what_is_no_name_is_not_asked_for() {
        let arn = "arn:aws:eks:eu-west-1:111111111111:cluster/prod";
        for name in ["", "-a", "a/b", "../x", "a b", "a%2f", arn, &"a".repeat(101)] {
            let (outcome, http) = ask(name, 200, GOOD).await;
            assert_eq!(outcome.unwrap_err().kind(), ErrorKind::InvalidConfiguration, "{name}");
            assert!(http.take_requests().is_empty(), "{name}");
        }
    }

    #[tokio::test]
    async fn a_wrong_clock_is_corrected() {
        let theirs = Context::fake().clock.now() + Duration::from_secs(7200);
        let mut late = ScriptedHttp::answer(403, r#"{"__type":"InvalidSignatureException"}"#);
        let date = httpdate::fmt_http_date(theirs).parse().unwrap();
        late.headers_mut().insert(http::header::DATE, date);
        let http = ScriptedHttp::new([late, ScriptedHttp::answer(200, GOOD)]);
        let client = EksClient {
            context: Context { http: http.clone(), ..Context::fake() },
            endpoint: testing::endpoint(),
            credentials: testing::source(),
            retry: RetryPolicy::default(),
        };
        client.describe_cluster("prod").await.unwrap();
        let requests = http.take_requests();
        let dates: Vec<_> = requests.iter().map(|r| r.headers()["x-amz-date"].clone()).collect();
        assert_eq!(dates, ["20260101T000000Z", "20260101T020000Z"]);
    }
}
