/* last_thread.c detects that a thread of ours is the only one left: a program's first thread may end by itself
 * (pthread_exit, the system call exit), and the process lives as long as any other thread does. Ours must not keep it
 * alive. Plain C. Threads: only the sampling thread; the fallback's holds the GIL. */
#include "sampler/last_thread.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define STAT_BYTES 1024
#define IDLE_NS 50000u /* the two clocks are not read at the same moment */
#define FIELDS_TO_COUNT 17 /* from the state to the number of threads */
#define FIELDS_TO_STATUS 32 /* from there to the status, in wait()'s form */

static uint64_t
clock_ns(clockid_t clock)
{
    struct timespec now;
    return clock_gettime(clock, &now) < 0 ? 0 : (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* Return the text `n` fields after `at`; NULL if there are not that many. */
static const char *
skip_fields(const char *at, int n)
{
    while (n > 0 && at != NULL) {
        at = strchr(at, ' ');
        at = at == NULL ? NULL : at + 1;
        n--;
    }
    return at;
}

/* Return the status of the first thread, in wait()'s form, if the text of /proc/PID/stat says that it has ended and
 * only one other is left; else -1. `*is_outlived` is set if it has ended and more are left. */
static int
status_of_ended_first(const char *stat, int *is_outlived)
{
    const char *at = strrchr(stat, ')'); /* the name before it may contain anything */
    if (at == NULL || (strncmp(at, ") Z ", 4) != 0 && strncmp(at, ") X ", 4) != 0)) {
        return -1;
    }
    at = skip_fields(at + 2, FIELDS_TO_COUNT);
    if (at == NULL) {
        return -1;
    }
    if (strtol(at, NULL, 10) > 2) { /* the first thread counts until the process ends */
        *is_outlived = 1;
        return -1;
    }
    at = skip_fields(at, FIELDS_TO_STATUS);
    return at == NULL ? 0 : (int)strtol(at, NULL, 10);
}

int
last_thread_is_this(last_thread_watch *watch, uint64_t now_ns)
{
    watch->next_ns = now_ns + LAST_THREAD_CHECK_NS;
    uint64_t others_ns = clock_ns(CLOCK_PROCESS_CPUTIME_ID) - clock_ns(CLOCK_THREAD_CPUTIME_ID);
    uint64_t before_ns = watch->others_ns;
    watch->others_ns = others_ns;
    if (others_ns > before_ns + IDLE_NS) {
        return 0;
    }
    char stat[STAT_BYTES];
    int file = open("/proc/self/stat", O_RDONLY | O_CLOEXEC);
    if (file < 0) {
        return 0;
    }
    ssize_t size = read(file, stat, sizeof stat - 1);
    close(file);
    if (size <= 0) {
        return 0;
    }
    stat[size] = '\0';
    int status = status_of_ended_first(stat, &watch->has_outlived);
    if (status > 0 && !watch->has_outlived) {
        _exit(WEXITSTATUS(status));
    }
    return status >= 0;
}
