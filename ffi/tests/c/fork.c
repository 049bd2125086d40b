/* A child goes on with the handles of its parent, also if the parent's threads were at work. */

#include "check.h"

#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

enum { CHILDREN = 20, PATIENCE = 60 };

static rolecall_session *session;
static volatile int is_over;

static void *hammer(void *nothing)
{
    (void)nothing;
    while (!is_over) {
        rolecall_error *error = NULL;
        const rolecall_credentials *credentials = NULL;
        /* Its own, so that somebody is always waiting for AWS. */
        rolecall_session *other = session_of("hop");
        DO(rolecall_session_credentials(other, &credentials, &error));
        rolecall_credentials_free(credentials);
        rolecall_session_free(other);
    }
    return NULL;
}

static void use(void)
{
    rolecall_error *error = NULL;
    const rolecall_credentials *credentials = NULL;
    rolecall_answer *answer = NULL;
    DO(rolecall_session_credentials(session, &credentials, &error));
    DO(rolecall_sts_call(session, "GetCallerIdentity", "{}", &answer, &error));
    CHECK(strstr(rolecall_answer_text(answer), "assumed-role/Hop") != NULL);
    rolecall_answer_free(answer);
    rolecall_credentials_free(credentials);
}

int main(void)
{
    pthread_t thread;
    session = session_of("hop");
    use();
    CHECK(pthread_create(&thread, NULL, hammer, NULL) == 0);
    for (int i = 0; i < CHILDREN; i++) {
        pid_t child = fork();
        CHECK(child >= 0);
        if (child == 0) {
            alarm(PATIENCE);
            use();
            use();
            rolecall_session_free(session);
            _exit(0);
        }
        int status;
        use();
        CHECK(waitpid(child, &status, 0) == child);
        if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
            fprintf(stderr, "child %d ended with status %d\n", i, status);
            return 1;
        }
    }
    is_over = 1;
    CHECK(pthread_join(thread, NULL) == 0);
    use();
    rolecall_session_free(session);
    return 0;
}
