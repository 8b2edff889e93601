#ifndef FOOTFALL_SAMPLER_LAST_THREAD_H
#define FOOTFALL_SAMPLER_LAST_THREAD_H

#include <stdint.h>

#define LAST_THREAD_CHECK_NS 100000000u /* how often the sampling thread checks */

/* What the last check read. */
typedef struct last_thread_watch {
    uint64_t next_ns; /* on the monotonic clock */
    uint64_t others_ns; /* CPU time of the process except the calling thread's */
    int has_outlived; /* threads of the program outlived the first one: the exit status is theirs, 0 */
} last_thread_watch;

/* Return whether all other threads of the process have ended, the first one included. Checks only if the others used no
 * CPU time since the last call. Ends the process if the first thread exited with a status other than 0: the kernel uses
 * the status of the thread which ends last. */
int last_thread_is_this(last_thread_watch *watch, uint64_t now_ns);

#endif
