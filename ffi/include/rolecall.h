/*
 * rolecall: short-lived AWS credentials anywhere.
 *
 * Link with `pkg-config --cflags --libs rolecall`.
 *
 * What holds for every function:
 *
 * - Texts are UTF-8 and end in NUL. What a function is given it copies: it may be freed or changed
 *   once the function has returned.
 * - A function that can fail gives a `rolecall_status`: `ROLECALL_OK`, or why not. Then what it should
 *   have put elsewhere is untouched, and `error` has an error to free, whatever it held before. `error`
 *   may be NULL for callers to whom the status is enough.
 * - JSON that makes no sense, and a profile, definition or lease that is not there or is there already,
 *   are `ROLECALL_INVALID_CONFIGURATION`; the message says which.
 * - NULL where its comment does not allow it is `ROLECALL_INVALID_ARGUMENT`; a function without a
 *   status gives NULL or 0 then. Anything else that is no handle of the right type, or was freed, is
 *   undefined.
 * - What a function makes is the caller's, who frees it with the function that the type names, once.
 *   What it lends ("borrowed") lives as long as the handle it was asked of. All `_free` functions take
 *   NULL.
 * - Any number of threads may use a handle at the same time, but for options while they are changed. A
 *   handle is freed when no thread uses it any more.
 * - Calls block until they are done. Each wait for a network, a file or a program is bounded; callbacks
 *   take the time they take, and `rolecall_worker_run` ends when it is stopped. No thread is left
 *   behind that works on its own.
 * - After a fork the child may use the handles of the parent, which make themselves anew, and may free
 *   them; neither does anything to the parent's. A fork waits until a lease store is not being read or
 *   written, five seconds at most: of a store that was, the child's calls fail.
 * - Functions do not throw or exit, and callbacks must not either. If memory runs out the process
 *   aborts, as those in Rust do.
 *
 * Functions and codes are only ever added. Generated from Rust: do not edit.
 */

#ifndef ROLECALL_H
#define ROLECALL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/**
 * Which functions and codes this header has: grows whenever some are added.
 */
#define ROLECALL_API_VERSION 1

/**
 * An answer: a text, JSON unless its function says otherwise, and for some questions credentials.
 * Free it with `rolecall_answer_free`, which zeroes the text.
 */
typedef struct rolecall_answer rolecall_answer;

/**
 * Named ways to log in with an IAM identity, kept in a store of leases. Any number of threads may
 * use it at the same time. Free it with `rolecall_auth_free`.
 */
typedef struct rolecall_auth rolecall_auth;

/**
 * AWS credentials: they do not change, and any number of threads may read them at the same time.
 * Each is yours: free it with `rolecall_credentials_free`. The secrets are zeroed when the last
 * that has them is freed.
 */
typedef struct rolecall_credentials rolecall_credentials;

/**
 * Why something failed: which part of rolecall, what happened, where it is configured, what to do
 * next. There is no secret in it. Free it with `rolecall_error_free`.
 */
typedef struct rolecall_error rolecall_error;

/**
 * Dynamic secrets and their leases in one store. Any number of threads may use it at the same
 * time; in a forked child it opens the store anew. Free it with `rolecall_leases_free`, when no
 * thread uses it any more.
 */
typedef struct rolecall_leases rolecall_leases;

/**
 * Which store to open, and how AWS is reached from it. One thread at a time may change it; it may
 * be freed once the store is open. Free it with `rolecall_leases_options_free`.
 */
typedef struct rolecall_leases_options rolecall_leases_options;

/**
 * A certificate and what is asked of IAM Roles Anywhere for it: the source of a session, by
 * `rolecall_session_options_set_roles_anywhere`. One thread at a time may change it. Free it with
 * `rolecall_roles_anywhere_free`.
 */
typedef struct rolecall_roles_anywhere rolecall_roles_anywhere;

/**
 * Credentials of one profile, or of the default chain, kept in memory and renewed in time. Any
 * number of threads may use one session at the same time: one asks AWS, those who wait share its
 * outcome. In a forked child it makes itself anew. Free it with `rolecall_session_free`, when no
 * thread uses it any more.
 */
typedef struct rolecall_session rolecall_session;

/**
 * What a session is for: which profile, where, and who is asked. One thread at a time may change
 * it; it may be freed once what was made of it is made. Free it with
 * `rolecall_session_options_free`.
 */
typedef struct rolecall_session_options rolecall_session_options;

/**
 * Makes tokens that prove who a session is in AWS. Any number of threads may use it at the same
 * time. Free it with `rolecall_token_source_free`.
 */
typedef struct rolecall_token_source rolecall_token_source;

/**
 * Checks tokens, for a server that is shown them. One serves for as long as the process runs: it
 * remembers which were used. Any number of threads may use it at the same time; each process of a
 * fork remembers for itself. Free it with `rolecall_verifier_free`.
 */
typedef struct rolecall_verifier rolecall_verifier;

/**
 * Takes back what is due in one store. Any number of workers, in any number of processes, may work
 * on one. Free it with `rolecall_worker_free`, when it does not run any more.
 */
typedef struct rolecall_worker rolecall_worker;

/**
 * What came of a call: `ROLECALL_OK`, or why nothing did. Codes are only ever added, never changed:
 * take one you do not know as `ROLECALL_INTERNAL`.
 */
typedef int32_t rolecall_status;

/**
 * Gives credentials: puts them into `credentials` and gives `ROLECALL_OK`, or gives the code of why
 * there are none, `ROLECALL_NOT_CONFIGURED` if the next provider of the chain is to be asked, and
 * may put an error made with `rolecall_error_new` into `error`. The library takes over both. It may
 * be called by any thread of the library's, by one at a time for each session, and may block. It
 * must not return by `longjmp` or an exception, nor use the session that asks; other sessions it
 * may use.
 */
typedef rolecall_status (*rolecall_provide)(void *data,
                                            const rolecall_credentials **credentials,
                                            rolecall_error **error);

/**
 * Called once, when nothing of the library will use `data` any more.
 */
typedef void (*rolecall_release)(void *data);

