/* Every function once at least, against the kit: what it does, and how it fails. */

#include "check.h"

#include <pthread.h>
#include <time.h>

static rolecall_error *error = NULL;

/* Whether an answer has a text in it; frees the answer. */
static void expect(rolecall_answer *answer, const char *part)
{
    const char *text = rolecall_answer_text(answer);
    if (text == NULL || strstr(text, part) == NULL) {
        fprintf(stderr, "no \"%s\" in %s\n", part, text == NULL ? "nothing" : text);
        exit(1);
    }
    rolecall_answer_free(answer);
}

/* A text of an answer's JSON, up to its closing quote. */
static void field(const rolecall_answer *answer, const char *name, char *into, size_t room)
{
    char key[64];
    snprintf(key, sizeof key, "\"%s\":\"", name);
    const char *start = strstr(rolecall_answer_text(answer), key);
    CHECK(start != NULL);
    start += strlen(key);
    size_t length = strcspn(start, "\"");
    CHECK(length < room);
    memcpy(into, start, length);
    into[length] = '\0';
}

static void versions(void)
{
    CHECK(rolecall_api_version() == ROLECALL_API_VERSION);
    CHECK(strcmp(rolecall_version(), told("VERSION")) == 0);
    CHECK(strcmp(rolecall_status_name(ROLECALL_DENIED), "Denied") == 0);
    CHECK(strcmp(rolecall_status_name(-1), "Unknown") == 0);
}

static void sessions(void)
{
    rolecall_session_options *options = rolecall_session_options_new();
    DO(rolecall_session_options_set_profile(options, "nobody", &error));
    rolecall_session *session = (rolecall_session *)&error;
    FAILS(ROLECALL_INVALID_CONFIGURATION, "nobody", rolecall_session_new(options, &session, &error));
    CHECK(session == (rolecall_session *)&error);
    CHECK(rolecall_session_new(options, &session, NULL) == ROLECALL_INVALID_CONFIGURATION);
    FAILS(ROLECALL_INVALID_ARGUMENT, "UTF-8",
          rolecall_session_options_set_profile(options, "\xff", &error));

    DO(rolecall_session_options_set_profile(options, "final", &error));
    DO(rolecall_session_options_set_region(options, "eu-west-1", &error));
    DO(rolecall_session_options_set_endpoint_url(options, told("KIT_URL"), &error));
    DO(rolecall_session_options_set_process_timeout(options, 5, &error));
    DO(rolecall_session_options_set_disk_cache(options, false, &error));
    DO(rolecall_session_new(options, &session, &error));
    rolecall_session_options_free(options);
    CHECK(strcmp(rolecall_session_region(session), "eu-west-1") == 0);

    const rolecall_credentials *first = NULL, *second = NULL;
    DO(rolecall_session_credentials(session, &first, &error));
    DO(rolecall_session_credentials(session, &second, &error));
    rolecall_session_free(session);
    /* They stay when the session is gone. */
    CHECK(strncmp(rolecall_credentials_access_key_id(first), "ASIA", 4) == 0);
    CHECK(strcmp(rolecall_credentials_secret_access_key(first),
                 rolecall_credentials_secret_access_key(second)) == 0);
    rolecall_credentials_free(first);
    CHECK(rolecall_credentials_session_token(second)[0] != '\0');
    CHECK(strcmp(rolecall_credentials_account_id(second), "444444444444") == 0);
    CHECK(strstr(rolecall_credentials_provider(second), "AssumeRole") != NULL);
    CHECK(rolecall_credentials_expires_at(second) > 1700000000);
    rolecall_answer *answer = NULL;
    DO(rolecall_credentials_export(second, "process", &answer, &error));
    expect(answer, "\"AccessKeyId\": \"ASIA");
    FAILS(ROLECALL_INVALID_CONFIGURATION, "format",
          rolecall_credentials_export(second, "csv", &answer, &error));
    DO(rolecall_credentials_environment(second, "eu-west-1", &answer, &error));
    CHECK(strstr(rolecall_answer_text(answer), "\"AWS_REGION\":\"eu-west-1\"") != NULL);
    CHECK(strstr(rolecall_answer_text(answer), rolecall_credentials_secret_access_key(second)));
    expect(answer, "\"AWS_PROFILE\":null");
    DO(rolecall_credentials_environment(second, NULL, &answer, &error));
    CHECK(strstr(rolecall_answer_text(answer), "AWS_REGION") == NULL);
    rolecall_answer_free(answer);
    rolecall_credentials_free(second);
}

/* What AWS CLI and rolecall have put into the folder that they share. */
static void cached_credentials(void)
{
    rolecall_session *session = NULL;
    rolecall_session_options *options = rolecall_session_options_new();
    rolecall_answer *answer = NULL;
    const rolecall_credentials *credentials = NULL;
    uint64_t removed = 7;
    DO(rolecall_clear_cached_credentials(&removed, &error));
    DO(rolecall_session_options_set_profile(options, "hop", &error));
    DO(rolecall_session_new(options, &session, &error));
    DO(rolecall_session_credentials(session, &credentials, &error));
    DO(rolecall_cached_credentials(&answer, &error));
    CHECK(strstr(rolecall_answer_text(answer),
                 rolecall_credentials_secret_access_key(credentials)) == NULL);
    expect(answer, rolecall_credentials_access_key_id(credentials));
    DO(rolecall_clear_cached_credentials(&removed, &error));
    CHECK(removed == 1);
    DO(rolecall_cached_credentials(&answer, &error));
    expect(answer, "{\"entries\":[]}");
    rolecall_credentials_free(credentials);
    rolecall_session_free(session);
    rolecall_session_options_free(options);
}

