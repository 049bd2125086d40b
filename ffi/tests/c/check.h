/* What the tests in C share. */

#ifndef CHECK_H
#define CHECK_H

#include <rolecall.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Ends the program unless it is so. */
#define CHECK(is_so) \
    do { \
        if (!(is_so)) { \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #is_so); \
            exit(1); \
        } \
    } while (0)

/* Ends the program unless the call is done. */
#define DO(call) check_done((call), &error, __FILE__, __LINE__)

/* Ends the program unless the call fails with this code and a message with this text in it. */
#define FAILS(code, part, call) check_failed((call), (code), (part), &error, __FILE__, __LINE__)

static inline void check_done(rolecall_status status, rolecall_error **error, const char *file,
                              int line)
{
    if (status != ROLECALL_OK) {
        fprintf(stderr, "%s:%d: %s: %s\n", file, line, rolecall_status_name(status),
                rolecall_error_text(*error));
        exit(1);
    }
    if (*error != NULL) {
        fprintf(stderr, "%s:%d: an error of a call that is done\n", file, line);
        exit(1);
    }
}

static inline void check_failed(rolecall_status status, rolecall_status code, const char *part,
                                rolecall_error **error, const char *file, int line)
{
    const char *text = rolecall_error_text(*error);
    if (status != code || rolecall_error_status(*error) != code || text == NULL ||
        strstr(text, part) == NULL) {
        fprintf(stderr, "%s:%d: not %s with \"%s\" but %s: %s\n", file, line,
                rolecall_status_name(code), part, rolecall_status_name(status),
                text == NULL ? "nothing" : text);
        exit(1);
    }
    rolecall_error_free(*error);
    *error = NULL;
}

/* What the test program is told of the kit. */
static inline const char *told(const char *name)
{
    const char *value = getenv(name);
    if (value == NULL) {
        fprintf(stderr, "%s is not set\n", name);
        exit(1);
    }
    return value;
}

/* A session of a profile. */
static inline rolecall_session *session_of(const char *profile)
{
    rolecall_error *error = NULL;
    rolecall_session *session = NULL;
    rolecall_session_options *options = rolecall_session_options_new();
    DO(rolecall_session_options_set_profile(options, profile, &error));
    DO(rolecall_session_options_set_disk_cache(options, false, &error));
    DO(rolecall_session_new(options, &session, &error));
    rolecall_session_options_free(options);
    return session;
}

#endif