/**
 * Answers a question, such as one for an MFA code or the password of a key: writes the answer with
 * its NUL into `answer`, which has room for `room` bytes, and gives `ROLECALL_OK`; or the code of
 * why there is none. It may be called by any thread of the library's, and may block as a person
 * may. It must not return by `longjmp` or an exception, nor use the handle that asks.
 */
typedef rolecall_status (*rolecall_ask)(void *data,
                                        const char *question,
                                        char *answer,
                                        size_t room);

/**
 * It is done.
 */
#define ROLECALL_OK 0

/**
 * Nothing is configured here.
 */
#define ROLECALL_NOT_CONFIGURED 1

/**
 * Something is configured and it is wrong: a file, a profile, an option, a variable.
 */
#define ROLECALL_INVALID_CONFIGURATION 2

/**
 * The other side understood and said no.
 */
#define ROLECALL_DENIED 3

/**
 * The other side could not be reached or could not answer now. Worth trying again later.
 */
#define ROLECALL_UNAVAILABLE 4

/**
 * A bounded wait ended.
 */
#define ROLECALL_TIMED_OUT 5

/**
 * An answer arrived and makes no sense.
 */
#define ROLECALL_MALFORMED 6

/**
 * A fault of rolecall itself or of the machine under it.
 */
#define ROLECALL_INTERNAL 7

/**
 * A mistake in the call: a NULL where there must be none, a text that is not UTF-8.
 */
#define ROLECALL_INVALID_ARGUMENT 8

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

/**
 * The text. Borrowed from the answer; NULL for NULL.
 */
const char *rolecall_answer_text(const rolecall_answer *answer);

/**
 * The credentials of the answer; NULL if it has none. Yours to free, also after the answer.
 */
const rolecall_credentials *rolecall_answer_credentials(const rolecall_answer *answer);

/**
 * From when on nobody takes the token that the answer is, in seconds since 1970 (UTC); 0 if it is
 * none of `rolecall_token_source_token`, and for NULL.
 */
int64_t rolecall_answer_expires_at(const rolecall_answer *answer);

/**
 * Frees an answer and zeroes its text; `answer` may be NULL.
 */
void rolecall_answer_free(rolecall_answer *answer);

/**
 * The auth methods of a store, whose handle may be freed before.
 */
rolecall_status rolecall_auth_new(const rolecall_leases *leases,
                                  rolecall_auth **auth,
                                  rolecall_error **error);

/**
 * Adds a method, after checking it: JSON with `name` and `bounds` (`{"account_ids": ["…"],
 * "role_names": ["Deploy"]}`, as of `rolecall_verifier_new`), and as wanted `formats`, `server_id`,
 * `cluster`, `audience`, `jwt_ttl_seconds`, `description`, `access_expires`, `delete_protection`. The
 * answer is the method, with its access id and version.
 */
rolecall_status rolecall_auth_create(const rolecall_auth *auth,
                                     const char *method,
                                     rolecall_answer **answer,
                                     rolecall_error **error);

/**
 * Changes a method, which is given whole. `version` is the one that was read: if it was changed
 * since, this fails. The answer is the method.
 */
rolecall_status rolecall_auth_update(const rolecall_auth *auth,
                                     const char *method,
                                     uint32_t version,
                                     rolecall_answer **answer,
                                     rolecall_error **error);

/**
 * A method, by its name or access id: JSON.
 */
rolecall_status rolecall_auth_method(const rolecall_auth *auth,
                                     const char *name,
                                     rolecall_answer **answer,
                                     rolecall_error **error);

/**
 * Up to `limit` methods in the order of their names, those after `after`, which is empty for the
 * first: a JSON list.
 */
rolecall_status rolecall_auth_methods(const rolecall_auth *auth,
                                      const char *after,
                                      uint32_t limit,
                                      rolecall_answer **answer,
                                      rolecall_error **error);

/**
 * Takes a method out of use, and with it its sessions.
 */
rolecall_status rolecall_auth_delete(const rolecall_auth *auth,
                                     const char *name,
                                     rolecall_error **error);

/**
 * Checks a token of `rolecall_token_source_token` by a method, and begins a session. `ROLECALL_OK`
 * means that it is who may come in; the answer is the session: `{"token": "JWT", "subject",
 * "method", "expires_at", …}`, as good as a password until it ends.
 */
rolecall_status rolecall_auth_authenticate(const rolecall_auth *auth,
                                           const char *method,
                                           const char *token,
                                           rolecall_answer **answer,
                                           rolecall_error **error);

/**
 * Who has a session, if it still holds: its method must be in use and let the identity in as it is
 * now. The answer is what it says.
 */
rolecall_status rolecall_auth_session(const rolecall_auth *auth,
                                      const char *token,
                                      rolecall_answer **answer,
                                      rolecall_error **error);

/**
 * The keys that sessions are signed with, for others to verify them by: a JSON Web Key Set.
 */
rolecall_status rolecall_auth_jwks(const rolecall_auth *auth,
                                   rolecall_answer **answer,
                                   rolecall_error **error);

/**
 * Drops a signing key for ever, by its `kid` in `rolecall_auth_jwks`, and with it all sessions that
 * it has signed: for one that others may have. Free the handles of the store that have signed with
 * it, and open it again: they have the key in memory.
 */
rolecall_status rolecall_auth_remove_key(const rolecall_auth *auth,
                                         const char *id,
                                         rolecall_error **error);

/**
 * Logs in with the credentials of a session: makes a token, has it checked by the method of
 * `access_id`, and keeps what is begun in `~/.aws/rolecall/sessions`, unless `uses_cache` is
 * false, for as long as it holds. `access_id` may be NULL: the one that
 * `rolecall_identity_save_access_id` has saved in `profile`, which says nothing else; `profile`
 * may be NULL: the one of `AWS_PROFILE`. The answer is as of `rolecall_auth_authenticate`.
 */
rolecall_status rolecall_auth_log_in(const rolecall_auth *auth,
                                     const rolecall_session *session,
                                     const char *profile,
                                     const char *access_id,
                                     bool uses_cache,
                                     rolecall_answer **answer,
                                     rolecall_error **error);

/**
 * Saves in a profile by which auth method it logs in, as `rolecall identity configure` does.
 * `profile` may be NULL: the one of `AWS_PROFILE`, else `default`. The one `access_type` is
 * `aws_iam`.
 */