static void made_credentials(void)
{
    const rolecall_credentials *credentials = NULL;
    DO(rolecall_credentials_new("AKIAEXAMPLE", "secret", NULL, 0, NULL, "test", &credentials,
                                &error));
    CHECK(rolecall_credentials_session_token(credentials) == NULL);
    CHECK(rolecall_credentials_account_id(credentials) == NULL);
    CHECK(rolecall_credentials_expires_at(credentials) == 0);
    rolecall_credentials_free(credentials);
    FAILS(ROLECALL_INVALID_ARGUMENT, "expires_at",
          rolecall_credentials_new("A", "s", NULL, -1, NULL, "test", &credentials, &error));
}

struct calls {
    int made;
    int released;
    rolecall_session *other;
};

static int32_t not_configured(void *data, const rolecall_credentials **credentials,
                              rolecall_error **why)
{
    (void)credentials, (void)why;
    if (data != NULL) {
        ((struct calls *)data)->made++;
    }
    return ROLECALL_NOT_CONFIGURED;
}

static int32_t fixed(void *data, const rolecall_credentials **credentials, rolecall_error **why)
{
    ((struct calls *)data)->made++;
    return rolecall_credentials_new("AKIAFROMC", "secret of C", "token", 4102444800, "123456789012",
                                    "C", credentials, why);
}

static int32_t denied(void *data, const rolecall_credentials **credentials, rolecall_error **why)
{
    (void)data, (void)credentials;
    rolecall_error_new(ROLECALL_DENIED, "vault of C", "the door is shut", "ring the bell", why,
                       NULL);
    return ROLECALL_DENIED;
}

/* Its code counts, and of the error the rest: what failed, where, and what to do. */
static int32_t passed_on(void *data, const rolecall_credentials **credentials, rolecall_error **why)
{
    rolecall_session *session = session_of("denied");
    (void)data;
    CHECK(rolecall_session_credentials(session, credentials, why) == ROLECALL_DENIED);
    CHECK(strstr(rolecall_error_place(*why), ".aws/config") != NULL);
    rolecall_session_free(session);
    return ROLECALL_UNAVAILABLE;
}

static int32_t unknown_code(void *data, const rolecall_credentials **credentials,
                            rolecall_error **why)
{
    (void)data, (void)credentials, (void)why;
    return 99;
}

static int32_t nothing(void *data, const rolecall_credentials **credentials, rolecall_error **why)
{
    (void)data, (void)credentials, (void)why;
    return ROLECALL_OK;
}

static int32_t of_another_session(void *data, const rolecall_credentials **credentials,
                                  rolecall_error **why)
{
    return rolecall_session_credentials(((struct calls *)data)->other, credentials, why);
}

static void release(void *data)
{
    ((struct calls *)data)->released++;
}

static void key_of(rolecall_session_options *options, const char *key)
{
    rolecall_session *session = NULL;
    const rolecall_credentials *credentials = NULL;
    DO(rolecall_session_new(options, &session, &error));
    for (int i = 0; i < 3; i++) {
        DO(rolecall_session_credentials(session, &credentials, &error));
        CHECK(strncmp(rolecall_credentials_access_key_id(credentials), key, strlen(key)) == 0);
        rolecall_credentials_free(credentials);
    }
    rolecall_session_free(session);
}

static void failure_of(rolecall_provide provide, rolecall_status status, const char *part)
{
    rolecall_session_options *options = rolecall_session_options_new();
    rolecall_session *session = NULL;
    const rolecall_credentials *credentials = NULL;
    DO(rolecall_session_options_add_provider(options, "mine", provide, NULL, NULL, &error));
    DO(rolecall_session_new(options, &session, &error));
    FAILS(status, part, rolecall_session_credentials(session, &credentials, &error));
    CHECK(credentials == NULL);
    rolecall_session_free(session);
    rolecall_session_options_free(options);
}

static void providers(void)
{
    struct calls first = {0}, second = {0}, third = {0};
    rolecall_session_options *options = rolecall_session_options_new();
    DO(rolecall_session_options_add_provider(options, "first", not_configured, &first, release,
                                             &error));
    DO(rolecall_session_options_add_provider(options, "second", fixed, &second, release, &error));
    key_of(options, "AKIAFROMC");
    /* Asked once: the credentials are kept. */
    CHECK(first.made == 1 && second.made == 1);
    CHECK(first.released == 0 && second.released == 0);
    rolecall_session_options_free(options);
    CHECK(first.released == 1 && second.released == 1);

    rolecall_session *alice = session_of("user");
    options = rolecall_session_options_new();
    DO(rolecall_session_options_add_provider(options, "first", not_configured, &first, NULL,
                                             &error));
    DO(rolecall_session_options_add_session(options, "alice", alice, &error));
    key_of(options, told("KIT_KEY"));
    rolecall_session_options_free(options);

    /* A provider may wait for another session. */
    third.other = session_of("hop");
    options = rolecall_session_options_new();
    DO(rolecall_session_options_add_provider(options, "third", of_another_session, &third, NULL,
                                             &error));
    key_of(options, "ASIA");
    rolecall_session_options_free(options);
    rolecall_session_free(third.other);
    rolecall_session_free(alice);

    failure_of(denied, ROLECALL_DENIED, "the door is shut; ring the bell");
    failure_of(passed_on, ROLECALL_UNAVAILABLE, ".aws/config");
    failure_of(unknown_code, ROLECALL_INTERNAL, "mine: the provider gave no credentials");
    failure_of(nothing, ROLECALL_MALFORMED, "no credentials and no error");
    failure_of(not_configured, ROLECALL_NOT_CONFIGURED, "mine: the provider gave no credentials");
}

