/* Credentials of a profile: cc credentials.c $(pkg-config --cflags --libs rolecall) */

#include <rolecall.h>
#include <stdio.h>

static int fail(rolecall_error *error)
{
    fprintf(stderr, "%s\n", rolecall_error_text(error));
    rolecall_error_free(error);
    return 1;
}

int main(int count, char **arguments)
{
    rolecall_error *error = NULL;
    rolecall_session_options *options = rolecall_session_options_new();
    if (count > 1 &&
        rolecall_session_options_set_profile(options, arguments[1], &error) != ROLECALL_OK) {
        rolecall_session_options_free(options);
        return fail(error);
    }
    rolecall_session *session = NULL;
    rolecall_status status = rolecall_session_new(options, &session, &error);
    rolecall_session_options_free(options);
    if (status != ROLECALL_OK) {
        return fail(error);
    }
    /* From memory from the second time on, and renewed before they end. */
    const rolecall_credentials *credentials = NULL;
    status = rolecall_session_credentials(session, &credentials, &error);
    rolecall_session_free(session);
    if (status != ROLECALL_OK) {
        return fail(error);
    }
    /* Of keys that do not end, the account is often not known. */
    const char *account = rolecall_credentials_account_id(credentials);
    printf("%s of account %s until %lld\n", rolecall_credentials_access_key_id(credentials),
           account == NULL ? "unknown" : account,
           (long long)rolecall_credentials_expires_at(credentials));
    rolecall_credentials_free(credentials);
    return 0;
}