rolecall_status rolecall_identity_save_access_id(const char *profile,
                                                 const char *access_id,
                                                 const char *access_type,
                                                 rolecall_error **error);

/**
 * Frees it; `auth` may be NULL.
 */
void rolecall_auth_free(rolecall_auth *auth);

/**
 * What a setting of a profile is, as `aws configure get` finds it: JSON, a text, null if it is not
 * set, or `{}` if it is a group of settings. It may be a secret. `profile` may be NULL: the one of
 * `AWS_PROFILE`, else `default`.
 */
rolecall_status rolecall_configure_get(const char *profile,
                                       const char *setting,
                                       rolecall_answer **answer,
                                       rolecall_error **error);

/**
 * Sets a setting of a profile, as `aws configure set` does: `assignment` is `KEY=VALUE`, where a
 * secret value may also be `file://PATH`, `env:NAME` or `-`. The answer is a JSON list of warnings.
 * `profile` may be NULL: the one of `AWS_PROFILE`, else `default`.
 */
rolecall_status rolecall_configure_set(const char *profile,
                                       const char *assignment,
                                       rolecall_answer **answer,
                                       rolecall_error **error);

/**
 * Writes the credentials of a session of these options into a section of the credentials file, once,
 * as `rolecall update --once` does, and puts them into `credentials`. Keys of a user that are there
 * stay, and the call fails, unless `replaces_long_lived_keys`. `options` may be NULL: the default
 * chain.
 */
rolecall_status rolecall_update_profile(const rolecall_session_options *options,
                                        const char *profile,
                                        bool replaces_long_lived_keys,
                                        const rolecall_credentials **credentials,
                                        rolecall_error **error);

/**
 * Puts a cluster of EKS into a kubeconfig file, as `aws eks update-kubeconfig` does. `request` is
 * JSON: `{"name": "prod", "kubeconfig": "PATH", "role_arn", "assume_role_arn", "proxy_url",
 * "alias", "user_alias", "command": "aws", "endpoint_url"}`, all but `name` optional; `command` is
 * the program for tokens, `aws` or `rolecall`. The answer is `{"context", "kubeconfig", "updated",
 * "changed", "overruled_by", "warnings": […]}`: whether the context was there before and is now
 * another, and whether the file is. `options` may be NULL: the default chain.
 */
rolecall_status rolecall_eks_update_kubeconfig(const rolecall_session_options *options,
                                               const char *request,
                                               rolecall_answer **answer,
                                               rolecall_error **error);

/**
 * Makes credentials, for a provider of yours to give. `session_token` may be NULL: long-lived keys
 * have none; `account_id` may be NULL. `expires_at` is the moment from which AWS refuses them, in
 * seconds since 1970 (UTC); 0 if they do not end. `provider` says where they came from, for
 * messages.
 */
rolecall_status rolecall_credentials_new(const char *access_key_id,
                                         const char *secret_access_key,
                                         const char *session_token,
                                         int64_t expires_at,
                                         const char *account_id,
                                         const char *provider,
                                         const rolecall_credentials **credentials,
                                         rolecall_error **error);

/**
 * The access key id, which is no secret. Borrowed from the credentials, as all their texts; NULL
 * for NULL.
 */
const char *rolecall_credentials_access_key_id(const rolecall_credentials *credentials);

/**
 * The secret access key.
 */
const char *rolecall_credentials_secret_access_key(const rolecall_credentials *credentials);

/**
 * The session token; NULL if they have none.
 */
const char *rolecall_credentials_session_token(const rolecall_credentials *credentials);

/**
 * The moment from which AWS refuses them, in seconds since 1970 (UTC); 0 if they do not end.
 */
int64_t rolecall_credentials_expires_at(const rolecall_credentials *credentials);

/**
 * The account they belong to, 12 digits; NULL if that is not known.
 */
const char *rolecall_credentials_account_id(const rolecall_credentials *credentials);

/**
 * Where they came from, for people.
 */
const char *rolecall_credentials_provider(const rolecall_credentials *credentials);

/**
 * Writes them as text: `format` is `process` (JSON for `credential_process`), `env`,
 * `env-no-export`, `fish`, `powershell` or `windows-cmd`. The answer holds the secrets.
 */
rolecall_status rolecall_credentials_export(const rolecall_credentials *credentials,
                                            const char *format,
                                            rolecall_answer **answer,
                                            rolecall_error **error);

/**
 * The changes that make a program's environment one of these credentials: a JSON object of variables,
 * with the value to set, or null for one to remove, as it would compete. `region` is set as well;
 * `region` may be NULL: as it is. The answer holds the secrets.
 */
rolecall_status rolecall_credentials_environment(const rolecall_credentials *credentials,
                                                 const char *region,
                                                 rolecall_answer **answer,
                                                 rolecall_error **error);

/**
 * The credentials in `~/.aws/cli/cache`, those of AWS CLI included, without their secrets: the
 * JSON of `rolecall cache list --json`.
 */
rolecall_status rolecall_cached_credentials(rolecall_answer **answer,
                                            rolecall_error **error);

/**
 * Removes the credentials in `~/.aws/cli/cache`, those of AWS CLI included, and puts their number
 * into `removed`. What sessions have in memory stays.
 */
rolecall_status rolecall_clear_cached_credentials(uint64_t *removed,
                                                  rolecall_error **error);

/**
 * Frees credentials and their texts; `credentials` may be NULL.
 */
void rolecall_credentials_free(const rolecall_credentials *credentials);

/**
 * Makes an error, for a callback of yours to give: `status` says its kind, `provider` is the short
 * name of what failed. `help` says what to do about it, one sentence without a full stop; `help`
 * may be NULL.
 */
rolecall_status rolecall_error_new(rolecall_status status,
                                   const char *provider,
                                   const char *message,
                                   const char *help,
                                   rolecall_error **made,
                                   rolecall_error **error);

/**
 * Its code, which is never `ROLECALL_OK`; `ROLECALL_INVALID_ARGUMENT` for NULL.
 */
rolecall_status rolecall_error_status(const rolecall_error *error);

/**
 * What failed. Borrowed from the error, as all its texts; NULL for NULL.
 */
const char *rolecall_error_message(const rolecall_error *error);

/**
 * The part of rolecall that failed: `profile prod`, `STS AssumeRole`.
 */