static int32_t mfa_code(void *data, const char *question, char *answer, size_t room)
{
    struct calls *calls = data;
    CHECK(strstr(question, "mfa/alice") != NULL);
    calls->made++;
    snprintf(answer, room, "%s", told("MFA_CODE"));
    return ROLECALL_OK;
}

static int32_t no_code(void *data, const char *question, char *answer, size_t room)
{
    (void)data, (void)question, (void)answer, (void)room;
    return ROLECALL_TIMED_OUT;
}

static void questions(void)
{
    struct calls calls = {0};
    const rolecall_credentials *credentials = NULL;
    rolecall_session *session = NULL;
    rolecall_session_options *options = rolecall_session_options_new();
    DO(rolecall_session_options_set_profile(options, "mfa", &error));
    DO(rolecall_session_options_set_disk_cache(options, false, &error));
    DO(rolecall_session_options_set_prompt(options, no_code, &calls, release, &error));
    DO(rolecall_session_new(options, &session, &error));
    FAILS(ROLECALL_TIMED_OUT, "gave no answer",
          rolecall_session_credentials(session, &credentials, &error));
    rolecall_session_free(session);
    DO(rolecall_session_options_set_prompt(options, mfa_code, &calls, release, &error));
    CHECK(calls.released == 1);
    key_of(options, "ASIA");
    CHECK(calls.made == 1);
    rolecall_session_options_free(options);
    CHECK(calls.released == 2);

    options = rolecall_session_options_new();
    DO(rolecall_session_options_set_profile(options, "mfa", &error));
    DO(rolecall_session_options_set_disk_cache(options, false, &error));
    DO(rolecall_session_options_set_mfa_code(options, "env:OTHER_MFA_CODE", &error));
    key_of(options, "ASIA");
    rolecall_session_options_free(options);
}

static void sts(void)
{
    rolecall_session *alice = session_of("user"), *admin = session_of("admin");
    rolecall_answer *answer = NULL;
    char input[4096];
    DO(rolecall_sts_call(alice, "GetCallerIdentity", "{}", &answer, &error));
    CHECK(rolecall_answer_credentials(answer) == NULL);
    expect(answer, "\"Arn\":\"arn:aws:iam::111111111111:user/alice\"");

    snprintf(input, sizeof input, "{\"RoleArn\": \"%s\", \"RoleSessionName\": \"from-c\"}",
             told("HOP"));
    DO(rolecall_sts_call(alice, "AssumeRole", input, &answer, &error));
    const rolecall_credentials *credentials = rolecall_answer_credentials(answer);
    CHECK(strstr(rolecall_answer_text(answer),
                 rolecall_credentials_secret_access_key(credentials)) != NULL);
    expect(answer, "assumed-role/Hop/from-c");
    CHECK(strcmp(rolecall_credentials_account_id(credentials), "222222222222") == 0);
    rolecall_credentials_free(credentials);

    DO(rolecall_sts_call(alice, "GetSessionToken", "{\"DurationSeconds\": 900}", &answer, &error));
    expect(answer, "SessionToken");
    snprintf(input, sizeof input, "{\"AccessKeyId\": \"%s\"}", told("KIT_KEY"));
    DO(rolecall_sts_call(alice, "GetAccessKeyInfo", input, &answer, &error));
    expect(answer, "111111111111");
    snprintf(input, sizeof input, "{\"EncodedMessage\": \"%s\"}", told("ENCODED_MESSAGE"));
    DO(rolecall_sts_call(admin, "DecodeAuthorizationMessage", input, &answer, &error));
    expect(answer, "DecodedMessage");
    DO(rolecall_sts_call(admin, "GetFederationToken", "{\"Name\": \"guest\"}", &answer, &error));
    expect(answer, "federated-user/guest");

    snprintf(input, sizeof input,
             "{\"RoleArn\": \"%s\", \"RoleSessionName\": \"web\", \"WebIdentityToken\": \"%s\"}",
             told("WEB"), told("WEB_TOKEN"));
    DO(rolecall_sts_call_unsigned(NULL, "AssumeRoleWithWebIdentity", input, &answer, &error));
    expect(answer, "assumed-role/Web/web");

    FAILS(ROLECALL_INVALID_CONFIGURATION, "no operation",
          rolecall_sts_call(alice, "AssumeRule", "{}", &answer, &error));
    FAILS(ROLECALL_INVALID_CONFIGURATION, "unknown field `Name`",
          rolecall_sts_call(alice, "AssumeRole", "{\"Name\": 1}", &answer, &error));
    snprintf(input, sizeof input, "{\"RoleArn\": \"%s\", \"RoleSessionName\": \"from-c\"}",
             told("FINAL"));
    FAILS(ROLECALL_DENIED, "AssumeRole", rolecall_sts_call(alice, "AssumeRole", input, &answer, &error));
    rolecall_session_free(alice);
    rolecall_session_free(admin);
}

