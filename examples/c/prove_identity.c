/* A workload proves who it is in AWS, without a secret of the server's, and the server checks it.
 * Here both are one program: prove_identity ACCOUNT_ID [STS_URL] */

#include <rolecall.h>
#include <stdio.h>
#include <string.h>

/* The workload: a token for this server, which answers its challenge. */
static rolecall_status prove(const char *challenge, const char *sts_url, rolecall_answer **token,
                             rolecall_error **error)
{
    char options[1024];
    snprintf(options, sizeof options,
             "{\"format\": \"rolecall\", \"audience\": \"door.example\", \"challenge\": \"%s\", "
             "\"sts_url\": \"%s\"}",
             challenge, sts_url);
    rolecall_session *session = NULL;
    rolecall_token_source *source = NULL;
    rolecall_status status = rolecall_session_new(NULL, &session, error);
    if (status == ROLECALL_OK) {
        status = rolecall_token_source_new(session, options, &source, error);
    }
    if (status == ROLECALL_OK) {
        status = rolecall_token_source_token(source, token, error);
    }
    rolecall_token_source_free(source);
    rolecall_session_free(session);
    return status;
}

int main(int count, char **arguments)
{
    /* They go into JSON as they are. */
    for (int i = 1; i < count; i++) {
        if (strlen(arguments[i]) > 256 || strpbrk(arguments[i], "\"\\") != NULL) {
            count = 0;
        }
    }
    if (count < 2) {
        fprintf(stderr, "usage: %s ACCOUNT_ID [STS_URL]\n", arguments[0]);
        return 2;
    }
    const char *sts_url = count > 2 ? arguments[2] : "https://sts.us-east-1.amazonaws.com";
    char options[1024];
    snprintf(options, sizeof options,
             "{\"account_ids\": [\"%s\"], \"audience\": \"door.example\", \"formats\": "
             "[\"rolecall\"], \"challenges\": true, \"sts_url\": \"%s\"}",
             arguments[1], sts_url);
    rolecall_error *error = NULL;
    rolecall_verifier *verifier = NULL;
    rolecall_answer *challenge = NULL, *token = NULL, *decision = NULL;
    int code = 1;
    if (rolecall_verifier_new(options, &verifier, &error) == ROLECALL_OK &&
        rolecall_verifier_challenge(verifier, &challenge, &error) == ROLECALL_OK &&
        prove(rolecall_answer_text(challenge), sts_url, &token, &error) == ROLECALL_OK &&
        rolecall_verifier_verify(verifier, rolecall_answer_text(token), &decision, &error) ==
            ROLECALL_OK) {
        printf("come in: %s\n", rolecall_answer_text(decision));
        code = 0;
    } else {
        fprintf(stderr, "stay out: %s\n", rolecall_error_text(error));
    }
    rolecall_answer_free(decision);
    rolecall_answer_free(token);
    rolecall_answer_free(challenge);
    rolecall_verifier_free(verifier);
    rolecall_error_free(error);
    return code;
}
