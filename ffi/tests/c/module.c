/* A PKCS#11 module that never answers the process that loads it, and refuses its children. */

#include <stdlib.h>
#include <unistd.h>

unsigned long C_GetFunctionList(void **list);

unsigned long C_GetFunctionList(void **list)
{
    static pid_t loader;
    (void)list;
    if (loader == 0) {
        loader = getpid();
        if (write(atoi(getenv("CALLED")), "x", 1) != 1) {
            abort();
        }
    }
    while (loader == getpid()) {
        pause();
    }
    return 5; /* CKR_GENERAL_ERROR */
}