static void read_file(const char *path, uint8_t *into, size_t room, size_t *length)
{
    FILE *file = fopen(path, "rb");
    CHECK(file != NULL);
    *length = fread(into, 1, room, file);
    CHECK(*length > 0 && *length < room);
    fclose(file);
}

static void roles_anywhere(void)
{
    static uint8_t bytes[16384];
    size_t length;
    rolecall_roles_anywhere *certificate = NULL;
    DO(rolecall_roles_anywhere_new(told("TRUST_ANCHOR"), told("RA_PROFILE"), told("WORKLOAD"),
                                   &certificate, &error));
    DO(rolecall_roles_anywhere_set_certificate(certificate, told("CERTIFICATE"), &error));
    DO(rolecall_roles_anywhere_set_private_key(certificate, told("PRIVATE_KEY"), &error));
    DO(rolecall_roles_anywhere_set_intermediates(certificate, NULL, &error));
    DO(rolecall_roles_anywhere_set_password(certificate, NULL, &error));
    DO(rolecall_roles_anywhere_set_pkcs11_module(certificate, NULL, &error));
    DO(rolecall_roles_anywhere_set_reuse_pin(certificate, false, &error));
    DO(rolecall_roles_anywhere_set_selector(certificate, NULL, &error));
    DO(rolecall_roles_anywhere_set_use_latest_expiring(certificate, false, &error));
    DO(rolecall_roles_anywhere_set_duration(certificate, 900, &error));
    DO(rolecall_roles_anywhere_set_session_name(certificate, NULL, &error));
    DO(rolecall_roles_anywhere_set_region(certificate, NULL, &error));
    DO(rolecall_roles_anywhere_set_endpoint_url(certificate, told("KIT_URL"), &error));
    DO(rolecall_roles_anywhere_set_no_proxy(certificate, true, &error));
    DO(rolecall_roles_anywhere_set_no_verify_ssl(certificate, false, &error));
    DO(rolecall_roles_anywhere_add_instance_property(certificate, "rack", "7", &error));

    rolecall_session_options *options = rolecall_session_options_new();
    DO(rolecall_session_options_set_roles_anywhere(options, certificate, &error));
    DO(rolecall_session_options_set_disk_cache(options, false, &error));
    key_of(options, "ASIA");

    read_file(told("CERTIFICATE"), bytes, sizeof bytes, &length);
    DO(rolecall_roles_anywhere_set_certificate_bytes(certificate, bytes, length, &error));
    DO(rolecall_roles_anywhere_set_intermediates_bytes(certificate, bytes, length, &error));
    read_file(told("PRIVATE_KEY"), bytes, sizeof bytes, &length);
    DO(rolecall_roles_anywhere_set_private_key_bytes(certificate, bytes, length, &error));
    DO(rolecall_session_options_set_roles_anywhere(options, certificate, &error));
    key_of(options, "ASIA");

    DO(rolecall_roles_anywhere_set_private_key_bytes(certificate, bytes, length / 2, &error));
    DO(rolecall_session_options_set_roles_anywhere(options, certificate, &error));
    rolecall_session *session = NULL;
    const rolecall_credentials *credentials = NULL;
    DO(rolecall_session_new(options, &session, &error));
    FAILS(ROLECALL_INVALID_CONFIGURATION, "PRIVATE KEY",
          rolecall_session_credentials(session, &credentials, &error));
    rolecall_session_free(session);
    rolecall_session_options_free(options);
    rolecall_roles_anywhere_free(certificate);
}

static void findings(void)
{
    rolecall_answer *answer = NULL;
    rolecall_session_options *options = rolecall_session_options_new();
    DO(rolecall_session_options_set_profile(options, "final", &error));
    DO(rolecall_explain(options, &answer, &error));
    expect(answer, told("FINAL"));
    DO(rolecall_doctor(options, &answer, &error));
    expect(answer, "\"findings\"");
    DO(rolecall_profiles(&answer, &error));
    CHECK(strstr(rolecall_answer_text(answer), told("KIT_SECRET")) == NULL);
    expect(answer, "\"final\"");
    rolecall_session_options_free(options);
}

static const char *const FORMATS[] = {
    "{}",
    "{\"format\": \"vault\", \"server_id\": \"vault.example.com\"}",
    "{\"format\": \"infisical\", \"identity_id\": \"id-1\"}",
    "{\"format\": \"eks\", \"cluster_name\": \"prod\"}",
};

