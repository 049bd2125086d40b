/* A child does not wait for the call of a PKCS#11 module that was under way when it was forked. */

#include "check.h"

#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

/* Less than a call of a module may take. */
enum { PATIENCE = 20 };

static rolecall_session *session;

static void *call(void *nothing)
{
    const rolecall_credentials *credentials = NULL;
    (void)nothing;
    CHECK(rolecall_session_credentials(session, &credentials, NULL) == ROLECALL_TIMED_OUT);
    return NULL;
}

int main(void)
{
    rolecall_error *error = NULL;
    const rolecall_credentials *credentials = NULL;
    rolecall_session_options *options = rolecall_session_options_new();
    rolecall_roles_anywhere *certificate = NULL;
    pthread_t thread;
    int called[2], status;
    char byte, number[16];
    CHECK(pipe(called) == 0);
    snprintf(number, sizeof number, "%d", called[1]);
    CHECK(setenv("CALLED", number, 1) == 0);
    DO(rolecall_roles_anywhere_new(told("TRUST_ANCHOR"), told("RA_PROFILE"), told("WORKLOAD"),
                                   &certificate, &error));
    DO(rolecall_roles_anywhere_set_certificate(certificate, told("CERTIFICATE"), &error));
    DO(rolecall_roles_anywhere_set_private_key(certificate, "pkcs11:object=key", &error));
    DO(rolecall_roles_anywhere_set_pkcs11_module(certificate, told("MODULE"), &error));
    DO(rolecall_session_options_set_roles_anywhere(options, certificate, &error));
    DO(rolecall_session_options_set_disk_cache(options, false, &error));
    DO(rolecall_session_new(options, &session, &error));
    CHECK(pthread_create(&thread, NULL, call, NULL) == 0);
    CHECK(read(called[0], &byte, 1) == 1);
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        alarm(PATIENCE);
        FAILS(ROLECALL_INVALID_CONFIGURATION, "cannot be loaded",
              rolecall_session_credentials(session, &credentials, &error));
        rolecall_session_free(session);
        _exit(0);
    }
    CHECK(waitpid(child, &status, 0) == child);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    /* The thread waits on. */
    _exit(0);
}
