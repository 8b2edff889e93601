/* stack_depth.c compares a thread's stack pointer with its stack's size, which it keeps for each thread. */
#include "core/state.h" /* first: Python.h must come before the system headers */

#include "engines/stack_depth.h"

#include <pthread.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

/* A smaller stack counts as used from the start. */
#define MIN_STACK_BYTES ((size_t)512 << 10)
#define DEFAULT_STACK_BYTES ((size_t)8 << 20)

/* The running thread's address half-way to the end of its stack; 0 is unknown. */
static _Thread_local uintptr_t middle;

/* That address; `here` if the end is near. */
static uintptr_t
middle_of_stack(uintptr_t here)
{
    size_t size = 0;
    struct rlimit limit;
    pthread_attr_t attributes;
    if (syscall(SYS_gettid) == getpid()) { /* pthread would have to read /proc for the main thread */
        size = DEFAULT_STACK_BYTES;
        if (getrlimit(RLIMIT_STACK, &limit) == 0 && limit.rlim_cur < size) {
            size = (size_t)limit.rlim_cur;
        }
    }
    else if (pthread_getattr_np(pthread_self(), &attributes) == 0) {
        void *lowest = NULL;
        if (pthread_attr_getstack(&attributes, &lowest, &size) == 0 && (uintptr_t)lowest < here) {
            size = here - (uintptr_t)lowest;
        }
        pthread_attr_destroy(&attributes);
    }
    return size < MIN_STACK_BYTES ? here : here - size / 2;
}

int
stack_is_half_used(void)
{
    char here;
    if (middle == 0) {
        middle = middle_of_stack((uintptr_t)&here);
    }
    return (uintptr_t)&here < middle;
}