static void identities(void)
{
    rolecall_session *session = session_of("hop");
    rolecall_verifier *verifier = NULL;
    rolecall_token_source *source = NULL;
    rolecall_answer *token = NULL, *answer = NULL;
    char options[2048];
    snprintf(options, sizeof options,
             "{\"account_ids\": [\"222222222222\"], \"sts_url\": \"%s\", \"unique_identifier\": "
             "\"role_name\", \"server_id\": \"vault.example.com\", \"cluster_name\": \"prod\", "
             "\"audience\": \"door\", \"challenges\": true}",
             told("KIT_URL"));
    for (size_t i = 0; i < sizeof FORMATS / sizeof *FORMATS; i++) {
        /* Of one second, tokens of two formats may have one signature. */
        rolecall_verifier_free(verifier);
        DO(rolecall_verifier_new(options, &verifier, &error));
        DO(rolecall_verifier_lints(verifier, &answer, &error));
        expect(answer, "[");
        DO(rolecall_token_source_new(session, FORMATS[i], &source, &error));
        DO(rolecall_token_source_token(source, &token, &error));
        CHECK(rolecall_answer_expires_at(token) > time(NULL));
        CHECK(rolecall_answer_expires_at(token) <= time(NULL) + 900);
        DO(rolecall_token_inspect(rolecall_answer_text(token), &answer, &error));
        CHECK(rolecall_answer_expires_at(answer) == 0);
        expect(answer, "\"signature\":\"[redacted]\"");
        DO(rolecall_verifier_verify(verifier, rolecall_answer_text(token), &answer, &error));
        expect(answer, "\"subject\":\"Hop\"");
        /* Each is taken once. */
        FAILS(ROLECALL_DENIED, "",
              rolecall_verifier_verify(verifier, rolecall_answer_text(token), &answer, &error));
        DO(rolecall_verifier_explain(verifier, rolecall_answer_text(token), &answer, &error));
        expect(answer, "\"accepted\":false");
        rolecall_answer_free(token);
        rolecall_token_source_free(source);
    }
    DO(rolecall_verifier_challenge(verifier, &answer, &error));
    snprintf(options, sizeof options,
             "{\"format\": \"rolecall\", \"audience\": \"door\", \"challenge\": \"%s\", \"sts_url\": "
             "\"%s\"}",
             rolecall_answer_text(answer), told("KIT_URL"));
    rolecall_answer_free(answer);
    DO(rolecall_token_source_new(session, options, &source, &error));
    rolecall_session_free(session);
    DO(rolecall_token_source_token(source, &token, &error));
    DO(rolecall_verifier_verify(verifier, rolecall_answer_text(token), &answer, &error));
    expect(answer, "\"accepted\":true");
    rolecall_answer_free(token);
    rolecall_token_source_free(source);
    FAILS(ROLECALL_DENIED, "", rolecall_verifier_verify(verifier, "{}", &answer, &error));
    rolecall_verifier_free(verifier);

    FAILS(ROLECALL_INVALID_CONFIGURATION, "", rolecall_verifier_new("{}", &verifier, &error));
    DO(rolecall_verifier_new("{\"account_ids\": [\"222222222222\"]}", &verifier, &error));
    FAILS(ROLECALL_INVALID_CONFIGURATION, "challenge",
          rolecall_verifier_challenge(verifier, &answer, &error));
    rolecall_verifier_free(verifier);
}

/* A token of rolecall's own that answers a challenge of this verifier's. */
static rolecall_answer *answer_to(rolecall_verifier *verifier, rolecall_session *session)
{
    rolecall_answer *challenge = NULL, *token = NULL;
    rolecall_token_source *source = NULL;
    char options[1024];
    DO(rolecall_verifier_challenge(verifier, &challenge, &error));
    snprintf(options, sizeof options,
             "{\"format\": \"rolecall\", \"audience\": \"door\", \"challenge\": \"%s\", \"sts_url\": "
             "\"%s\"}",
             rolecall_answer_text(challenge), told("KIT_URL"));
    DO(rolecall_token_source_new(session, options, &source, &error));
    DO(rolecall_token_source_token(source, &token, &error));
    rolecall_token_source_free(source);
    rolecall_answer_free(challenge);
    return token;
}

/* Two servers with one key and one store take each other's challenges, and each token once. */
static void servers(void)
{
    rolecall_session *session = session_of("hop");
    rolecall_leases *store = NULL;
    rolecall_verifier *one = NULL, *two = NULL, *alone = NULL;
    rolecall_answer *token = NULL, *answer = NULL;
    char options[1024];
    snprintf(options, sizeof options,
             "{\"account_ids\": [\"222222222222\"], \"sts_url\": \"%s\", \"audience\": \"door\", "
             "\"challenges\": {\"key\": \"env:CHALLENGE_KEY\", \"life_seconds\": 60}}",
             told("KIT_URL"));
    DO(rolecall_leases_open(NULL, &store, &error));
    DO(rolecall_verifier_new_in_store(options, store, &one, &error));
    DO(rolecall_verifier_new_in_store(options, store, &two, &error));
    rolecall_leases_free(store);
    DO(rolecall_verifier_new(options, &alone, &error));
    token = answer_to(one, session);
    DO(rolecall_verifier_verify(two, rolecall_answer_text(token), &answer, &error));
    expect(answer, "\"accepted\":true");
    FAILS(ROLECALL_DENIED, "used before",
          rolecall_verifier_verify(one, rolecall_answer_text(token), &answer, &error));
    /* This one remembers for itself. */
    DO(rolecall_verifier_verify(alone, rolecall_answer_text(token), &answer, &error));
    expect(answer, "\"accepted\":true");
    rolecall_answer_free(token);
    rolecall_verifier_free(one);
    rolecall_verifier_free(two);
    rolecall_verifier_free(alone);
    rolecall_session_free(session);
}