const char *rolecall_error_provider(const rolecall_error *error);

/**
 * Where it is configured: `profile prod (/home/me/.aws/config:7)`; NULL if that is not known.
 */
const char *rolecall_error_place(const rolecall_error *error);

/**
 * What to do next; NULL if there is nothing to say.
 */
const char *rolecall_error_help(const rolecall_error *error);

/**
 * All of it in one line, for a log: place, provider, message and help.
 */
const char *rolecall_error_text(const rolecall_error *error);

/**
 * Frees an error and its texts; `error` may be NULL.
 */
void rolecall_error_free(rolecall_error *error);

/**
 * Says what a session of these options would do, without a network, a program or a secret: the JSON
 * of `rolecall explain --json`. What is wrong is a problem in it, not an error. `options` may be
 * NULL: the default chain.
 */
rolecall_status rolecall_explain(const rolecall_session_options *options,
                                 rolecall_answer **answer,
                                 rolecall_error **error);

/**
 * Looks for what is wrong with a session of these options, in files, variables and, by one unsigned
 * question each, at STS and the metadata service: the JSON of `rolecall doctor --json`, within three
 * seconds. `options` may be NULL: the default chain.
 */
rolecall_status rolecall_doctor(const rolecall_session_options *options,
                                rolecall_answer **answer,
                                rolecall_error **error);

/**
 * The profile files as data, secrets redacted: the JSON of `rolecall profiles --json`.
 */
rolecall_status rolecall_profiles(rolecall_answer **answer,
                                  rolecall_error **error);

/**
 * Says what tokens are for, and asks nobody yet. `options` is JSON: `{"format": "vault", "role",
 * "server_id"}`, `{"format": "infisical", "identity_id"}`, `{"format": "eks", "cluster_name"}`,
 * `{"format": "rolecall", "audience", "challenge", "lifetime_seconds": 60}` (1 to 300) or
 * `{"format": "akeyless"}`, which also holds where no format is named; with any of them `region`
 * and `sts_url`, those of the STS that the verifier asks. The session may be freed before the
 * source.
 */
rolecall_status rolecall_token_source_new(const rolecall_session *session,
                                          const char *options,
                                          rolecall_token_source **source,
                                          rolecall_error **error);

/**
 * A token that is signed now: a text as its format has it, not JSON of ours. It is as good as a
 * password for as long as it lives, which `rolecall_answer_expires_at` says.
 */
rolecall_status rolecall_token_source_token(const rolecall_token_source *source,
                                            rolecall_answer **answer,
                                            rolecall_error **error);

/**
 * Frees a source; `source` may be NULL.
 */
void rolecall_token_source_free(rolecall_token_source *source);

/**
 * Shows what is in a token, without what would let somebody use it: JSON. It checks nothing.
 */
rolecall_status rolecall_token_inspect(const char *token,
                                       rolecall_answer **answer,
                                       rolecall_error **error);

/**
 * Makes a verifier. `options` is JSON that says whom to let in: `account_ids`, at least one, and
 * as wanted `arns`, `role_names`, `role_ids`, `user_names`, `user_ids`, `session_names`: of each
 * kind that is given one must fit, and all kinds must; `unique_identifier` (`role_id`,
 * `user_name`, …): what the decision gives as the token's `subject`; `sts_url`, `partition`. What
 * tokens are taken: `formats` (left out: akeyless, vault, infisical, and eks and rolecall where
 * the cluster and the audience are named), `server_id` (Vault), `cluster_name` (EKS), `audience`
 * (rolecall's own) and `"challenges": true`, if they must answer one, or `{"key": "file://PATH",
 * "life_seconds": 120}` for servers that take each other's: the key is 64 hexadecimal digits,
 * `env:NAME` or `file://PATH`. How: `cached` (a token may be used again while it is fresh),
 * `max_age_seconds` (300), `time_limit_seconds` (5).
 */
rolecall_status rolecall_verifier_new(const char *options,
                                      rolecall_verifier **verifier,
                                      rolecall_error **error);

/**
 * Makes a verifier that remembers in a store which tokens were used: for several processes and
 * machines that share it, each of which then takes a token once. The store's handle may be freed
 * before it. Else as `rolecall_verifier_new`.
 */
rolecall_status rolecall_verifier_new_in_store(const char *options,
                                               const rolecall_leases *leases,
                                               rolecall_verifier **verifier,
                                               rolecall_error **error);

/**
 * What to know about whom the verifier lets in: a JSON list of warnings.
 */
rolecall_status rolecall_verifier_lints(const rolecall_verifier *verifier,
                                        rolecall_answer **answer,
                                        rolecall_error **error);

/**
 * A new challenge for a client to have signed, a text and not JSON. Fails with
 * `ROLECALL_INVALID_CONFIGURATION` unless the verifier was made with `"challenges": true`.
 */
rolecall_status rolecall_verifier_challenge(const rolecall_verifier *verifier,
                                            rolecall_answer **answer,
                                            rolecall_error **error);

/**
 * Checks a token, and asks STS whose it is. `ROLECALL_OK` means that it is who may come in, and
 * nothing else does; the answer is the decision: `{"accepted": true, "format", "identity":
 * {"account", "arn", "user_id", …}, "checks": […]}`, and `"subject"` where the verifier has a
 * `unique_identifier`. A token that is refused is an error that says why.
 */
rolecall_status rolecall_verifier_verify(const rolecall_verifier *verifier,
                                         const char *token,
                                         rolecall_answer **answer,
                                         rolecall_error **error);

/**
 * Checks a token as `rolecall_verifier_verify` does, and spends it, for a log: the answer is the
 * decision also if the token is refused. `ROLECALL_OK` lets nobody in here.
 */
rolecall_status rolecall_verifier_explain(const rolecall_verifier *verifier,
                                          const char *token,
                                          rolecall_answer **answer,
                                          rolecall_error **error);

/**
 * Frees a verifier; `verifier` may be NULL.
 */
void rolecall_verifier_free(rolecall_verifier *verifier);

/**
 * Checks a JWT of `GetWebIdentityToken`, offline: `jwks` is the issuer's keys, the text of its
 * `/.well-known/jwks.json`. The answer is what it claims.
 */
