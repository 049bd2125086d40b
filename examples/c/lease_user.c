/* An IAM user for an hour, made with the credentials of a profile and taken back at the end:
 * lease_user ADMIN_PROFILE. ROLECALL_STORE says where leases are kept. */

#include <rolecall.h>
#include <stdio.h>
#include <string.h>

static const char REQUEST[] = "{\"secret\": \"example/reader\", \"ttl_seconds\": 3600, \"wait\": true,"
                              " \"identity\": {\"name\": \"example\"}}";

/* The definition, unless it is there from last time: then it stays as it is. */
static rolecall_status define(rolecall_leases *leases, const char *profile, rolecall_error **error)
{
    rolecall_answer *there = NULL;
    if (rolecall_leases_definition(leases, "example/reader", &there, NULL) == ROLECALL_OK) {
        rolecall_answer_free(there);
        fprintf(stderr, "example/reader is defined already, and stays as it is\n");
        return ROLECALL_OK;
    }
    char definition[1024];
    snprintf(definition, sizeof definition,
             "{\"name\": \"example/reader\", \"connection\": {\"profile\": \"%s\"}, \"kind\": "
             "\"iam-user\", \"groups\": [\"Developers\"], \"default_ttl_seconds\": 3600, "
             "\"max_ttl_seconds\": 86400}",
             profile);
    return rolecall_leases_define(leases, definition, error);
}

/* The lease's id: 26 characters, the first field. */
static void id_of(const rolecall_answer *lease, char id[27])
{
    const char *start = strstr(rolecall_answer_text(lease), "\"id\":\"");
    snprintf(id, 27, "%s", start == NULL ? "" : start + strlen("\"id\":\""));
}

int main(int count, char **arguments)
{
    /* It goes into JSON as it is. */
    if (count != 2 || strlen(arguments[1]) > 256 || strpbrk(arguments[1], "\"\\") != NULL) {
        fprintf(stderr, "usage: %s ADMIN_PROFILE\n", arguments[0]);
        return 2;
    }
    rolecall_error *error = NULL;
    rolecall_leases *leases = NULL;
    rolecall_answer *lease = NULL, *end = NULL;
    char id[27];
    int code = 1;
    if (rolecall_leases_open(NULL, &leases, &error) == ROLECALL_OK &&
        define(leases, arguments[1], &error) == ROLECALL_OK &&
        rolecall_leases_create(leases, REQUEST, &lease, &error) == ROLECALL_OK) {
        const rolecall_credentials *credentials = rolecall_answer_credentials(lease);
        printf("%s\n", rolecall_credentials_access_key_id(credentials));
        /* Here is where it is used. */
        rolecall_credentials_free(credentials);
        id_of(lease, id);
        if (rolecall_leases_revoke(leases, id, &end, &error) == ROLECALL_OK) {
            printf("%s\n", rolecall_answer_text(end));
            code = 0;
        }
    }
    if (code != 0) {
        fprintf(stderr, "%s\n", rolecall_error_text(error));
    }
    rolecall_answer_free(end);
    rolecall_answer_free(lease);
    rolecall_leases_free(leases);
    rolecall_error_free(error);
    return code;
}