static void web_identity_tokens(void)
{
    rolecall_session *alice = session_of("user");
    rolecall_answer *answer = NULL;
    char token[8192];
    DO(rolecall_sts_call(alice, "GetWebIdentityToken",
                         "{\"Audience\": [\"door\"], \"SigningAlgorithm\": \"ES384\"}", &answer,
                         &error));
    field(answer, "WebIdentityToken", token, sizeof token);
    rolecall_answer_free(answer);
    DO(rolecall_verify_web_identity_token(token, told("JWKS"), told("ISSUER"), "door", &answer,
                                          &error));
    expect(answer, "user/alice");
    FAILS(ROLECALL_DENIED, "",
          rolecall_verify_web_identity_token(token, told("JWKS"), told("ISSUER"), "window", &answer,
                                             &error));
    DO(rolecall_verify_web_identity_token_by_file(token, told("JWKS_FILE"), told("ISSUER"), "door",
                                                  &answer, &error));
    expect(answer, "user/alice");
    FAILS(ROLECALL_INVALID_CONFIGURATION, "/nowhere",
          rolecall_verify_web_identity_token_by_file(token, "/nowhere", told("ISSUER"), "door",
                                                     &answer, &error));
    rolecall_session_free(alice);
}

static void clusters(void)
{
    rolecall_session_options *options = rolecall_session_options_new();
    rolecall_session *session = NULL;
    rolecall_answer *answer = NULL;
    DO(rolecall_session_options_set_profile(options, "user", &error));
    DO(rolecall_eks_session_new(options, told("HOP"), NULL, NULL, &session, &error));
    DO(rolecall_eks_token(session, "prod", &answer, &error));
    CHECK(strstr(rolecall_answer_text(answer), "ExecCredential") != NULL);
    expect(answer, "k8s-aws-v1.");
    rolecall_session_free(session);
    rolecall_session_options_free(options);
}

static void files(void)
{
    rolecall_session_options *options = rolecall_session_options_new();
    rolecall_answer *answer = NULL;
    const rolecall_credentials *credentials = NULL;
    char input[4096], path[1024];
    FAILS(ROLECALL_INVALID_CONFIGURATION, "no such profile",
          rolecall_configure_get("written", "region", &answer, &error));
    DO(rolecall_configure_get("user", "output", &answer, &error));
    expect(answer, "null");
    DO(rolecall_configure_set("written", "region=eu-west-1", &answer, &error));
    expect(answer, "[]");
    DO(rolecall_configure_get("written", "region", &answer, &error));
    expect(answer, "\"eu-west-1\"");
    DO(rolecall_configure_set("written", "region=Europe", &answer, &error));
    expect(answer, "no region of AWS");
    DO(rolecall_configure_set("written", "s3.endpoint_url=http://127.0.0.1", &answer, &error));
    rolecall_answer_free(answer);
    DO(rolecall_configure_get("written", "s3", &answer, &error));
    expect(answer, "{}");
    FAILS(ROLECALL_INVALID_CONFIGURATION, "KEY=VALUE",
          rolecall_configure_set("written", "region", &answer, &error));

    DO(rolecall_session_options_set_profile(options, "hop", &error));
    DO(rolecall_update_profile(options, "copied", false, &credentials, &error));
    DO(rolecall_configure_get("copied", "aws_access_key_id", &answer, &error));
    expect(answer, rolecall_credentials_access_key_id(credentials));
    rolecall_credentials_free(credentials);
    FAILS(ROLECALL_INVALID_CONFIGURATION, "user",
          rolecall_update_profile(options, "user", false, &credentials, &error));

    DO(rolecall_session_options_set_profile(options, "user", &error));
    snprintf(path, sizeof path, "%s/kubeconfig", told("HOME"));
    snprintf(input, sizeof input,
             "{\"name\": \"prod\", \"kubeconfig\": \"%s\", \"alias\": \"mine\", \"command\": "
             "\"rolecall\", \"endpoint_url\": \"%s\"}",
             path, told("KIT_URL"));
    DO(rolecall_eks_update_kubeconfig(options, input, &answer, &error));
    CHECK(strstr(rolecall_answer_text(answer), "\"updated\":false,\"changed\":true") != NULL);
    expect(answer, "\"context\":\"mine\"");
    DO(rolecall_eks_update_kubeconfig(options, input, &answer, &error));
    expect(answer, "\"changed\":false");
    FAILS(ROLECALL_INVALID_CONFIGURATION, "neither aws nor rolecall",
          rolecall_eks_update_kubeconfig(
              options, "{\"name\": \"prod\", \"command\": \"kubectl\"}", &answer, &error));
    rolecall_session_options_free(options);
}

static void *run_worker(void *worker)
{
    rolecall_error *why = NULL;
    check_done(rolecall_worker_run(worker, "127.0.0.1:0", &why), &why, __FILE__, __LINE__);
    return NULL;
}