rolecall_status rolecall_verify_web_identity_token(const char *token,
                                                   const char *jwks,
                                                   const char *issuer,
                                                   const char *audience,
                                                   rolecall_answer **answer,
                                                   rolecall_error **error);

/**
 * As `rolecall_verify_web_identity_token`, with the issuer's keys from the file `path`.
 */
rolecall_status rolecall_verify_web_identity_token_by_file(const char *token,
                                                           const char *path,
                                                           const char *issuer,
                                                           const char *audience,
                                                           rolecall_answer **answer,
                                                           rolecall_error **error);

/**
 * Makes a session of a role that is assumed with what `options` say, for tokens of EKS clusters.
 * `options` may be NULL: the default chain. `external_id` may be NULL; `session_name` may be NULL:
 * AWS CLI's `EKSGetTokenAuth`.
 */
rolecall_status rolecall_eks_session_new(const rolecall_session_options *options,
                                         const char *role_arn,
                                         const char *external_id,
                                         const char *session_name,
                                         rolecall_session **session,
                                         rolecall_error **error);

/**
 * A token for an EKS cluster, its name or on Outposts its id: the JSON (`ExecCredential`) that
 * kubectl reads and `rolecall eks get-token` prints, with the token in `status.token`.
 */
rolecall_status rolecall_eks_token(const rolecall_session *session,
                                   const char *cluster,
                                   rolecall_answer **answer,
                                   rolecall_error **error);

/**
 * Options that say nothing: the store of this user.
 */
rolecall_leases_options *rolecall_leases_options_new(void);

/**
 * Where the store is: `sqlite:PATH` or a path, `postgres://…`; or `env:NAME` or `file://PATH`, where
 * one of these is written. Without one `ROLECALL_STORE` says, else it is
 * `~/.local/share/rolecall/leases.db`. `store` may be NULL: none.
 */
rolecall_status rolecall_leases_options_set_store(rolecall_leases_options *options,
                                                  const char *store,
                                                  rolecall_error **error);

/**
 * Who does what is done, for the audit log. `actor` may be NULL: `user@host`.
 */
rolecall_status rolecall_leases_options_set_actor(rolecall_leases_options *options,
                                                  const char *actor,
                                                  rolecall_error **error);

/**
 * The key that secrets are kept under, 64 hexadecimal digits: `file://PATH`, `env:NAME`, `-` or the
 * digits. `source` may be NULL: none are kept.
 */
rolecall_status rolecall_leases_options_set_sealing_key(rolecall_leases_options *options,
                                                        const char *source,
                                                        rolecall_error **error);

/**
 * Calls of IAM a second and account; 0 is the default, 20.
 */
rolecall_status rolecall_leases_options_set_calls_per_second(rolecall_leases_options *options,
                                                             uint32_t calls,
                                                             rolecall_error **error);

/**
 * How connections are reached: region, endpoint, MFA, caches. The profile does not count:
 * definitions name theirs. They are copied; `session` may be NULL: the defaults.
 */
rolecall_status rolecall_leases_options_set_session(rolecall_leases_options *options,
                                                    const rolecall_session_options *session,
                                                    rolecall_error **error);

/**
 * Adds a provider of yours for definitions whose connection is `{"custom": "NAME"}`. `provide` gets
 * `data`, and `data` may be NULL. `release` is called when that is not needed any more; `release` may
 * be NULL. If this fails, it is not called.
 */
rolecall_status rolecall_leases_options_add_provider(rolecall_leases_options *options,
                                                     const char *name,
                                                     rolecall_provide provide,
                                                     void *data,
                                                     rolecall_release release,
                                                     rolecall_error **error);

/**
 * Frees options; `options` may be NULL.
 */
void rolecall_leases_options_free(rolecall_leases_options *options);

/**
 * Opens a store, and makes it if there is none. `options` may be NULL: the store of this user.
 */
rolecall_status rolecall_leases_open(const rolecall_leases_options *options,
                                     rolecall_leases **leases,
                                     rolecall_error **error);

/**
 * Adds a definition of a dynamic secret, after checking that it makes sense; `rolecall_leases_probe`
 * tries it. JSON as `rolecall secret show --json` prints it and docs/leases.md tells, such as `{"name": "ci/reader", "connection": {"profile": "admin"}, "kind": "iam-user",
 * "policy_arns": ["arn:…"], "default_ttl_seconds": 3600, "max_ttl_seconds": 86400}`.
 */
rolecall_status rolecall_leases_define(const rolecall_leases *leases,
                                       const char *definition,
                                       rolecall_error **error);

/**
 * Changes a definition, for new leases and renewals. `version` is the one that was read, in
 * `rolecall_leases_definition`'s answer: if it was changed since, this is `ROLECALL_UNAVAILABLE`.
 */
rolecall_status rolecall_leases_redefine(const rolecall_leases *leases,
                                         const char *definition,
                                         uint32_t version,
                                         rolecall_error **error);

/**
 * Takes a definition out of use; its leases must be over.
 */
rolecall_status rolecall_leases_undefine(const rolecall_leases *leases,
                                         const char *name,
                                         rolecall_error **error);

/**
 * A definition, with its version and when that was written: JSON.
 */
rolecall_status rolecall_leases_definition(const rolecall_leases *leases,
                                           const char *name,
                                           rolecall_answer **answer,
                                           rolecall_error **error);

/**
 * Every definition, in the order of their names: a JSON list.
 */
rolecall_status rolecall_leases_definitions(const rolecall_leases *leases,
                                            rolecall_answer **answer,
                                            rolecall_error **error);

/**
 * Tries a definition: the connection, and every step with a user that is made and removed again,
 * or with a session of 15 minutes that nobody gets. `{"account_id", "arn", "missing":
 * ["CreateUser"], "untried": [], "policy": …}`: the actions that are not allowed, those that could
 * not be tried before those are, and a policy that allows what is missing. A user that cannot be
 * removed is a lease that the worker goes on with.
 */
rolecall_status rolecall_leases_probe(const rolecall_leases *leases,
                                      const char *name,
                                      rolecall_answer **answer,
                                      rolecall_error **error);

