/* Sixteen threads on the same handles: one call of AWS, the same credentials for all. */

#include "check.h"

#include <pthread.h>

enum { THREADS = 16, ROUNDS = 500 };

static rolecall_session *session;
static rolecall_token_source *source;
static pthread_barrier_t start;

static void *hammer(void *nothing)
{
    rolecall_error *error = NULL;
    const rolecall_credentials *first = NULL, *next = NULL;
    rolecall_answer *token = NULL;
    (void)nothing;
    pthread_barrier_wait(&start);
    DO(rolecall_session_credentials(session, &first, &error));
    for (int i = 0; i < ROUNDS; i++) {
        DO(rolecall_session_credentials(session, &next, &error));
        CHECK(strcmp(rolecall_credentials_access_key_id(first),
                     rolecall_credentials_access_key_id(next)) == 0);
        CHECK(strlen(rolecall_credentials_secret_access_key(next)) > 16);
        rolecall_credentials_free(next);
        if (i % 50 == 0) {
            DO(rolecall_token_source_token(source, &token, &error));
            CHECK(strncmp(rolecall_answer_text(token), "k8s-aws-v1.", 11) == 0);
            rolecall_answer_free(token);
            CHECK(rolecall_session_credentials(NULL, &next, &error) == ROLECALL_INVALID_ARGUMENT);
            rolecall_error_free(error);
            error = NULL;
        }
    }
    rolecall_credentials_free(first);
    return NULL;
}

int main(void)
{
    rolecall_error *error = NULL;
    pthread_t threads[THREADS];
    session = session_of("hop");
    DO(rolecall_token_source_new(session, "{\"format\": \"eks\", \"cluster_name\": \"prod\"}",
                                 &source, &error));
    CHECK(pthread_barrier_init(&start, NULL, THREADS) == 0);
    for (int i = 0; i < THREADS; i++) {
        CHECK(pthread_create(&threads[i], NULL, hammer, NULL) == 0);
    }
    for (int i = 0; i < THREADS; i++) {
        CHECK(pthread_join(threads[i], NULL) == 0);
    }
    rolecall_token_source_free(source);
    rolecall_session_free(session);
    return 0;
}
