//! The operations and their parameters, as AWS's API model lists them.

use super::{Work, federated, messages, outbound, roles, tokens};
use crate::error::AwsError;
use crate::query::{
    ANY, ARN, DIGITS, EXTERNAL, Kind, NAME, POLICY, Param, SERIAL, TAG, Text, WORD, param,
    required, secret, text,
};
use crate::xml::Element;

/// What an operation does.
type Run = fn(&mut Work<'_>) -> Result<Vec<Element>, AwsError>;

pub(super) struct Operation {
    pub(super) name: &'static str,
    pub(super) response: &'static str,
    pub(super) result: &'static str,
    pub(super) signed: bool,
    pub(super) params: &'static [Param],
    pub(super) run: Run,
}

const fn duration(min: i64, max: i64) -> Param {
    param("DurationSeconds", Kind::Number { min, max })
}

const fn arn(name: &'static str) -> Param {
    required(name, text(20, 2048, ARN))
}

const POLICY_DOCUMENT: Param = param("Policy", text(1, 2048, POLICY));
const POLICY_ARN: Param = required("", Kind::Fields(&[arn("arn")]));
const POLICY_ARNS: Param = param("PolicyArns", Kind::List { min: 0, max: 10, item: &POLICY_ARN });
const TAG_KEY: Param = required("Key", text(1, 128, TAG));
const ONE_TAG: Param = required("", Kind::Fields(&[TAG_KEY, required("Value", text(0, 256, TAG))]));
const TAGS: Param = param("Tags", Kind::List { min: 0, max: 50, item: &ONE_TAG });
const SESSION_NAME: Param = required("RoleSessionName", text(2, 64, NAME));
const SERIAL_NUMBER: Param = param("SerialNumber", text(9, 256, SERIAL));
const TOKEN_CODE: Param = secret(param("TokenCode", text(6, 6, DIGITS)));
const CONTEXT: Param = required(
    "",
    Kind::Fields(&[
        param("ProviderArn", text(20, 2048, ARN)),
        secret(param("ContextAssertion", text(4, 2048, ANY))),
    ]),
);
const AUDIENCE: Param = required("", text(1, 1000, ANY));

pub(super) const OPERATIONS: &[Operation] = &[
    Operation {
        name: "AssumeRole",
        response: "AssumeRoleResponse",
        result: "AssumeRoleResult",
        signed: true,
        params: &[
            arn("RoleArn"),
            SESSION_NAME,
            POLICY_ARNS,
            POLICY_DOCUMENT,
            duration(900, 43_200),
            TAGS,
            param("TransitiveTagKeys", Kind::List { min: 0, max: 50, item: &TAG_KEY }),
            param("ExternalId", text(2, 1224, EXTERNAL)),
            SERIAL_NUMBER,
            TOKEN_CODE,
            param("SourceIdentity", text(2, 64, NAME)),
            secret(param("ProvidedContexts", Kind::List { min: 1, max: 5, item: &CONTEXT })),
        ],
        run: roles::assume_role,
    },
    Operation {
        name: "AssumeRoleWithSAML",
        response: "AssumeRoleWithSAMLResponse",
        result: "AssumeRoleWithSAMLResult",
        signed: false,
        params: &[
            arn("RoleArn"),
            arn("PrincipalArn"),
            secret(required("SAMLAssertion", text(4, 100_000, ANY))),
            POLICY_ARNS,
            POLICY_DOCUMENT,
            duration(900, 43_200),
        ],
        run: federated::assume_role_with_saml,
    },
    Operation {
        name: "AssumeRoleWithWebIdentity",
        response: "AssumeRoleWithWebIdentityResponse",
        result: "AssumeRoleWithWebIdentityResult",
        signed: false,
        params: &[
            arn("RoleArn"),
            SESSION_NAME,
            secret(required("WebIdentityToken", text(4, 20_000, ANY))),
            param("ProviderId", text(4, 2048, ANY)),
            POLICY_ARNS,
            POLICY_DOCUMENT,
            duration(900, 43_200),
        ],
        run: federated::assume_role_with_web_identity,
    },
    Operation {
        name: "GetSessionToken",
        response: "GetSessionTokenResponse",
        result: "GetSessionTokenResult",
        signed: true,
        params: &[duration(900, 129_600), SERIAL_NUMBER, TOKEN_CODE],
        run: tokens::get_session_token,
    },
    Operation {
        name: "GetFederationToken",
        response: "GetFederationTokenResponse",
        result: "GetFederationTokenResult",
        signed: true,
        params: &[
            required("Name", text(2, 32, NAME)),
            POLICY_DOCUMENT,
            POLICY_ARNS,
            duration(900, 129_600),
            TAGS,
        ],
        run: tokens::get_federation_token,
    },
    Operation {
        name: "GetCallerIdentity",
        response: "GetCallerIdentityResponse",
        result: "GetCallerIdentityResult",
        signed: true,
        params: &[],
        run: tokens::get_caller_identity,
    },
    Operation {
        name: "DecodeAuthorizationMessage",
        response: "DecodeAuthorizationMessageResponse",
        result: "DecodeAuthorizationMessageResult",
        signed: true,
        params: &[required("EncodedMessage", text(1, 10_240, ANY))],
        run: messages::decode_authorization_message,
    },
    Operation {
        name: "GetAccessKeyInfo",
        response: "GetAccessKeyInfoResponse",
        result: "GetAccessKeyInfoResult",
        signed: true,
        params: &[required("AccessKeyId", text(16, 128, WORD))],
        run: tokens::get_access_key_info,
    },
    Operation {
        name: "AssumeRoot",
        response: "AssumeRootResponse",
        result: "AssumeRootResult",
        signed: true,
        params: &[
            required("TargetPrincipal", text(12, 2048, ANY)),
            required("TaskPolicyArn", Kind::Fields(&[arn("arn")])),
            duration(0, 900),
        ],
        run: tokens::assume_root,
    },
    Operation {
        name: "GetWebIdentityToken",
        response: "GetWebIdentityTokenResponse",
        result: "GetWebIdentityTokenResult",
        signed: true,
        params: &[
            required("Audience", Kind::List { min: 1, max: 10, item: &AUDIENCE }),
            required(
                "SigningAlgorithm",
                Kind::Text(Text { min: 5, max: 5, pattern: ANY, one_of: &["ES384", "RS256"] }),
            ),
            duration(60, 3600),
            TAGS,
        ],
        run: outbound::get_web_identity_token,
    },
];

pub(super) fn find(name: &str) -> Option<&'static Operation> {
    OPERATIONS.iter().find(|operation| operation.name == name)
}