/**
 * Makes a user or a session in AWS, and hands it out. `request` is JSON: `{"secret": "ci/reader",
 * "ttl_seconds": 900, "identity": {"name": "build-7"}, "session": "JWT", "note": "…", "mfa_code":
 * "123456", "keep": false, "wait": true}`, all but `secret` optional: without `identity` it is for
 * the user whose process this is; with `wait`, which is not the default, the call ends when the
 * key works everywhere in AWS; `session` is one of `rolecall_auth_authenticate`. The answer is the
 * lease, without the secret, and has the credentials.
 */
rolecall_status rolecall_leases_create(const rolecall_leases *leases,
                                       const char *request,
                                       rolecall_answer **answer,
                                       rolecall_error **error);

/**
 * A lease: JSON.
 */
rolecall_status rolecall_leases_lease(const rolecall_leases *leases,
                                      const char *id,
                                      rolecall_answer **answer,
                                      rolecall_error **error);

/**
 * Lists leases in the order in which they were made. `listing` is JSON, all of it optional:
 * `{"secret": "ci/reader", "states": ["active"], "identity": "build-7", "expires_within_seconds":
 * 3600, "after": "LEASE", "limit": 100}`; without `states` those that are not over. The answer is a
 * list.
 */
rolecall_status rolecall_leases_list(const rolecall_leases *leases,
                                     const char *listing,
                                     rolecall_answer **answer,
                                     rolecall_error **error);

/**
 * Moves the end of a lease by `ttl_seconds`, up to its maximum; 0 is the definition's default. The
 * answer is the lease. `session` is one of `rolecall_auth_authenticate`, where the definition asks
 * for one; `session` may be NULL.
 */
rolecall_status rolecall_leases_renew(const rolecall_leases *leases,
                                      const char *id,
                                      uint64_t ttl_seconds,
                                      const char *session,
                                      rolecall_answer **answer,
                                      rolecall_error **error);

/**
 * Takes a lease back now. The answer is the lease, whose `state` is `revoking` if AWS could not be
 * brought to it yet: whoever works on leases goes on with it. One that is over already is
 * `ROLECALL_INVALID_CONFIGURATION`.
 */
rolecall_status rolecall_leases_revoke(const rolecall_leases *leases,
                                       const char *id,
                                       rolecall_answer **answer,
                                       rolecall_error **error);

/**
 * Takes back all leases of a dynamic secret that are not over, several at once: `{"revoked": 7,
 * "failures": [{"lease", "message", "help"}]}`.
 */
rolecall_status rolecall_leases_revoke_all(const rolecall_leases *leases,
                                           const char *secret,
                                           rolecall_answer **answer,
                                           rolecall_error **error);

/**
 * Stops caring for a lease: AWS may still hold its user, with a key that works to its end. The
 * answer is the lease.
 */
rolecall_status rolecall_leases_forget(const rolecall_leases *leases,
                                       const char *id,
                                       rolecall_answer **answer,
                                       rolecall_error **error);

/**
 * The credentials of a lease that were kept, under the sealing key of the options. `session` is
 * one of `rolecall_auth_authenticate`, where the definition asks for one; `session` may be NULL.
 */
rolecall_status rolecall_leases_reveal(const rolecall_leases *leases,
                                       const char *id,
                                       const char *session,
                                       rolecall_answer **answer,
                                       rolecall_error **error);

/**
 * The audit log of a lease, of a dynamic secret or, as `@store`, of the store, checked for lines
 * that were changed or left out: `{"entries": […], "flaw": null}`.
 */
rolecall_status rolecall_leases_audit(const rolecall_leases *leases,
                                      const char *subject,
                                      rolecall_answer **answer,
                                      rolecall_error **error);

/**
 * Looks in IAM for users that no lease needs any more. `request` is JSON, all of it optional:
 * `{"secret": "ci/reader", "remove": false, "most": 50, "unexpired": false, "store_id": "…"}`;
 * nothing is removed without `remove`. The answer is what was found and its fate, and why the search
 * was broken off, if it was: `{"orphans": […], "failure": null}`.
 */
rolecall_status rolecall_leases_reap(const rolecall_leases *leases,
                                     const char *request,
                                     rolecall_answer **answer,
                                     rolecall_error **error);

/**
 * Which store this is: `{"id", "epoch", "doubt"}`. With `accept_restored` it is right from now on,
 * though it was restored from a backup or moved: what is due will be taken back.
 */
rolecall_status rolecall_leases_store(const rolecall_leases *leases,
                                      bool accept_restored,
                                      rolecall_answer **answer,
                                      rolecall_error **error);

/**
 * Closes a store; `leases` may be NULL. Workers on it go on until they are stopped.
 */
void rolecall_leases_free(rolecall_leases *leases);

/**
 * Options that say nothing: the default chain of this machine.
 */
rolecall_session_options *rolecall_session_options_new(void);

/**
 * A profile, used alone. Without one: the environment's keys, else the profile that `AWS_PROFILE`
 * names, else what else is set up. `profile` may be NULL: none.
 */
rolecall_status rolecall_session_options_set_profile(rolecall_session_options *options,
                                                     const char *profile,
                                                     rolecall_error **error);

/**
 * The region, above `AWS_REGION` and the profile's. `region` may be NULL: none.
 */
rolecall_status rolecall_session_options_set_region(rolecall_session_options *options,
                                                    const char *region,
                                                    rolecall_error **error);

/**
 * The URL of STS, above `AWS_ENDPOINT_URL_STS` and the profile's. `url` may be NULL: none.
 */
rolecall_status rolecall_session_options_set_endpoint_url(rolecall_session_options *options,
                                                          const char *url,
                                                          rolecall_error **error);

/**
 * Where an MFA code comes from: `file://PATH`, `-` (standard input), `env:NAME` or the code itself.
 * Without one the profile's `mfa_process` is asked, else the terminal. `source` may be NULL: none.
 */
rolecall_status rolecall_session_options_set_mfa_code(rolecall_session_options *options,
                                                      const char *source,
                                                      rolecall_error **error);

/**
 * Who is asked for MFA codes and for passwords of keys, above `rolecall_session_options_set_mfa_code`
 * and the terminal. `ask` gets `data`, and `data` may be NULL. `release` is called when that is not
 * needed any more; `release` may be NULL. If this fails, it is not called.
 */
