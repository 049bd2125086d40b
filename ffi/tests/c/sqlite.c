/* What a program defines under names that the library uses inside is the program's, and the library
   keeps to its own. */

#include "check.h"

extern int sqlite3_open(const char *path, void **database);
extern int sqlite3_open_v2(const char *path, void **database, int flags, const char *vfs);
extern int sqlite3_close(void *database);
extern void rust_eh_personality(void);

static int calls;

int sqlite3_open(const char *path, void **database)
{
    (void)path, (void)database;
    calls++;
    return 77;
}

int sqlite3_open_v2(const char *path, void **database, int flags, const char *vfs)
{
    (void)flags, (void)vfs;
    return sqlite3_open(path, database);
}

int sqlite3_close(void *database)
{
    return sqlite3_open(NULL, database);
}

void rust_eh_personality(void)
{
    calls++;
}

int main(void)
{
    rolecall_error *error = NULL;
    rolecall_leases *leases = NULL;
    rolecall_answer *answer = NULL;
    void *database = NULL;
    CHECK(sqlite3_open("of the program", &database) == 77 && calls == 1);
    DO(rolecall_leases_open(NULL, &leases, &error));
    DO(rolecall_leases_store(leases, false, &answer, &error));
    CHECK(strstr(rolecall_answer_text(answer), "\"doubt\":null") != NULL);
    rolecall_answer_free(answer);
    rolecall_leases_free(leases);
    CHECK(calls == 1);
    return 0;
}
