/* Credentials for a certificate, by IAM Roles Anywhere:
 * roles_anywhere TRUST_ANCHOR_ARN PROFILE_ARN ROLE_ARN CERTIFICATE.pem KEY.pem */

#include <rolecall.h>
#include <stdio.h>

int main(int count, char **arguments)
{
    if (count != 6) {
        fprintf(stderr, "usage: %s TRUST_ANCHOR PROFILE ROLE CERTIFICATE KEY\n", arguments[0]);
        return 2;
    }
    rolecall_error *error = NULL;
    rolecall_roles_anywhere *certificate = NULL;
    rolecall_session_options *options = rolecall_session_options_new();
    rolecall_session *session = NULL;
    const rolecall_credentials *credentials = NULL;
    int code = 1;
    if (rolecall_roles_anywhere_new(arguments[1], arguments[2], arguments[3], &certificate,
                                    &error) == ROLECALL_OK &&
        rolecall_roles_anywhere_set_certificate(certificate, arguments[4], &error) == ROLECALL_OK &&
        rolecall_roles_anywhere_set_private_key(certificate, arguments[5], &error) == ROLECALL_OK &&
        rolecall_session_options_set_roles_anywhere(options, certificate, &error) == ROLECALL_OK &&
        rolecall_session_new(options, &session, &error) == ROLECALL_OK &&
        rolecall_session_credentials(session, &credentials, &error) == ROLECALL_OK) {
        printf("%s of %s\n", rolecall_credentials_access_key_id(credentials), arguments[3]);
        code = 0;
    } else {
        fprintf(stderr, "%s\n", rolecall_error_text(error));
    }
    rolecall_credentials_free(credentials);
    rolecall_session_free(session);
    rolecall_session_options_free(options);
    rolecall_roles_anywhere_free(certificate);
    rolecall_error_free(error);
    return code;
}