rolecall_status rolecall_session_options_set_prompt(rolecall_session_options *options,
                                                    rolecall_ask ask,
                                                    void *data,
                                                    rolecall_release release,
                                                    rolecall_error **error);

/**
 * Adds a provider of yours, which takes the place of all profiles as the source. Several are a
 * chain: the first is asked, and the next only if that one is not configured. What they give is
 * kept in memory until it nears its end. `name` stands for it in messages. `provide` gets
 * `data`, and `data` may be NULL. `release` is called when that is not needed any more; `release` may
 * be NULL. If this fails, it is not called.
 */
rolecall_status rolecall_session_options_add_provider(rolecall_session_options *options,
                                                      const char *name,
                                                      rolecall_provide provide,
                                                      void *data,
                                                      rolecall_release release,
                                                      rolecall_error **error);

/**
 * Adds a session to the chain of providers, such as one of a profile behind a provider of yours.
 * The session may be freed before what is made of the options.
 */
rolecall_status rolecall_session_options_add_session(rolecall_session_options *options,
                                                     const char *name,
                                                     const rolecall_session *session,
                                                     rolecall_error **error);

/**
 * How long a program of a profile may take (`credential_process`, `mfa_process`, `saml_process`),
 * in seconds; 0 is the default, 60.
 */
rolecall_status rolecall_session_options_set_process_timeout(rolecall_session_options *options,
                                                             uint32_t seconds,
                                                             rolecall_error **error);

/**
 * Whether the cache in `~/.aws/cli/cache` is used, which AWS CLI shares. It is, unless this says no.
 */
rolecall_status rolecall_session_options_set_disk_cache(rolecall_session_options *options,
                                                        bool is_used,
                                                        rolecall_error **error);

/**
 * A certificate for IAM Roles Anywhere, which takes the place of all profiles as the source.
 * It is copied; `certificate` may be NULL: none.
 */
rolecall_status rolecall_session_options_set_roles_anywhere(rolecall_session_options *options,
                                                            const rolecall_roles_anywhere *certificate,
                                                            rolecall_error **error);

/**
 * Frees options; `options` may be NULL.
 */
void rolecall_session_options_free(rolecall_session_options *options);

/**
 * Asks for a session of `role_arn` by the Roles Anywhere profile `profile_arn`, for a certificate
 * that the trust anchor vouches for.
 */
rolecall_status rolecall_roles_anywhere_new(const char *trust_anchor_arn,
                                            const char *profile_arn,
                                            const char *role_arn,
                                            rolecall_roles_anywhere **certificate,
                                            rolecall_error **error);

/**
 * The certificate, alone, with its chain or with its key: the path of a file, `file://PATH`,
 * `env:NAME`, `-` (standard input) or a PKCS#11 URI. `place` may be NULL: none.
 */
rolecall_status rolecall_roles_anywhere_set_certificate(rolecall_roles_anywhere *certificate,
                                                        const char *place,
                                                        rolecall_error **error);

/**
 * The certificate, alone, with its chain or with its key, from memory: PEM, DER or PKCS#12. The
 * bytes are copied, and the copy is zeroed at its end.
 */
rolecall_status rolecall_roles_anywhere_set_certificate_bytes(rolecall_roles_anywhere *certificate,
                                                              const uint8_t *data,
                                                              size_t length,
                                                              rolecall_error **error);

/**
 * The private key: the path of a file, `file://PATH`, `env:NAME`, `-` (standard input) or a
 * PKCS#11 URI. Needed unless it lies with the certificate. `place` may be NULL: none.
 */
rolecall_status rolecall_roles_anywhere_set_private_key(rolecall_roles_anywhere *certificate,
                                                        const char *place,
                                                        rolecall_error **error);

/**
 * The private key, from memory: PEM, DER or PKCS#12. The bytes are copied, and the copy is zeroed at
 * its end.
 */
rolecall_status rolecall_roles_anywhere_set_private_key_bytes(rolecall_roles_anywhere *certificate,
                                                              const uint8_t *data,
                                                              size_t length,
                                                              rolecall_error **error);

/**
 * More certificates of the chain: the path of a file, `file://PATH`, `env:NAME`, `-` (standard
 * input) or a PKCS#11 URI. `place` may be NULL: none.
 */
rolecall_status rolecall_roles_anywhere_set_intermediates(rolecall_roles_anywhere *certificate,
                                                          const char *place,
                                                          rolecall_error **error);

/**
 * More certificates of the chain, from memory: PEM, DER or PKCS#12. The bytes are copied, and the
 * copy is zeroed at its end.
 */
rolecall_status rolecall_roles_anywhere_set_intermediates_bytes(rolecall_roles_anywhere *certificate,
                                                                const uint8_t *data,
                                                                size_t length,
                                                                rolecall_error **error);

/**
 * The password of an encrypted key or PKCS#12 file, or the PIN of a token: `file://PATH`, `env:NAME`,
 * `-` or the text itself. Without one it is asked for if it is needed. `source` may be NULL: none.
 */
rolecall_status rolecall_roles_anywhere_set_password(rolecall_roles_anywhere *certificate,
                                                     const char *source,
                                                     rolecall_error **error);

/**
 * The module of the token. `path` may be NULL: the URI's `module-path`, else p11-kit's.
 */
rolecall_status rolecall_roles_anywhere_set_pkcs11_module(rolecall_roles_anywhere *certificate,
                                                          const char *path,
                                                          rolecall_error **error);

/**
 * Whether the PIN of the token serves for the key as well, if the key asks at each signature.
 */
rolecall_status rolecall_roles_anywhere_set_reuse_pin(rolecall_roles_anywhere *certificate,
                                                      bool reuses,
                                                      rolecall_error **error);

/**
 * Which certificate is meant, where there are several, as `--cert-selector` of AWS's helper has it:
 * `Key=x509Subject,Value=CN=host`. `selector` may be NULL: the one that belongs to the key.
 */
rolecall_status rolecall_roles_anywhere_set_selector(rolecall_roles_anywhere *certificate,
                                                     const char *selector,
                                                     rolecall_error **error);

/**
 * Of several certificates that the selector matches, takes the one that ends last.
 */
