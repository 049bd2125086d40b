/* 100,000 calls leave no memory behind, those that fail among them. */

#include "check.h"

#include <unistd.h>

enum { WARM = 1000, CALLS = 100000 };

static rolecall_error *error = NULL;

static size_t resident(void)
{
    size_t whole, pages;
    FILE *file = fopen("/proc/self/statm", "r");
    CHECK(file != NULL && fscanf(file, "%zu %zu", &whole, &pages) == 2);
    fclose(file);
    return pages * (size_t)sysconf(_SC_PAGESIZE);
}

/* Ten calls that hand something over. */
static void ten(rolecall_session *session, rolecall_token_source *source)
{
    const rolecall_credentials *credentials = NULL, *made = NULL;
    rolecall_answer *answer = NULL;
    rolecall_session_options *options = rolecall_session_options_new();
    rolecall_roles_anywhere *certificate = NULL;
    DO(rolecall_session_options_set_profile(options, "final", &error));
    DO(rolecall_roles_anywhere_new("a", "b", "c", &certificate, &error));
    DO(rolecall_roles_anywhere_set_password(certificate, "hunter2", &error));
    DO(rolecall_session_credentials(session, &credentials, &error));
    DO(rolecall_credentials_export(credentials, "env", &answer, &error));
    rolecall_answer_free(answer);
    DO(rolecall_credentials_new("A", "s", "t", 1, "1", "p", &made, &error));
    DO(rolecall_token_source_token(source, &answer, &error));
    rolecall_answer_free(answer);
    FAILS(ROLECALL_INVALID_CONFIGURATION, "no operation",
          rolecall_sts_call(session, "Nothing", "{}", &answer, &error));
    FAILS(ROLECALL_DENIED, "", rolecall_error_new(ROLECALL_DENIED, "p", "m", "h", &error, NULL) ==
                                   ROLECALL_OK ? ROLECALL_DENIED : ROLECALL_OK);
    FAILS(ROLECALL_INVALID_ARGUMENT, "NULL", rolecall_session_credentials(NULL, &made, &error));
    rolecall_credentials_free(made);
    rolecall_credentials_free(credentials);
    rolecall_roles_anywhere_free(certificate);
    rolecall_session_options_free(options);
}

int main(int count, char **arguments)
{
    int calls = count > 1 ? atoi(arguments[1]) : CALLS;
    rolecall_session *session = session_of("hop");
    rolecall_token_source *source = NULL;
    DO(rolecall_token_source_new(session, "{\"format\": \"eks\", \"cluster_name\": \"prod\"}",
                                 &source, &error));
    for (int i = 0; i < WARM; i += 10) {
        ten(session, source);
    }
    size_t before = resident();
    for (int i = 0; i < calls; i += 10) {
        ten(session, source);
    }
    size_t after = resident();
    printf("%d calls: %zu KiB, and %zu KiB after\n", calls, before / 1024, after / 1024);
    /* A leak of three bytes a call would show; memory that is kept for later does not. */
    CHECK(calls < CALLS || after < before + 256 * 1024);
    rolecall_token_source_free(source);
    rolecall_session_free(session);
    return 0;
}