/* Auth methods of the store. */
static void logins(rolecall_leases *store)
{
    rolecall_auth *auth = NULL;
    rolecall_answer *answer = NULL, *token = NULL;
    rolecall_token_source *source = NULL;
    rolecall_session *session = session_of("hop");
    char method[1024], access_id[64], kid[128], jwt[4096], again[4096];
    snprintf(method, sizeof method,
             "{\"name\": \"ci\", \"bounds\": {\"account_ids\": [\"222222222222\"], \"role_names\": "
             "[\"Hop\"], \"sts_url\": \"%s\"}}",
             told("KIT_URL"));
    DO(rolecall_auth_new(store, &auth, &error));
    DO(rolecall_auth_create(auth, method, &answer, &error));
    expect(answer, "\"access_id\":\"p-");
    FAILS(ROLECALL_INVALID_CONFIGURATION, "", rolecall_auth_create(auth, method, &answer, &error));
    DO(rolecall_auth_methods(auth, "", 10, &answer, &error));
    expect(answer, "\"name\":\"ci\"");
    DO(rolecall_auth_method(auth, "ci", &answer, &error));
    snprintf(method, sizeof method, "%s", rolecall_answer_text(answer));
    expect(answer, "\"version\":1");
    DO(rolecall_auth_update(auth, method, 1, &answer, &error));
    expect(answer, "\"version\":2");

    DO(rolecall_token_source_new(session, "{}", &source, &error));
    DO(rolecall_token_source_token(source, &token, &error));
    DO(rolecall_auth_authenticate(auth, "ci", rolecall_answer_text(token), &answer, &error));
    field(answer, "token", jwt, sizeof jwt);
    expect(answer, "assumed-role/Hop");
    FAILS(ROLECALL_DENIED, "used before",
          rolecall_auth_authenticate(auth, "ci", rolecall_answer_text(token), &answer, &error));
    DO(rolecall_auth_session(auth, jwt, &answer, &error));
    expect(answer, "\"method\":\"ci\"");
    DO(rolecall_auth_method(auth, "ci", &answer, &error));
    field(answer, "access_id", access_id, sizeof access_id);
    rolecall_answer_free(answer);
    FAILS(ROLECALL_NOT_CONFIGURED, "no auth method",
          rolecall_auth_log_in(auth, session, "hop", NULL, true, &answer, &error));
    FAILS(ROLECALL_INVALID_CONFIGURATION, "access type",
          rolecall_identity_save_access_id("hop", access_id, "saml", &error));
    DO(rolecall_identity_save_access_id("hop", access_id, "aws_iam", &error));
    for (int i = 0; i < 2; i++) {
        DO(rolecall_auth_log_in(auth, session, "hop", NULL, true, &answer, &error));
        field(answer, "token", i == 0 ? jwt : again, sizeof jwt);
        expect(answer, "assumed-role/Hop");
    }
    CHECK(strcmp(jwt, again) == 0);
    DO(rolecall_auth_log_in(auth, session, NULL, access_id, false, &answer, &error));
    field(answer, "token", again, sizeof again);
    CHECK(strcmp(jwt, again) != 0);
    rolecall_answer_free(answer);

    DO(rolecall_auth_jwks(auth, &answer, &error));
    field(answer, "kid", kid, sizeof kid);
    expect(answer, "\"keys\":[");
    FAILS(ROLECALL_INVALID_CONFIGURATION, "no signing key",
          rolecall_auth_remove_key(auth, "none", &error));
    DO(rolecall_auth_remove_key(auth, kid, &error));
    DO(rolecall_auth_jwks(auth, &answer, &error));
    expect(answer, "\"keys\":[]");
    DO(rolecall_auth_delete(auth, "ci", &error));
    FAILS(ROLECALL_DENIED, "", rolecall_auth_session(auth, jwt, &answer, &error));
    rolecall_answer_free(token);
    rolecall_token_source_free(source);
    rolecall_auth_free(auth);
    rolecall_session_free(session);
}

