#ifndef FOOTFALL_SAMPLER_LAST_THREAD_H
#define FOOTFALL_SAMPLER_LAST_THREAD_H

#include <stdint.h>

#define LAST_THREAD_CHECK_NS 100000000u /* how often the sampling thread looks */

/* What was read at the last look. */
typedef struct last_thread_watch {
    uint64_t next_ns; /* on the monotonic clock */
    uint64_t others_ns; /* CPU time of the process without the calling thread's */
    int has_outlived; /* threads of the program went on after the first one: the status is theirs, 0 */
} last_thread_watch;

/* Whether all other threads of the process have ended, the first one included. Looks where the others used no CPU time
 * since the last call. Ends the process where the first thread left another status than 0: the kernel takes that of the
 * thread which ends last. */
int last_thread_is_this(last_thread_watch *watch, uint64_t now_ns);

#endif
