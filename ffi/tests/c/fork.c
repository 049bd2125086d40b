/* Children go on with the handles of their parent, or free them, also if the parent's threads were at
   work; and the parent's stay as they are. */

#include "check.h"

#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

enum { CHILDREN = 20, PATIENCE = 60 };

static rolecall_session *session;
static rolecall_token_source *source;
static rolecall_verifier *verifier;
static rolecall_leases *leases;
static rolecall_worker *worker;
static rolecall_auth *auth;
static volatile int is_over;

static void open_all(void)
{
    rolecall_error *error = NULL;
    char options[512];
    session = session_of("hop");
    DO(rolecall_token_source_new(session, "{}", &source, &error));
    snprintf(options, sizeof options, "{\"account_ids\": [\"222222222222\"], \"sts_url\": \"%s\"}",
             told("KIT_URL"));
    DO(rolecall_verifier_new(options, &verifier, &error));
    DO(rolecall_leases_open(NULL, &leases, &error));
    DO(rolecall_worker_new(leases, 1, &worker, &error));
    DO(rolecall_auth_new(leases, &auth, &error));
}

static void free_all(void)
{
    rolecall_auth_free(auth);
    rolecall_worker_free(worker);
    rolecall_leases_free(leases);
    rolecall_verifier_free(verifier);
    rolecall_token_source_free(source);
    rolecall_session_free(session);
}

static void define(const char *name)
{
    rolecall_error *error = NULL;
    char definition[512];
    snprintf(definition, sizeof definition,
             "{\"name\": \"%s\", \"connection\": {\"profile\": \"admin\"}, \"kind\": \"iam-user\", "
             "\"default_ttl_seconds\": 3600, \"max_ttl_seconds\": 86400}",
             name);
    DO(rolecall_leases_define(leases, definition, &error));
}

static void ask_aws(void)
{
    rolecall_error *error = NULL;
    const rolecall_credentials *credentials = NULL;
    rolecall_answer *answer = NULL;
    DO(rolecall_session_credentials(session, &credentials, &error));
    rolecall_credentials_free(credentials);
    DO(rolecall_sts_call(session, "GetCallerIdentity", "{}", &answer, &error));
    CHECK(strstr(rolecall_answer_text(answer), "assumed-role/Hop") != NULL);
    rolecall_answer_free(answer);
}

static void check_a_token(void)
{
    rolecall_error *error = NULL;
    rolecall_answer *token = NULL, *answer = NULL;
    DO(rolecall_token_source_token(source, &token, &error));
    /* Tokens of one second are one, which is taken once. */
    DO(rolecall_verifier_explain(verifier, rolecall_answer_text(token), &answer, &error));
    const char *text = rolecall_answer_text(answer);
    CHECK(strstr(text, "\"accepted\":true") != NULL || strstr(text, "used before") != NULL);
    rolecall_answer_free(answer);
    rolecall_answer_free(token);
}

static void use_the_store(void)
{
    static int uses;
    rolecall_error *error = NULL;
    rolecall_answer *answer = NULL;
    uint64_t done = 7;
    char name[64];
    snprintf(name, sizeof name, "of/%ld-%d", (long)getpid(), uses++);
    define(name);
    DO(rolecall_leases_definition(leases, name, &answer, &error));
    rolecall_answer_free(answer);
    DO(rolecall_worker_run_once(worker, &done, &error));
    CHECK(done == 0);
    DO(rolecall_auth_methods(auth, "", 10, &answer, &error));
    rolecall_answer_free(answer);
}

static void use(void)
{
    ask_aws();
    check_a_token();
    use_the_store();
}

/* Somebody is always waiting for AWS, with a session of its own, and for the store. */
static void *hammer(void *nothing)
{
    (void)nothing;
    while (!is_over) {
        rolecall_error *error = NULL;
        const rolecall_credentials *credentials = NULL;
        rolecall_session *other = session_of("hop");
        DO(rolecall_session_credentials(other, &credentials, &error));
        rolecall_credentials_free(credentials);
        rolecall_session_free(other);
        check_a_token();
    }
    return NULL;
}

static void *hammer_the_store(void *nothing)
{
    rolecall_error *error = NULL;
    rolecall_answer *answer = NULL;
    uint64_t done;
    (void)nothing;
    while (!is_over) {
        DO(rolecall_worker_run_once(worker, &done, &error));
        DO(rolecall_auth_methods(auth, "", 10, &answer, &error));
        rolecall_answer_free(answer);
    }
    return NULL;
}

static void wait_for(pid_t child)
{
    int status;
    CHECK(waitpid(child, &status, 0) == child);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
        fprintf(stderr, "a child ended with status %d\n", status);
        exit(1);
    }
}

static pid_t child(void)
{
    pid_t child = fork();
    CHECK(child >= 0);
    alarm(PATIENCE);
    return child;
}

static void children_use_them(void)
{
    pthread_t threads[2];
    CHECK(pthread_create(&threads[0], NULL, hammer, NULL) == 0);
    CHECK(pthread_create(&threads[1], NULL, hammer_the_store, NULL) == 0);
    for (int i = 0; i < CHILDREN; i++) {
        pid_t one = child();
        if (one == 0) {
            use();
            use();
            free_all();
            _exit(0);
        }
        use();
        wait_for(one);
    }
    is_over = 1;
    CHECK(pthread_join(threads[0], NULL) == 0);
    CHECK(pthread_join(threads[1], NULL) == 0);
    use();
}

/* What the parent has open stays open. */
static void a_child_frees_them_first(void)
{
    for (int i = 0; i < CHILDREN; i++) {
        pid_t one = child();
        if (one == 0) {
            free_all();
            _exit(0);
        }
        wait_for(one);
        use();
    }
}

/* A child of a child too. */
static void a_grandchild_uses_them(void)
{
    pid_t one = child();
    if (one == 0) {
        use();
        pid_t two = child();
        if (two == 0) {
            use();
            free_all();
            _exit(0);
        }
        wait_for(two);
        use();
        _exit(0);
    }
    wait_for(one);
    use();
}

/* What a child writes is kept, also if its parent has closed the store before. */
static void a_child_outlives_its_parents_store(void)
{
    rolecall_error *error = NULL;
    rolecall_answer *answer = NULL;
    int is_open[2], is_closed[2];
    char byte;
    CHECK(pipe(is_open) == 0 && pipe(is_closed) == 0);
    pid_t one = child();
    if (one == 0) {
        define("of-the-child/before");
        CHECK(write(is_open[1], "x", 1) == 1 && read(is_closed[0], &byte, 1) == 1);
        define("of-the-child/after");
        _exit(0);
    }
    CHECK(read(is_open[0], &byte, 1) == 1);
    free_all();
    CHECK(write(is_closed[1], "x", 1) == 1);
    wait_for(one);
    open_all();
    DO(rolecall_leases_definition(leases, "of-the-child/before", &answer, &error));
    rolecall_answer_free(answer);
    DO(rolecall_leases_definition(leases, "of-the-child/after", &answer, &error));
    rolecall_answer_free(answer);
}

int main(void)
{
    open_all();
    use();
    children_use_them();
    a_child_frees_them_first();
    a_grandchild_uses_them();
    a_child_outlives_its_parents_store();
    free_all();
    return 0;
}