static void leases(void)
{
    rolecall_leases_options *options = rolecall_leases_options_new();
    rolecall_session_options *session = rolecall_session_options_new();
    rolecall_leases *store = NULL;
    rolecall_answer *answer = NULL;
    struct calls calls = {0};
    char path[1024], id[64], input[1024], account[64];
    snprintf(path, sizeof path, "sqlite:%s/leases.db", told("HOME"));
    DO(rolecall_leases_options_set_store(options, path, &error));
    DO(rolecall_leases_options_set_actor(options, "test@c", &error));
    DO(rolecall_leases_options_set_calls_per_second(options, 100, &error));
    DO(rolecall_leases_options_set_sealing_key(
        options, "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f", &error));
    DO(rolecall_leases_options_set_session(options, session, &error));
    DO(rolecall_leases_options_add_provider(options, "mine", fixed, &calls, release, &error));
    DO(rolecall_leases_open(options, &store, &error));
    rolecall_session_options_free(session);
    rolecall_leases_options_free(options);

    const char *definition =
        "{\"name\": \"ci/reader\", \"connection\": {\"profile\": \"admin\"}, \"kind\": \"iam-user\", "
        "\"path\": \"/team/\", \"groups\": [\"Developers\"], \"default_ttl_seconds\": 3600, "
        "\"max_ttl_seconds\": 86400}";
    DO(rolecall_leases_define(store, definition, &error));
    FAILS(ROLECALL_INVALID_CONFIGURATION, "ci/reader",
          rolecall_leases_define(store, definition, &error));
    DO(rolecall_leases_redefine(store, definition, 1, &error));
    FAILS(ROLECALL_UNAVAILABLE, "meanwhile", rolecall_leases_redefine(store, definition, 1, &error));
    DO(rolecall_leases_definition(store, "ci/reader", &answer, &error));
    expect(answer, "\"version\":2");
    DO(rolecall_leases_definitions(store, &answer, &error));
    expect(answer, "[{\"name\":\"ci/reader\"");
    DO(rolecall_leases_probe(store, "ci/reader", &answer, &error));
    expect(answer, "\"account_id\":\"111111111111\"");

    DO(rolecall_leases_create(store,
                              "{\"secret\": \"ci/reader\", \"ttl_seconds\": 900, \"identity\": "
                              "{\"name\": \"build-7\"}, \"keep\": true}",
                              &answer, &error));
    const rolecall_credentials *credentials = rolecall_answer_credentials(answer);
    CHECK(strstr(rolecall_answer_text(answer),
                 rolecall_credentials_secret_access_key(credentials)) == NULL);
    CHECK(strncmp(rolecall_credentials_access_key_id(credentials), "AKIA", 4) == 0);
    field(answer, "id", id, sizeof id);
    expect(answer, "\"identity\":\"build-7\"");
    DO(rolecall_leases_reveal(store, id, NULL, &answer, &error));
    const rolecall_credentials *again = rolecall_answer_credentials(answer);
    CHECK(strcmp(rolecall_credentials_secret_access_key(again),
                 rolecall_credentials_secret_access_key(credentials)) == 0);
    rolecall_answer_free(answer);
    rolecall_credentials_free(again);
    rolecall_credentials_free(credentials);
    DO(rolecall_leases_lease(store, id, &answer, &error));
    field(answer, "account_id", account, sizeof account);
    CHECK(strcmp(account, "111111111111") == 0);
    expect(answer, "\"state\":\"active\"");
    DO(rolecall_leases_list(store, "{\"secret\": \"ci/reader\"}", &answer, &error));
    expect(answer, id);
    DO(rolecall_leases_renew(store, id, 0, NULL, &answer, &error));
    expect(answer, "\"state\":\"active\"");
    FAILS(ROLECALL_DENIED, "leases of it run", rolecall_leases_undefine(store, "ci/reader", &error));
    DO(rolecall_leases_revoke(store, id, &answer, &error));
    expect(answer, "\"state\":\"revoked\"");
    DO(rolecall_leases_audit(store, id, &answer, &error));
    CHECK(strstr(rolecall_answer_text(answer), "\"actor\":\"test@c\"") != NULL);
    expect(answer, "\"flaw\":null");
    FAILS(ROLECALL_INVALID_CONFIGURATION, "is no lease",
          rolecall_leases_lease(store, "x", &answer, &error));

    DO(rolecall_leases_create(store, "{\"secret\": \"ci/reader\"}", &answer, &error));
    field(answer, "id", id, sizeof id);
    /* Somebody always is whom it is for. */
    expect(answer, "\"identity\":\"somebody\"");
    DO(rolecall_leases_revoke_all(store, "ci/reader", &answer, &error));
    expect(answer, "{\"revoked\":1,\"failures\":[]}");
    DO(rolecall_leases_reap(store, "{}", &answer, &error));
    expect(answer, "{\"orphans\":[],\"failure\":null}");
    DO(rolecall_leases_store(store, false, &answer, &error));
    expect(answer, "\"doubt\":null");

    rolecall_worker *worker = NULL;
    uint64_t done = 7;
    DO(rolecall_worker_new(store, 0, &worker, &error));
    DO(rolecall_worker_run_once(worker, &done, &error));
    CHECK(done == 0);
    pthread_t thread;
    CHECK(pthread_create(&thread, NULL, run_worker, worker) == 0);
    /* The store is there for others meanwhile. */
    DO(rolecall_leases_create(store, "{\"secret\": \"ci/reader\"}", &answer, &error));
    field(answer, "id", id, sizeof id);
    rolecall_answer_free(answer);
    DO(rolecall_leases_forget(store, id, &answer, &error));
    expect(answer, "\"state\":\"forgotten\"");
    DO(rolecall_worker_stop(worker, &error));
    CHECK(pthread_join(thread, NULL) == 0);
    rolecall_worker_free(worker);

    logins(store);

    /* A connection of one's own; the kit knows no such key. */
    snprintf(input, sizeof input,
             "{\"name\": \"mine\", \"connection\": {\"custom\": \"mine\"}, \"kind\": \"iam-user\", "
             "\"default_ttl_seconds\": 60, \"max_ttl_seconds\": 60}");
    DO(rolecall_leases_define(store, input, &error));
    CHECK(rolecall_leases_create(store, "{\"secret\": \"mine\"}", &answer, NULL) == ROLECALL_DENIED);
    CHECK(calls.made > 0);
    DO(rolecall_leases_undefine(store, "mine", &error));
    rolecall_leases_free(store);
    CHECK(calls.released == 1);
}

int main(void)
{
    versions();
    made_credentials();
    sessions();
    cached_credentials();
    providers();
    questions();
    sts();
    roles_anywhere();
    findings();
    identities();
    servers();
    web_identity_tokens();
    clusters();
    files();
    leases();
    puts("every function works");
    return 0;
}
