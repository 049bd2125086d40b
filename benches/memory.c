/* Credentials from memory, as C sees them: the time of a call and its free, alone and in 16 threads. */

#define _POSIX_C_SOURCE 200809L

#include <pthread.h>
#include <rolecall.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { THREADS = 16, CALLS = 1000000 };

static rolecall_session *session;
static pthread_barrier_t start;

static int32_t an_hour(void *nothing, const rolecall_credentials **credentials,
                       rolecall_error **error)
{
    (void)nothing;
    return rolecall_credentials_new("AKID", "secret", "token", (int64_t)time(NULL) + 3600, NULL,
                                    "bench", credentials, error);
}

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec * 1e9 + (double)time.tv_nsec;
}

static void *many(void *nothing)
{
    const rolecall_credentials *credentials = NULL;
    (void)nothing;
    pthread_barrier_wait(&start);
    for (int i = 0; i < CALLS; i++) {
        if (rolecall_session_credentials(session, &credentials, NULL) != ROLECALL_OK) {
            exit(1);
        }
        rolecall_credentials_free(credentials);
    }
    return NULL;
}

static double of(int count)
{
    pthread_t threads[THREADS];
    pthread_barrier_init(&start, NULL, (unsigned)count + 1);
    for (int i = 0; i < count; i++) {
        pthread_create(&threads[i], NULL, many, NULL);
    }
    double began = now();
    pthread_barrier_wait(&start);
    for (int i = 0; i < count; i++) {
        pthread_join(threads[i], NULL);
    }
    return (now() - began) / CALLS / count;
}

int main(void)
{
    rolecall_error *error = NULL;
    const rolecall_credentials *credentials = NULL;
    rolecall_session_options *options = rolecall_session_options_new();
    if (rolecall_session_options_add_provider(options, "bench", an_hour, NULL, NULL, &error) !=
            ROLECALL_OK ||
        rolecall_session_new(options, &session, &error) != ROLECALL_OK ||
        rolecall_session_credentials(session, &credentials, &error) != ROLECALL_OK) {
        fprintf(stderr, "%s\n", rolecall_error_text(error));
        return 1;
    }
    rolecall_credentials_free(credentials);
    rolecall_session_options_free(options);
    printf("credentials from memory, C: %.0f ns a call\n", of(1));
    printf("credentials from memory, C, 16 threads: %.0f ns a call of all\n", of(THREADS));
    rolecall_session_free(session);
    return 0;
}