rolecall_status rolecall_roles_anywhere_set_use_latest_expiring(rolecall_roles_anywhere *certificate,
                                                                bool uses,
                                                                rolecall_error **error);

/**
 * How long the session is to last: 900 to 43200 seconds; 0 is the default, 3600.
 */
rolecall_status rolecall_roles_anywhere_set_duration(rolecall_roles_anywhere *certificate,
                                                     uint32_t seconds,
                                                     rolecall_error **error);

/**
 * The session's name, where the profile accepts one. `name` may be NULL: none.
 */
rolecall_status rolecall_roles_anywhere_set_session_name(rolecall_roles_anywhere *certificate,
                                                         const char *name,
                                                         rolecall_error **error);

/**
 * The region, which must be the trust anchor's. `region` may be NULL: that.
 */
rolecall_status rolecall_roles_anywhere_set_region(rolecall_roles_anywhere *certificate,
                                                   const char *region,
                                                   rolecall_error **error);

/**
 * Where Roles Anywhere is asked, above `AWS_ENDPOINT_URL_ROLESANYWHERE` and the profile's. `url`
 * may be NULL: none.
 */
rolecall_status rolecall_roles_anywhere_set_endpoint_url(rolecall_roles_anywhere *certificate,
                                                         const char *url,
                                                         rolecall_error **error);

/**
 * Whether the proxies of the environment are passed over.
 */
rolecall_status rolecall_roles_anywhere_set_no_proxy(rolecall_roles_anywhere *certificate,
                                                     bool is_direct,
                                                     rolecall_error **error);

/**
 * Whether any certificate of the other side is taken: whoever is in between gets the credentials.
 */
rolecall_status rolecall_roles_anywhere_set_no_verify_ssl(rolecall_roles_anywhere *certificate,
                                                          bool takes_any,
                                                          rolecall_error **error);

/**
 * Adds what the instance says of itself: a name and a value that AWS keeps with the session.
 */
rolecall_status rolecall_roles_anywhere_add_instance_property(rolecall_roles_anywhere *certificate,
                                                              const char *name,
                                                              const char *value,
                                                              rolecall_error **error);

/**
 * Frees it; `certificate` may be NULL.
 */
void rolecall_roles_anywhere_free(rolecall_roles_anywhere *certificate);

/**
 * Makes a session: reads the profile files and nothing else; no network, no program, no thread.
 * `options` may be NULL: the default chain.
 */
rolecall_status rolecall_session_new(const rolecall_session_options *options,
                                     rolecall_session **session,
                                     rolecall_error **error);

/**
 * Credentials that are good now: from memory, or waited for. Yours to free, also after the session.
 */
rolecall_status rolecall_session_credentials(const rolecall_session *session,
                                             const rolecall_credentials **credentials,
                                             rolecall_error **error);

/**
 * The region; NULL if none is set. Borrowed from the session.
 */
const char *rolecall_session_region(const rolecall_session *session);

/**
 * Frees a session; credentials that it gave stay. `session` may be NULL.
 */
void rolecall_session_free(rolecall_session *session);

/**
 * The name of a code: `Ok`, that of an error's kind (`Denied`), `InvalidArgument`, or `Unknown` for
 * a number that is no code. It is there for ever.
 */
const char *rolecall_status_name(rolecall_status status);

/**
 * The version of the library that runs: `0.1.0`. It is there for ever.
 */
const char *rolecall_version(void);

/**
 * `ROLECALL_API_VERSION` of the library that runs: one that is lower than the header's lacks
 * something of it.
 */
uint32_t rolecall_api_version(void);

/**
 * Calls an operation of STS by its name in AWS's API: `AssumeRole`, `AssumeRoot`,
 * `DecodeAuthorizationMessage`, `GetAccessKeyInfo`, `GetCallerIdentity`, `GetDelegatedAccessToken`,
 * `GetFederationToken`, `GetSessionToken`, `GetWebIdentityToken`, and those of
 * `rolecall_sts_call_unsigned`. `input` is JSON as AWS's API has it and as
 * `aws sts assume-role --generate-cli-skeleton` shows it: `{"RoleArn": "…", "RoleSessionName":
 * "me"}`; `{}` where nothing is required. The answer is the JSON that AWS CLI prints, with the
 * secrets, and the credentials if the operation gives some.
 */
rolecall_status rolecall_sts_call(const rolecall_session *session,
                                  const char *operation,
                                  const char *input,
                                  rolecall_answer **answer,
                                  rolecall_error **error);

/**
 * Calls `AssumeRoleWithSAML` or `AssumeRoleWithWebIdentity`, whose proof is in `input`: no
 * credentials are needed. The options say the region and the endpoint; `options` may be NULL. Else as
 * `rolecall_sts_call`.
 */
rolecall_status rolecall_sts_call_unsigned(const rolecall_session_options *options,
                                           const char *operation,
                                           const char *input,
                                           rolecall_answer **answer,
                                           rolecall_error **error);

/**
 * Makes a worker, which does nothing yet. `concurrency` says how many leases it works on at once; 0
 * is the default, 16. The store's handle may be freed before it.
 */
rolecall_status rolecall_worker_new(const rolecall_leases *leases,
                                    uint16_t concurrency,
                                    rolecall_worker **worker,
                                    rolecall_error **error);

/**
 * Works until `rolecall_worker_stop`, then finishes what is under way, for a minute at most. While
 * it runs, `listen`, an address of loopback such as `127.0.0.1:9464`, serves metrics at `/metrics`
 * and a health answer at `/healthz`; `listen` may be NULL: none.
 */
rolecall_status rolecall_worker_run(const rolecall_worker *worker,
                                    const char *listen,
                                    rolecall_error **error);

/**
 * Does what is due now, and ends; puts how many leases that was into `done`.
 */
rolecall_status rolecall_worker_run_once(const rolecall_worker *worker,
                                         uint64_t *done,
                                         rolecall_error **error);

/**
 * Has `rolecall_worker_run` end, whichever thread it is in; a worker that was stopped stays so. Not
 * for signal handlers.
 */
rolecall_status rolecall_worker_stop(const rolecall_worker *worker,
                                     rolecall_error **error);

/**
 * Frees a worker that does not run; `worker` may be NULL.
 */
void rolecall_worker_free(rolecall_worker *worker);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* ROLECALL_H */
